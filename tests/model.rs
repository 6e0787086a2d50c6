//! A node against plain maps, under whatever happens: own and others' entries in any order, clocks that move
//! both ways, restarts, readers that stop anywhere and go on from the position of what they last saw.
//!
//! Times are multiples of 100 s, and timestamps lie between: what an operation itself takes decides nothing.

#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{AppendOutcome, Clock, Durability, Platform, Store, StoredRecord};
use isoroot::sim::{SimClock, SimNetwork, SimPlatform, Simulation};
use isoroot::{
    AuthorityId, DeviceKey, Draft, Entry, EntryId, Fact, FactId, Genesis, MerkleMap, NodeError, Position,
    Query, StoreId, SyncNode, WallTime, Watched,
};

const STEP: u64 = 100_000_000;
const BEGINNING: u64 = 1_767_225_600_000_000;
const AHEAD: u64 = 3 * STEP;

fn genesis() -> Genesis {
    Genesis::named("model")
}

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed([seed; 32])
}

/// The parts of a query, each of which may be left out.
#[derive(Clone, Debug, Default)]
struct Meant {
    predicate: Option<String>,
    prefix: Option<String>,
    authority: Option<AuthorityId>,
    device: Option<u8>,
    written: Option<(u64, u64)>,
    timestamp: Option<(i64, i64)>,
    entry: Option<EntryId>,
    fact: Option<FactId>,
}

impl Meant {
    fn query(&self) -> Query {
        let mut query = Query::all();
        if let Some(predicate) = &self.predicate {
            query = query.predicate(predicate);
        }
        if let Some(prefix) = &self.prefix {
            query = query.prefix(prefix);
        }
        if let Some(authority) = self.authority {
            query = query.authority(authority);
        }
        if let Some(seed) = self.device {
            query = query.device(key(seed).device());
        }
        if let Some((first, last)) = self.written {
            query = query.written(WallTime::from_micros(first)..=WallTime::from_micros(last));
        }
        if let Some((first, last)) = self.timestamp {
            query = query.timestamp(first..=last);
        }
        if let Some(entry) = self.entry {
            query = query.entry(entry);
        }
        if let Some(fact) = self.fact {
            query = query.fact(fact);
        }
        query
    }

    fn holds(&self, entry: &Entry, index: usize, fact: &Fact) -> bool {
        let id = FactId { entry: entry.id(), index: index as u16 };
        let authority = fact.authority.map_or(*entry.device().as_bytes(), |id| *id.as_bytes());
        self.predicate.as_ref().is_none_or(|predicate| *predicate == fact.predicate)
            && self.prefix.as_ref().is_none_or(|prefix| fact.predicate.starts_with(prefix))
            && self.authority.is_none_or(|wanted| *wanted.as_bytes() == authority)
            && self.device.is_none_or(|seed| key(seed).device() == entry.device())
            && self.written.is_none_or(|(first, last)| (first..=last).contains(&entry.timestamp()))
            && self.timestamp.is_none_or(|(first, last)| {
                fact.timestamp.is_some_and(|timestamp| (first..=last).contains(&timestamp))
            })
            && self.entry.is_none_or(|wanted| wanted == entry.id())
            && self.fact.is_none_or(|wanted| wanted == id)
    }
}

/// A reader that keeps the position of what it last saw, and nothing else, when it is stopped.
struct Reader {
    meant: Meant,
    position: Option<Position>,
    watch: Option<BoxStream<'static, Result<Watched, NodeError>>>,
    seen: BTreeMap<FactId, usize>,
}

struct World {
    simulation: Simulation,
    store: MemoryStore,
    node: SyncNode,
    clock: SimClock,
    /// The wall clock's beginning, as it is set.
    beginning: u64,
    /// The greatest timestamp that is shown, and whether it ever went back.
    shown: u64,
    went_back: bool,
    /// What a store holds, by number.
    entries: Vec<Entry>,
    readers: Vec<Reader>,
}

