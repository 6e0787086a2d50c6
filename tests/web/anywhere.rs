//! What runs in every JavaScript environment: windows, workers and Node. `pkg-config/run-web-tests.sh`
//! runs it in each.

#![cfg(all(target_arch = "wasm32", feature = "web"))]

#[path = "../golden.rs"]
mod golden;
mod nodes;
#[path = "../parity.rs"]
mod parity;
mod patch;
#[path = "../proof_vectors.rs"]
mod proof_vectors;
mod story;
#[path = "../symbols.rs"]
mod symbols;
mod time;
mod timeouts;

use isoroot::StoreId;
use isoroot::platform::memory::{self, MemoryStore};
use isoroot::platform::web::{WebEntropy, WebSpawner};
use isoroot::platform::{Entropy, Spawner, conformance};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn c11_c13_the_memory_store_keeps_the_contract() {
    conformance::store::all(|| async { MemoryStore::new(StoreId::from_bytes([7; 16])) }).await;
}

#[wasm_bindgen_test]
async fn d9_the_pipe_keeps_the_contract() {
    let held = memory::PIPE_FRAMES * isoroot::limits::FRAME_BYTES;
    conformance::transport::all(async || memory::pipe(), held).await;
}

#[wasm_bindgen_test]
fn a11_random_bytes_fill_the_whole_and_never_repeat() {
    let draw = || {
        let mut bytes = vec![0; 10_000];
        WebEntropy.fill(&mut bytes).unwrap();
        bytes
    };
    let (first, second) = (draw(), draw());
    assert_ne!(first, second);
    // 64 zeros in a row are as good as impossible.
    assert!(first.chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
}

#[wasm_bindgen_test]
async fn f1_tasks_run_and_computations_leave_them_their_turn() {
    let (sender, receiver) = futures::channel::oneshot::channel();
    WebSpawner.spawn("test", Box::pin(async move { sender.send(()).unwrap() }));
    let mut receiver = receiver;
    // The task was there first.
    let seen = WebSpawner.compute(move || receiver.try_recv()).await;
    assert_eq!(seen, Ok(Some(())));
}
