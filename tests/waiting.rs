//! What is told of syncs on their way (D1), and waiting for peers: patiently (D13), and until one gives up (F-41).

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::poll;
use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimNetwork, SimPlatform, Simulation, Verdict};
use isoroot::{
    Appended, DeviceKey, Event, Fact, Genesis, NodeError, PeerError, PeerStatus, StoreId, SyncNode, SyncPhase,
};

fn genesis() -> Genesis {
    Genesis::named("waiting")
}

async fn node_of(world: &Simulation, network: &SimNetwork, genesis: &Genesis) -> SyncNode {
    let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
    let platform = SimPlatform::new(world, store, vec![Arc::new(network.transport())]);
    SyncNode::create(platform, genesis).await.unwrap()
}

async fn node(world: &Simulation, network: &SimNetwork) -> SyncNode {
    node_of(world, network, &genesis()).await
}

fn serve(world: &Simulation, network: &SimNetwork, name: &str, node: &SyncNode) {
    let (listener, service) = (network.listen(name), node.service().clone());
    world.spawn(async move { service.serve(listener).await });
}

/// A node that can be dialled under this name.
async fn hub(world: &Simulation, network: &SimNetwork, name: &str) -> SyncNode {
    let hub = node(world, network).await;
    hub.start().await.unwrap();
    serve(world, network, name, &hub);
    hub
}

/// A started node that dials that one.
async fn dialler(world: &Simulation, network: &SimNetwork) -> SyncNode {
    let node = node(world, network).await;
    node.add_peer("sim:hub").await.unwrap();
    node.start().await.unwrap();
    node
}

/// The last of so many entries.
async fn write(node: &SyncNode, entries: i64) -> Option<Appended> {
    let mut last = None;
    for value in 0..entries {
        last = Some(node.append([Fact::new("p", value)]).await.unwrap());
    }
    last
}

/// What was told of syncs so far, in words.
fn told(events: &async_channel::Receiver<Event>) -> Vec<String> {
    let told = std::iter::from_fn(|| events.try_recv().ok()).filter_map(|event| match event {
        Event::Phase { phase, .. } => Some(phase.as_str().to_owned()),
        Event::Synced { .. } => Some("synced".to_owned()),
        Event::SyncFailed { error, .. } => Some(format!("failed {}", error.code())),
        Event::Disconnected { .. } => Some("disconnected".to_owned()),
        _ => None,
    });
    told.collect()
}

#[test]
fn d1_each_phase_of_a_sync_is_told_when_it_is_reached() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(5), Duration::from_millis(5));
    world.clone().run(async move {
        let (a, hub) = (node(&world, &network).await, hub(&world, &network, "hub").await);
        let (at_a, at_hub) = (a.events().await.unwrap(), hub.events().await.unwrap());
        let settled = || world.sleep(Duration::from_secs(1));
        // Equal from the start.
        a.add_peer("sim:hub").await.unwrap();
        a.start().await.unwrap();
        settled().await;
        assert_eq!(told(&at_a), ["opening", "live", "synced"]);
        assert_eq!(told(&at_hub), ["live", "synced"]);
        // What is new follows without another sync.
        write(&a, 3).await;
        settled().await;
        assert_eq!(told(&at_a), Vec::<String>::new());
        // Both have what the other lacks.
        a.stop().await.unwrap();
        settled().await;
        assert_eq!((told(&at_a), told(&at_hub)), (vec!["disconnected".into()], vec!["disconnected".into()]));
        write(&a, 40).await;
        let other = node(&world, &network).await;
        write(&other, 40).await;
        serve(&world, &network, "hub", &other);
        other.start().await.unwrap();
        let at_other = other.events().await.unwrap();
        a.start().await.unwrap();
        settled().await;
        assert_eq!(told(&at_a), ["opening", "comparing", "exchanging", "live", "synced"]);
        assert_eq!(told(&at_other), ["comparing", "exchanging", "live", "synced"]);
        // Asked for by hand, it takes the place of the one that is live, which does not count as failed.
        a.sync().await.unwrap().remove(0).result.unwrap();
        assert_eq!(told(&at_a), ["opening", "live", "synced"]);
        assert_eq!(told(&at_other), ["live", "synced"]);
    });
}