impl World {
    async fn open(simulation: &Simulation, store: &MemoryStore, beginning: u64) -> (SyncNode, SimClock) {
        let network = SimNetwork::new(simulation, Duration::ZERO, Duration::ZERO);
        let platform = SimPlatform::new(simulation, store.clone(), vec![Arc::new(network.transport())]);
        let clock = platform.clock().clone();
        clock.set_beginning(beginning);
        (SyncNode::create(platform, &genesis()).await.unwrap(), clock)
    }

    async fn new(simulation: &Simulation) -> Self {
        let store = MemoryStore::new(StoreId::from_bytes(u128::from(simulation.random()).to_be_bytes()));
        let (node, clock) = Self::open(simulation, &store, BEGINNING).await;
        let (entries, readers) = (Vec::new(), Vec::new());
        let simulation = simulation.clone();
        let (beginning, shown) = (BEGINNING, BEGINNING + AHEAD);
        Self { simulation, store, node, clock, beginning, shown, went_back: false, entries, readers }
    }

    fn below(&self, bound: u64) -> u64 {
        self.simulation.below(bound)
    }

    fn some<T>(&self, one_in: u64, value: impl FnOnce() -> T) -> Option<T> {
        (self.below(one_in) == 0).then(value)
    }

    /// The wall clock, without what operations have taken.
    fn wall(&self) -> u64 {
        let wall = self.clock.wall().as_micros();
        assert!((wall - BEGINNING + STEP) % STEP < STEP / 4, "operations take little");
        wall
    }

    fn facts(&self) -> Vec<Fact> {
        let fact = |_| Fact {
            authority: self
                .some(3, || AuthorityId::from_bytes(*key(self.below(4) as u8).device().as_bytes())),
            timestamp: self.some(2, || self.below(10) as i64 - 5),
            ..Fact::new(["a", "ab", "abc", "b", "ba"][self.below(5) as usize], self.below(1_000) as i64)
        };
        (0..=self.below(3)).map(fact).collect()
    }

    /// A timestamp from an hour ago to an hour ahead, or far in the future.
    fn timestamp(&self) -> u64 {
        match self.below(20) {
            0 => BEGINNING * 2,
            _ => (self.wall() / STEP + self.below(73)).saturating_sub(36) * STEP + STEP / 2,
        }
    }

    fn meant(&self) -> Meant {
        let entry = |world: &Self| match world.entries.len() as u64 {
            0 => EntryId::from_bytes([1; 32]),
            len => world.entries[world.below(len) as usize].id(),
        };
        let span = |first: u64, len: u64| (first, first + len);
        Meant {
            predicate: self.some(4, || ["a", "ab", "abc", "none"][self.below(4) as usize].to_owned()),
            prefix: self.some(3, || ["", "a", "ab", "b", "none"][self.below(5) as usize].to_owned()),
            authority: self
                .some(4, || AuthorityId::from_bytes(*key(self.below(5) as u8).device().as_bytes())),
            device: self.some(4, || self.below(5) as u8),
            written: self.some(4, || span(self.timestamp(), self.below(20) * STEP)),
            timestamp: self.some(6, || (self.below(10) as i64 - 5, self.below(10) as i64 - 5)),
            entry: self.some(12, || entry(self)),
            fact: self.some(12, || FactId { entry: entry(self), index: self.below(3) as u16 }),
        }
    }

