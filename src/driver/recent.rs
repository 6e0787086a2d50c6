//! The entries that were committed last, of all journals: what is new goes to every peer without a read of
//! the store.

use std::collections::VecDeque;
use std::sync::Arc;

use litemap::LiteMap;

use crate::ids::JournalId;
use crate::limits::RECENT_BYTES;
use crate::session::feed::{Feed, FeedWhat};

/// Records of a journal's entries, numbered one after the other: its last, or those that are being committed.
#[derive(Debug)]
struct Tail {
    first: u64,
    records: VecDeque<Arc<[u8]>>,
}

/// See the module. Bounded by bytes, however many journals there are: the oldest go first.
#[derive(Debug)]
pub(crate) struct Recent {
    tails: LiteMap<JournalId, Tail>,
    /// What is not durable yet.
    committing: LiteMap<JournalId, Tail>,
    /// Whose record is the oldest, the next, and so on. Some may be gone already.
    order: VecDeque<(JournalId, u64)>,
    bytes: usize,
    room: usize,
}

impl Default for Recent {
    fn default() -> Self {
        let (tails, committing) = (LiteMap::new(), LiteMap::new());
        Self { tails, committing, order: VecDeque::new(), bytes: 0, room: RECENT_BYTES }
    }
}

impl Recent {
    /// These are being committed, behind number `at`. A journal commits one batch at a time.
    pub(crate) fn commit(&mut self, journal: JournalId, at: u64, records: VecDeque<Arc<[u8]>>) {
        self.committing.insert(journal, Tail { first: at.saturating_add(1), records });
    }

    /// They are durable.
    pub(crate) fn committed(&mut self, journal: JournalId) {
        if let Some(Tail { first, records }) = self.committing.remove(&journal) {
            self.push(journal, first, records);
        }
    }

    /// They are not.
    pub(crate) fn not_committed(&mut self, journal: JournalId) {
        self.committing.remove(&journal);
    }

    fn push(&mut self, journal: JournalId, first: u64, records: VecDeque<Arc<[u8]>>) {
        let follows = |tail: &Tail| tail.first.saturating_add(tail.records.len() as u64) == first;
        if !self.tails.get(&journal).is_some_and(follows) {
            // What others wrote lies between.
            self.forget(journal);
            self.tails.insert(journal, Tail { first, records: VecDeque::new() });
        }
        for (number, record) in (first..).zip(records) {
            self.bytes = self.bytes.saturating_add(record.len());
            self.order.push_back((journal, number));
            if let Some(tail) = self.tails.get_mut(&journal) {
                tail.records.push_back(record);
            }
            while self.bytes > self.room
                && let Some((oldest, number)) = self.order.pop_front()
            {
                self.drop_first(oldest, number);
            }
        }
    }

    /// A journal leaves memory, or is no longer what was noted of it.
    pub(crate) fn forget(&mut self, journal: JournalId) {
        if let Some(tail) = self.tails.remove(&journal) {
            let freed = tail.records.iter().fold(0usize, |sum, record| sum.saturating_add(record.len()));
            self.bytes = self.bytes.saturating_sub(freed);
            self.order.retain(|(of, _)| *of != journal);
        }
    }

    /// What the feed asks for, as far as it is here: from its first entry on, as many as fit, one in any case.
    /// Nothing if the first is not here.
    pub(crate) fn read(&self, journal: JournalId, feed: &Feed) -> Option<Vec<(u64, Arc<[u8]>)>> {
        let tail = self.tails.get(&journal)?;
        let record = |number: u64| {
            let place = usize::try_from(number.checked_sub(tail.first)?).ok()?;
            tail.records.get(place).map(|record| (number, record.clone()))
        };
        let mut room = feed.max_bytes;
        let mut found: Vec<(u64, Arc<[u8]>)> = Vec::new();
        let mut take = |number: u64| {
            let (number, record) = record(number)?;
            if record.len() > room && !found.is_empty() {
                return None;
            }
            room = room.saturating_sub(record.len());
            found.push((number, record));
            Some(())
        };
        match &feed.what {
            FeedWhat::Range { from, to } => drop((*from..=*to).try_for_each(&mut take)),
            FeedWhat::Numbers(numbers) => drop(numbers.iter().copied().try_for_each(&mut take)),
        }
        (!found.is_empty()).then_some(found)
    }

