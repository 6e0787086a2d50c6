//! Two and more nodes in a simulated world: they end with equal roots, whatever happens on the way.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

mod slow;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use isoroot::platform::memory::{MemoryStore, PipeNetwork};
use isoroot::platform::{DynTransport, Store};
use isoroot::sim::{SimNetwork, SimPlatform, Simulation, Verdict};
use isoroot::{Fact, Genesis, NodeError, Query, StoreId, SyncNode, SyncService};
use proptest::prelude::*;

fn genesis() -> Genesis {
    Genesis::named("sync test")
}

/// A node with a store of its own.
async fn node(world: &Simulation, network: &SimNetwork) -> SyncNode {
    node_on(world, network, &store(world)).await
}

fn store(world: &Simulation) -> MemoryStore {
    MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()))
}

async fn node_on(world: &Simulation, network: &SimNetwork, store: &MemoryStore) -> SyncNode {
    node_with(world, Arc::new(network.transport()), store).await
}

async fn node_with(world: &Simulation, transport: Arc<dyn DynTransport>, store: &impl Store) -> SyncNode {
    let platform = SimPlatform::new(world, store.clone(), vec![transport]);
    SyncNode::create(platform, &genesis()).await.unwrap()
}

/// Lets a node be dialled under this name.
fn serve(world: &Simulation, network: &SimNetwork, name: &str, service: &SyncService) {
    let (listener, service) = (network.listen(name), service.clone());
    world.spawn(async move { service.serve(listener).await });
}

/// Appends entries with so many facts each.
async fn write(node: &SyncNode, sizes: &[u16]) {
    for (entry, size) in sizes.iter().enumerate() {
        let facts = (0..*size).map(|n| Fact::new(format!("note/{entry}"), i64::from(n)));
        node.append(facts).await.unwrap();
    }
}

/// Resolves when both have one root and at least so many entries.
async fn equal(world: &Simulation, nodes: &[SyncNode], entries: u64) {
    for _ in 0..20_000 {
        let mut roots = Vec::new();
        for node in nodes {
            roots.push(node.root().await.unwrap());
        }
        if roots.iter().all(|root| *root == roots[0]) && roots[0].count >= entries {
            return;
        }
        world.sleep(Duration::from_millis(50)).await;
    }
    panic!("no equal roots in the world of seed {}", world.seed());
}

#[test]
fn f36_disjoint_journals_hold_the_union_after_one_sync() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(20));
    world.clone().run(async move {
        let (a, b) = (node(&world, &network).await, node(&world, &network).await);
        write(&a, &[1, 2, 3]).await;
        write(&b, &[4, 1]).await;
        b.start().await.unwrap();
        serve(&world, &network, "b", b.service());
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        let syncs = a.sync().await.unwrap();
        let report = syncs[0].result.clone().unwrap();
        assert_eq!((report.entries_sent, report.entries_received), (3, 2));
        assert_eq!(report.root.count, 5);
        assert_eq!(a.root().await.unwrap(), report.root);
        assert_eq!(b.root().await.unwrap(), report.root);
        let facts: Vec<_> = b.facts(Query::all()).collect().await;
        assert_eq!(facts.len(), 11);
        assert!(facts.iter().all(Result::is_ok));
    });
}

#[test]
fn f36_over_the_pipe() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let pipes = PipeNetwork::new();
        let transport = || Arc::new(pipes.transport());
        let a = node_with(&world, transport(), &store(&world)).await;
        let b = node_with(&world, transport(), &store(&world)).await;
        write(&a, &[1, 2, 3]).await;
        write(&b, &[4, 1]).await;
        b.start().await.unwrap();
        let (listener, service) = (pipes.listen("b").unwrap(), b.service().clone());
        world.spawn(async move { service.serve(listener).await });
        a.add_peer("pipe:b").await.unwrap();
        a.start().await.unwrap();
        let report = a.sync().await.unwrap().remove(0).result.unwrap();
        assert_eq!((report.entries_sent, report.entries_received, report.root.count), (3, 2, 5));
        assert_eq!((a.root().await, b.root().await), (Ok(report.root), Ok(report.root)));
    });
}