#[test]
fn d1_a_sync_that_fails_is_told_with_its_reason() {
    let world = Simulation::new(2);
    let network = SimNetwork::new(&world, Duration::from_millis(5), Duration::from_millis(5));
    world.clone().run(async move {
        // A peer that does not serve the journal: the connection goes on.
        let stranger = node_of(&world, &network, &Genesis::named("another")).await;
        stranger.start().await.unwrap();
        serve(&world, &network, "hub", &stranger);
        let a = node(&world, &network).await;
        a.append([Fact::new("p", 1)]).await.unwrap();
        let events = a.events().await.unwrap();
        a.add_peer("sim:hub").await.unwrap();
        a.start().await.unwrap();
        world.sleep(Duration::from_millis(100)).await;
        let mut failed = None;
        while let Ok(event) = events.try_recv() {
            if let Event::SyncFailed { peer, journal, error } = event {
                assert_eq!((peer.as_str(), journal), ("sim:hub", a.journal()));
                failed = Some(error);
            }
        }
        assert!(matches!(failed, Some(PeerError::Refused { code, .. }) if code == "NOT_SERVED"));
        assert_eq!(a.service().connections().await, Ok(1));
        a.remove_peer("sim:hub").await.unwrap();
        // A connection that breaks: in the middle of a sync that has failed, later it has not.
        let hub = hub(&world, &network, "b").await;
        hub.append([Fact::new("p", 2)]).await.unwrap();
        told(&events);
        let cut = std::sync::Mutex::new(true);
        network.judge(move |frame| match frame.first() {
            Some(18) if std::mem::take(&mut *cut.lock().unwrap()) => Verdict::Cut,
            _ => Verdict::Deliver,
        });
        a.add_peer("sim:b").await.unwrap();
        world.sleep(Duration::from_millis(25)).await;
        assert_eq!(told(&events), ["opening", "failed DISCONNECTED", "disconnected"]);
        a.synced("sim:b").await.unwrap();
        told(&events);
        network.cut_all();
        world.sleep(Duration::from_millis(1)).await;
        assert_eq!(told(&events), ["disconnected"]);
    });
}

#[test]
fn d13_synced_waits_through_a_peer_that_is_away_stops_or_is_cut_off() {
    for seed in 0..30 {
        let world = Simulation::new(seed);
        let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(30));
        let (judge, cuts) = (world.clone(), world.below(30));
        let mut left = cuts;
        network.judge(move |_| {
            if left > 0 && judge.below(8) == 0 {
                left -= 1;
                return Verdict::Cut;
            }
            Verdict::Deliver
        });
        world.clone().run(async move {
            let (a, b) = (dialler(&world, &network).await, node(&world, &network).await);
            let (at_a, at_b) = (write(&a, 30).await.unwrap(), write(&b, 30).await.unwrap());
            let mut waiting = Box::pin(a.synced("sim:hub"));
            assert!(poll!(&mut waiting).is_pending());
            world.sleep(Duration::from_secs(world.below(400))).await;
            assert!(poll!(&mut waiting).is_pending(), "there is nobody");
            let info = a.peers().await.unwrap().remove(0);
            assert_eq!(info.status, PeerStatus::BackingOff);
            let next = info.next_attempt.unwrap();
            assert!(next > Duration::ZERO && next <= Duration::from_secs(300), "{next:?}");
            b.start().await.unwrap();
            serve(&world, &network, "hub", &b);
            // It says that it leaves, some time after somebody has come, and comes back.
            let (b_too, world_too, events) = (b.clone(), world.clone(), b.events().await.unwrap());
            world.spawn(async move {
                for _ in 0..4 {
                    while !matches!(events.recv().await, Ok(Event::Connected { .. }) | Err(_)) {}
                    world_too.sleep(Duration::from_millis(world_too.below(60))).await;
                    if b_too.stop().await.is_err() || b_too.start().await.is_err() {
                        return;
                    }
                }
            });
            let report = waiting.await.unwrap();
            assert_eq!(report.root, a.root().await.unwrap(), "seed {seed}");
            assert!(b.get(at_a.id).await.unwrap().is_some() && a.get(at_b.id).await.unwrap().is_some());
            let info = a.peers().await.unwrap().remove(0);
            assert_eq!(info.next_attempt.is_some(), info.status == PeerStatus::BackingOff);
        });
    }
}

