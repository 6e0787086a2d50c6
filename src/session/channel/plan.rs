//! How two sides that differ go about it: by sending what is new, or by asking their way down.

use std::collections::BinaryHeap;

use crate::journal::set::Journal;
use crate::limits::{CELLS_PER_FRAME, LISTED_IDS};
use crate::merkle::prefix::Prefix;
use crate::reconcile::decoding::part_bits;
use crate::session::channel::{Allowed, Opening};
use crate::session::message::{Plan, Summary};
use crate::symbols::estimate::first_cells;

/// How the acceptor wants the difference found. The opener's cursor is a number of this side's store,
/// `my_cursor` one of the opener's; both are hints, the roots decide in the end. With no room towards the
/// opener nothing long comes unasked. An opener from which nothing is taken must find out what this side lacks,
/// to leave that out of the comparison.
pub(super) fn plan(journal: &Journal, opening: &Opening, my_cursor: Option<u64>, allowed: Allowed) -> Plan {
    let Allowed { roomy, takes } = allowed;
    let (mine, theirs) = (&summary(journal), &opening.summary);
    let (my_count, their_count) = (mine.count, theirs.count);
    if their_count == 0 || my_count == 0 {
        let after = |side: &Summary, other: &Summary| if other.count == 0 { 0 } else { side.at };
        return Plan::Feed { opener_after: after(theirs, mine), acceptor_after: after(mine, theirs) };
    }
    // No more than there are, whatever the sketches say, and no less than the counts differ.
    let all = my_count.saturating_add(their_count);
    let difference =
        journal.sketch().difference(&opening.sketch).max(my_count.abs_diff(their_count)).min(all);
    if let (Some(theirs_cursor), Some(my_cursor)) = (opening.cursor, my_cursor)
        && theirs_cursor <= mine.at
        && my_cursor <= theirs.at
    {
        let my_tail = mine.at.saturating_sub(theirs_cursor);
        let tails = my_tail.saturating_add(theirs.at.saturating_sub(my_cursor));
        // A tail that is much longer than the difference would send again what is there.
        if takes && tails <= difference.saturating_mul(2).saturating_add(16) {
            return Plan::Feed { opener_after: my_cursor, acceptor_after: theirs_cursor };
        }
    }
    // A short id takes 8 bytes of those listed, some 16.5 of those that cells hold and that are wanted.
    let fewer = my_count.min(their_count);
    if roomy && fewer <= LISTED_IDS && fewer.saturating_mul(16) < difference.saturating_mul(33) {
        if my_count <= their_count {
            return Plan::AcceptorLists;
        }
        if takes {
            return Plan::OpenerLists;
        }
    }
    let coming = if roomy && part_bits(difference) == 0 { first_cells(difference) } else { 0 };
    // All at once, so that the row is made once.
    let mut cells = journal.cells(0, coming, &[]);
    cells.truncate(CELLS_PER_FRAME);
    Plan::Symbols { difference, coming: coming as u64, cells }
}

/// Whether one of these subtrees is part of another, or the same.
pub(super) fn overlap(prefixes: &[Prefix]) -> bool {
    // In this order a prefix stands right before those that it is the start of.
    prefixes
        .iter()
        .copied()
        .collect::<BinaryHeap<_>>()
        .into_sorted_vec()
        .windows(2)
        .any(|pair| matches!(pair, [one, next] if one.contains(&next.first()) && one.bits() <= next.bits()))
}

/// A journal as it is now.
pub(super) fn summary(journal: &Journal) -> Summary {
    Summary { at: journal.head(), count: journal.root().count }
}
