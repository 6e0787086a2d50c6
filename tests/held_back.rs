//! Entries that are ahead of the local clock: in the set and the root, and shown once they are due.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{AppendOutcome, Clock, Durability, Platform, Store, StoredRecord};
use isoroot::sim::{SimClock, SimNetwork, SimPlatform, Simulation};
use isoroot::{
    Config, DeviceKey, Draft, Entry, Event, Fact, Genesis, HeldBack, JournalId, Position, Query, StoreId,
    SyncNode, SyncService, WallTime, Watched,
};

const SECOND: u64 = 1_000_000;
const BEGINNING: u64 = 1_767_225_600 * SECOND;
const NONE: [i64; 0] = [];
/// What an entry may be ahead without being held back.
const AHEAD: u64 = 300 * SECOND;

fn journal() -> JournalId {
    Genesis::named("held back").journal()
}

/// Facts that another device signed at a time of its own.
fn entry(timestamp: u64, value: i64) -> Entry {
    let key = DeviceKey::from_seed([7; 32]);
    let draft = Draft::new(key.device(), &[Fact::new("p", value)]).unwrap();
    Entry::sign(&journal(), &key, &[], timestamp, &draft).unwrap()
}

/// A store that others write to as well, and the clock of the node on it.
struct Scene {
    world: Simulation,
    store: MemoryStore,
}

impl Scene {
    fn new(world: &Simulation) -> Self {
        let store = MemoryStore::new(StoreId::from_bytes(u128::from(world.random()).to_be_bytes()));
        Self { world: world.clone(), store }
    }

    async fn open(&self, config: Config) -> (SyncNode, SimClock) {
        let network = SimNetwork::new(&self.world, Duration::ZERO, Duration::ZERO);
        let platform = SimPlatform::new(&self.world, self.store.clone(), vec![Arc::new(network.transport())]);
        let clock = platform.clock().clone();
        let service = SyncService::new(platform, config).await.unwrap();
        (service.create(&Genesis::named("held back")).await.unwrap(), clock)
    }

    async fn node(&self) -> (SyncNode, SimClock) {
        self.open(Config::default()).await
    }

    /// Appends as another writer of the store would.
    async fn write(&self, entries: &[Entry]) {
        let records = entries.iter().map(|e| StoredRecord { id: e.id(), bytes: e.record().into() });
        let at = self.store.head(journal()).await.unwrap().number;
        let appended = self.store.append(journal(), at, records.collect(), Durability::Strict).await;
        assert!(matches!(appended, Ok(AppendOutcome::Done(_))));
    }

    /// Waits until the node has heard of all that is in the store.
    async fn followed(&self, node: &SyncNode) {
        let head = self.store.head(journal()).await.unwrap().number;
        while node.status().await.unwrap().cursor.number < head {
            self.world.sleep(Duration::from_micros(10)).await;
        }
    }
}

async fn values(node: &SyncNode, query: Query) -> Vec<i64> {
    node.facts(query).map(|fact| value(&fact.unwrap().fact)).collect().await
}

fn value(fact: &Fact) -> i64 {
    match fact.value {
        isoroot::Value::Integer(value) => value,
        _ => panic!("an integer"),
    }
}

/// What a watch has for a reader right now.
async fn ready(
    world: &Simulation,
    watch: &mut (impl StreamExt<Item = Result<Watched, isoroot::NodeError>> + Unpin),
) -> Vec<i64> {
    let mut ready = Vec::new();
    loop {
        let pause = world.sleep(Duration::from_millis(10));
        futures::select_biased! {
            item = watch.next().fuse() => match item.unwrap().unwrap() {
                Watched::Fact(fact) => ready.push(value(&fact.fact)),
                Watched::Lagged { .. } => {}
            },
            () = pause.fuse() => return ready,
        }
    }
}

#[test]
fn c6_exactly_300_000_ms_is_not_ahead() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (node, clock) = scene.node().await;
        scene.write(&[entry(BEGINNING + SECOND + AHEAD, 1), entry(BEGINNING + SECOND + AHEAD + 1, 2)]).await;
        scene.followed(&node).await;
        // The clock stands at what is right for the one and a microsecond too early for the other.
        let now = clock.monotonic().as_micros();
        clock.set_beginning(BEGINNING + SECOND - now);
        assert_eq!(values(&node, Query::all()).await, [1]);
        let status = node.status().await.unwrap();
        assert_eq!((status.root.count, status.facts, status.held_back), (2, 2, 1), "both are in the set");
        let held = node.held_back(None, 10).await.unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].reason, HeldBack::Ahead { due: WallTime::from_micros(BEGINNING + SECOND + 1) });
        assert_eq!((held[0].number, held[0].timestamp), (2, BEGINNING + SECOND + AHEAD + 1));
        let id = entry(BEGINNING + SECOND + AHEAD + 1, 2).id();
        assert_eq!((held[0].id, held[0].device), (id, DeviceKey::from_seed([7; 32]).device()));
        // By name it can be read, by query not.
        assert!(node.get(id).await.unwrap().is_some());
        for query in [
            Query::all().entry(id),
            Query::all().predicate("p").written(WallTime::from_micros(BEGINNING + 2 * SECOND + AHEAD)..),
        ] {
            assert_eq!(values(&node, query).await, NONE);
        }
        clock.set_beginning(BEGINNING + SECOND + 1 - now);
        assert_eq!(values(&node, Query::all()).await, [1, 2]);
        assert_eq!(
            (node.status().await.unwrap().held_back, node.held_back(None, 10).await.unwrap()),
            (0, vec![])
        );
    });
}

