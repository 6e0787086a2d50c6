//! The set of a journal's entries as of the last commit: numbers, Merkle map, index, clock.
//!
//! Payload is not kept: what anything here decides on is ids, numbers and predicates.

use core::time::Duration;

use crate::fact::summary::Summary;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId, StoreId};
use crate::journal::chains::Chains;
use crate::journal::checkpoint::unsaved::Unsaved;
use crate::journal::checkpoint::{LoadedFrom, Saving};
use crate::journal::held::{HeldBack, HeldEntry};
use crate::journal::index::Index;
use crate::journal::position::Position;
use crate::journal::query::Query;
use crate::journal::reading::Reading;
use crate::journal::timeline::Point;
use crate::limits::{AFTER, AHEAD, SAFE_INTEGER};
use crate::merkle::item::Item;
use crate::merkle::map::MerkleMap;
use crate::merkle::prefix::sort;
use crate::merkle::subtree::Root;
use crate::symbols::cell::Cell;
use crate::symbols::digest::Digest;
use crate::symbols::sketch::Sketch;
use crate::time::WallTime;

/// A journal in memory.
#[derive(Debug)]
pub(crate) struct Journal {
    id: JournalId,
    store: StoreId,
    device: DeviceId,
    /// The entry with number *n* is at place *n* − 1.
    ids: Vec<EntryId>,
    /// The ids with their numbers.
    map: MerkleMap,
    index: Index,
    chains: Chains,
    /// What reconciling it goes by.
    digest: Digest,
    /// How far a timestamp may be ahead of the wall clock.
    ahead: Duration,
    /// The greatest timestamp that is not held back. It only grows: what was shown stays shown as long as
    /// the journal is in memory, also when the clock goes back.
    shown: WallTime,
    /// What is to go into the checkpoint.
    unsaved: Unsaved,
    loaded_from: LoadedFrom,
}

impl Journal {
    /// An empty journal in `store`, in which `device` writes.
    pub(crate) fn new(id: JournalId, store: StoreId, device: DeviceId) -> Self {
        Self {
            id,
            store,
            device,
            ids: Vec::new(),
            map: MerkleMap::new(),
            index: Index::default(),
            chains: Chains::default(),
            digest: Digest::default(),
            ahead: AHEAD,
            shown: WallTime::default(),
            unsaved: Unsaved::all(),
            loaded_from: LoadedFrom::Records,
        }
    }

    /// The same, with another bound on how far a timestamp may be ahead of the wall clock.
    pub(crate) fn with_ahead(self, ahead: Duration) -> Self {
        Self { ahead, ..self }
    }

