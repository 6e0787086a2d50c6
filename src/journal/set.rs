//! The set of a journal's entries as of the last commit: numbers, Merkle map, index, clock.
//!
//! Payload is not kept: what anything here decides on is ids, numbers and predicates.

use std::collections::BTreeMap;

use crate::fact::summary::Summary;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId, StoreId};
use crate::journal::chains::Chains;
use crate::journal::checkpoint::unsaved::Unsaved;
use crate::journal::checkpoint::{LoadedFrom, Saving};
use crate::journal::index::Index;
use crate::journal::number_set::NumberSet;
use crate::limits::{AFTER, AHEAD, SAFE_INTEGER};
use crate::merkle::map::MerkleMap;
use crate::merkle::prefix::sort;
use crate::merkle::subtree::Root;
use crate::time::WallTime;

/// A journal in memory.
#[derive(Debug)]
pub(crate) struct Journal {
    id: JournalId,
    store: StoreId,
    device: DeviceId,
    /// The entry with number *n* is at place *n* − 1.
    ids: Vec<EntryId>,
    numbers: BTreeMap<EntryId, u64>,
    map: MerkleMap,
    index: Index,
    chains: Chains,
    /// Greatest timestamp of the entries that were not ahead when they came.
    clock: u64,
    /// Timestamps that were: they count once they are no longer.
    ahead: NumberSet,
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
            numbers: BTreeMap::new(),
            map: MerkleMap::new(),
            index: Index::default(),
            chains: Chains::default(),
            clock: 0,
            ahead: NumberSet::default(),
            unsaved: Unsaved::all(),
            loaded_from: LoadedFrom::Records,
        }
    }

    /// Takes in entries in the order in which the store numbered them, behind those that are here.
    /// An entry that is here already, which a store should not hold twice, gets its number all the same.
    pub(crate) fn absorb(&mut self, entries: &[Summary<'_>], wall: WallTime) {
        let fresh = self.take_in(entries, wall);
        self.map.insert_all(fresh);
    }

    /// All of [`absorb`](Self::absorb) but for the map, which [`complete`](Self::complete) then makes at
    /// once: in pieces its hashes would be made many times. The ids that are new.
    pub(crate) fn take_in(&mut self, entries: &[Summary<'_>], wall: WallTime) -> Vec<EntryId> {
        let mut fresh = Vec::with_capacity(entries.len());
        for entry in entries {
            self.unsaved.push(entry, |id| self.numbers.get(id).copied());
            self.ids.push(entry.id);
            let number = self.head();
            if self.numbers.contains_key(&entry.id) {
                continue;
            }
            self.numbers.insert(entry.id, number);
            self.index.insert(number, entry);
            fresh.push(entry.id);
            if entry.timestamp > latest(wall) {
                self.ahead.insert(entry.timestamp);
            } else {
                self.clock = self.clock.max(entry.timestamp);
            }
            self.chains.insert(entry, |id| self.numbers.contains_key(id));
        }
        fresh
    }

    /// Makes the map of all entries that were taken in.
    pub(crate) fn complete(&mut self) {
        self.map = MerkleMap::from_ids(self.ids.clone());
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
        let due = self.unsaved.is_full() || (closing && self.unsaved.is_worth_it());
        if due { self.unsaved.take(self.id, &self.ids, self.map.root()) } else { None }
    }

    pub(crate) fn id(&self) -> JournalId {
        self.id
    }

    pub(crate) fn store(&self) -> StoreId {
        self.store
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

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn chains(&self) -> &Chains {
        &self.chains
    }

    pub(crate) fn contains(&self, id: &EntryId) -> bool {
        self.numbers.contains_key(id)
    }

    pub(crate) fn number_of(&self, id: &EntryId) -> Option<u64> {
        self.numbers.get(id).copied()
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
        let due = self.ahead.last_up_to(latest(wall));
        (after, next_timestamp(self.clock.max(due.unwrap_or_default()), wall))
    }
}

/// The hybrid logical clock's next reading: the wall clock, or just behind the last if that is later.
pub(crate) fn next_timestamp(last: u64, wall: WallTime) -> u64 {
    wall.as_micros().max(last.saturating_add(1)).min(SAFE_INTEGER)
}

/// The latest timestamp that is not ahead: honest clocks differ by no more.
fn latest(wall: WallTime) -> u64 {
    wall.as_micros().saturating_add(u64::try_from(AHEAD.as_micros()).unwrap_or(u64::MAX))
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
                journal.absorb(&[all[place].summary()], WallTime::from_micros(10));
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
            journal.absorb(&[entry.summary()], wall);
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
    fn c2_at_most_eight_ends_are_named_the_latest() {
        let key = DeviceKey::from_seed([1; 32]);
        let mut journal = journal(&key);
        let ends: Vec<_> = (1..=10).map(|timestamp| entry(&key, &[], timestamp)).collect();
        journal.absorb(&Summary::of_all(&ends), WallTime::from_micros(10));
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
        journal.absorb(&[entry(&key, &[], edge + 1).summary()], wall);
        assert_eq!(journal.next_link(wall).1, 1_000_000);
        journal.absorb(&[entry(&key, &[], edge).summary()], wall);
        assert_eq!(journal.next_link(wall).1, edge + 1, "exactly 300,000 ms is not ahead");
        let later = WallTime::from_micros(1_000_001);
        assert_eq!(journal.next_link(later).1, edge + 2, "once it is due it counts");
    }

    #[test]
    fn next_timestamp_stays_in_range() {
        assert_eq!(next_timestamp(SAFE_INTEGER, WallTime::from_micros(u64::MAX)), SAFE_INTEGER);
    }
}
