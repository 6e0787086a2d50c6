//! Finding the difference by coded symbols: of all ids at once, or, where that would take too many cells, part
//! by part of the id space.
//!
//! It can be fooled, by ids that were ground to hide each other and by cells that were made up: so what it
//! finds is a guess, and the roots decide. Work and memory are bounded by the cells that it asks for.

use crate::ids::EntryId;
use crate::limits::{CELLS_PER_ROUND, DIFFERENCES_PER_PART, IDS_PER_ROUND};
use crate::merkle::prefix::Prefix;
use crate::reconcile::descent::FalseAnswer;
use crate::symbols::cell::Cell;
use crate::symbols::decoder::Decoder;
use crate::symbols::estimate::{estimate, first_cells, more_cells};
use crate::symbols::mapping::ShortId;
use crate::symbols::row::{MOST_CELLS, Row};

/// Cells that are asked for before it is given up, at least.
const BUDGET_MIN: usize = 64;
/// Questions in a round for each part, at most: for each the peer walks the part's ids, of which it puts up with 8
/// times as many as there are.
const ROWS_PER_PART: u64 = 7;
/// Leading bits of an id that name its part, at most.
const PART_BITS_MAX: u32 = 16;

/// The asking side.
#[derive(Debug)]
pub(crate) struct Decoding {
    /// Leading bits of ids that name a part.
    bits: u32,
    /// The part that is being decoded, by those bits.
    part: u32,
    /// Differences of a part by the sketch.
    difference: u64,
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
    /// Cells and rows that were asked for in this round.
    cells: u64,
    rows: u64,
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
        let difference = difference >> bits;
        let first = if coming > 0 { coming } else { first_cells(difference) };
        Self {
            bits,
            part: 0,
            difference,
            first,
            decoder: Decoder::new(),
            batch: Vec::new(),
            asked: coming,
            waiting: coming > 0,
            found: Vec::new(),
            cells: 0,
            rows: 0,
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
                let (found, cells, rows) = (core::mem::take(&mut self.found), self.cells, self.rows);
                *self = Self { found, cells, rows, ..Self::new(difference, 0) };
                continue;
            }
            if self.decoder.is_done() || wanted <= have {
                self.give_up();
                self.part = self.part.saturating_add(1);
                continue;
            }
            let count = wanted.saturating_sub(have);
            let cells = self.cells.saturating_add(count as u64);
            // No more than the peer puts up with, whatever the estimate: the next round goes on from here.
            let walked_often = self.bits > 0 && self.rows >= (ROWS_PER_PART << self.bits);
            if cells > CELLS_PER_ROUND || walked_often {
                self.give_up();
                return Step::Done;
            }
            (self.cells, self.rows) = (cells, self.rows.saturating_add(1));
            self.asked = wanted;
            self.waiting = true;
            return Step::Ask { prefix, from: have, count };
        }
        Step::Wait
    }

    /// Ends the row of a part. Also what was found before it was given up is worth asking for.
    fn give_up(&mut self) {
        self.found.extend(self.decoder.found());
        self.decoder = Decoder::new();
    }

    /// Whether a whole row of all ids has shown that there is more than it holds.
    fn overflows(&self) -> bool {
        let whole = self.bits == 0 && self.decoder.cell_count() >= MOST_CELLS;
        whole
            && estimate(&self.decoder, self.difference)
                .is_none_or(|difference| first_cells(difference) >= MOST_CELLS)
    }

    /// Cells of the part that are wanted now, in all; no more than there are if it is given up.
    fn wanted(&self) -> usize {
        let have = self.decoder.cell_count();
        if have == 0 {
            return self.first;
        }
        let budget = self.first.saturating_mul(4).clamp(BUDGET_MIN, MOST_CELLS);
        let more = estimate(&self.decoder, self.difference).map_or(budget, more_cells);
        // In steps that are worth their time on the way.
        more.max(have.saturating_add(have / 4).saturating_add(4)).min(budget)
    }

    /// Whether parts are left for a next round.
    pub(crate) fn has_more(&self) -> bool {
        self.prefix().is_some()
    }

    /// What was found in this round.
    pub(crate) fn take_found(&mut self) -> Vec<ShortId> {
        (self.cells, self.rows) = (0, 0);
        core::mem::take(&mut self.found)
    }
}

