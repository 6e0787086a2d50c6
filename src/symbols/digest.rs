//! What is kept of a set for reconciling it: its sketch, and the first cells of its row.

use core::cell::RefCell;

use crate::ids::EntryId;
use crate::symbols::cell::Cell;
use crate::symbols::mapping::ShortId;
use crate::symbols::row::{MOST_CELLS, Row};
use crate::symbols::sketch::Sketch;

/// The digest of a growing set.
///
/// The sketch is always there. The cells are made when they are first asked for, which walks the set once,
/// and are kept up to date from then on: a journal that is never reconciled with coded symbols has none.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    sketch: Sketch,
    /// A cache: what it holds follows from the set alone.
    row: RefCell<Row>,
}

impl Digest {
    /// Takes an id in that was not in.
    pub(crate) fn insert(&mut self, id: &EntryId) {
        self.sketch.insert(id);
        let row = self.row.get_mut();
        if !row.cells().is_empty() {
            row.toggle(ShortId::of(id));
        }
    }

    /// The sketch of the set.
    pub(crate) fn sketch(&self) -> Sketch {
        self.sketch
    }

    /// Cells number `from` to before `to` of the set without some of its ids; fewer beyond 16,384. `all` are
    /// the ids of the set, which are walked if so many cells were never asked for before.
    pub(crate) fn cells(
        &self,
        from: usize,
        to: usize,
        without: &[EntryId],
        all: impl Iterator<Item = EntryId>,
    ) -> Vec<Cell> {
        let to = to.min(MOST_CELLS);
        let mut row = self.row.borrow_mut();
        if row.cells().len() < to {
            let kept = Row::worth_keeping(to, row.cells().len());
            *row = Row::of(all.map(|id| ShortId::of(&id)), kept);
        }
        let mut cells = row.first(to).to_vec();
        for id in without {
            Row::toggle_in(&mut cells, ShortId::of(id));
        }
        cells.split_off(from.min(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::plain;

    #[test]
    fn f80_cells_of_a_growing_set_are_those_of_the_set_as_it_is() {
        let ids: Vec<_> = (0..3_000u32).map(|i| EntryId::from_bytes(plain(&[&i.to_be_bytes()]))).collect();
        for (step, upto) in [(10, 100), (100, 300), (700, 1_000), (4_000, 2_000), (16_384, 3_000)] {
            let mut digest = Digest::default();
            let cells = |digest: &Digest, from, without: &[EntryId], upto: usize| {
                digest.cells(from, step, without, ids[..upto].iter().copied())
            };
            ids[..upto - 50].iter().for_each(|id| digest.insert(id));
            let before = Row::of(ids[..upto - 50].iter().map(ShortId::of), step);
            assert_eq!(cells(&digest, 0, &[], upto - 50), before.cells());
            ids[upto - 50..upto].iter().for_each(|id| digest.insert(id));
            let now = Row::of(ids[..upto].iter().map(ShortId::of), step);
            assert_eq!(cells(&digest, 3, &[], upto), now.cells()[3..]);
            let without = cells(&digest, 0, &ids[7..40], upto);
            let rest = ids[..7].iter().chain(&ids[40..upto]).map(ShortId::of);
            assert_eq!(without, Row::of(rest, step).cells());
            assert_eq!(digest.sketch(), Sketch::of(&ids[..upto]));
        }
    }
}
