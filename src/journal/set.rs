//! The set of a journal's entries as of the last commit: numbers, Merkle map, index, clock.
//!
//! Payload is not kept: what anything here decides on is ids, numbers and predicates.

use crate::fact::entry::Entry;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId, StoreId};
use crate::journal::chains::Chains;
use crate::journal::index::Index;
use crate::journal::number_set::NumberSet;
use crate::limits::{AFTER, AHEAD, SAFE_INTEGER};
use crate::merkle::item::Item;
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
    /// The ids with their numbers.
    map: MerkleMap,
    index: Index,
    chains: Chains,
    /// Greatest timestamp of the entries that were not ahead when they came.
    clock: u64,
    /// Timestamps that were: they count once they are no longer.
    ahead: NumberSet,
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
            clock: 0,
            ahead: NumberSet::default(),
        }
    }

    /// Takes in entries in the order in which the store numbered them, behind those that are here.
    /// An entry that is here already, which a store should not hold twice, gets its number all the same.
    pub(crate) fn absorb(&mut self, entries: &[Entry], wall: WallTime) {
        let first = self.head().saturating_add(1);
        let mut items = Vec::with_capacity(entries.len());
        for (entry, number) in entries.iter().zip(first..) {
            self.ids.push(entry.id());
            items.push(Item { id: entry.id(), number });
        }
        self.map.insert_items(&items);
        for (entry, number) in entries.iter().zip(first..) {
            if self.number_of(&entry.id()) != Some(number) {
                continue;
            }
            self.index.insert(number, entry);
            if entry.timestamp() > latest(wall) {
                self.ahead.insert(entry.timestamp());
            } else {
                self.clock = self.clock.max(entry.timestamp());
            }
            let map = &self.map;
            self.chains.insert(entry, |id| map.number_of(id).is_some_and(|before| before <= number));
        }
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
    use crate::fact::entry::Draft;
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
                journal.absorb(&[all[place].clone()], WallTime::from_micros(10));
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
            journal.absorb(std::slice::from_ref(entry), wall);
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
            journal.absorb(page, WallTime::from_micros(10));
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
        journal.absorb(&ends, WallTime::from_micros(10));
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
        journal.absorb(&[entry(&key, &[], edge + 1)], wall);
        assert_eq!(journal.next_link(wall).1, 1_000_000);
        journal.absorb(&[entry(&key, &[], edge)], wall);
        assert_eq!(journal.next_link(wall).1, edge + 1, "exactly 300,000 ms is not ahead");
        let later = WallTime::from_micros(1_000_001);
        assert_eq!(journal.next_link(later).1, edge + 2, "once it is due it counts");
    }

    #[test]
    fn next_timestamp_stays_in_range() {
        assert_eq!(next_timestamp(SAFE_INTEGER, WallTime::from_micros(u64::MAX)), SAFE_INTEGER);
    }
}
