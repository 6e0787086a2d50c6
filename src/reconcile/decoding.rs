//! Finding the difference by coded symbols: of all ids at once, or, where that would take too many cells, part
//! by part of the id space.
//!
//! It can be fooled, by ids that were ground to hide each other and by cells that were made up: so what it
//! finds is a guess, and the roots decide. Work and memory are bounded by the cells that it asks for.

use crate::ids::EntryId;
use crate::limits::{DIFFERENCES_PER_PART, IDS_PER_ROUND};
use crate::merkle::prefix::Prefix;
use crate::reconcile::descent::FalseAnswer;
use crate::symbols::cell::Cell;
use crate::symbols::decoder::Decoder;
use crate::symbols::estimate::{estimate, first_cells, more_cells};
use crate::symbols::mapping::ShortId;
use crate::symbols::row::MOST_CELLS;

/// Cells that are asked for before it is given up, at least.
const BUDGET_MIN: usize = 64;
/// Leading bits of an id that name its part, at most.
const PART_BITS_MAX: u32 = 16;

/// The asking side.
#[derive(Debug)]
pub(crate) struct Decoding {
    /// Leading bits of ids that name a part.
    bits: u32,
    /// The part that is being decoded, by those bits.
    part: u32,
    /// Cells that are asked for first in a part, and in all.
    first: usize,
    decoder: Decoder,
    /// Cells that came and are not complete yet.
    batch: Vec<Cell>,
    /// Cells of the part that were asked for, in all.
    asked: usize,
    /// Whether some of them have not come.
    waiting: bool,
    found: Vec<ShortId>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Cells that were asked for.
    Wait,
    /// To ask for cells number `from` and so many more.
    Ask { prefix: Prefix, from: usize, count: usize },
    /// Nothing: all parts are done, or as many as one round may hold differences.
    Done,
}

/// Differences that one row is tried for: a full one holds some 12,000, and an estimate may be too high.
const ROW_DIFFERENCES: u64 = 16_384;

/// Leading bits that name the parts in which so many differences are looked for: none if they need not be.
pub(crate) fn part_bits(difference: u64) -> u32 {
    if difference <= ROW_DIFFERENCES {
        return 0;
    }
    let parts = difference.div_ceil(DIFFERENCES_PER_PART).max(1);
    u64::BITS.saturating_sub((parts - 1).leading_zeros()).clamp(1, PART_BITS_MAX)
}

impl Decoding {
    /// Of about so many differences in all. The first `coming` cells, of all ids, come unasked.
    pub(crate) fn new(difference: u64, coming: usize) -> Self {
        let bits = if coming > 0 { 0 } else { part_bits(difference) };
        let first = if coming > 0 { coming } else { first_cells(difference >> bits) };
        Self {
            bits,
            part: 0,
            first,
            decoder: Decoder::new(),
            batch: Vec::new(),
            asked: coming,
            waiting: coming > 0,
            found: Vec::new(),
        }
    }

    /// The ids that the part is about; nothing if there is none left.
    fn prefix(&self) -> Option<Prefix> {
        let mut bytes = [0; 32];
        let place = u64::from(self.part) << (32 - self.bits);
        let place = u32::try_from(place).ok()?;
        bytes.get_mut(..4)?.copy_from_slice(&place.to_be_bytes());
        Prefix::new(bytes, u16::try_from(self.bits).ok()?)
    }

    /// Cells from the peer. `own` gives the own ones of a part, from one to before another.
    pub(crate) fn tell(
        &mut self,
        (prefix, from): (Prefix, u64),
        cells: Vec<Cell>,
        last: bool,
        own: impl FnOnce(&Prefix, usize, usize) -> Vec<Cell>,
    ) -> Result<(), FalseAnswer> {
        let here = self.decoder.cell_count();
        let next = here.saturating_add(self.batch.len());
        if !self.waiting || self.prefix() != Some(prefix) || from != next as u64 {
            return Err(FalseAnswer("cells that were not asked for"));
        }
        if cells.is_empty() || next.saturating_add(cells.len()) > self.asked {
            return Err(FalseAnswer("no cells, or more than were asked for"));
        }
        self.batch.extend(cells);
        if last {
            let theirs = core::mem::take(&mut self.batch);
            self.decoder.extend(&theirs, &own(&prefix, here, here.saturating_add(theirs.len())));
            self.waiting = false;
        }
        Ok(())
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> Step {
        while !self.waiting {
            let Some(prefix) = self.prefix() else { return Step::Done };
            if self.found.len() >= IDS_PER_ROUND {
                return Step::Done;
            }
            let have = self.decoder.cell_count();
            let wanted = self.wanted();
            if !self.decoder.is_done() && self.overflows() {
                let difference = ROW_DIFFERENCES + 1;
                *self = Self { found: core::mem::take(&mut self.found), ..Self::new(difference, 0) };
                continue;
            }
            if self.decoder.is_done() || wanted <= have {
                // Also what was found before it was given up is worth asking for.
                self.found.extend(self.decoder.found());
                self.decoder = Decoder::new();
                self.part = self.part.saturating_add(1);
                continue;
            }
            self.asked = wanted;
            self.waiting = true;
            return Step::Ask { prefix, from: have, count: wanted.saturating_sub(have) };
        }
        Step::Wait
    }

    /// Whether a whole row of all ids has shown that there is more than it holds.
    fn overflows(&self) -> bool {
        let whole = self.bits == 0 && self.decoder.cell_count() >= MOST_CELLS;
        whole && estimate(&self.decoder).is_none_or(|difference| first_cells(difference) >= MOST_CELLS)
    }

    /// Cells of the part that are wanted now, in all; no more than there are if it is given up.
    fn wanted(&self) -> usize {
        let have = self.decoder.cell_count();
        if have == 0 {
            return self.first;
        }
        let budget = self.first.saturating_mul(4).clamp(BUDGET_MIN, MOST_CELLS);
        let more = estimate(&self.decoder).map_or(budget, more_cells);
        // In steps that are worth their time on the way.
        more.max(have.saturating_add(have / 4).saturating_add(4)).min(budget)
    }

    /// Whether parts are left for a next round.
    pub(crate) fn has_more(&self) -> bool {
        self.prefix().is_some()
    }

    /// What was found in this round.
    pub(crate) fn take_found(&mut self) -> Vec<ShortId> {
        core::mem::take(&mut self.found)
    }
}

/// Cells number `from` to before `to` of the row of these ids.
pub(crate) fn cells_of(ids: &[EntryId], from: usize, to: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); to.min(MOST_CELLS)];
    for id in ids {
        crate::symbols::row::Row::toggle_in(&mut cells, ShortId::of(id));
    }
    cells.split_off(from.min(cells.len()))
}
