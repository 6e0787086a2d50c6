//! What goes into the map at once, in order, without being moved.

use core::ops::Range;

use super::item::{Item, Member};
use super::prefix::bit;

/// Members in ascending order, each id once.
pub(super) struct Batch<'a, T> {
    members: &'a [T],
    keys: Vec<Key>,
    /// Some members in a row, from the one at `start` on.
    fetched: Vec<T>,
    start: usize,
}

/// The first four bytes of a member's id, then its place among the members: as numbers, keys are
/// sorted much faster than ids, and nearly always right.
type Key = u64;

/// Members of one batch at most: a place takes 32 bits.
pub(super) const MOST: usize = 1 << 31;

/// How many members are fetched before they are asked for.
const AHEAD: usize = 1_024;

/// Bits of an id that are in its key.
const KEY_BITS: u16 = 32;

impl<'a, T: Member> Batch<'a, T> {
    /// The batch of these members, which may come in any order and more than once, without those that
    /// are unwanted. Of several with one id the one with the least number is taken.
    ///
    /// Members whose ids begin alike, if by chance or because somebody has ground them, are sorted by
    /// comparing, so that this never takes more than O(n log n).
    pub(super) fn new(members: &'a [T], unwanted: Option<impl Fn(&T) -> bool>) -> Self {
        let keys = Vec::with_capacity(members.len());
        let mut batch = Self { members, keys, fetched: Vec::new(), start: 0 };
        for (place, member) in (0..).zip(members) {
            let leading = member.id().as_bytes().first_chunk().copied().map(u32::from_be_bytes);
            batch.keys.push(u64::from(leading.unwrap_or_default()) << 32 | place);
        }
        batch.keys.sort_unstable();
        let mut keys = core::mem::take(&mut batch.keys);
        for alike in keys.chunk_by_mut(|a, b| a >> 32 == b >> 32).filter(|alike| alike.len() > 1) {
            alike.sort_unstable_by_key(|key| batch.member(*key));
        }
        keys.dedup_by(|next, key| {
            let id = |key: Key| batch.member(key).map(|member| *member.id());
            *next >> 32 == *key >> 32 && id(*next) == id(*key)
        });
        if let Some(unwanted) = unwanted {
            keys.retain(|key| batch.member(*key).is_some_and(|member| !unwanted(&member)));
        }
        batch.keys = keys;
        batch
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    fn member(&self, key: Key) -> Option<T> {
        let place = usize::try_from(key & u64::from(u32::MAX)).ok()?;
        self.members.get(place).copied()
    }

    /// Where members, whose ids share `depth` bits, divide by the next one.
    pub(super) fn split(&self, range: &Range<usize>, depth: u16) -> usize {
        let keys = self.keys.get(range.clone()).unwrap_or_default();
        let is_zero = |key: &Key| match depth < KEY_BITS {
            true => key << depth >> 63 == 0,
            false => self.member(*key).is_some_and(|member| !bit(member.id(), depth)),
        };
        range.start + keys.partition_point(is_zero)
    }

    /// Members in order, few at a time, from the first to the last.
    ///
    /// They are fetched in larger numbers: from all over the memory, but all at once.
    pub(super) fn few(&mut self, range: Range<usize>) -> &[T] {
        if range.end > self.start + self.fetched.len() {
            let keys = self.keys.get(range.start..self.len().min(range.end + AHEAD)).unwrap_or_default();
            let mut fetched = core::mem::take(&mut self.fetched);
            fetched.clear();
            fetched.extend(keys.iter().filter_map(|key| self.member(*key)));
            (self.start, self.fetched) = (range.start, fetched);
        }
        let fetched = range.start.saturating_sub(self.start)..range.end.saturating_sub(self.start);
        self.fetched.get(fetched).unwrap_or_default()
    }
}

/// A bucket with new members added, both in order.
pub(super) fn merged<T: Member>(mut bucket: &[Item], new: &[T]) -> Box<[Item]> {
    let mut items = Vec::with_capacity(bucket.len() + new.len());
    for member in new {
        let before = bucket.partition_point(|item| item.id < *member.id());
        let (first, rest) = bucket.split_at(before);
        items.extend_from_slice(first);
        items.push(member.item());
        bucket = rest;
    }
    items.extend_from_slice(bucket);
    items.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::EntryId;

    fn id(start: [u8; 5], last: u8) -> EntryId {
        let mut bytes = [0; 32];
        bytes[..5].copy_from_slice(&start);
        bytes[31] = last;
        EntryId::from_bytes(bytes)
    }

    proptest! {
        /// Ids from few values of few bytes, so that many are equal, and many begin alike.
        #[test]
        fn c4_a_batch_is_in_order_each_id_once_with_its_least_number(
            parts in prop::collection::vec((any::<[bool; 5]>(), 0..3_u8, 0..50_u64), 0..200),
            unwanted in 0..3_u8,
            sizes in prop::collection::vec(1..9_usize, 1..20),
        ) {
            let start = |start: [bool; 5]| start.map(|bit| if bit { 0x81 } else { 0x7F });
            let items: Vec<_> =
                parts.into_iter().map(|(bits, last, number)| Item { id: id(start(bits), last), number }).collect();
            let is_unwanted = |item: &Item| item.id.as_bytes()[31] == unwanted;
            let mut expected = items.clone();
            expected.sort();
            expected.dedup_by_key(|item| item.id);
            for with in [false, true] {
                if with {
                    expected.retain(|item| !is_unwanted(item));
                }
                let mut batch = Batch::new(&items, with.then_some(is_unwanted));
                prop_assert_eq!(batch.len(), expected.len());
                let (mut at, mut sizes) = (0, sizes.iter().cycle());
                while at < batch.len() {
                    let end = batch.len().min(at + sizes.next().unwrap());
                    prop_assert_eq!(batch.few(at..end), &expected[at..end]);
                    at = end;
                }
                let all = 0..batch.len();
                for bit_at in [0, 7] {
                    // Ids whose first byte is 0x7F, then those with 0x81, share 0 bits.
                    let ones = expected.iter().position(|item| bit(&item.id, bit_at));
                    if bit_at == 0 {
                        prop_assert_eq!(batch.split(&all, 0), ones.unwrap_or(expected.len()));
                    }
                }
            }
        }
    }

    #[test]
    fn members_are_divided_by_bits_in_the_key_and_behind_it() {
        for depth in [0, 1, 31, 32, 33, 255] {
            let one = |id: &mut [u8; 32]| id[usize::from(depth / 8)] |= 0x80 >> (depth % 8);
            let mut ids: Vec<_> = (0..4_u8)
                .map(|i| {
                    let mut bytes = [0; 32];
                    if i == 3 {
                        one(&mut bytes);
                    }
                    // Differs behind the bit, where there is room.
                    if depth < 248 {
                        bytes[31] = i;
                    }
                    EntryId::from_bytes(bytes)
                })
                .collect();
            ids.reverse();
            let batch = Batch::new(&ids, None::<fn(&EntryId) -> bool>);
            let distinct = if depth < 248 { 4 } else { 2 };
            assert_eq!(
                (batch.len(), batch.split(&(0..distinct), depth)),
                (distinct, distinct - 1),
                "{depth}"
            );
        }
    }

    #[test]
    fn a_bucket_takes_in_members_wherever_they_belong() {
        let all: Vec<_> = (0..8).map(|last| Item { id: id([0; 5], last), number: last.into() }).collect();
        for mask in 0..=u8::MAX {
            let (mut bucket, mut new) = (Vec::new(), Vec::new());
            for (place, item) in all.iter().enumerate() {
                if mask >> place & 1 == 0 { bucket.push(*item) } else { new.push(*item) }
            }
            assert_eq!(*merged(&bucket, &new), *all);
        }
    }
}
