//! How two sides that differ go about it: by sending what is new, or by asking their way down.

use std::collections::BinaryHeap;

use crate::ids::Cursor;
use crate::journal::set::Journal;
use crate::merkle::prefix::Prefix;
use crate::session::message::{Plan, Summary};

/// How the acceptor wants the difference found. The opener's cursor points into this side's store,
/// this side's into the opener's; both are hints, the roots decide in the end.
pub(super) fn plan(
    mine: &Summary,
    theirs: &Summary,
    theirs_cursor: Option<Cursor>,
    my_cursor: Option<Cursor>,
) -> Plan {
    if theirs.root.count == 0 || mine.root.count == 0 {
        let after = |side: &Summary, other: &Summary| if other.root.count == 0 { 0 } else { side.at };
        return Plan::Feed { opener_after: after(theirs, mine), acceptor_after: after(mine, theirs) };
    }
    let within = |cursor: Cursor, side: &Summary| cursor.store == side.store && cursor.number <= side.at;
    if let (Some(theirs_cursor), Some(my_cursor)) = (theirs_cursor, my_cursor)
        && within(theirs_cursor, mine)
        && within(my_cursor, theirs)
    {
        let tails = mine
            .at
            .saturating_sub(theirs_cursor.number)
            .saturating_add(theirs.at.saturating_sub(my_cursor.number));
        // A tail that is much longer than the difference would send again what is there.
        if tails <= mine.root.count.abs_diff(theirs.root.count).saturating_mul(4).saturating_add(64) {
            return Plan::Feed { opener_after: my_cursor.number, acceptor_after: theirs_cursor.number };
        }
    }
    Plan::Descend
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
    Summary { store: journal.store(), at: journal.head(), root: journal.root() }
}
