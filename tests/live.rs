//! What is new follows by itself to everybody who is connected.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

mod slow;

use std::sync::Arc;
use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::sim::{SimNetwork, SimPlatform, Simulation};
use isoroot::{Admission, Config, Event, Fact, Genesis, StoreId, SyncService};
use slow::SlowStore;

async fn service(world: &Simulation, network: &SimNetwork, read: Duration) -> SyncService {
    let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
    let store = SlowStore { store, world: world.clone(), append: Duration::from_millis(3), read };
    let platform = SimPlatform::new(world, store, vec![Arc::new(network.transport())]);
    SyncService::new(platform, Config { admission: Admission::Any, ..Config::default() }).await.unwrap()
}

#[test]
fn d5_what_is_new_reaches_every_peer_without_a_read_of_the_store() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(5));
    world.clone().run(async move {
        let genesis = Genesis::named("live");
        // To read entries takes long.
        let long = Duration::from_secs(20);
        let hub = service(&world, &network, long).await;
        hub.start().await.unwrap();
        let (listener, serving) = (network.listen("hub"), hub.clone());
        world.spawn(async move { serving.serve(listener).await });
        let mut nodes = Vec::new();
        for _ in 0..4 {
            let node = service(&world, &network, long).await.create(&genesis).await.unwrap();
            node.add_peer("sim:hub").await.unwrap();
            node.start().await.unwrap();
            nodes.push(node);
        }
        world.sleep(5 * long).await;
        for (number, writer) in nodes.iter().cycle().take(60).enumerate() {
            writer.append([Fact::new("said", "word ".repeat(number * 10))]).await.unwrap();
            if number % 7 == 0 {
                world.sleep(Duration::from_millis(40)).await;
            }
        }
        world.sleep(Duration::from_secs(1)).await;
        let root = nodes[0].root().await.unwrap();
        assert_eq!(root.count, 60);
        for node in &nodes {
            assert_eq!(node.root().await.unwrap(), root);
        }
        // Who comes later than that reads on in the store, and gets it all too.
        let late = service(&world, &network, long).await.create(&genesis).await.unwrap();
        for number in 0..2_000 {
            nodes[1].append([Fact::new("said", format!("{number:0300}"))]).await.unwrap();
        }
        late.add_peer("sim:hub").await.unwrap();
        late.start().await.unwrap();
        world.sleep(20 * long).await;
        assert_eq!(late.root().await.unwrap().count, 2_060);
        assert_eq!(late.root().await, nodes[0].root().await);
    });
}

#[test]
fn d5_what_was_read_for_a_channel_that_is_gone_takes_up_no_room() {
    let world = Simulation::new(2);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(5));
    world.clone().run(async move {
        let genesis = Genesis::named("live");
        let hub = service(&world, &network, Duration::from_secs(2)).await;
        let writer = hub.create(&genesis).await.unwrap();
        hub.start().await.unwrap();
        let (listener, serving) = (network.listen("hub"), hub.clone());
        world.spawn(async move { serving.serve(listener).await });
        let node = service(&world, &network, Duration::from_secs(2)).await.create(&genesis).await.unwrap();
        node.add_peer("sim:hub").await.unwrap();
        node.start().await.unwrap();
        node.sync().await.unwrap().remove(0).result.unwrap();
        let events = node.events().await.unwrap();
        // More than is kept in memory: the first of it is read, and meanwhile another channel takes over.
        for round in 0..4 {
            let facts = (0..60).map(|number| Fact::new("said", format!("{round} {number:020000}")));
            let appends = facts.map(|fact| writer.append([fact]));
            for appended in futures::future::join_all(appends).await {
                appended.unwrap();
            }
            world.sleep(Duration::from_millis(500)).await;
            node.sync().await.unwrap().remove(0).result.unwrap();
        }
        world.sleep(Duration::from_secs(20)).await;
        writer.append([Fact::new("said", "last")]).await.unwrap();
        world.sleep(Duration::from_secs(5)).await;
        assert_eq!(node.root().await, writer.root().await);
        assert_eq!(node.root().await.unwrap().count, 241);
        while let Ok(event) = events.try_recv() {
            assert!(!matches!(event, Event::Disconnected { .. } | Event::SyncFailed { .. }), "{event:?}");
        }
    });
}
