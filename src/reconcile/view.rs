//! One side's part of the union that a reconciliation is about, while the journal keeps growing.
//!
//! A view holds the own entries numbered up to `at` and those that this reconciliation found missing
//! here, less those that either side refused. Entries that came later by other ways are left out, so
//! that appends never disturb a reconciliation.

use crate::ids::EntryId;
use crate::journal::number_set::NumberSet;
use crate::journal::set::Journal;
use crate::merkle::prefix::sort;
use crate::merkle::subtree::Root;

/// See the module.
#[derive(Debug)]
pub(crate) struct View {
    at: u64,
    /// Numbers beyond `at` of entries that the peer has as of its own `at`.
    found: NumberSet,
    /// Entries up to `at` or found that the peer refused.
    refused: NumberSet,
    refusals: usize,
    /// Ids of the journal that are outside, ascending, as of `excluded_head`; kept while it is long.
    excluded: Vec<EntryId>,
    excluded_head: u64,
    /// Whether `found` or `refused` changed since `excluded` was gathered.
    stale: bool,
}

impl View {
    /// The view of a journal as it is now.
    pub(crate) fn new(journal: &Journal) -> Self {
        let at = journal.head();
        Self {
            at,
            found: NumberSet::default(),
            refused: NumberSet::default(),
            refusals: 0,
            excluded: Vec::new(),
            excluded_head: at,
            stale: false,
        }
    }

    /// The number up to which own entries are in the view.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// An entry that the peer has in its view is here under this number.
    pub(crate) fn find(&mut self, number: u64) {
        if number > self.at && !self.found.contains(number) {
            self.found.insert(number);
            self.stale = true;
        }
    }

    /// Whether the entry with this number is in the view.
    pub(crate) fn contains(&self, number: u64) -> bool {
        (number <= self.at || self.found.contains(number)) && !self.refused.contains(number)
    }

    /// The peer refused the entry with this number: neither side counts it.
    pub(crate) fn refuse(&mut self, number: u64) {
        if !self.refused.contains(number) {
            self.refused.insert(number);
            self.refusals = self.refusals.saturating_add(1);
            self.stale = true;
        }
    }

    /// Entries that the peer refused.
    pub(crate) fn refused(&self) -> usize {
        self.refusals
    }

    /// The number of the first entry that the peer refused.
    pub(crate) fn first_refused(&self) -> Option<u64> {
        self.refused.first()
    }

    /// Ids of the journal that are outside the view, ascending.
    pub(crate) fn excluded(&mut self, journal: &Journal) -> &[EntryId] {
        let head = journal.head();
        if self.stale || head != self.excluded_head {
            let gaps = self.found.gaps(self.at.saturating_add(1), head);
            let later = gaps.into_iter().flat_map(|(first, last)| first..=last);
            let numbers = later.chain(self.refused.iter());
            self.excluded = numbers.filter_map(|number| journal.id_of(number)).collect();
            sort(&mut self.excluded);
            self.excluded.dedup();
            self.excluded_head = head;
            self.stale = false;
        }
        &self.excluded
    }

    /// The root of the view.
    pub(crate) fn root(&mut self, journal: &Journal) -> Root {
        journal.map().root_without(self.excluded(journal))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::sign::DeviceKey;
    use crate::fact::entry::{Draft, Entry};
    use crate::fact::genesis::Genesis;
    use crate::fact::statement::Fact;
    use crate::fact::summary::Summary;
    use crate::ids::StoreId;
    use crate::merkle::map::MerkleMap;

    fn entries(count: i64) -> Vec<Entry> {
        let (key, journal) = (DeviceKey::from_seed([1; 32]), Genesis::named("view").journal());
        let entry = |value| {
            let draft = Draft::new(key.device(), &[Fact::new("p", value)]).unwrap();
            draft.sign(&journal, &key, &[], 1)
        };
        (0..count).map(entry).collect()
    }

    proptest! {
        #[test]
        fn d3_a_view_is_the_opening_and_what_was_found_whatever_comes_meanwhile(
            at in 0usize..12, marks in prop::collection::vec((any::<bool>(), any::<bool>()), 24), steps in 1usize..6,
        ) {
            let entries = entries(24);
            let (key, id) = (DeviceKey::from_seed([2; 32]), Genesis::named("view").journal());
            let mut journal = Journal::new(id, StoreId::from_bytes([1; 16]), key.device());
            journal.absorb(&Summary::of_all(&entries[..at]));
            let mut view = View::new(&journal);
            for chunk in entries[at..].chunks(steps) {
                journal.absorb(&Summary::of_all(chunk));
                let numbers: Vec<u64> = (1..=journal.head()).collect();
                let marked = |number: &u64| marks[*number as usize - 1];
                numbers.iter().filter(|number| marked(number).0).for_each(|number| view.find(*number));
                numbers.iter().filter(|number| marked(number).1).for_each(|number| view.refuse(*number));
                let inside = |number: &u64| (*number <= at as u64 || marked(number).0) && !marked(number).1;
                let ids = numbers.iter().filter(|number| inside(number)).filter_map(|n| journal.id_of(*n));
                prop_assert_eq!(view.root(&journal), MerkleMap::from_ids(ids.collect()).root());
                prop_assert!(numbers.iter().all(|number| view.contains(*number) == inside(number)));
            }
        }
    }
}