#[test]
fn f38_equal_roots_are_a_success_in_one_round_trip_and_under_200_bytes() {
    let world = Simulation::new(2);
    let network = SimNetwork::new(&world, Duration::from_millis(5), Duration::from_millis(5));
    world.clone().run(async move {
        let (a, b) = (node(&world, &network).await, node(&world, &network).await);
        write(&a, &[1, 2, 3]).await;
        b.start().await.unwrap();
        serve(&world, &network, "b", b.service());
        a.add_peer("sim:b").await.unwrap();
        a.start().await.unwrap();
        a.sync().await.unwrap();
        let (bytes, began) = (network.bytes(), world.now());
        let report = a.sync().await.unwrap()[0].result.clone().unwrap();
        assert_eq!((report.entries_sent, report.entries_received, report.rounds), (0, 0, 0));
        assert!(report.wire_sent + report.wire_received < 200, "{report:?}");
        assert_eq!(world.now().since(began), Duration::from_millis(10), "one round trip");
        let spent = network.bytes() - bytes;
        assert!(spent < 200, "{spent} bytes");
    });
}

#[test]
fn f35_sync_before_start_is_an_error_of_its_own() {
    let world = Simulation::new(3);
    let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
    world.clone().run(async move {
        let a = node(&world, &network).await;
        a.add_peer("sim:b").await.unwrap();
        assert_eq!(a.sync().await, Err(NodeError::NotStarted));
        assert_eq!(a.sync_with("sim:b").await, Err(NodeError::NotStarted));
        a.start().await.unwrap();
        let syncs = a.sync().await.unwrap();
        assert_eq!(syncs[0].result.as_ref().unwrap_err().code().as_str(), "UNREACHABLE");
        assert_eq!(a.sync_with("sim:c").await, Err(NodeError::NoPeer));
    });
}

#[test]
fn d1_new_entries_reach_connected_peers_by_themselves_through_a_node_between() {
    let world = Simulation::new(4);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(9));
    world.clone().run(async move {
        let (a, b, hub) =
            (node(&world, &network).await, node(&world, &network).await, node(&world, &network).await);
        hub.start().await.unwrap();
        serve(&world, &network, "hub", hub.service());
        for node in [&a, &b] {
            node.add_peer("sim:hub").await.unwrap();
            node.start().await.unwrap();
            assert!(node.sync().await.unwrap()[0].result.is_ok());
        }
        let mut watch = b.watch(Query::all().predicate("live"), None);
        let began = world.now();
        a.append([Fact::new("other", 1), Fact::new("live", 7)]).await.unwrap();
        let fact = watch.next().await.unwrap().unwrap().fact().unwrap();
        assert_eq!(fact.fact, Fact::new("live", 7));
        assert_eq!((fact.device, fact.id.index), (a.device(), 1));
        assert!(world.now().since(began) < Duration::from_millis(40), "without waiting");
        equal(&world, &[a, b, hub], 1).await;
    });
}

/// Frames by what the connection is doing: to cut each phase, and to show that each was cut.
fn phase(frame: &[u8]) -> &'static str {
    match frame.first() {
        Some(0..=2) => "handshake",
        Some(16..=18) => "opening",
        Some(20 | 21) => "descent",
        Some(30 | 31) => "symbols",
        Some(32) => "list",
        Some(22) => "want",
        Some(23 | 24) => "entries",
        Some(25..=27) => "end of round",
        Some(29) => "credit",
        _ => "other",
    }
}

/// One random history: two nodes that write in random chunks while they sync, connections cut at
/// random frames, one in `cuts_one_in` (0: none).
fn history(seed: u64, a_sizes: &[u16], b_sizes: &[u16], cuts_one_in: u64) -> BTreeMap<&'static str, u64> {
    let world = Simulation::new(seed);
    let network = SimNetwork::new(&world, Duration::from_micros(100), Duration::from_millis(30));
    let cuts = Arc::new(Mutex::new(BTreeMap::new()));
    let healed = Arc::new(std::sync::atomic::AtomicBool::new(cuts_one_in == 0));
    {
        let (world, cuts, healed) = (world.clone(), cuts.clone(), healed.clone());
        network.judge(move |frame| {
            if healed.load(std::sync::atomic::Ordering::Relaxed) || world.below(cuts_one_in) > 0 {
                return Verdict::Deliver;
            }
            *cuts.lock().unwrap().entry(phase(frame)).or_insert(0) += 1;
            Verdict::Cut
        });
    }
    let (a_sizes, b_sizes) = (a_sizes.to_vec(), b_sizes.to_vec());
    world.clone().run(async move {
        let (a, b) = (node(&world, &network).await, node(&world, &network).await);
        serve(&world, &network, "b", b.service());
        a.add_peer("sim:b").await.unwrap();
        write_while_they_sync(&world, &a, &b, &a_sizes, &b_sizes).await;
        world.sleep(Duration::from_secs(2)).await;
        healed.store(true, std::sync::atomic::Ordering::Relaxed);
        let entries = (a_sizes.len() + b_sizes.len()) as u64;
        equal(&world, &[a, b], entries).await;
    });
    std::mem::take(&mut *cuts.lock().unwrap())
}

