//! One seed is one run wherever it runs: roots, ids, every byte on the wire, and every report of a sync
//! (F-05, F-123). `tests/web/anywhere.rs` runs this in browsers and Node against the same numbers.

#![cfg(feature = "sim")]

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimNetwork, SimPlatform, Simulation, Verdict};
use isoroot::{Fact, Genesis, StoreId, SyncNode};
use sha2::{Digest, Sha256};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What the run of seed 7 was when the wire got its present version; a new one has other bytes. The test
/// prints what it is now.
const GOLDEN: &str = include_str!("golden/parity.txt");

#[allow(clippy::arc_with_non_send_sync, reason = "natively it is both; elsewhere there is one thread")]
async fn node(world: &Simulation, network: &SimNetwork) -> SyncNode {
    let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
    let platform = SimPlatform::new(world, store, vec![Arc::new(network.transport())]);
    SyncNode::create(platform, &Genesis::named("parity")).await.unwrap()
}

/// Two nodes write, meet, sync, lose their connection, write on and meet again. What can be seen of it.
fn run(seed: u64) -> String {
    let world = Simulation::new(seed);
    let network = SimNetwork::new(&world, Duration::from_micros(100), Duration::from_millis(30));
    let frames = Arc::new(Mutex::new((0u64, 0u64, Sha256::new())));
    let seen = Arc::clone(&frames);
    network.judge(move |frame| {
        let (count, bytes, digest) = &mut *seen.lock().unwrap();
        (*count, *bytes) = (*count + 1, *bytes + frame.len() as u64);
        digest.update((frame.len() as u64).to_be_bytes());
        digest.update(frame);
        Verdict::Deliver
    });
    let inner = world.clone();
    let mut told = world.run(async move {
        let mut told = String::new();
        let (a, b) = (node(&inner, &network).await, node(&inner, &network).await);
        b.start().await.unwrap();
        let (listener, service) = (network.listen("b"), b.service().clone());
        inner.spawn(async move { service.serve(listener).await });
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        for round in 0..3i64 {
            for (node, facts) in [(&a, 3), (&b, 40)] {
                for entry in 0..5 {
                    let text = format!("fact of round {round}");
                    let facts = (0..facts).map(|n| Fact::new(format!("{text}/{entry}"), n * round));
                    let appended = node.append(facts).await.unwrap();
                    writeln!(told, "entry {} {}", appended.number, appended.id).unwrap();
                }
            }
            let synced = a.sync_with("sim:b").await.unwrap().result.unwrap();
            writeln!(told, "{synced:?}").unwrap();
            assert_eq!(a.root().await.unwrap(), b.root().await.unwrap());
            a.stop().await.unwrap();
            inner.sleep(Duration::from_secs(5)).await;
            a.start().await.unwrap();
        }
        for node in [&a, &b] {
            writeln!(told, "device {} root {}", node.device(), node.root().await.unwrap()).unwrap();
        }
        told
    });
    let (count, bytes, digest) = frames.lock().unwrap().clone();
    let digest = digest.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    writeln!(told, "{count} frames, {bytes} bytes, {digest}").unwrap();
    writeln!(told, "{:?}", world.now()).unwrap();
    told
}

#[test]
fn f123_one_seed_is_one_run_natively_in_node_and_in_chromium() {
    let told = run(7);
    assert_eq!(told, GOLDEN, "the run of seed 7 was:\n{told}");
    assert_ne!(run(8), GOLDEN);
}
