//! Brings members into order: by the leading bits of their ids first, which are as good as random.
//!
//! Members are moved where they are, so that it takes no memory that grows with them.

use super::item::Member;
use super::prefix::leading;

/// So many members are sorted by comparing.
const FEW: usize = 32;

/// Bits of the first pass at most, of many members: beyond, they would be few in too many places.
const FIRST: u32 = 16;

/// Bits of the second pass, over members that lie near each other.
const SECOND: u32 = 10;

/// Sorts members in runs: each is handed on when it is in order, while the processor has it at hand, and is behind
/// the one before; none shares an id with another.
///
/// Where ids are random, a member is moved at most twice. Those that begin alike, if by chance or because somebody
/// has ground them, are sorted by comparing: it never takes more than O(n log n).
pub(super) fn in_runs<T: Member>(members: &mut [T], mut run: impl FnMut(&mut [T])) {
    // Two to four are left to be compared.
    let bits = members.len().checked_ilog2().unwrap_or_default().saturating_sub(1);
    if bits <= SECOND {
        sort(members, 0, bits);
        run(members);
    } else {
        let first = bits.saturating_sub(SECOND).min(FIRST);
        distribute(members, 0, first, |alike| {
            sort(alike, first, SECOND);
            run(alike);
        });
    }
}

/// Sorts members that share so many bits, by some more first.
fn sort<T: Member>(members: &mut [T], shared: u32, bits: u32) {
    if members.len() <= FEW {
        compare(members);
    } else {
        distribute(members, shared, bits, compare);
    }
}

fn compare<T: Member>(members: &mut [T]) {
    let order = |a: &T, b: &T| leading(a.id()).cmp(&leading(b.id())).then_with(|| a.cmp(b));
    if members.len() > 1 {
        members.sort_unstable_by(order);
    }
}

/// Brings members into the order of some bits of their ids, those behind the first `skipped`, and hands on those
/// that are alike in them.
fn distribute<T: Member>(members: &mut [T], skipped: u32, bits: u32, mut alike: impl FnMut(&mut [T])) {
    let digit = |member: &T| {
        let digit = leading(member.id()) << skipped >> 64_u32.saturating_sub(bits);
        usize::try_from(digit).unwrap_or_default()
    };
    // Where the next member with this digit goes, and where those end.
    let mut places = vec![(0_usize, 0_usize); 1 << bits];
    for member in &*members {
        if let Some((_, count)) = places.get_mut(digit(member)) {
            *count += 1;
        }
    }
    let mut start = 0;
    for (place, end) in &mut places {
        *place = start;
        start += *end;
        *end = start;
    }
    // Whatever stands in a digit's part goes to its place, in exchange for what stands there, which waits for the
    // next round; so that no step waits for the one before.
    let mut is_done = false;
    while !is_done {
        is_done = true;
        for own in 0..places.len() {
            let Some(&(start, end)) = places.get(own) else { continue };
            is_done &= start == end;
            for at in start..end {
                let Some((place, _)) = members.get(at).map(digit).and_then(|digit| places.get_mut(digit))
                else {
                    continue;
                };
                members.swap(at, *place);
                *place += 1;
            }
        }
    }
    let mut rest = members;
    let mut start = 0;
    for (end, _) in places {
        let (some, others) = rest.split_at_mut(end - start);
        alike(some);
        (rest, start) = (others, end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::hash::plain;
    use crate::ids::EntryId;
    use crate::merkle::item::Item;

    /// Ids that share their first bytes with others, as many as the shape says, else random.
    fn items(count: usize, shapes: &[u8]) -> Vec<Item> {
        let item = |(number, shape): (u32, &u8)| {
            let mut bytes = plain(&[&(number / 2).to_be_bytes()]);
            bytes[..usize::from(*shape)].fill(*shape);
            Item { id: EntryId::from_bytes(bytes), number: (number ^ 5).into() }
        };
        (0..).zip(shapes.iter().cycle()).take(count).map(item).collect()
    }

    proptest! {
        /// Few and many, random and alike in no, some or all bytes, each twice or with another number.
        #[test]
        fn c4_members_come_into_order(
            count in prop::sample::select(vec![0_usize, 1, 2, 31, 32, 33, 64, 700, 5_000, 20_000]),
            shapes in prop::collection::vec(prop::sample::select(vec![0_u8, 0, 0, 1, 2, 3, 4, 7, 8, 9, 31, 32]), 1..9),
        ) {
            let mut items = items(count, &shapes);
            let mut ids: Vec<_> = items.iter().map(|item| item.id).collect();
            let (mut sorted, mut sorted_ids) = (items.clone(), ids.clone());
            sorted.sort();
            sorted_ids.sort();
            let (mut in_order, mut runs) = (Vec::new(), 0);
            in_runs(&mut items, |run| {
                let last = in_order.last().map(|item: &Item| item.id);
                assert!(run.is_empty() || last.is_none_or(|last| last < run[0].id));
                in_order.extend_from_slice(run);
                runs += 1;
            });
            in_runs(&mut ids, |_| {});
            prop_assert!(count < 5_000 || runs > 1);
            prop_assert_eq!(in_order, sorted);
            prop_assert_eq!(ids, sorted_ids);
        }
    }
}
