//! Peers that fall silent (F-40): each wait ends at its limit, to the microsecond, and nobody else is harmed.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use isoroot::platform::memory::{MemoryStore, PipeNetwork};
use isoroot::sim::{SimNetwork, SimPlatform, Simulation, Verdict};
use isoroot::{Config, Event, Fact, Genesis, Instant, PeerError, PeerStatus, StoreId, SyncNode, SyncService};

/// A node with two ways to peers, that gives them so long for a reply.
async fn node(world: &Simulation, network: &SimNetwork, pipes: &PipeNetwork, reply: Duration) -> SyncNode {
    let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
    let transports = vec![Arc::new(network.transport()) as _, Arc::new(pipes.transport()) as _];
    let platform = SimPlatform::new(world, store, transports);
    let service = SyncService::new(platform, Config { reply, ..Config::default() }).await.unwrap();
    service.create(&Genesis::named("silence")).await.unwrap()
}

/// What was heard so far: when, and whether all is silent now.
type Heard = Arc<Mutex<(Vec<Instant>, bool)>>;

/// From the first frame of one of these types on all that is said in channels is lost; pings are answered.
fn hush(world: &Simulation, network: &SimNetwork, from: &'static [u8]) -> Heard {
    let heard = Heard::default();
    let (state, world) = (heard.clone(), world.clone());
    network.judge(move |frame| {
        let (times, silent) = &mut *state.lock().unwrap();
        let kind = frame.first().copied().unwrap_or_default();
        *silent |= from.contains(&kind);
        if *silent && kind >= 16 {
            return Verdict::Lose;
        }
        times.extend((kind >= 16).then(|| world.now()));
        Verdict::Deliver
    });
    heard
}

/// What a sync of these sizes waits for when its peer falls silent at these frames: the one that dials falls
/// silent to the other if `acceptor`. Each wait ends after `reply`.
fn stalled(sizes: (usize, usize), from: &'static [u8], acceptor: bool, waiting_for: &str) {
    for reply in [Duration::from_secs(5), Duration::from_millis(70_001)] {
        let waiting_for = waiting_for.to_owned();
        let world = Simulation::new(1);
        let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
        world.clone().run(async move {
            let (pipes, long) = (PipeNetwork::new(), Duration::from_secs(10_000));
            let replies = if acceptor { (long, reply) } else { (reply, long) };
            let a = node(&world, &network, &pipes, replies.0).await;
            let b = node(&world, &network, &pipes, replies.1).await;
            let other = node(&world, &network, &pipes, long).await;
            for (node, size) in [(&a, sizes.0), (&b, sizes.1)] {
                for value in 0..size {
                    node.append([Fact::new("p", value as i64)]).await.unwrap();
                }
            }
            // One that is well all the time, with both of them.
            let (listener, service) = (pipes.listen("other").unwrap(), other.service().clone());
            world.spawn(async move { service.serve(listener).await });
            other.start().await.unwrap();
            let watched = if acceptor { &b } else { &a };
            let events = watched.events().await.unwrap();
            let heard = hush(&world, &network, from);
            let (listener, service) = (network.listen("b"), b.service().clone());
            world.spawn(async move { service.serve(listener).await });
            b.start().await.unwrap();
            a.add_peer("sim:b").await.unwrap();
            a.start().await.unwrap();
            let (error, peer) = loop {
                match events.recv().await.unwrap() {
                    Event::SyncFailed { error, peer, .. } => break (error, peer),
                    // What came is durable: that it took a while is not the peer's fault.
                    Event::Grew { .. } => heard.lock().unwrap().0.push(world.now()),
                    _ => {}
                }
            };
            // Frames take no time here, so that what was sent last was heard then.
            let ends = heard.lock().unwrap().0.iter().map(|heard| heard.after(reply)).collect::<Vec<_>>();
            assert!(ends.contains(&world.now()), "{error} at {:?}, not {ends:?}", world.now());
            let PeerError::Timeout { waiting_for: found } = error else { panic!("{error}") };
            assert_eq!((found, peer.starts_with("sim:")), (waiting_for.as_str(), true));
            // Nothing is left of it: the dialling side dials anew after a while, the other one waits for that.
            if !acceptor {
                assert_eq!(a.service().connections().await, Ok(0));
                assert_eq!(a.peers().await.unwrap()[0].status, PeerStatus::BackingOff);
            }
            network.judge(|_| Verdict::Deliver);
            let root = {
                a.synced("sim:b").await.unwrap();
                a.root().await.unwrap()
            };
            assert_eq!((b.root().await.unwrap(), root.count), (root, (sizes.0 + sizes.1) as u64));
        });
    }
}

