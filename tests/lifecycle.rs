//! Starting and stopping: idempotent, in any interleaving, with nothing left behind.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::sync::Arc;
use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{BoxFuture, Connection, FrameReceiver, FrameSender, Transport, TransportError};
use isoroot::sim::{SimNetwork, SimPlatform, Simulation};
use isoroot::{EntryId, Event, Fact, Genesis, NodeError, ProveError, Root, StoreId, SyncNode, Verdict};

fn genesis() -> Genesis {
    Genesis::named("lifecycle")
}

async fn node(world: &Simulation, transport: impl Transport) -> SyncNode {
    let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
    let platform = SimPlatform::new(world, store, vec![Arc::new(transport)]);
    SyncNode::create(platform, &genesis()).await.unwrap()
}

#[test]
fn a3_any_number_of_starts_and_stops_at_once_all_succeed() {
    for seed in 0..200 {
        let world = Simulation::new(seed);
        let network = SimNetwork::new(&world, Duration::ZERO, Duration::from_millis(3));
        world.clone().run(async move {
            let a = node(&world, network.transport()).await;
            let events = a.events().await.unwrap();
            a.add_peer("sim:nobody").await.unwrap();
            let mut calls = Vec::new();
            let mut last_is_start = false;
            for _ in 0..10 {
                last_is_start = world.below(2) == 0;
                let a = a.clone();
                calls.push(
                    async move { if last_is_start { a.start().await } else { a.stop().await.map(drop) } },
                );
            }
            // Polled in order, so the mailbox has them in order.
            assert!(futures::future::join_all(calls).await.iter().all(Result::is_ok));
            assert_eq!(a.is_running().await, Ok(last_is_start), "seed {seed}");
            // Every transition is told once, in turn.
            let mut running = false;
            while let Ok(event) = events.try_recv() {
                match event {
                    Event::Started => assert!(!std::mem::replace(&mut running, true)),
                    Event::Stopped => assert!(std::mem::replace(&mut running, false)),
                    _ => {}
                }
            }
            assert_eq!(running, last_is_start);
        });
    }
}

#[test]
fn a5_after_a_stop_and_a_drop_no_task_and_no_timer_is_left() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(1));
    world.clone().run(async move {
        let (a, b) = (node(&world, network.transport()).await, node(&world, network.transport()).await);
        b.start().await.unwrap();
        let (listener, service) = (network.listen("b"), b.service().clone());
        world.spawn(async move { service.serve(listener).await });
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        a.append([Fact::new("p", 1)]).await.unwrap();
        a.sync().await.unwrap();
        assert_eq!(a.service().connections().await, Ok(1));
        assert!(a.stop().await.unwrap().aborted.is_empty());
        assert_eq!(a.service().connections().await, Ok(0));
        // Reading and appending go on.
        a.append([Fact::new("p", 2)]).await.unwrap();
        assert_eq!(a.root().await.unwrap().count, 2);
        let clone = a.clone();
        drop(a);
        assert_eq!(clone.is_running().await, Ok(false), "a clone keeps it alive");
        b.stop().await.unwrap();
        network.listen("b");
        drop((clone, b));
        // Both services wind up; this very task does not count while it runs.
        for _ in 0..100 {
            if world.tasks() == 0 {
                break;
            }
            world.sleep(Duration::from_millis(100)).await;
        }
        assert_eq!((world.tasks(), world.timers()), (0, 0));
    });
}

#[test]
fn f16_a_stop_in_the_middle_of_a_sync_cancels_it() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_secs(1), Duration::from_secs(1));
    world.clone().run(async move {
        let (a, b) = (node(&world, network.transport()).await, node(&world, network.transport()).await);
        b.start().await.unwrap();
        let (listener, service) = (network.listen("b"), b.service().clone());
        world.spawn(async move { service.serve(listener).await });
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        let (syncing, stopping) = (a.clone(), a.clone());
        let stop = async {
            world.sleep(Duration::from_millis(2_500)).await;
            stopping.stop().await
        };
        let (sync, stop) = futures::join!(syncing.sync(), stop);
        let error = sync.unwrap().remove(0).result.unwrap_err();
        assert_eq!(error.code().as_str(), "CANCELLED");
        assert!(stop.unwrap().aborted.is_empty());
    });
}

/// A transport whose connections take no frame, and never say so.
struct Stuck;

struct StuckHalf;

impl FrameSender for StuckHalf {
    fn send(&mut self, _frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(std::future::pending())
    }

    fn close<'a>(&'a mut self, _reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
}

impl FrameReceiver for StuckHalf {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(std::future::pending())
    }
}

impl Transport for Stuck {
    fn handles(&self, address: &str) -> bool {
        address.starts_with("stuck:")
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        Ok(address.to_owned())
    }

