//! Counts the bytes that one tree of a million ids holds: `memory TREE`. Prints them by id, as JSON.

use std::alloc::System;

use cap::Cap;
use isoroot::MerkleMap;
use merkle_peers::peers::SearchTree;
use merkle_peers::run::{Run, Tree};
use rs_merkle::MerkleTree;
use rs_merkle::algorithms::Sha256;

/// A program of its own, since counting takes time too.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const MILLION: u32 = 1_000_000;

fn held<T: Tree>() -> f64 {
    let mut run = Run::<T>::default();
    let before = HEAP.allocated();
    run.prepare(0, MILLION, MILLION);
    run.build();
    // The list of batches, which is empty again.
    run.prepare(0, 0, 1);
    (HEAP.allocated() - before) as f64 / f64::from(MILLION)
}

fn main() {
    let bytes = match std::env::args().nth(1).as_deref() {
        Some("isoroot") => held::<MerkleMap>(),
        Some("rs_merkle") => held::<MerkleTree<Sha256>>(),
        Some("merkle-search-tree") => held::<SearchTree>(),
        other => panic!("no tree {other:?}"),
    };
    println!(r#"{{"figure":"memory","value":{bytes}}}"#);
}
