//! What a store remembers beside journals: the peers of each, and whose it is.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::sync::Arc;

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{Connection, Store, Transport, TransportError};
use isoroot::sim::{SimPlatform, Simulation};
use isoroot::{
    Config, DeviceId, DeviceKey, Fact, Genesis, NodeError, StoreError, StoreId, SyncNode, SyncService,
};

/// What a moved byte means.
const FINAL: &str = "these bytes are in stores: a new form gets the next version, and this one is still read";

fn genesis() -> Genesis {
    Genesis::named("notes")
}

fn note() -> String {
    format!("peers/{}", genesis().journal())
}

fn store() -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes([7; 16]))
}

/// Dials all but `ftp:`, and reaches nobody.
struct Nowhere;

impl Transport for Nowhere {
    fn handles(&self, address: &str) -> bool {
        !address.starts_with("ftp:")
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        Ok(address.to_owned())
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        Err(TransportError::Unreachable { address: address.to_owned(), reason: "nowhere".to_owned() })
    }
}

fn platform(world: &Simulation, store: &MemoryStore) -> SimPlatform<MemoryStore> {
    SimPlatform::new(world, store.clone(), vec![Arc::new(Nowhere)])
}

async fn node(world: &Simulation, store: &MemoryStore) -> SyncNode {
    SyncNode::create(platform(world, store), &genesis()).await.unwrap()
}

async fn addresses(node: &SyncNode) -> Vec<String> {
    node.peers().await.unwrap().into_iter().map(|peer| peer.address).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn b1_kept_peers_are_dialled_after_a_restart_and_forgotten_when_removed() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let store = store();
        let first = node(&world, &store).await;
        assert_eq!(first.keep_peer("sim:b", None).await, Ok(true));
        assert_eq!(first.keep_peer("sim:a", None).await, Ok(true));
        assert_eq!(first.keep_peer("sim:b", None).await, Ok(false));
        assert_eq!(first.add_peer("sim:c").await, Ok(true), "dialled, and not kept");
        assert!(matches!(first.keep_peer("ftp://x", None).await, Err(NodeError::Address(_))));
        drop(first);

        let second = node(&world, &store).await;
        assert_eq!(addresses(&second).await, [""; 0]);
        assert_eq!(second.dial_kept_peers().await, Ok(vec![]));
        assert_eq!(addresses(&second).await, ["sim:b", "sim:a"]);
        assert_eq!(second.forget_peer("sim:b").await, Ok(true));
        assert_eq!(second.forget_peer("sim:b").await, Ok(false));

        let third = node(&world, &store).await;
        assert_eq!(third.dial_kept_peers().await, Ok(vec![]));
        assert_eq!(addresses(&third).await, ["sim:a"]);
        assert_eq!(third.forget_peer("sim:a").await, Ok(true));
        assert_eq!(store.note(&note()).await, Ok(None), "no peers, no note");
    });
}

#[test]
fn b1_handles_that_keep_and_forget_at_once_lose_nothing() {
    let world = Simulation::new(2);
    world.clone().run(async move {
        let store = store();
        let nodes = [node(&world, &store).await, node(&world, &store).await, node(&world, &store).await];
        let keep = (0..60).map(|i| {
            let node = &nodes[i % 3];
            async move { node.keep_peer(&format!("sim:{i:02}"), None).await }
        });
        assert!(futures::future::join_all(keep).await.iter().all(|kept| *kept == Ok(true)));
        let forget = (0..60).filter(|i| i % 2 == 0).map(|i| {
            let node = &nodes[(i + 1) % 3];
            async move { node.forget_peer(&format!("sim:{i:02}")).await }
        });
        assert!(futures::future::join_all(forget).await.iter().all(|there| *there == Ok(true)));
        let after = node(&world, &store).await;
        after.dial_kept_peers().await.unwrap();
        let mut found = addresses(&after).await;
        found.sort();
        assert_eq!(found, (0..60).filter(|i| i % 2 == 1).map(|i| format!("sim:{i:02}")).collect::<Vec<_>>());
    });
}

#[test]
fn b1_a_store_that_fails_leaves_the_peers_as_they_were() {
    let world = Simulation::new(3);
    world.clone().run(async move {
        let store = store();
        let node = node(&world, &store).await;
        node.keep_peer("sim:a", None).await.unwrap();
        store.fail_after(1);
        assert!(matches!(node.keep_peer("sim:b", None).await, Err(NodeError::Store(StoreError::Failed(_)))));
        assert!(matches!(node.forget_peer("sim:a").await, Err(NodeError::Store(StoreError::Failed(_)))));
        assert_eq!(addresses(&node).await, ["sim:a"]);
    });
}