    /// Takes in entries in the order in which the store numbered them, behind those that are here.
    /// An entry that is here already, which a store should not hold twice, gets its number all the same.
    pub(crate) fn absorb(&mut self, entries: &[Summary<'_>]) {
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        self.foresee(&ids);
        self.take_in(entries);
    }

    /// The first half of [`absorb`](Self::absorb): takes ids of the entries that follow into the map. For
    /// many entries that come in pieces it is done once for all, since in pieces the hashes would be made
    /// many times.
    pub(crate) fn foresee(&mut self, ids: &[EntryId]) {
        let first = self.head().saturating_add(1);
        let items: Vec<_> = ids.iter().zip(first..).map(|(id, number)| Item { id: *id, number }).collect();
        self.map.insert_items(items);
    }

    /// The second half: entries that follow, whose ids the map has.
    pub(crate) fn take_in(&mut self, entries: &[Summary<'_>]) {
        let first = self.head().saturating_add(1);
        let map = &self.map;
        for (entry, number) in entries.iter().zip(first..) {
            self.ids.push(entry.id);
            self.unsaved.push(entry, |id| map.number_of(id).filter(|before| *before < number));
            if map.number_of(&entry.id) != Some(number) {
                continue;
            }
            self.digest.insert(&entry.id);
            let facts = entry.facts.iter().map(|fact| (fact.predicate, fact.authority));
            self.index.insert(number, entry.timestamp, entry.device, facts);
            self.chains.insert(entry, |id| map.number_of(id).is_some_and(|before| before <= number));
        }
    }

    /// From here on `unsaved` gathers what is to go into the checkpoint.
    pub(crate) fn gather(&mut self, unsaved: Unsaved, loaded_from: LoadedFrom) {
        self.unsaved = unsaved;
        self.loaded_from = loaded_from;
    }

    /// Where it was loaded from.
    pub(crate) fn loaded_from(&self) -> LoadedFrom {
        self.loaded_from
    }

    /// Makes the next chunk of the checkpoint, if one is full, or at `closing` if it is worth it.
    pub(crate) fn save(&mut self, closing: bool) -> Option<Saving> {
        let due = self.unsaved.is_due() || (closing && self.unsaved.is_worth_it());
        if due { self.unsaved.take(self.id, &self.ids, self.map.root()) } else { None }
    }

    /// The same while the map has ids of entries that follow: the chunk waits until it has no others.
    pub(crate) fn set_aside(&mut self) {
        self.unsaved.set_aside(self.id, &self.ids);
    }

    pub(crate) fn id(&self) -> JournalId {
        self.id
    }

    /// Number of the last entry, 0 if there is none.
    pub(crate) fn head(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The place behind the last entry.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { store: self.store, number: self.head() }
    }

    pub(crate) fn root(&self) -> Root {
        self.map.root()
    }

    pub(crate) fn map(&self) -> &MerkleMap {
        &self.map
    }

    /// The sketch of its ids.
    pub(crate) fn sketch(&self) -> Sketch {
        self.digest.sketch()
    }

    /// Cells number `from` to before `to` of the row of its ids, less some.
    pub(crate) fn cells(&self, from: usize, to: usize, without: &[EntryId]) -> Vec<Cell> {
        self.digest.cells(from, to, without, self.map.iter())
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn chains(&self) -> &Chains {
        &self.chains
    }

    pub(crate) fn contains(&self, id: &EntryId) -> bool {
        self.map.contains(id)
    }

    pub(crate) fn number_of(&self, id: &EntryId) -> Option<u64> {
        self.map.number_of(id)
    }

    pub(crate) fn id_of(&self, number: u64) -> Option<EntryId> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.ids.get(place).copied()
    }

    /// The next entry's place in the own device's chain and in time: its `after` and timestamp.
    pub(crate) fn next_link(&self, wall: WallTime) -> (Vec<EntryId>, u64) {
        // Where there are more, the latest.
        let mut after = self.chains.ends(&self.device);
        after.truncate(AFTER);
        sort(&mut after);
        let last = self.index.last_up_to(self.shown.max(wall.after(self.ahead)).as_micros());
        (after, next_timestamp(last.unwrap_or_default(), wall))
    }

    /// Shows what is due by the wall clock; how many entries that were held back.
    pub(crate) fn observe(&mut self, wall: WallTime) -> u64 {
        let shown = self.shown.max(wall.after(self.ahead));
        let before = std::mem::replace(&mut self.shown, shown);
        if before == shown {
            return 0;
        }
        let held = |shown: WallTime| self.index.count_after(shown.as_micros());
        held(before).saturating_sub(held(shown))
    }

    /// How many entries are held back.
    pub(crate) fn held_back(&self) -> u64 {
        self.index.count_after(self.shown.as_micros())
    }

    /// When the next of them is due, by the wall clock.
    pub(crate) fn next_due(&self) -> Option<WallTime> {
        let next = self.index.by_time(Point::after(self.shown.as_micros())).next();
        next.map(|next| self.due(next.timestamp))
    }

    fn due(&self, timestamp: u64) -> WallTime {
        WallTime::from_micros(timestamp).before(self.ahead)
    }

    /// Entries that are held back, the first that is due first, behind the one given if it is one.
    pub(crate) fn held_entries(&self, after: Option<EntryId>, max: usize) -> Vec<HeldEntry> {
        let place = after.and_then(|id| self.number_of(&id));
        let timestamp = place.and_then(|number| self.index.timestamp(number));
        let behind = timestamp.zip(place).map(|(timestamp, place)| Point { timestamp, place });
        let first = Point::after(self.shown.as_micros());
        let mut held = Vec::new();
        for point in self.index.by_time(behind.map_or(first, |behind| behind.max(first))).take(max) {
            let number = point.place.saturating_add(1);
            if let (Some(id), Some(device)) = (self.id_of(number), self.index.device(number)) {
                let (timestamp, reason) =
                    (point.timestamp, HeldBack::Ahead { due: self.due(point.timestamp) });
                held.push(HeldEntry { id, number, device, timestamp, reason });
            }
        }
        held
    }

    /// Behind all that is shown.
    pub(crate) fn position(&self) -> Position {
        Position { number: self.head(), clock: self.shown, ..Position::start(self.store) }
    }

    /// Reads on from a position, or from the beginning; see [`Index::read`].
    pub(crate) fn read(&self, query: &Query, after: Option<Position>, facts: usize) -> Reading {
        let named = query.entry.or(query.fact.map(|fact| fact.entry));
        let entry = named.and_then(|id| self.number_of(&id));
        self.index.read(query, entry, after, (self.store, self.shown), facts)
    }

    /// Whether reading on from a position may give something.
    pub(crate) fn has_news(&self, after: Position) -> bool {
        self.index.has_news(after, self.store, self.shown)
    }
}

/// The hybrid logical clock's next reading: the wall clock, or just behind the last if that is later.
pub(crate) fn next_timestamp(last: u64, wall: WallTime) -> u64 {
    wall.as_micros().max(last.saturating_add(1)).min(SAFE_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sign::DeviceKey;
    use crate::fact::entry::{Draft, Entry};
    use crate::fact::genesis::Genesis;
    use crate::fact::statement::Fact;

    fn entry(key: &DeviceKey, after: &[EntryId], timestamp: u64) -> Entry {
        let journal = Genesis::named("test").journal();
        let draft = Draft::new(key.device(), &[Fact::new("p", timestamp as i64)]).unwrap();
        draft.sign(&journal, key, after, timestamp)
    }

    fn journal(key: &DeviceKey) -> Journal {
        Journal::new(Genesis::named("test").journal(), StoreId::from_bytes([1; 16]), key.device())
    }

    #[test]
    fn c2_own_chain_has_the_same_ends_in_any_order_of_arrival() {
        let key = DeviceKey::from_seed([1; 32]);
        let first = entry(&key, &[], 1);
        let second = entry(&key, &[first.id()], 2);
        let fork = entry(&key, &[first.id()], 3);
        let mut both = [second.id(), fork.id()];
        both.sort();
        let join = entry(&key, &both, 4);
        let all = [first, second, fork, join];
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
        for order in orders {
            let mut journal = journal(&key);
            for place in order {
                journal.absorb(&[all[place].summary()]);
            }
            let (after, timestamp) = journal.next_link(WallTime::from_micros(2));
            assert_eq!((after, timestamp), (vec![all[3].id()], 5), "{order:?}");
            assert_eq!((journal.chains().missing(), journal.chains().forked()), (0, 0));
        }
    }

    #[test]
    fn c2_gaps_and_forks_are_reported_and_block_nothing() {
        let (own, other) = (DeviceKey::from_seed([1; 32]), DeviceKey::from_seed([2; 32]));
        let wall = WallTime::from_micros(10);
        let first = entry(&other, &[], 1);
        let second = entry(&other, &[first.id()], 2);
        let third = entry(&other, &[second.id()], 3);
        let fork = entry(&other, &[first.id()], 4);
        let mut journal = journal(&own);
        let mut report = |entry: &Entry| {
            journal.absorb(&[entry.summary()]);
            (journal.chains().missing(), journal.chains().forked(), journal.root().count)
        };
        assert_eq!(report(&third), (1, 0, 1), "the second is missing");
        assert_eq!(report(&first), (1, 1, 2), "and nothing joins first and third yet");
        assert_eq!(report(&second), (0, 0, 3));
        assert_eq!(report(&fork), (0, 1, 4));
        assert_eq!(report(&fork), (0, 1, 4), "again changes nothing");
        assert_eq!(journal.chains().devices(), 1);
        assert_eq!(journal.next_link(wall), (vec![], 10), "the own chain is another");
    }

    #[test]
    fn c4_an_id_has_the_number_of_its_first_entry() {
        let key = DeviceKey::from_seed([1; 32]);
        let all: Vec<_> = (1..=20).map(|timestamp| entry(&key, &[], timestamp)).collect();
        let mut journal = journal(&key);
        // Twice in one page, and again in another, as no store should have it.
        let pages = [&all[..10], &[all[3].clone(), all[10].clone(), all[10].clone()], &all[5..]];
        let mut first = Vec::new();
        for page in pages {
            for entry in page {
                first.push(entry.id());
            }
            journal.absorb(&Summary::of_all(page));
        }
        assert_eq!(journal.head(), first.len() as u64);
        for (id, number) in first.iter().zip(1..) {
            let expected = first.iter().position(|other| other == id).map(|place| place as u64 + 1);
            assert_eq!((journal.number_of(id), journal.id_of(number)), (expected, Some(*id)));
        }
        assert_eq!((journal.root().count, journal.index().facts()), (20, 20));
        assert_eq!(journal.number_of(&EntryId::from_bytes([0; 32])), None);
    }

    #[test]
    fn c2_at_most_eight_ends_are_named_the_latest() {
        let key = DeviceKey::from_seed([1; 32]);
        let mut journal = journal(&key);
        let ends: Vec<_> = (1..=10).map(|timestamp| entry(&key, &[], timestamp)).collect();
        journal.absorb(&Summary::of_all(&ends));
        let (after, _) = journal.next_link(WallTime::from_micros(10));
        let mut latest: Vec<_> = ends[2..].iter().map(Entry::id).collect();
        latest.sort();
        assert_eq!(after, latest);
    }

    #[test]
    fn c6_an_entry_from_the_far_future_does_not_drag_the_clock_along() {
        let key = DeviceKey::from_seed([1; 32]);
        let wall = WallTime::from_micros(1_000_000);
        let edge = 1_000_000 + 300_000_000;
        let mut journal = journal(&key);
        journal.absorb(&[entry(&key, &[], edge + 1).summary()]);
        assert_eq!(journal.next_link(wall).1, 1_000_000);
        journal.absorb(&[entry(&key, &[], edge).summary()]);
        assert_eq!(journal.next_link(wall).1, edge + 1, "exactly 300,000 ms is not ahead");
        let later = WallTime::from_micros(1_000_001);
        assert_eq!(journal.next_link(later).1, edge + 2, "once it is due it counts");
    }

    #[test]
    fn next_timestamp_stays_in_range() {
        assert_eq!(next_timestamp(SAFE_INTEGER, WallTime::from_micros(u64::MAX)), SAFE_INTEGER);
    }
}