#[test]
fn d13_synced_is_about_all_that_either_side_had_at_the_call() {
    for seed in 0..60 {
        let world = Simulation::new(seed);
        let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(30));
        world.clone().run(async move {
            let hub = hub(&world, &network, "hub").await;
            write(&hub, 10).await;
            let a = dialler(&world, &network).await;
            let at_a = write(&a, 10).await;
            // Some time while the sync that the start began is on its way: it is not about what comes now.
            world.sleep(Duration::from_millis(world.below(200))).await;
            // Where nothing new is here either, that sync would be about all that is.
            let (more, at_hub) = futures::join!(write(&a, (seed % 2) as i64), write(&hub, 1));
            let at_a = more.unwrap_or(at_a.unwrap());
            let at_hub = at_hub.unwrap();
            let device = hub.device();
            a.synced("sim:hub").await.unwrap();
            assert!(a.get(at_hub.id).await.unwrap().is_some(), "seed {seed}");
            assert!(hub.get(at_a.id).await.unwrap().is_some(), "seed {seed}");
            let delivered = a.delivery(at_a.id, device).await.unwrap();
            assert_eq!(delivered, Some(isoroot::Delivery::Durable), "seed {seed}");
            let deliveries = a.deliveries().await.unwrap();
            assert_eq!((deliveries[0].device, deliveries[0].pending), (device, 0));
        });
    }
}

#[test]
fn d13_synced_fails_for_what_waiting_does_not_mend() {
    let world = Simulation::new(5);
    let network = SimNetwork::new(&world, Duration::from_millis(5), Duration::from_millis(5));
    world.clone().run(async move {
        let a = node(&world, &network).await;
        a.add_peer("sim:hub").await.unwrap();
        assert_eq!(a.synced("sim:hub").await, Err(NodeError::NotStarted));
        a.start().await.unwrap();
        assert_eq!(a.synced("sim:nobody").await, Err(NodeError::NoPeer));
        // Nobody is there; the peer is removed, the node is stopped, the node is closed.
        let cancelled = Err(NodeError::Peer(PeerError::Cancelled));
        let after = |what: &'static str| {
            let (a, world) = (a.clone(), world.clone());
            async move {
                world.sleep(Duration::from_secs(50)).await;
                match what {
                    "remove" => drop(a.remove_peer("sim:hub").await.unwrap()),
                    "stop" => drop(a.stop().await.unwrap()),
                    _ => a.service().close().await.unwrap(),
                }
            }
        };
        assert_eq!(futures::join!(a.synced("sim:hub"), after("remove")).0, cancelled);
        a.add_peer("sim:hub").await.unwrap();
        assert_eq!(futures::join!(a.synced("sim:hub"), after("stop")).0, cancelled);
        a.start().await.unwrap();
        assert_eq!(futures::join!(a.synced("sim:hub"), after("close")).0, Err(NodeError::Closed));
        // Another device answers; the journal is not served; the peer breaks the protocol.
        let hub = hub(&world, &network, "hub").await;
        let b = node(&world, &network).await;
        let expected = DeviceKey::from_seed([9; 32]).device();
        b.service().add_peer_device("sim:hub", Some(expected)).await.unwrap();
        b.start().await.unwrap();
        let wrong = PeerError::WrongDevice { expected, found: hub.device() };
        assert_eq!(b.synced("sim:hub").await, Err(NodeError::Peer(wrong)));
        let c = node_of(&world, &network, &Genesis::named("another")).await;
        c.add_peer("sim:hub").await.unwrap();
        c.start().await.unwrap();
        let error = c.synced("sim:hub").await.unwrap_err();
        assert!(
            matches!(&error, NodeError::Peer(PeerError::Refused { code, .. }) if code == "NOT_SERVED"),
            "{error}"
        );
        for node in [b, c] {
            assert_eq!(node.service().waiting().await, Ok(0));
        }
    });
}