/// Cells number `from` to before `to` of the row of these ids.
pub(crate) fn cells_of(ids: &[EntryId], from: usize, to: usize) -> Vec<Cell> {
    let row = Row::of(ids.iter().map(ShortId::of), to);
    let mut cells = row.cells().to_vec();
    cells.split_off(from.min(cells.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::crypto::hash::plain;
    use crate::merkle::map::MerkleMap;
    use crate::reconcile::descent::{Answer, Descent, answer};

    fn ids(range: core::ops::Range<u32>) -> Vec<EntryId> {
        range.map(|i| EntryId::from_bytes(plain(&[&i.to_be_bytes()]))).collect()
    }

    /// An id with these leading 8 bytes.
    fn with_short(short: u64, rest: u8) -> EntryId {
        let mut bytes = [rest; 32];
        bytes[..8].copy_from_slice(&short.to_be_bytes());
        EntryId::from_bytes(bytes)
    }

    /// What is found of two maps by cells, and how many bytes those took.
    fn decode(mine: &MerkleMap, theirs: &MerkleMap, difference: u64) -> (BTreeSet<ShortId>, usize) {
        let row = |map: &MerkleMap, prefix: &Prefix, from, to| {
            cells_of(&map.ids_under(prefix, &[], usize::MAX), from, to)
        };
        let coming = if part_bits(difference) == 0 { first_cells(difference) } else { 0 };
        let mut decoding = Decoding::new(difference, coming);
        let mut bytes = 0;
        let mut asked = (coming > 0).then_some((Prefix::ALL, 0, coming));
        loop {
            if let Some((prefix, from, count)) = asked {
                let cells = row(theirs, &prefix, from, from + count);
                bytes += cells.len() * Cell::BYTES;
                let own = |prefix: &Prefix, from, to| row(mine, prefix, from, to);
                decoding.tell((prefix, from as u64), cells, true, own).unwrap();
            }
            match decoding.next() {
                Step::Ask { prefix, from, count } => asked = Some((prefix, from, count)),
                Step::Done => return (decoding.take_found().into_iter().collect(), bytes),
                Step::Wait => panic!("nothing is under way"),
            }
        }
    }

    /// Bytes of the ids and hashes of a descent, and how many differences it finds.
    fn descend(mine: &MerkleMap, theirs: &MerkleMap) -> (usize, usize) {
        let (mut descent, mut bytes) = (Descent::new(), 0);
        while let Some(prefixes) = descent.next_ask() {
            let answers: Vec<_> = prefixes.iter().map(|prefix| answer(theirs, &[], prefix)).collect();
            for answer in &answers {
                bytes += match answer {
                    Answer::Children(children) => children.iter().filter(|node| node.count > 0).count() * 36,
                    Answer::Ids(ids) => ids.len() * 34,
                };
            }
            descent.tell(answers, mine, &[]).unwrap();
        }
        let (need, give) = descent.into_difference();
        (bytes, need.len() + give.len())
    }

    fn maps(shared: Vec<EntryId>, mine: &[EntryId], theirs: &[EntryId]) -> (MerkleMap, MerkleMap) {
        let with = |more: &[EntryId]| MerkleMap::from_ids([shared.clone(), more.to_vec()].concat());
        (with(mine), with(theirs))
    }

    #[test]
    fn f80_however_wrong_the_estimate_all_is_found_or_left_to_the_descent() {
        for (differ, estimates) in [(0, [0, 5, 900]), (40, [1, 40, 4_000]), (900, [10, 900, 7_000])] {
            let (mine, theirs) =
                maps(ids(0..3_000), &ids(10_000..10_000 + differ), &ids(20_000..20_000 + differ));
            let (descent, _) = descend(&mine, &theirs);
            for estimate in estimates {
                let (found, bytes) = decode(&mine, &theirs, estimate);
                let differ = 2 * differ as usize;
                assert!(found.len() <= differ + 2, "{differ} by {estimate}: {}", found.len());
                if estimate as usize >= differ / 2 {
                    assert_eq!(found.len(), differ, "by an estimate of {estimate}");
                }
                // A wrong estimate costs what was asked for unasked, a row at most, or half of a descent.
                let most = (MOST_CELLS + 8_000) * Cell::BYTES;
                assert!(bytes <= most.max(2 * descent), "{bytes} bytes by an estimate of {estimate}");
            }
        }
    }

    #[test]
    fn row23_ids_ground_to_hide_each_other_cost_no_more_than_twice_a_descent() {
        // Pairs with one short id, one on each side: in each cell they are the same, and so are gone.
        let hidden = |rest| (0..30u64).map(|pair| with_short(pair << 40 | 7, rest)).collect::<Vec<_>>();
        let (mine, theirs) = maps(ids(0..2_000), &hidden(1), &hidden(2));
        let (descent, differ) = descend(&mine, &theirs);
        assert_eq!(differ, 60, "the descent sees them");
        let (found, bytes) = decode(&mine, &theirs, 60);
        assert!(found.is_empty());
        assert!(bytes <= descent, "{bytes} bytes of cells before a descent of {descent}");
        // Pairs with one short id on the same side are gone too.
        let (mine, theirs) = maps(ids(0..2_000), &[hidden(1), hidden(2)].concat(), &[]);
        let (descent, differ) = descend(&mine, &theirs);
        assert_eq!(differ, 60);
        let (found, bytes) = decode(&mine, &theirs, 60);
        assert!(found.is_empty() && bytes <= descent, "{bytes}, {descent}");
    }

    #[test]
    fn row23_small_stopping_sets_are_solved_by_more_cells_or_by_the_descent() {
        // Ground: of 2^18 ids those that stand in the same of the first 30 cells as another.
        let mut seen = std::collections::BTreeMap::<Vec<u64>, u64>::new();
        let mut pairs = Vec::new();
        for id in 0..1u64 << 18 {
            let short = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let cells: Vec<_> = ShortId(short).cells().take_while(|cell| *cell < 30).collect();
            if cells.len() < 6 {
                continue;
            }
            if let Some(other) = seen.insert(cells, short) {
                pairs.push([with_short(short, 1), with_short(other, 1)]);
            }
        }
        assert!(pairs.len() > 20, "{} pairs were ground", pairs.len());
        let ground: Vec<_> = pairs.into_iter().take(8).flatten().collect();
        let (mine, theirs) = maps(ids(0..2_000), &ground, &[]);
        let (descent, differ) = descend(&mine, &theirs);
        let (found, bytes) = decode(&mine, &theirs, 16);
        assert!(bytes <= 2 * descent, "{bytes} bytes, {descent} for a descent");
        assert!(found.len() <= differ + 1);
    }

    #[test]
    fn d8_no_round_asks_for_more_than_a_peer_puts_up_with_whatever_the_sketch_says() {
        for difference in [20_000, 600_000, 5_000_000] {
            let mut decoding = Decoding::new(difference, 0);
            let parts = 1u64 << part_bits(difference);
            let (mut rounds, mut all) = (0, 0);
            while decoding.has_more() {
                let (mut cells, mut rows) = (0, 0);
                loop {
                    match decoding.next() {
                        Step::Ask { prefix, from, count } => {
                            (cells, rows) = (cells + count as u64, rows + 1);
                            let same = vec![Cell::default(); count];
                            decoding
                                .tell((prefix, from as u64), same, true, |_, from, to| {
                                    vec![Cell::default(); to - from]
                                })
                                .unwrap();
                        }
                        Step::Done => break,
                        Step::Wait => panic!("all cells came"),
                    }
                }
                assert!(
                    cells <= CELLS_PER_ROUND && rows <= ROWS_PER_PART * parts,
                    "{cells} cells, {rows} rows"
                );
                decoding.take_found();
                (rounds, all) = (rounds + 1, all + cells);
            }
            // And no more rounds than that takes.
            assert!(rounds <= all / CELLS_PER_ROUND * 2 + 1, "{rounds} rounds for {all} cells");
        }
    }
}