#[test]
fn c6_what_falls_due_wakes_a_watch_at_that_time_and_is_told() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (node, _) = scene.node().await;
        let events = node.events().await.unwrap();
        let ahead = |seconds: u64, value| entry(BEGINNING + AHEAD + seconds * SECOND, value);
        scene.write(&[ahead(600, 3), ahead(0, 1), ahead(90, 2), ahead(600, 4)]).await;
        let mut watch = node.watch(Query::all(), None);
        for (seconds, expected) in [(0, 1), (90, 2), (600, 3), (600, 4)] {
            let fact = watch.next().await.unwrap().unwrap().fact().unwrap();
            assert_eq!(value(&fact.fact), expected);
            let at = world.now().as_micros();
            assert!((seconds * SECOND..seconds * SECOND + 1_000).contains(&at), "{expected} came at {at} us");
        }
        let due = |event| if let Event::Due { entries, .. } = event { Some(entries) } else { None };
        let due: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).filter_map(due).collect();
        assert_eq!(due, [1, 2]);
        assert_eq!(values(&node, Query::all()).await, [3, 1, 2, 4], "in the order of commit once shown");
    });
}

#[test]
fn c6_a10_a_jump_of_the_clock_is_noticed_within_a_minute() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (node, clock) = scene.node().await;
        let year = 365 * 86_400 * SECOND;
        scene.write(&[entry(BEGINNING + year, 1)]).await;
        let mut watch = node.watch(Query::all(), None);
        assert_eq!(ready(&world, &mut watch).await, NONE);
        clock.set_beginning(BEGINNING + year);
        let jumped = world.now();
        assert_eq!(value(&watch.next().await.unwrap().unwrap().fact().unwrap().fact), 1);
        assert!(world.now().since(jumped) <= Duration::from_secs(61));
        // Back again: what was shown stays shown while the node runs, and what comes then is held back.
        clock.set_beginning(BEGINNING);
        scene.write(&[entry(BEGINNING + 2 * year, 2)]).await;
        scene.followed(&node).await;
        assert_eq!(values(&node, Query::all()).await, [1]);
        assert_eq!(ready(&world, &mut watch).await, NONE);
    });
}

#[test]
fn c3_a_position_kept_over_a_restart_loses_nothing_that_was_held_back() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let position: Position = {
            let (node, _) = scene.node().await;
            let ahead = |seconds: u64, value| entry(BEGINNING + AHEAD + seconds * SECOND, value);
            scene
                .write(&[
                    entry(BEGINNING, 1),
                    ahead(100, 2),
                    ahead(50, 3),
                    entry(BEGINNING + 1, 4),
                    ahead(10, 5),
                ])
                .await;
            let mut watch = node.watch(Query::all(), None);
            let mut next = async || watch.next().await.unwrap().unwrap().fact().unwrap();
            assert_eq!(value(&next().await.fact), 1);
            let last = next().await;
            assert_eq!(value(&last.fact), 4);
            last.position
        };
        // As text, as one would keep it.
        let position: Position = position.to_string().parse().unwrap();
        world.sleep(Duration::from_secs(60)).await;
        scene.write(&[entry(BEGINNING + 2, 6)]).await;
        let (node, _) = scene.node().await;
        let mut watch = node.watch(Query::all(), Some(position));
        assert_eq!(ready(&world, &mut watch).await, [3, 5, 6], "what fell due meanwhile, then what came");
        world.sleep(Duration::from_secs(60)).await;
        assert_eq!(ready(&world, &mut watch).await, [2]);
        // A store of another name: from the beginning.
        let other = Scene::new(&world);
        let (node, _) = other.node().await;
        other.write(&[entry(BEGINNING, 1)]).await;
        assert_eq!(ready(&world, &mut node.watch(Query::all(), Some(position))).await, [1]);
    });
}