/// The same over the in-process pipe, which is never cut.
fn history_over_a_pipe(seed: u64, a_sizes: &[u16], b_sizes: &[u16]) {
    let world = Simulation::new(seed);
    let (a_sizes, b_sizes) = (a_sizes.to_vec(), b_sizes.to_vec());
    world.clone().run(async move {
        let pipes = PipeNetwork::new();
        let transport = || Arc::new(pipes.transport());
        let a = node_with(&world, transport(), &store(&world)).await;
        let b = node_with(&world, transport(), &store(&world)).await;
        let (listener, service) = (pipes.listen("b").unwrap(), b.service().clone());
        world.spawn(async move { service.serve(listener).await });
        a.add_peer("pipe:b").await.unwrap();
        write_while_they_sync(&world, &a, &b, &a_sizes, &b_sizes).await;
        equal(&world, &[a, b], (a_sizes.len() + b_sizes.len()) as u64).await;
    });
}

/// Starts both, and has both write in random chunks, at random times.
async fn write_while_they_sync(
    world: &Simulation,
    a: &SyncNode,
    b: &SyncNode,
    a_sizes: &[u16],
    b_sizes: &[u16],
) {
    // Some before the first sync, some while it runs.
    let split = |sizes: &[u16]| sizes.len() / 2;
    write(a, &a_sizes[..split(a_sizes)]).await;
    write(b, &b_sizes[..split(b_sizes)]).await;
    b.start().await.unwrap();
    a.start().await.unwrap();
    for (node, sizes) in [(a, a_sizes.to_vec()), (b, b_sizes.to_vec())] {
        let (node, world) = (node.clone(), world.clone());
        world.clone().spawn(async move {
            for size in &sizes[split(&sizes)..] {
                world.sleep(Duration::from_micros(world.below(40_000))).await;
                write(&node, &[*size]).await;
            }
        });
    }
}