#[test]
fn b1_notes_of_peers_are_golden_and_other_bytes_are_refused() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(include_str!("golden/peers.json")).unwrap();
    let world = Simulation::new(4);
    world.clone().run(async move {
        for case in cases {
            let store = store();
            let node = node(&world, &store).await;
            let bytes = unhex(case["hex"].as_str().unwrap());
            let peers: Vec<_> = case["peers"].as_array().unwrap().iter().collect();
            for peer in &peers {
                let device = peer[1].as_str().map(|id| id.parse::<DeviceId>().unwrap());
                node.keep_peer(peer[0].as_str().unwrap(), device).await.unwrap();
            }
            assert_eq!(store.note(&note()).await, Ok(Some(bytes.clone())), "{}: {FINAL}", case["name"]);
            let again = self::node(&world, &store).await;
            assert_eq!(again.dial_kept_peers().await, Ok(vec![]));
            let read = again.peers().await.unwrap().into_iter().map(|peer| (peer.address, peer.device));
            let given = peers.iter().map(|peer| {
                (peer[0].as_str().unwrap().to_owned(), peer[1].as_str().map(|id| id.parse().unwrap()))
            });
            assert!(read.eq(given));

            // Every other byte string is an error, and stays as it is.
            let cuts = (0..bytes.len()).map(|at| bytes[..at].to_vec());
            for wrong in cuts.chain([[&bytes[..], &[0]].concat(), unhex("820080")]) {
                replace(&store, &wrong).await;
                let found = again.dial_kept_peers().await;
                assert!(matches!(found, Err(NodeError::Store(StoreError::Damaged(_)))), "{found:?}");
                assert!(again.keep_peer("sim:x", None).await.is_err());
                assert_eq!(store.note(&note()).await, Ok(Some(wrong)));
            }
            for newer in ["820280", "83028000", "8102"] {
                replace(&store, &unhex(newer)).await;
                let too_new = StoreError::TooNew { found: 2, known: 1 };
                assert_eq!(again.dial_kept_peers().await, Err(too_new.into()));
                assert!(again.forget_peer("sim:a").await.is_err());
                assert_eq!(store.note(&note()).await, Ok(Some(unhex(newer))));
            }
        }
    });
}

#[test]
fn the_example_of_the_format_is_what_the_code_does() {
    let format = include_str!("../docs/FORMAT.md");
    let block = format.split("```hex peers\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let bytes = block.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
    let bytes: Vec<_> = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let world = Simulation::new(7);
    world.clone().run(async move {
        let store = store();
        let node = node(&world, &store).await;
        node.keep_peer("wss://hub.example/sync", None).await.unwrap();
        node.keep_peer("ws://localhost/", Some(DeviceKey::from_seed([1; 32]).device())).await.unwrap();
        assert_eq!(store.note(&note()).await, Ok(Some(bytes)));
    });
}

async fn replace(store: &MemoryStore, note: &[u8]) {
    let now = store.note(&self::note()).await.unwrap();
    store.set_note(&self::note(), now, Some(note.to_vec())).await.unwrap().unwrap();
}

#[test]
fn a11_a_key_that_is_given_is_not_stored_and_no_other_opens_the_store() {
    let world = Simulation::new(5);
    world.clone().run(async move {
        let with = async |store: &MemoryStore, seed: u8| {
            let key = DeviceKey::from_seed([seed; 32]);
            SyncService::with_key(platform(&world, store), Config::default(), key).await
        };
        let without =
            async |store: &MemoryStore| SyncService::new(platform(&world, store), Config::default()).await;
        let device = |seed| DeviceKey::from_seed([seed; 32]).device();

        let brought = store();
        assert_eq!(with(&brought, 9).await.unwrap().device(), device(9));
        let kept = [&[1], &device(9).as_bytes()[..]].concat();
        assert_eq!(brought.note("device").await, Ok(Some(kept.clone())), "{FINAL}");
        assert_eq!(with(&brought, 9).await.unwrap().device(), device(9));
        let refused = with(&brought, 8).await.unwrap_err();
        assert_eq!(refused, NodeError::OtherDevice(device(9)));
        assert!(!format!("{refused} {refused:?}").contains("0808"));
        assert_eq!(without(&brought).await.unwrap_err(), NodeError::KeyNeeded(device(9)));
        assert_eq!(brought.note("device").await, Ok(Some(kept)));

        // A key that the store holds may be brought as well; another may not.
        let own = store();
        own.set_note("device", None, Some(vec![7; 32])).await.unwrap().unwrap();
        assert_eq!(without(&own).await.unwrap().device(), device(7));
        assert_eq!(with(&own, 7).await.unwrap().device(), device(7));
        assert_eq!(with(&own, 8).await.unwrap_err(), NodeError::OtherDevice(device(7)));
        // The first byte tells nothing: a seed may begin with 1.
        let one = store();
        one.set_note("device", None, Some(vec![1; 32])).await.unwrap().unwrap();
        assert_eq!(without(&one).await.unwrap().device(), device(1));
        for length in [0, 31, 34] {
            let damaged = store();
            damaged.set_note("device", None, Some(vec![1; length])).await.unwrap().unwrap();
            let error = with(&damaged, 7).await.unwrap_err();
            assert!(matches!(error, NodeError::Store(StoreError::Damaged(_))), "{error}");
        }
    });
}

#[test]
fn a4_an_append_given_up_before_it_was_taken_does_not_happen() {
    let world = Simulation::new(6);
    world.clone().run(async move {
        let node = node(&world, &store()).await;
        let appended = node.append([Fact::new("kept", 1)]);
        let mut given_up = Box::pin(node.append([Fact::new("given up", 1)]));
        // Into the mailbox, and no further: nobody else has had a turn.
        assert!(futures::poll!(&mut given_up).is_pending());
        drop(given_up);
        appended.await.unwrap();
        assert_eq!(node.status().await.unwrap().facts, 1);
    });
}
