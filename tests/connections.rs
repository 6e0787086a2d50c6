//! One connection for all that two nodes sync (F-46, D11): shared, made again, closed when nobody needs it.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

mod slow;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimNetwork, SimPlatform, Simulation, Verdict};
use isoroot::{Config, Event, Fact, Genesis, PeerError, PeerStatus, StoreId, SyncService};

fn store(world: &Simulation) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()))
}

async fn service(world: &Simulation, network: &SimNetwork) -> SyncService {
    let platform = SimPlatform::new(world, store(world), vec![Arc::new(network.transport())]);
    SyncService::new(platform, Config::default()).await.unwrap()
}

/// Lets a service be dialled as `sim:b`.
fn serve(world: &Simulation, network: &SimNetwork, service: &SyncService) {
    let (listener, service) = (network.listen("b"), service.clone());
    world.spawn(async move { service.serve(listener).await });
}

/// Counts the connections that are made from now on, by their first frames.
fn count_hellos(network: &SimNetwork) -> Arc<AtomicU64> {
    let hellos = Arc::new(AtomicU64::new(0));
    let counted = hellos.clone();
    network.judge(move |frame| {
        counted.fetch_add(u64::from(frame.first() == Some(&0)), Ordering::Relaxed);
        Verdict::Deliver
    });
    hellos
}

#[test]
fn f46_one_connection_serves_many_syncs_and_is_made_again_when_it_breaks() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(5));
    world.clone().run(async move {
        let (a, b) = (service(&world, &network).await, service(&world, &network).await);
        let hellos = count_hellos(&network);
        b.start().await.unwrap();
        serve(&world, &network, &b);
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        let mut pairs = Vec::new();
        for name in ["one", "two", "three"] {
            let genesis = Genesis::named(name);
            let at_b = b.create(&genesis).await.unwrap();
            pairs.push((a.create(&genesis).await.unwrap(), at_b));
        }
        for round in 0..20 {
            for (at_a, at_b) in &pairs {
                at_a.append([Fact::new("a", round)]).await.unwrap();
                at_b.append([Fact::new("b", round)]).await.unwrap();
                at_a.synced("sim:b").await.unwrap();
                assert!(at_a.sync().await.unwrap()[0].result.is_ok());
                assert_eq!(at_a.root().await, at_b.root().await);
            }
            // Some minutes without a word about any journal: pings keep it.
            world.sleep(Duration::from_secs(200)).await;
        }
        assert_eq!((hellos.load(Ordering::Relaxed), a.connections().await), (1, Ok(1)));
        // It breaks: one other takes its place, for all of them.
        network.cut_all();
        for (at_a, at_b) in &pairs {
            at_b.append([Fact::new("b", "later")]).await.unwrap();
            at_a.synced("sim:b").await.unwrap();
            assert_eq!(at_a.root().await, at_b.root().await);
        }
        world.sleep(Duration::from_secs(200)).await;
        assert_eq!((hellos.load(Ordering::Relaxed), b.connections().await), (2, Ok(1)));
    });
}

#[test]
fn f46_a_peer_that_is_away_is_dialled_with_growing_waits() {
    let world = Simulation::new(2);
    let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
    world.clone().run(async move {
        let a = service(&world, &network).await;
        a.add_peer("sim:b").await.unwrap();
        let events = a.events().await.unwrap();
        a.start().await.unwrap();
        let mut waited = Duration::ZERO;
        for failures in 1..=20u32 {
            let event = loop {
                let event = events.recv().await.unwrap();
                if matches!(event, Event::Disconnected { .. }) {
                    break event;
                }
            };
            let info = a.peers().await.unwrap().remove(0);
            assert_eq!((info.status, info.failures), (PeerStatus::BackingOff, failures), "{event:?}");
            let wait = info.next_attempt.unwrap();
            assert!(wait <= Duration::from_secs(1 << (failures - 1).min(9)).min(Duration::from_secs(300)));
            waited += wait;
            // Neither sooner nor later than was said.
            let began = world.now();
            let count = a.connections().await.unwrap();
            world.sleep(wait.saturating_sub(Duration::from_micros(1))).await;
            assert_eq!((count, a.connections().await), (0, Ok(0)));
            assert_eq!(a.peers().await.unwrap()[0].failures, failures, "{:?}", world.now().since(began));
        }
        assert!(waited > Duration::from_secs(600), "{waited:?}");
    });
}