fn cases(few: u32) -> ProptestConfig {
    let full = std::env::var_os("ISOROOT_TEST_FULL").is_some();
    ProptestConfig { cases: if full { few * 20 } else { few }, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn d3_any_sets_in_any_interleaving_with_appends_end_with_equal_roots(
        seed in any::<u64>(),
        a in prop::collection::vec(1u16..40, 0..60),
        b in prop::collection::vec(1u16..40, 0..60),
    ) {
        history(seed, &a, &b, 0);
        history_over_a_pipe(seed, &a, &b);
    }
}

#[test]
fn d5_connections_cut_in_every_phase_are_opened_again_and_end_with_equal_roots() {
    let runs = if std::env::var_os("ISOROOT_TEST_FULL").is_some() { 2_000 } else { 150 };
    let mut cuts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..runs {
        let sizes = |salt: u64| {
            let world = Simulation::new(seed ^ salt);
            (0..world.below(80)).map(|_| 1 + world.below(60) as u16).collect::<Vec<_>>()
        };
        for (phase, count) in history(seed, &sizes(1 << 40), &sizes(2 << 40), 12) {
            *cuts.entry(phase).or_insert(0) += count;
        }
    }
    // Past the test runner, which would keep it to itself.
    writeln!(std::io::stderr(), "cuts in each phase over {runs} runs: {cuts:?}").unwrap();
    for phase in ["handshake", "opening", "list", "want", "entries", "end of round", "credit"] {
        assert!(cuts.get(phase).is_some_and(|count| *count > 0), "no cut in phase {phase}: {cuts:?}");
    }
}

#[test]
fn f05_one_seed_is_one_run() {
    let run = |seed| {
        let world = Simulation::new(seed);
        let network = SimNetwork::new(&world, Duration::from_micros(100), Duration::from_millis(30));
        let trace = Arc::new(Mutex::new(Vec::new()));
        let frames = trace.clone();
        network.judge(move |frame| {
            frames.lock().unwrap().push(frame.to_vec());
            Verdict::Deliver
        });
        let inner = world.clone();
        let root = world.run(async move {
            let (a, b) = (node(&inner, &network).await, node(&inner, &network).await);
            write(&a, &[3, 1, 4, 1, 5]).await;
            write(&b, &[9, 2, 6]).await;
            b.start().await.unwrap();
            serve(&inner, &network, "b", b.service());
            a.add_peer("sim:b").await.unwrap();
            a.start().await.unwrap();
            equal(&inner, &[a.clone(), b], 8).await;
            a.root().await.unwrap()
        });
        let frames = trace.lock().unwrap().clone();
        (root, world.now(), world.steps(), frames)
    };
    let (one, again, other) = (run(7), run(7), run(8));
    assert_eq!(one, again);
    assert_ne!(one.3, other.3);
}

#[test]
fn c13_several_nodes_on_one_store_lose_and_double_nothing() {
    for seed in 0..20 {
        let world = Simulation::new(seed);
        let network = SimNetwork::new(&world, Duration::ZERO, Duration::from_millis(1));
        world.clone().run(async move {
            let store = store(&world);
            let mut nodes = Vec::new();
            for _ in 0..3 {
                nodes.push(node_on(&world, &network, &store).await);
            }
            assert!(nodes.iter().all(|node| node.device() == nodes[0].device()), "one store, one key");
            let writes = nodes.iter().map(|node| write(node, &[1, 2, 1, 3, 1, 1, 2, 1]));
            futures::future::join_all(writes).await;
            let began = world.now();
            equal(&world, &nodes, 24).await;
            assert!(world.now().since(began) < Duration::from_secs(1), "each sees the others'");
            let facts: Vec<_> = nodes[0].facts(Query::all()).map(Result::unwrap).collect().await;
            assert_eq!(facts.len(), 36);
            let entries: std::collections::BTreeSet<_> = facts.iter().map(|fact| fact.id.entry).collect();
            assert_eq!(entries.len(), 24);
        });
    }
}

#[test]
fn c11_what_the_store_refuses_is_a_typed_error_and_reading_goes_on() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
    world.clone().run(async move {
        let store = store(&world);
        let a = node_on(&world, &network, &store).await;
        write(&a, &[1, 1]).await;
        let root = a.root().await.unwrap();
        store.set_capacity(store.size() + 10);
        let error = a.append([Fact::new("too", "much")]).await.unwrap_err();
        assert_eq!(error.code().as_str(), "STORE_FULL");
        store.set_capacity(usize::MAX);
        write(&a, &[1]).await;
        store.fail_after(0);
        let error = a.append([Fact::new("lost", true)]).await.unwrap_err();
        assert_eq!(error.code().as_str(), "STORE_FAILED");
        assert_eq!(a.append([Fact::new("too", "late")]).await.unwrap_err().code().as_str(), "STORE_FAILED");
        let facts: Vec<_> = a.facts(Query::all()).map(Result::unwrap).collect().await;
        assert_eq!((facts.len(), a.root().await.unwrap().count), (3, root.count + 1));
        // What came in from peers is not acknowledged either: that sync fails, and the next one heals it.
        let b = node(&world, &network).await;
        write(&b, &[5]).await;
        a.start().await.unwrap();
        serve(&world, &network, "a", a.service());
        b.add_peer("sim:a").await.unwrap();
        b.start().await.unwrap();
        assert!(b.sync().await.unwrap()[0].result.is_err());
        store.reopen();
        assert!(b.sync().await.unwrap()[0].result.is_ok());
        assert_eq!(a.root().await.unwrap(), b.root().await.unwrap());
    });
}

