//! Delivery (D13, F-93) and receipts (D10, F-92): what a peer has of what is here, and what it has signed for.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::sync::Arc;
use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimNetwork, SimPlatform, Simulation};
use isoroot::{Delivery, Event, Fact, Genesis, SignedRoot, StoreId, SyncNode, check_receipts};

async fn node(world: &Simulation, network: &SimNetwork) -> SyncNode {
    let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
    let platform = SimPlatform::new(world, store, vec![Arc::new(network.transport())]);
    SyncNode::create(platform, &Genesis::named("receipts")).await.unwrap()
}

/// A node that can be dialled under this name.
async fn hub(world: &Simulation, network: &SimNetwork, name: &str) -> SyncNode {
    let hub = node(world, network).await;
    hub.start().await.unwrap();
    let (listener, service) = (network.listen(name), hub.service().clone());
    world.spawn(async move { service.serve(listener).await });
    hub
}

#[test]
fn f92_a_peer_signs_for_what_it_holds_and_each_receipt_follows_the_one_before() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(2), Duration::from_millis(9));
    world.clone().run(async move {
        let hub = hub(&world, &network, "hub").await;
        let a = node(&world, &network).await;
        let not_started = a.request_receipt("sim:hub", None).await.unwrap_err();
        assert_eq!(not_started.code().as_str(), "NOT_STARTED");
        a.start().await.unwrap();
        let unknown = a.request_receipt("sim:hub", None).await.unwrap_err();
        assert_eq!(unknown.code().as_str(), "NOT_CONNECTED");
        a.add_peer("sim:hub").await.unwrap();
        let mut receipts: Vec<SignedRoot> = Vec::new();
        for round in 0..3 {
            a.append([Fact::new("p", round)]).await.unwrap();
            a.sync_with("sim:hub").await.unwrap().result.unwrap();
            let previous = receipts.last().map(SignedRoot::hash);
            let receipt = a.request_receipt("sim:hub", previous).await.unwrap();
            assert_eq!((receipt.device, receipt.root), (hub.device(), a.root().await.unwrap()));
            receipts.push(receipt);
        }
        assert_eq!(check_receipts(&receipts, &a.journal(), &hub.device()), Ok(()));
        assert_ne!(receipts[0].nonce, receipts[1].nonce, "each is asked for with a fresh nonce");
        // The connection ends while one is waited for.
        let (waiting, peer) = (a.clone(), a.clone());
        let (gone, stopped) = futures::join!(waiting.request_receipt("sim:hub", None), peer.stop());
        stopped.unwrap();
        assert_eq!(gone.unwrap_err().code().as_str(), "CANCELLED");
    });
}

#[test]
fn f93_of_each_entry_it_is_known_whether_it_is_here_only_sent_or_durable_at_a_peer() {
    let world = Simulation::new(2);
    let network = SimNetwork::new(&world, Duration::from_millis(5), Duration::from_millis(5));
    world.clone().run(async move {
        let (one, other) = (hub(&world, &network, "one").await, hub(&world, &network, "other").await);
        let a = node(&world, &network).await;
        let first = a.append([Fact::new("p", 1)]).await.unwrap();
        let at = |entry, hub: &SyncNode| {
            let (a, device) = (a.clone(), hub.device());
            async move { a.delivery(entry, device).await.unwrap() }
        };
        assert_eq!(at(first.id, &one).await, Some(Delivery::Pending), "an unknown peer has nothing");
        assert_eq!(a.deliveries().await.unwrap(), []);
        for name in ["sim:one", "sim:nobody"] {
            a.add_peer(name).await.unwrap();
        }
        a.start().await.unwrap();
        let events = a.events().await.unwrap();
        let synced = a.sync().await.unwrap();
        // One that fails does not hide the other.
        assert_eq!(synced.iter().filter(|sync| sync.result.is_ok()).count(), 1);
        assert_eq!(at(first.id, &one).await, Some(Delivery::Durable));
        assert_eq!(at(first.id, &other).await, Some(Delivery::Pending));
        // What comes from the peer itself is not waited for.
        one.append([Fact::new("q", 1)]).await.unwrap();
        world.sleep(Duration::from_millis(200)).await;
        let second = a.append([Fact::new("p", 2)]).await.unwrap();
        let pending = a.deliveries().await.unwrap();
        assert_eq!((pending[0].device, pending[0].pending), (one.device(), 1));
        let mut seen = vec![at(second.id, &one).await];
        for _ in 0..100 {
            world.sleep(Duration::from_millis(1)).await;
            let now = at(second.id, &one).await;
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        let all = [Delivery::Sent, Delivery::Durable].map(Some);
        assert_eq!(seen, all, "at once on its way, then there, and never back");
        let known = a.deliveries().await.unwrap();
        assert_eq!((known.len(), known[0].upto, known[0].pending), (1, 3, 0));
        let mut told = 0;
        while let Ok(event) = events.try_recv() {
            if let Event::Delivered { device, upto, .. } = event {
                assert!(device == one.device() && upto > told, "each tells something new");
                told = upto;
            }
        }
        assert_eq!(told, 3);
        // While it is away nothing changes, and what is appended waits.
        a.stop().await.unwrap();
        let third = a.append([Fact::new("p", 3)]).await.unwrap();
        assert_eq!(at(third.id, &one).await, Some(Delivery::Pending));
        assert_eq!(at(second.id, &one).await, Some(Delivery::Durable));
    });
}
