//! What goes into the map at once: each id once, none that is in.

use super::item::{Item, Member};

/// Of members in order those with ids that none before has and that are wanted, in front of the others.
pub(super) fn distinct<T: Member>(members: &mut [T], mut is_wanted: impl FnMut(&T) -> bool) -> &[T] {
    let mut kept = 0_usize;
    for at in 0..members.len() {
        let Some(member) = members.get(at).copied() else { continue };
        let before = kept.checked_sub(1).and_then(|before| members.get(before));
        if before.is_none_or(|before| before.id() != member.id()) && is_wanted(&member) {
            if let Some(place) = members.get_mut(kept) {
                *place = member;
            }
            kept += 1;
        }
    }
    members.get(..kept).unwrap_or_default()
}

/// A bucket with new members added, both in order.
pub(super) fn merged<T: Member>(mut bucket: &[Item], new: &[T]) -> Box<[Item]> {
    if bucket.is_empty() {
        return new.iter().map(Member::item).collect();
    }
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
        ) {
            let start = |start: [bool; 5]| start.map(|bit| if bit { 0x81 } else { 0x7F });
            let mut items: Vec<_> =
                parts.into_iter().map(|(bits, last, number)| Item { id: id(start(bits), last), number }).collect();
            let is_wanted = |item: &Item| item.id.as_bytes()[31] != unwanted;
            items.sort();
            let mut expected = items.clone();
            expected.dedup_by_key(|item| item.id);
            let mut all = items.clone();
            prop_assert_eq!(distinct(&mut all, |_| true), &expected);
            expected.retain(is_wanted);
            prop_assert_eq!(distinct(&mut items, is_wanted), &expected);
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