#[test]
fn f46_a_connection_without_a_journal_is_closed_after_a_minute_and_made_when_there_is_one() {
    let world = Simulation::new(3);
    let network = SimNetwork::new(&world, Duration::from_millis(2), Duration::from_millis(2));
    world.clone().run(async move {
        let (a, b) = (service(&world, &network).await, service(&world, &network).await);
        let genesis = Genesis::named("late");
        let at_b = b.create(&genesis).await.unwrap();
        at_b.append([Fact::new("p", 1)]).await.unwrap();
        b.start().await.unwrap();
        serve(&world, &network, &b);
        let (at_hub, ended) = (b.events().await.unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (log, clock) = (ended.clone(), world.clone());
        world.spawn(async move {
            while let Ok(event) = at_hub.recv().await {
                if let Event::Disconnected { error, .. } = event {
                    log.lock().unwrap().push((error, clock.now()));
                }
            }
        });
        a.add_peer("sim:b").await.unwrap();
        let began = world.now();
        a.start().await.unwrap();
        world.sleep(Duration::from_secs(59)).await;
        assert_eq!((a.connections().await, b.connections().await), (Ok(1), Ok(1)), "a minute it is kept");
        world.sleep(Duration::from_millis(1_010)).await;
        assert_eq!((a.connections().await, b.connections().await), (Ok(0), Ok(0)));
        let (error, at) = ended.lock().unwrap().remove(0);
        // It was accepted after the 2 ms that dialling takes.
        assert_eq!((error, at.since(began)), (PeerError::Idle, Duration::from_millis(60_002)));
        // However long it would wait for the next attempt: a journal is reason enough.
        world.sleep(Duration::from_secs(3_000)).await;
        while a.peers().await.unwrap()[0].status != PeerStatus::BackingOff {
            world.sleep(Duration::from_secs(1)).await;
        }
        let before = world.now();
        let at_a = a.create(&genesis).await.unwrap();
        while at_a.root().await != at_b.root().await {
            world.sleep(Duration::from_millis(1)).await;
        }
        assert!(world.now().since(before) < Duration::from_millis(100), "{:?}", world.now().since(before));
        // And with it the connection stays.
        ended.lock().unwrap().clear();
        world.sleep(Duration::from_secs(1_000)).await;
        assert_eq!((b.connections().await, ended.lock().unwrap().len()), (Ok(1), 0));
    });
}

#[test]
fn f46_why_a_journal_is_not_served_is_told_rather_than_that_its_connection_had_nothing_to_do() {
    let world = Simulation::new(4);
    let network = SimNetwork::new(&world, Duration::from_millis(2), Duration::from_millis(2));
    world.clone().run(async move {
        let (a, b) = (service(&world, &network).await, service(&world, &network).await);
        b.start().await.unwrap();
        serve(&world, &network, &b);
        a.create(&Genesis::named("not there")).await.unwrap();
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        for _ in 0..100 {
            world.sleep(Duration::from_secs(30)).await;
            let error = a.peers().await.unwrap().remove(0).last_error;
            assert!(
                matches!(&error, Some(PeerError::Refused { code, .. }) if code == "NOT_SERVED"),
                "{error:?}"
            );
        }
        let at_b = b.create(&Genesis::named("not there")).await.unwrap();
        world.sleep(Duration::from_secs(700)).await;
        assert_eq!(a.peers().await.unwrap()[0].last_error, None);
        drop(at_b);
    });
}

#[test]
fn d11_many_journals_share_one_connection_and_its_room() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(5));
    world.clone().run(async move {
        // Reads under way at the same time, for all journals, must not add up to more than there is room for.
        let (append, read) = (Duration::ZERO, Duration::from_millis(200));
        let slow_service = |store: MemoryStore| {
            let store = slow::SlowStore { store, world: world.clone(), append, read };
            let platform = SimPlatform::new(&world, store, vec![Arc::new(network.transport())]);
            SyncService::new(platform, Config::default())
        };
        let (a, b) = (slow_service(store(&world)).await.unwrap(), slow_service(store(&world)).await.unwrap());
        let mut pairs = Vec::new();
        for name in 0..60 {
            let genesis = Genesis::named(&format!("journal {name}"));
            let (at_a, at_b) = (a.create(&genesis).await.unwrap(), b.create(&genesis).await.unwrap());
            // More than one channel's credit each, and far more than may be queued at once in all.
            for entry in 0..10 {
                at_a.append([Fact::new(format!("blob/{entry}"), vec![7u8; 40_000])]).await.unwrap();
            }
            pairs.push((at_a, at_b));
        }
        let events = a.events().await.unwrap();
        b.start().await.unwrap();
        serve(&world, &network, &b);
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        for (at_a, at_b) in pairs {
            assert!(at_a.sync().await.unwrap()[0].result.is_ok());
            assert_eq!(at_a.root().await, at_b.root().await);
        }
        while let Ok(event) = events.try_recv() {
            assert!(!matches!(event, Event::Disconnected { .. }), "{event:?}");
        }
        assert_eq!(a.connections().await, Ok(1));
    });
}
