//! The first cells of a set's row, kept up to date as the set grows.

use crate::limits::CELLS_PER_ROW;
use crate::symbols::cell::Cell;
use crate::symbols::mapping::ShortId;

/// Cells that are kept at least.
const FEWEST: usize = 256;
/// Ids that are folded in at once.
const AT_ONCE: usize = 8;
/// Cells that are kept at most, and asked for in one reconciliation.
pub(crate) const MOST_CELLS: usize = CELLS_PER_ROW;

/// The first cells of the row of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    cells: Vec<Cell>,
}

impl Row {
    /// The first `count` cells of the empty set, at most 16,384.
    pub fn new(count: usize) -> Self {
        Self { cells: vec![Cell::default(); count.min(MOST_CELLS)] }
    }

    /// As many as are worth keeping where `asked` are asked for and so many are kept: few at first, since each
    /// costs a step for every id, and then four times as many, so that few walks through the set make all.
    pub fn worth_keeping(asked: usize, kept: usize) -> usize {
        let more = if kept == 0 { FEWEST } else { kept.saturating_mul(4) };
        asked.min(MOST_CELLS).next_power_of_two().clamp(more.min(MOST_CELLS), MOST_CELLS)
    }

    /// The first `count` cells of the set of these ids.
    pub fn of(ids: impl IntoIterator<Item = ShortId>, count: usize) -> Self {
        let mut row = Self::new(count);
        let mut ids = ids.into_iter();
        let begin = |id: ShortId| (id.cells(), Cell { sum: id.0, check: id.check() });
        // Several at a time: where one goes next is known only after a root and a division, for which the
        // processor need not wait if there is another to go on with.
        let mut some: Vec<_> = ids.by_ref().take(AT_ONCE).map(begin).collect();
        let mut going = true;
        while going {
            going = false;
            for (places, folded) in &mut some {
                if let Some(cell) = place(places.peek()).and_then(|at| row.cells.get_mut(at)) {
                    cell.fold(*folded);
                    places.advance();
                    going = true;
                } else if let Some(id) = ids.next() {
                    (*places, *folded) = begin(id);
                    going = true;
                }
            }
        }
        row
    }

    /// Folds an id in, or out if it was in. Some 2 ln(cells) steps, at most as many as there are cells.
    pub fn toggle(&mut self, id: ShortId) {
        Self::toggle_in(&mut self.cells, id);
    }

    /// The same in the first cells of a row.
    pub(crate) fn toggle_in(cells: &mut [Cell], id: ShortId) {
        let folded = Cell { sum: id.0, check: id.check() };
        let mut places = id.cells();
        while let Some(cell) = place(places.peek()).and_then(|at| cells.get_mut(at)) {
            cell.fold(folded);
            places.advance();
        }
    }

    /// The cells.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The first of the cells, as many as are wanted and kept.
    pub fn first(&self, count: usize) -> &[Cell] {
        self.cells.get(..count).unwrap_or(&self.cells)
    }
}

/// A cell's number as a place in memory, if it can be one.
pub(crate) fn place(cell: u64) -> Option<usize> {
    usize::try_from(cell).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f80_a_shorter_row_is_the_beginning_of_a_longer_one() {
        let ids = || (0..500).map(|i: u64| ShortId(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let long = Row::of(ids(), 1_000);
        assert_eq!(Row::of(ids(), 77).cells(), long.first(77));
        assert_eq!(long.first(5_000).len(), 1_000);
        let mut one_by_one = Row::new(1_000);
        ids().for_each(|id| one_by_one.toggle(id));
        assert_eq!(one_by_one, long);
        let mut emptied = long.clone();
        ids().for_each(|id| emptied.toggle(id));
        assert_eq!(emptied, Row::new(1_000));
    }

    #[test]
    fn f80_so_many_cells_are_kept() {
        let asked = [
            (20, 0),
            (256, 0),
            (257, 0),
            (300, 256),
            (2_000, 256),
            (2_000, 1_024),
            (9_000, 512),
            (50_000, 0),
        ];
        let kept = asked.map(|(asked, kept)| Row::worth_keeping(asked, kept));
        assert_eq!(kept, [256, 256, 512, 1_024, 2_048, 4_096, 16_384, 16_384]);
        assert_eq!(Row::worth_keeping(16_384, 8_192), 16_384);
    }
}