#[test]
fn f41_whoever_gives_up_frees_what_was_kept_at_once() {
    let world = Simulation::new(6);
    let network = SimNetwork::new(&world, Duration::from_millis(5), Duration::from_millis(5));
    world.clone().run(async move {
        let a = dialler(&world, &network).await;
        write(&a, 1).await;
        let waiting = || async { a.service().waiting().await.unwrap() };
        // So long that nobody else could have ended them.
        let mut waits = Vec::new();
        for _ in 0..500 {
            waits.push(Box::pin(a.synced("sim:hub")));
        }
        // More than the mailbox holds at once.
        for _ in 0..20 {
            for wait in &mut waits {
                assert!(poll!(wait).is_pending());
            }
            world.sleep(Duration::from_micros(1)).await;
        }
        world.sleep(Duration::from_secs(500)).await;
        assert_eq!(waiting().await, 500);
        drop(waits.split_off(499));
        assert_eq!(waiting().await, 499);
        let began = world.now();
        drop(waits.split_off(1));
        assert_eq!((waiting().await, world.now()), (1, began));
        // Also where the mailbox has no room for the word that they have.
        let mut calls: Vec<_> = (0..200).map(|_| Box::pin(a.status())).collect();
        for call in &mut calls {
            assert!(poll!(call).is_pending());
        }
        drop(waits);
        let counted = a.service().waiting();
        let (counted, statuses) = futures::join!(counted, join_all(calls));
        assert!(statuses.iter().all(Result::is_ok));
        assert_eq!(counted, Ok(0));
        // One that is given up before it is taken from the mailbox never waits; nor does a sync by hand.
        let mut wait = Box::pin(a.synced("sim:hub"));
        assert!(poll!(&mut wait).is_pending());
        drop(wait);
        let mut sync = Box::pin(a.sync());
        for _ in 0..20 {
            assert!(poll!(&mut sync).is_pending());
            world.sleep(Duration::from_micros(1)).await;
        }
        drop(sync);
        assert_eq!(waiting().await, 0);
    });
}

#[test]
fn f41_a_sync_that_nobody_waits_for_goes_on_and_removing_its_peer_ends_it_with_a_word() {
    let world = Simulation::new(7);
    let network = SimNetwork::new(&world, Duration::from_millis(50), Duration::from_millis(50));
    world.clone().run(async move {
        let hub = hub(&world, &network, "hub").await;
        let a = node(&world, &network).await;
        write(&a, 20).await;
        write(&hub, 20).await;
        let (at_a, at_hub) = (a.events().await.unwrap(), hub.events().await.unwrap());
        a.add_peer("sim:hub").await.unwrap();
        a.start().await.unwrap();
        let mut sync = Box::pin(a.sync_with("sim:hub"));
        assert!(poll!(&mut sync).is_pending());
        // The hub has been asked and has not answered.
        world.sleep(Duration::from_millis(220)).await;
        drop(sync);
        assert_eq!(a.service().waiting().await, Ok(0));
        assert_eq!(told(&at_a), ["opening"]);
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(told(&at_a), ["comparing", "exchanging", "live", "synced"], "one sync, not two");
        assert_eq!(a.root().await.unwrap(), hub.root().await.unwrap());
        // What ends it is to want it no more.
        drop(told(&at_hub));
        let syncing = a.clone();
        let remove = async {
            world.sleep(Duration::from_millis(70)).await;
            a.remove_peer("sim:hub").await.unwrap();
            (a.service().connections().await.unwrap(), a.service().waiting().await.unwrap())
        };
        let (sync, left) = futures::join!(syncing.sync_with("sim:hub"), remove);
        assert_eq!(sync.unwrap().result, Err(PeerError::Cancelled));
        assert_eq!(left, (0, 0));
        assert_eq!(told(&at_a), ["opening", "failed CANCELLED", "disconnected"]);
        world.sleep(Duration::from_millis(100)).await;
        let mut last = None;
        while let Ok(event) = at_hub.try_recv() {
            last = Some(event);
        }
        let said = matches!(&last, Some(Event::Disconnected { error: PeerError::Refused { code, .. }, .. }) if code == "CANCELLED");
        assert!(said, "{last:?}");
        assert_eq!(hub.service().connections().await, Ok(0));
    });
}

#[test]
fn f41_a_receipt_that_nobody_waits_for_is_forgotten() {
    let world = Simulation::new(8);
    let network = SimNetwork::new(&world, Duration::from_millis(50), Duration::from_millis(50));
    world.clone().run(async move {
        let hub = hub(&world, &network, "hub").await;
        let a = dialler(&world, &network).await;
        write(&a, 1).await;
        a.synced("sim:hub").await.unwrap();
        let mut asked = Box::pin(a.request_receipt("sim:hub", None));
        assert!(poll!(&mut asked).is_pending());
        world.sleep(Duration::from_millis(10)).await;
        drop(asked);
        // It comes all the same, and the next one is told apart from it.
        let receipt = a.request_receipt("sim:hub", None).await.unwrap();
        assert_eq!(receipt.device, hub.device());
        assert_eq!(a.service().connections().await, Ok(1));
    });
}

#[test]
fn d1_phases_have_names_that_stay() {
    let names = [SyncPhase::Opening, SyncPhase::Comparing, SyncPhase::Exchanging, SyncPhase::Live];
    assert_eq!(names.map(SyncPhase::as_str), ["opening", "comparing", "exchanging", "live"]);
}