    async fn connect(&self, _address: &str) -> Result<Connection, TransportError> {
        let (sender, receiver) = (Box::new(StuckHalf), Box::new(StuckHalf));
        Ok(Connection { sender, receiver, binding: Vec::new(), remote: "stuck".into() })
    }
}

#[test]
fn f14_a_task_that_does_not_end_is_aborted_after_two_seconds_and_named() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world, Stuck).await;
        a.add_peer("stuck:peer").await.unwrap();
        a.start().await.unwrap();
        world.sleep(Duration::from_secs(1)).await;
        let began = world.now();
        let report = a.stop().await.unwrap();
        assert_eq!(report.aborted, ["connection/read", "connection/write"]);
        assert_eq!(world.now().since(began), Duration::from_secs(2));
        world.sleep(Duration::from_millis(1)).await;
        assert_eq!(world.timers(), 0, "the aborted task is really gone");
        // And it starts again.
        a.start().await.unwrap();
        assert_eq!(a.is_running().await, Ok(true));
    });
}

#[test]
fn d8_a_peer_that_takes_no_frame_times_out() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world, Stuck).await;
        a.add_peer("stuck:peer").await.unwrap();
        a.start().await.unwrap();
        let began = world.now();
        let error = a.sync().await.unwrap().remove(0).result.unwrap_err();
        assert_eq!(error.code().as_str(), "TIMEOUT");
        assert_eq!(world.now().since(began), Duration::from_secs(10), "the handshake's limit");
    });
}

#[test]
fn f21_a_full_mailbox_holds_callers_back_and_loses_none() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
    world.clone().run(async move {
        let a = node(&world, network.transport()).await;
        let appends = (0..500).map(|value| a.append([Fact::new("p", i64::from(value))]));
        let appended = futures::future::join_all(appends).await;
        let mut numbers: Vec<_> = appended.into_iter().map(|appended| appended.unwrap().number).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(1..=500));
    });
}

#[test]
fn f27_addresses_that_no_transport_dials_are_refused() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let a = node(&world, Stuck).await;
        let error = a.add_peer("gopher://hub").await.unwrap_err();
        assert_eq!(error.code().as_str(), "ADDRESS");
        assert_eq!(a.add_peer("stuck:a").await, Ok(true));
        assert_eq!(a.add_peer("stuck:a").await, Ok(false));
        assert_eq!(a.remove_peer("stuck:b").await, Ok(false));
        assert_eq!(a.remove_peer("stuck:a").await, Ok(true));
        a.start().await.unwrap();
        assert_eq!(a.sync().await, Err(NodeError::NoPeer));
    });
}

#[test]
fn c2_facts_put_together_for_another_device_are_not_signed() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let (a, b) = (node(&world, Stuck).await, node(&world, Stuck).await);
        let draft = isoroot::Draft::new(b.device(), &[Fact::new("p", 1)]).unwrap();
        let error = a.append_all(vec![draft.clone()]).await.unwrap_err();
        assert_eq!(error.code().as_str(), "INVALID_FACTS");
        assert_eq!(a.root().await.unwrap().count, 0);
        assert!(b.append_all(vec![draft]).await.is_ok());
    });
}

#[test]
fn c5_a_node_proves_what_it_has_and_has_not_as_of_one_moment() {
    let world = Simulation::new(5);
    let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
    world.clone().run(async move {
        let a = node(&world, network.transport()).await;
        let absent = EntryId::from_bytes([7; 32]);
        assert_eq!(a.prove(absent).await.unwrap().verify(&Root::EMPTY.hash), Ok(Verdict::NotIn(absent)));
        let mut ids = Vec::new();
        for number in 0..20 {
            // Asked for before and after the append that is under way: each has a root of its own.
            let (appended, _) = futures::join!(a.append([Fact::new("p", number)]), async {
                for id in &ids {
                    let (evidence, before) = (a.prove(*id).await.unwrap(), a.root().await.unwrap());
                    let root = evidence.claimed_root().unwrap();
                    assert!(
                        matches!(evidence.verify(&root.hash), Ok(Verdict::In(entry)) if entry.id() == *id)
                    );
                    assert!(root == before || root.count < before.count);
                }
            });
            ids.push(appended.unwrap().id);
        }
        ids.push(absent);
        ids.sort();
        let proved = a.prove_all(&ids).await.unwrap();
        assert_eq!(proved.root, a.root().await.unwrap());
        let answers = proved.proof.verify(&proved.root.hash, &ids).unwrap();
        assert!(ids.iter().zip(answers).all(|(id, answer)| answer == (*id != absent)));
        assert_eq!(a.prove_all(&[]).await, Err(NodeError::Prove(ProveError::NoIds)));
    });
}