#[test]
fn f40_a_sync_that_stalls_in_any_phase_ends_at_the_configured_time() {
    stalled((10, 10), &[17, 18], false, "waiting for the answer to an opening");
    stalled((10, 10), &[32], false, "waiting for a list of entries");
    stalled((10, 10), &[32], true, "waiting for a question or a want");
    stalled((10, 40), &[32], true, "waiting for a list of entries");
    stalled((10, 40), &[22], false, "waiting for a question or a want");
    stalled((0, 10), &[23], false, "waiting for entries, credit or the root");
    stalled((10, 0), &[29], false, "waiting for entries, credit or the root");
    stalled((0, 10), &[29], true, "waiting for entries, credit or the root");
    stalled((10, 10), &[27], true, "waiting for entries, credit or the root");
}

#[test]
fn f40_other_peers_are_not_held_up_by_one_that_is_silent() {
    let world = Simulation::new(2);
    let network = SimNetwork::new(&world, Duration::from_millis(3), Duration::from_millis(3));
    world.clone().run(async move {
        let (pipes, reply) = (PipeNetwork::new(), Duration::from_secs(8));
        let a = node(&world, &network, &pipes, reply).await;
        let b = node(&world, &network, &pipes, reply).await;
        let other = node(&world, &network, &pipes, reply).await;
        b.append([Fact::new("p", 1)]).await.unwrap();
        for node in [&b, &other] {
            node.start().await.unwrap();
        }
        let (listener, service) = (network.listen("b"), b.service().clone());
        world.spawn(async move { service.serve(listener).await });
        let (listener, service) = (pipes.listen("other").unwrap(), other.service().clone());
        world.spawn(async move { service.serve(listener).await });
        let heard = hush(&world, &network, &[17, 18]);
        for peer in ["sim:b", "pipe:other"] {
            a.add_peer(peer).await.unwrap();
        }
        let events = a.events().await.unwrap();
        a.start().await.unwrap();
        let (syncs, began) = (a.clone(), world.now());
        // The one is heard of at once, while the other is waited for.
        a.synced("pipe:other").await.unwrap();
        world.sleep(Duration::from_millis(100)).await;
        assert!(heard.lock().unwrap().1 && a.peers().await.unwrap()[0].failures == 0);
        let failing = async {
            let sync = syncs.sync_with("sim:b").await.unwrap();
            (sync.result.unwrap_err(), world.now())
        };
        let mut watch = other.watch(isoroot::Query::all(), None);
        let living = async {
            for value in 0..6 {
                world.sleep(Duration::from_secs(1)).await;
                let appended = world.now();
                a.append([Fact::new("q", value)]).await.unwrap();
                watch.next().await.unwrap().unwrap();
                assert!(world.now().since(appended) < Duration::from_millis(1), "without any wait");
                assert_eq!(a.service().connections().await, Ok(2));
            }
        };
        let ((error, at), ()) = futures::join!(failing, living);
        assert_eq!(error.code().as_str(), "TIMEOUT");
        // A connection and a handshake there and back, then the opening, from which on it is silent.
        assert_eq!(at.since(began), Duration::from_millis(9) + reply);
        assert_eq!(a.service().connections().await, Ok(1));
        assert_eq!(a.service().waiting().await, Ok(0));
        assert_eq!(a.root().await.unwrap(), other.root().await.unwrap());
        let lost = std::iter::from_fn(|| events.try_recv().ok());
        let lost = lost.filter(|event| matches!(event, Event::Disconnected { .. })).collect::<Vec<_>>();
        assert!(matches!(&lost[..], [Event::Disconnected { peer, .. }] if peer == "sim:b"), "{lost:?}");
    });
}

#[test]
fn f40_a_receipt_is_waited_for_no_longer_than_configured() {
    for reply in [Duration::from_secs(2), Duration::from_secs(40)] {
        let world = Simulation::new(3);
        let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(1));
        world.clone().run(async move {
            let pipes = PipeNetwork::new();
            let a = node(&world, &network, &pipes, reply).await;
            let b = node(&world, &network, &pipes, reply).await;
            let (listener, service) = (network.listen("b"), b.service().clone());
            world.spawn(async move { service.serve(listener).await });
            b.start().await.unwrap();
            a.add_peer("sim:b").await.unwrap();
            a.start().await.unwrap();
            a.synced("sim:b").await.unwrap();
            hush(&world, &network, &[33]);
            let began = world.now();
            let error = a.request_receipt("sim:b", None).await.unwrap_err();
            assert_eq!((error.code().as_str(), world.now().since(began)), ("TIMEOUT", reply));
        });
    }
}