    /// What is meant and shown, in the order of commit.
    fn naive(&self, meant: &Meant) -> Vec<FactId> {
        let mut found = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.timestamp() <= self.shown) {
            let facts = entry.facts().unwrap();
            let held = facts.iter().enumerate().filter(|(index, fact)| meant.holds(entry, *index, fact));
            found.extend(held.map(|(index, _)| FactId { entry: entry.id(), index: index as u16 }));
        }
        found
    }

    /// Lets the node see the clock as it is now.
    async fn observe(&mut self) {
        let head = self.entries.len() as u64;
        while self.node.status().await.unwrap().cursor.number < head {
            self.simulation.sleep(Duration::from_micros(10)).await;
        }
        self.shown = self.shown.max(self.wall() + AHEAD);
    }

    async fn step(&mut self) {
        match self.below(10) {
            0 | 1 => {
                let drafts =
                    (0..=self.below(3)).map(|_| Draft::new(self.node.device(), &self.facts()).unwrap());
                let drafts = drafts.collect();
                for appended in self.node.append_all(drafts).await.unwrap() {
                    self.entries.push(self.node.get(appended.id).await.unwrap().unwrap());
                }
            }
            2..=4 => self.write_beside().await,
            5 => {
                let steps = self.below(10);
                self.simulation.sleep(Duration::from_micros(steps * STEP)).await;
            }
            6 => {
                let steps = self.below(41) * STEP;
                self.beginning = (self.beginning + steps).saturating_sub(20 * STEP).max(BEGINNING);
                self.clock.set_beginning(self.beginning);
            }
            7 => self.restart().await,
            8 => {
                let reader =
                    Reader { meant: self.meant(), position: None, watch: None, seen: BTreeMap::new() };
                if self.readers.len() < 4 {
                    self.readers.push(reader);
                }
            }
            _ => {
                let (meant, limit) = (self.meant(), 1 + self.below(12) as usize);
                self.observe().await;
                self.query(&meant, limit).await;
            }
        }
        self.observe().await;
    }

    /// Entries of others, as another writer of the store appends them.
    async fn write_beside(&mut self) {
        let entries = (0..=self.below(3)).map(|_| {
            let key = key(self.below(4) as u8);
            let draft = Draft::new(key.device(), &self.facts()).unwrap();
            Entry::sign(&genesis().journal(), &key, &[], self.timestamp(), &draft).unwrap()
        });
        let mut entries: Vec<_> = entries.collect();
        let known: BTreeSet<_> = self.entries.iter().map(Entry::id).collect();
        let mut fresh = BTreeSet::new();
        entries.retain(|entry| !known.contains(&entry.id()) && fresh.insert(entry.id()));
        let records = entries.iter().map(|e| StoredRecord { id: e.id(), bytes: e.record().into() });
        let at = self.entries.len() as u64;
        let journal = genesis().journal();
        let done = self.store.append(journal, at, records.collect(), Durability::Strict).await;
        assert!(matches!(done, Ok(AppendOutcome::Done(_))));
        self.entries.append(&mut entries);
    }

    /// The node ends, its readers with it, and another opens the store. It knows only the clock of now.
    async fn restart(&mut self) {
        for reader in &mut self.readers {
            reader.watch = None;
        }
        let (node, clock) = Self::open(&self.simulation, &self.store, self.beginning).await;
        (self.node, self.clock) = (node, clock);
        let shown = self.wall() + AHEAD;
        self.went_back |= shown < self.shown;
        self.shown = shown;
    }

    async fn query(&mut self, meant: &Meant, limit: usize) {
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let page = self.node.page(meant.query(), after, limit).await.unwrap();
            assert!(page.facts.len() <= limit);
            read.extend(page.facts.iter().map(|fact| fact.id));
            if !page.more {
                break;
            }
            assert!(after < Some(page.next), "a page goes on");
            after = Some(page.next);
        }
        assert_eq!(read, self.naive(meant), "{meant:?}");
    }

    /// Each reader reads what there is; some stop in the middle, and go on from where they were.
    async fn read(&mut self) {
        let mut readers = std::mem::take(&mut self.readers);
        for reader in &mut readers {
            let stop = self.some(3, || self.below(6));
            let mut count = 0;
            loop {
                if stop == Some(count) {
                    reader.watch = None;
                    break;
                }
                let watch = reader
                    .watch
                    .get_or_insert_with(|| self.node.watch(reader.meant.query(), reader.position));
                let pause = self.simulation.sleep(Duration::from_millis(5));
                let item = futures::select_biased! {
                    item = watch.next().fuse() => item.unwrap().unwrap(),
                    () = pause.fuse() => break,
                };
                let Some(fact) = item.fact() else { continue };
                count += 1;
                assert!(fact.entry_timestamp <= self.shown, "{:?} is held back", fact.id);
                reader.position = Some(fact.position);
                *reader.seen.entry(fact.id).or_default() += 1;
            }
            let naive: BTreeSet<_> = self.naive(&reader.meant).into_iter().collect();
            if stop.is_none() {
                let missed: Vec<_> = naive.iter().filter(|id| !reader.seen.contains_key(id)).collect();
                assert!(missed.is_empty(), "{:?} missed {missed:?}", reader.meant);
            }
            let twice = reader.seen.values().any(|times| *times > 1);
            assert!(!twice || self.went_back, "{:?} saw one twice", reader.meant);
            let all =
                Self { readers: Vec::new(), shown: u64::MAX, entries: self.entries.clone(), ..self.same() };
            let all: BTreeSet<_> = all.naive(&reader.meant).into_iter().collect();
            assert!(reader.seen.keys().all(|id| all.contains(id)), "nothing that is not meant");
        }
        self.readers = readers;
    }

    fn same(&self) -> Self {
        Self {
            simulation: self.simulation.clone(),
            store: self.store.clone(),
            node: self.node.clone(),
            clock: self.clock.clone(),
            entries: Vec::new(),
            readers: Vec::new(),
            ..*self
        }
    }

    async fn check(&mut self) {
        let status = self.node.status().await.unwrap();
        assert_eq!(status.root, MerkleMap::from_ids(self.entries.iter().map(Entry::id).collect()).root());
        let facts: Vec<_> = self
            .entries
            .iter()
            .flat_map(|entry| entry.facts().unwrap().into_iter().map(|f| (entry.device(), f)))
            .collect();
        let authorities: BTreeSet<_> =
            facts.iter().map(|(device, fact)| fact.authority.unwrap_or((*device).into())).collect();
        let predicates: BTreeSet<_> = facts.iter().map(|(_, fact)| fact.predicate.as_str()).collect();
        let devices: BTreeSet<_> = self.entries.iter().map(Entry::device).collect();
        let counts = [status.facts, status.authorities, status.predicates, status.devices];
        let model =
            [facts.len(), authorities.len(), predicates.len(), devices.len()].map(|count| count as u64);
        assert_eq!(counts, model);
        let mut held: Vec<_> = (1u64..)
            .zip(&self.entries)
            .filter(|(_, entry)| entry.timestamp() > self.shown)
            .map(|(number, entry)| (entry.timestamp(), number))
            .collect();
        held.sort();
        assert_eq!(status.held_back, held.len() as u64);
        let listed = self.node.held_back(None, 10_000).await.unwrap();
        assert!(listed.iter().map(|held| (held.timestamp, held.number)).eq(held));
    }
}

fn run(seed: u64, steps: u64) {
    let simulation = Simulation::new(seed);
    simulation.clone().run(async move {
        let mut world = World::new(&simulation).await;
        for _ in 0..steps {
            world.step().await;
            if world.below(3) == 0 {
                world.read().await;
                world.observe().await;
                world.check().await;
            }
        }
        let meant = world.meant();
        world.query(&meant, 3).await;
    });
}

#[test]
fn c3_c6_f62_a_node_is_what_plain_maps_say_under_whatever_happens() {
    let full = std::env::var_os("ISOROOT_TEST_FULL").is_some();
    for seed in 0..if full { 3_000 } else { 60 } {
        let failed = std::panic::catch_unwind(|| run(seed, 60)).is_err();
        assert!(!failed, "seed {seed}");
    }
}
