//! Which packs are to be merged: planned by what is seen of them, in the order of their numbers.
//!
//! The tail, the last packs seen, is kept as it will be once all that is planned has been done. When it
//! holds more than fills a pack, that much of it is merged for good. Before that, when many have gathered,
//! the newest are merged, with those before them that are not much larger: so a record is written again
//! a few times, not once for each merge.

use std::collections::VecDeque;

use super::pack::{Extent, PACK_BYTES};

/// So many small packs are left as they are.
const FEW: usize = 64;
/// Fewer are not merged for good: they are not small.
const WORTHWHILE: usize = 4;
/// Merges that may wait. What is seen while so many do is left for the next time.
const WAITING: usize = 4_096;

/// Packs with all numbers of `extent`, at most `packs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Merge {
    pub(super) extent: Extent,
    pub(super) packs: usize,
}

/// What is to be merged of one journal.
#[derive(Default)]
pub(super) struct Plan {
    tail: Vec<Extent>,
    due: VecDeque<Merge>,
}

impl Plan {
    /// The next merge. They rely on one another: after one that failed, all is forgotten.
    pub(super) fn next(&mut self) -> Option<Merge> {
        self.due.pop_front()
    }

    /// Whether anything is to be merged.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Takes note of a pack that is there. One that was seen before changes nothing.
    pub(super) fn see(&mut self, pack: Extent) {
        if let Some(last) = self.tail.last() {
            if pack.last <= last.last {
                return;
            }
            if pack.first != last.last.saturating_add(1) {
                self.tail.clear();
            }
        }
        if self.due.len() >= WAITING {
            self.tail.clear();
            return;
        }
        self.tail.push(pack);
        while let Some(count) = self.full() {
            if count >= WORTHWHILE
                && let Some(merge) = join(self.tail.get(..count))
            {
                self.due.push_back(merge);
            }
            self.tail.drain(..count);
        }
        if self.tail.len() >= FEW {
            let from = self.tail.len().saturating_sub(self.newest());
            if let Some(merge) = join(self.tail.get(from..)) {
                self.due.push_back(merge);
                self.tail.truncate(from);
                self.tail.push(merge.extent);
            }
        }
    }

    /// How many of the oldest fill a pack, if the tail holds more than that.
    fn full(&self) -> Option<usize> {
        let mut bytes = 0_usize;
        for (count, pack) in self.tail.iter().enumerate() {
            bytes = bytes.saturating_add(pack.bytes);
            if bytes > PACK_BYTES {
                return Some(count.max(1));
            }
        }
        None
    }

    /// How many of the newest are to be merged.
    fn newest(&self) -> usize {
        let (mut bytes, mut count) = (0_usize, 0);
        for pack in self.tail.iter().rev() {
            if count >= FEW / 2 && pack.bytes > bytes.saturating_mul(2) {
                break;
            }
            bytes = bytes.saturating_add(pack.bytes);
            count += 1;
        }
        count
    }
}

/// What these neighbours become.
fn join(packs: Option<&[Extent]>) -> Option<Merge> {
    let packs = packs?;
    let (first, last) = (packs.first()?.first, packs.last()?.last);
    let bytes = packs.iter().fold(0_usize, |bytes, pack| bytes.saturating_add(pack.bytes));
    Some(Merge { extent: Extent { first, last, bytes }, packs: packs.len() })
}