    fn drop_first(&mut self, journal: JournalId, number: u64) {
        let Some(tail) = self.tails.get_mut(&journal).filter(|tail| tail.first == number) else { return };
        if let Some(record) = tail.records.pop_front() {
            self.bytes = self.bytes.saturating_sub(record.len());
            tail.first = number.saturating_add(1);
        }
        if tail.records.is_empty() {
            self.tails.remove(&journal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn journal(byte: u8) -> JournalId {
        JournalId::from_bytes([byte; 32])
    }

    fn record(bytes: usize, mark: u64) -> Arc<[u8]> {
        let mut record = vec![0; bytes.max(8)];
        record[..8].copy_from_slice(&mark.to_be_bytes());
        record.into()
    }

    fn range(from: u64, to: u64, max_bytes: usize) -> Feed {
        Feed { what: FeedWhat::Range { from, to }, max_bytes }
    }

    #[test]
    fn d5_what_is_recent_is_read_from_its_first_entry_on_as_far_as_it_fits() {
        let mut recent = Recent { room: 1_000, ..Recent::default() };
        recent.push(journal(1), 5, (5..9).map(|number| record(100, number)).collect());
        let read = |recent: &Recent, feed: &Feed| {
            let found = recent.read(journal(1), feed).unwrap_or_default();
            found.iter().map(|(number, _)| *number).collect::<Vec<_>>()
        };
        assert_eq!(read(&recent, &range(5, 8, 1_000)), [5, 6, 7, 8]);
        assert_eq!(read(&recent, &range(6, 99, 250)), [6, 7], "as many as fit");
        assert_eq!(read(&recent, &range(6, 6, 1)), [6], "one in any case");
        assert!(read(&recent, &range(4, 8, 1_000)).is_empty(), "its first is not here");
        assert!(read(&recent, &range(9, 9, 1_000)).is_empty());
        let some = Feed { what: FeedWhat::Numbers(vec![6, 8, 2, 5]), max_bytes: 1_000 };
        assert_eq!(read(&recent, &some), [6, 8], "up to the first that is not here");
        assert!(recent.read(journal(2), &range(5, 8, 1_000)).is_none());
        // Somebody else wrote 9 and 10.
        recent.push(journal(1), 11, [record(10, 11)].into());
        assert_eq!(read(&recent, &range(11, 11, 1_000)), [11]);
        assert!(read(&recent, &range(8, 11, 1_000)).is_empty());
        recent.push(journal(2), 1, (1..11).map(|number| record(100, number)).collect());
        assert!(read(&recent, &range(11, 11, 1_000)).is_empty(), "the oldest went");
        assert_eq!(recent.bytes, 1_000);
    }

    proptest! {
        #[test]
        fn d5_recent_entries_are_a_tail_of_the_log_within_their_bytes(
            steps in prop::collection::vec((0u8..3, 0u64..3, prop::collection::vec(8usize..60, 0..9)), 1..40),
        ) {
            let mut recent = Recent { room: 300, ..Recent::default() };
            let mut logs: BTreeMap<u8, Vec<Arc<[u8]>>> = BTreeMap::new();
            for (of, gap, sizes) in steps {
                let log = logs.entry(of).or_default();
                // Others' entries do not pass by here.
                (0..gap).for_each(|_| log.push(record(8, 0)));
                let first = log.len() as u64 + 1;
                let records: Vec<_> = (first..).zip(&sizes).map(|(number, size)| record(*size, number)).collect();
                log.extend(records.iter().cloned());
                recent.commit(journal(of), first - 1, records.into());
                recent.committed(journal(of));
                let held: usize = recent.tails.values().flat_map(|tail| &tail.records).map(|record| record.len()).sum();
                prop_assert_eq!(recent.bytes, held);
                prop_assert!(held <= 300);
                prop_assert!(recent.order.len() <= 300 / 8);
                for (of, log) in &logs {
                    for (number, record) in (1u64..).zip(log) {
                        let found = recent.read(journal(*of), &range(number, number, 1)).unwrap_or_default();
                        prop_assert!(found.is_empty() || found == [(number, record.clone())]);
                    }
                }
                if of == 2 {
                    recent.forget(journal(2));
                    logs.insert(2, Vec::new());
                }
            }
        }
    }
}
