//! Solving for what two sets differ in, as cells come.

use std::collections::BinaryHeap;

use crate::symbols::cell::Cell;
use crate::symbols::mapping::{Cells, ShortId};
use crate::symbols::row::{MOST_CELLS, place};

/// Takes the cells of a peer's row with the own ones folded out, and finds the ids that remain.
///
/// Whose an id is it does not say. Ids that it has found are right but for one in some 2^24 × cells; made-up
/// cells can make it find whatever they like, at most one id for each cell.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    cells: Vec<Cell>,
    found: Vec<Found>,
    /// Places of cells that may hold one id.
    singles: Vec<usize>,
    /// Cells that are not empty.
    left: usize,
    /// Cells that were empty as they came: no difference is in them.
    came_empty: usize,
}

/// An id that was found, and where the cells that come will have it.
#[derive(Clone, Debug)]
struct Found {
    id: ShortId,
    next: Cells,
}

impl Decoder {
    /// Before the first cell.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next cells of the peer's row, and the own ones at the same places. What is beyond 16,384 in
    /// all, or has no counterpart, is left out.
    pub fn extend(&mut self, theirs: &[Cell], own: &[Cell]) {
        let room = MOST_CELLS.saturating_sub(self.cells.len());
        let from = self.cells.len();
        for (their, own) in theirs.iter().zip(own).take(room) {
            let mut cell = *their;
            cell.fold(*own);
            self.came_empty += usize::from(cell.is_empty());
            self.cells.push(cell);
        }
        // What was found before is in them too.
        for found in &mut self.found {
            while let Some(cell) = place(found.next.peek()).and_then(|at| self.cells.get_mut(at)) {
                cell.toggle(found.id);
                found.next.advance();
            }
        }
        for (cell, at) in self.cells.iter().zip(0..).skip(from) {
            self.left += usize::from(!cell.is_empty());
            if cell.single().is_some() {
                self.singles.push(at);
            }
        }
        self.solve();
    }

    /// Takes out one id after the other that stands alone in a cell.
    fn solve(&mut self) {
        // No honest row needs more than an id a cell; a made-up one would find ids without end.
        while let Some(at) = self.singles.pop()
            && self.found.len() < self.cells.len()
        {
            let Some(id) = self.cells.get(at).and_then(Cell::single) else { continue };
            if !is_in(id, at) {
                continue;
            }
            let mut places = id.cells();
            while let Some(at) = place(places.peek())
                && let Some(cell) = self.cells.get_mut(at)
            {
                let before = !cell.is_empty();
                cell.toggle(id);
                let after = !cell.is_empty();
                self.left = self.left + usize::from(after) - usize::from(before);
                if cell.single().is_some() {
                    self.singles.push(at);
                }
                places.advance();
            }
            self.found.push(Found { id, next: places });
        }
    }

    /// Whether all cells are solved: what was found is all that the sets differ in, if the peer is honest.
    pub fn is_done(&self) -> bool {
        !self.cells.is_empty() && self.left == 0
    }

    /// The ids that were found so far, in the order of finding. One that a cell only seemed to hold is found
    /// again once the others are gone, which takes it back.
    pub fn found(&self) -> impl Iterator<Item = ShortId> {
        let sorted = self.found.iter().map(|found| found.id.0).collect::<BinaryHeap<_>>().into_sorted_vec();
        let taken_back = sorted.chunk_by(|one, next| one == next).filter(|same| same.len() % 2 == 0);
        let taken_back: Vec<_> = taken_back.filter_map(|same| same.first().copied()).collect();
        self.found.iter().map(|found| found.id).filter(move |id| !taken_back.contains(&id.0))
    }

    /// How many were found.
    pub fn found_count(&self) -> usize {
        self.found.len()
    }

    /// Cells taken so far.
    pub fn cell_count(&self) -> usize {
        self.cells.len()
    }

    /// Those that hold nothing of what the sets differ in. How many there are tells how much that is.
    pub fn came_empty(&self) -> usize {
        self.came_empty
    }
}

/// Whether an id is in the cell at a place.
fn is_in(id: ShortId, at: usize) -> bool {
    let at = at as u64;
    let mut places = id.cells();
    while places.peek() < at {
        places.advance();
    }
    places.peek() == at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f80_what_is_found_twice_was_not_there() {
        let found = |id: u64| Found { id: ShortId(id), next: ShortId(id).cells() };
        let decoder = Decoder { found: [7, 3, 9, 3].map(found).into(), ..Decoder::new() };
        assert_eq!(decoder.found().collect::<Vec<_>>(), [ShortId(7), ShortId(9)]);
    }
}