#[test]
fn c6_pages_of_one_fact_go_on_through_what_fell_due_at_one_time() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (node, clock) = scene.node().await;
        let key = DeviceKey::from_seed([7; 32]);
        let entries = (0..3).map(|entry| {
            let facts: Vec<_> = (0..3).map(|fact| Fact::new("p", entry * 3 + fact)).collect();
            let draft = Draft::new(key.device(), &facts).unwrap();
            Entry::sign(&journal(), &key, &[], BEGINNING + 2 * AHEAD, &draft).unwrap()
        });
        scene.write(&entries.collect::<Vec<_>>()).await;
        scene.write(&[entry(BEGINNING, 9)]).await;
        scene.followed(&node).await;
        let page = node.page(Query::all(), None, 10).await.unwrap();
        assert_eq!((page.facts.len(), page.more), (1, false));
        clock.set_beginning(BEGINNING + AHEAD);
        for limit in [1, 2, 4, 100] {
            let (mut read, mut after) = (Vec::new(), page.next);
            loop {
                let page = node.page(Query::all(), Some(after), limit).await.unwrap();
                assert!(page.facts.len() <= limit);
                let full = page.facts.get(limit - 1);
                assert!(full.is_none_or(|last| last.position == page.next), "{limit}");
                read.extend(page.facts.iter().map(|fact| value(&fact.fact)));
                after = page.next;
                if !page.more {
                    break;
                }
            }
            assert_eq!(read, [0, 1, 2, 3, 4, 5, 6, 7, 8], "by {limit}");
        }
    });
}

#[test]
fn c6_how_far_ahead_is_held_back_is_configurable_and_held_ones_are_paged() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (node, _) = scene.open(Config { ahead: Duration::ZERO, ..Config::default() }).await;
        let entries: Vec<_> = (1..=25).map(|n| entry(BEGINNING + (n % 5 + 10) * SECOND, n as i64)).collect();
        scene.write(&entries).await;
        scene.followed(&node).await;
        assert_eq!(values(&node, Query::all()).await, NONE);
        let (mut held, mut after) = (Vec::new(), None);
        loop {
            let page = node.held_back(after, 4).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            held.extend(page);
        }
        assert_eq!(held.len(), 25);
        assert!(held.is_sorted_by_key(|held| (held.timestamp, held.number)), "the first that is due first");
        assert!(
            held.iter()
                .all(|held| held.reason == HeldBack::Ahead { due: WallTime::from_micros(held.timestamp) })
        );
        assert_eq!(node.held_back(None, 0).await, Err(isoroot::NodeError::Page));
        world.sleep(Duration::from_secs(12)).await;
        assert_eq!(node.status().await.unwrap().held_back, 10);
        // One that is shown meanwhile: from the first that is not.
        assert_eq!(node.held_back(Some(held[0].id), 100).await.unwrap(), held[15..]);
    });
}

#[test]
fn c6_the_own_clock_goes_on_behind_what_is_shown_and_not_what_is_held_back() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (node, _) = scene.node().await;
        let (shown, held) = (BEGINNING + AHEAD - SECOND, BEGINNING + 100 * AHEAD);
        scene.write(&[entry(held, 1), entry(shown, 2)]).await;
        scene.followed(&node).await;
        let own = node.append([Fact::new("p", 3)]).await.unwrap();
        assert_eq!(node.get(own.id).await.unwrap().unwrap().timestamp(), shown + 1);
    });
}

#[test]
fn c3_a_reader_that_lags_behind_is_told_once_and_loses_nothing() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world);
        let (node, _) = scene.node().await;
        let drafts =
            |count: i64| (0..count).map(|n| Draft::new(node.device(), &[Fact::new("p", n)]).unwrap());
        let (mut slow, mut quick) = (node.watch(Query::all(), None), node.watch(Query::all(), None));
        let mut marks = async |count: i64| {
            node.append_all(drafts(count).collect()).await.unwrap();
            for _ in 0..count {
                assert!(quick.next().await.unwrap().unwrap().fact().is_some(), "others are not concerned");
            }
        };
        for _ in 0..4 {
            marks(1_000).await;
        }
        let mut read = async |count: usize| {
            let (mut facts, mut lagged) = (Vec::new(), Vec::new());
            while facts.len() < count {
                match slow.next().await.unwrap().unwrap() {
                    Watched::Fact(fact) => facts.push(fact.number),
                    Watched::Lagged { behind } => lagged.push(behind),
                }
            }
            (facts, lagged)
        };
        let (facts, lagged) = read(4_000).await;
        assert!(facts.into_iter().eq(1..=4_000));
        assert_eq!(lagged, [4_000 - 256], "once, with the first page");
        // Caught up, and behind again.
        marks(1_000).await;
        assert_eq!(read(1_000).await.1, [0; 0]);
        marks(1_000).await;
        marks(1_000).await;
        assert_eq!(read(2_000).await.1, [2_000 - 256]);
    });
}