#[test]
fn c3_a_watch_misses_nothing_and_doubles_nothing_from_any_position() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::ZERO, Duration::ZERO);
    world.clone().run(async move {
        let a = node(&world, &network).await;
        write(&a, &[2; 300]).await;
        let writer = a.clone();
        world.spawn(async move { write(&writer, &[3; 300]).await });
        const TOTAL: usize = 300 * 2 + 300 * 3;
        let facts = |after| a.watch(Query::all(), after).map(Result::unwrap);
        let all: Vec<_> = facts(None).take(TOTAL).collect().await;
        let order = all.iter().map(|item| item.clone().fact().unwrap());
        let order: Vec<_> = order.map(|fact| (fact.number, fact.id.index)).collect();
        let expected = |number: u64| (0..if number <= 300 { 2 } else { 3 }).map(move |fact| (number, fact));
        assert_eq!(order, (1..=600).flat_map(expected).collect::<Vec<_>>());
        for seen in [1, 2, 3, 255, 256, 599, 600, 601, TOTAL - 1] {
            let after = all[seen - 1].clone().fact().unwrap().position;
            let rest: Vec<_> = facts(Some(after)).take(TOTAL - seen).collect().await;
            assert_eq!(rest, all[seen..], "behind {after}");
        }
        let some: Vec<_> = a.facts(Query::all().predicate("note/7")).map(Result::unwrap).collect().await;
        assert_eq!(some.len(), 5);
        let some: Vec<_> = a.facts(Query::all().prefix("note/7")).map(Result::unwrap).collect().await;
        assert_eq!(some.len(), 5 * 11, "7 and 70 to 79");
    });
}

#[test]
fn d1_a_journal_that_could_not_be_stored_is_tried_again_by_itself() {
    let world = Simulation::new(1);
    let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(5));
    world.clone().run(async move {
        let full = store(&world);
        let (a, hub) = (node(&world, &network).await, node_on(&world, &network, &full).await);
        write(&a, &[1; 20]).await;
        full.set_capacity(full.size() + 100);
        hub.start().await.unwrap();
        serve(&world, &network, "hub", hub.service());
        a.add_peer("sim:hub").await.unwrap();
        a.start().await.unwrap();
        let error = a.sync().await.unwrap().remove(0).result.unwrap_err();
        assert!(
            matches!(&error, isoroot::PeerError::Refused { code, .. } if code == "STORE_FULL"),
            "{error}"
        );
        assert_eq!(a.peers().await.unwrap()[0].last_error.as_ref(), Some(&error));
        assert_eq!(a.service().connections().await, Ok(1), "the connection goes on");
        world.sleep(Duration::from_secs(30)).await;
        full.set_capacity(usize::MAX);
        equal(&world, &[a, hub], 20).await;
    });
}

#[test]
fn d1_a_sync_is_about_all_that_was_there_at_the_call() {
    for seed in 0..40 {
        let world = Simulation::new(seed);
        let network = SimNetwork::new(&world, Duration::from_millis(1), Duration::from_millis(30));
        world.clone().run(async move {
            let (a, b) = (node(&world, &network).await, node(&world, &network).await);
            write(&a, &[1; 10]).await;
            write(&b, &[2; 10]).await;
            b.start().await.unwrap();
            serve(&world, &network, "b", b.service());
            a.add_peer("sim:b").await.unwrap();
            a.start().await.unwrap();
            // Some time while the first sync, which the start began, is on its way.
            world.sleep(Duration::from_millis(world.below(300))).await;
            let last = a.append([Fact::new("last", 1)]).await.unwrap();
            assert!(a.sync().await.unwrap()[0].result.is_ok());
            assert!(b.get(last.id).await.unwrap().is_some(), "seed {}", world.seed());
        });
    }
}

#[test]
fn d5_nothing_is_sent_back_to_where_it_came_from() {
    for seed in 0..10 {
        let world = Simulation::new(seed);
        let network = SimNetwork::new(&world, Duration::from_micros(10), Duration::from_millis(2));
        world.clone().run(async move {
            let a = node(&world, &network).await;
            // While it commits, bundles gather: its commits hold several.
            let append = Duration::from_millis(20);
            let read = Duration::ZERO;
            let slow = slow::SlowStore { store: store(&world), world: world.clone(), append, read };
            let b = node_with(&world, Arc::new(network.transport()), &slow).await;
            for entry in 0..800 {
                a.append([Fact::new(format!("p/{entry}"), vec![7u8; 800])]).await.unwrap();
            }
            b.start().await.unwrap();
            serve(&world, &network, "b", b.service());
            a.add_peer("sim:b").await.unwrap();
            a.start().await.unwrap();
            let report = a.sync().await.unwrap().remove(0).result.unwrap();
            world.sleep(Duration::from_secs(5)).await;
            assert_eq!((report.entries_sent, report.entries_received), (800, 0));
            let spent = network.bytes();
            assert!(spent * 100 < report.bytes_sent * 102, "{spent} bytes for {}", report.bytes_sent);
        });
    }
}
