//! The steps of the map as exports of plain numbers; `wasm.mjs` takes their time.

use std::cell::RefCell;

use isoroot::MerkleMap;

use crate::run::Run;

thread_local! {
    static RUN: RefCell<Run<MerkleMap>> = RefCell::default();
}

fn with<R>(step: impl FnOnce(&mut Run<MerkleMap>) -> R) -> R {
    RUN.with_borrow_mut(step)
}

/// See [`Run::prepare`].
#[unsafe(no_mangle)]
pub extern "C" fn prepare(first: u32, count: u32, batch: u32) {
    with(|run| run.prepare(first, count, batch));
}

/// See [`Run::build`].
#[unsafe(no_mangle)]
pub extern "C" fn build() {
    with(Run::build);
}

/// See [`Run::insert`].
#[unsafe(no_mangle)]
pub extern "C" fn insert() {
    with(Run::insert);
}

/// See [`Run::forget`].
#[unsafe(no_mangle)]
pub extern "C" fn forget() {
    with(Run::forget);
}

/// See [`Run::ask`].
#[unsafe(no_mangle)]
pub extern "C" fn ask(count: u32, of: u32) {
    with(|run| run.ask(count, of));
}

/// See [`Run::prove`].
#[unsafe(no_mangle)]
pub extern "C" fn prove() {
    with(Run::prove);
}

/// See [`Run::check`].
#[unsafe(no_mangle)]
pub extern "C" fn check() -> usize {
    with(|run| run.check())
}

/// See [`Run::proof_bytes`].
#[unsafe(no_mangle)]
pub extern "C" fn proof_bytes() -> usize {
    with(|run| run.proof_bytes())
}

/// The byte of the root at that place.
#[unsafe(no_mangle)]
pub extern "C" fn root_byte(at: usize) -> u32 {
    with(|run| run.root().get(at).copied().map_or(u32::MAX, u32::from))
}
