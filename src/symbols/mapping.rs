//! Which cells an id is folded into, and its check: plain arithmetic that every platform rounds alike.

use crate::ids::EntryId;

/// The leading 8 bytes of an entry's id, big-endian: what cells hold of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(pub u64);

/// What an id's check begins with: another than what its cells do.
const CHECK_SEED: u64 = 0x9AE1_6A3B_2F90_404F;
/// SplitMix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
/// 2^53 as a float: a whole one.
const TWO_53: f64 = 9_007_199_254_740_992.0;

impl ShortId {
    /// That of an entry.
    pub fn of(id: &EntryId) -> Self {
        Self(u64::from_be_bytes(id.as_bytes().first_chunk().copied().unwrap_or_default()))
    }

    /// 24 bits that tell a cell of one id from a mixture of several.
    pub fn check(self) -> u32 {
        // The upper 24 of 64 bits fit.
        u32::try_from(mix(self.0 ^ CHECK_SEED) >> 40).unwrap_or_default()
    }

    /// The cells that it is in, ascending without end. The first is cell 0; cell *i* is among them with
    /// probability 1 / (1 + i/2).
    pub fn cells(self) -> Cells {
        Cells { state: mix(self.0), next: 0 }
    }
}

/// SplitMix64's finaliser (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// See [`ShortId::cells`].
#[derive(Clone, Debug)]
pub struct Cells {
    state: u64,
    next: u64,
}

impl Cells {
    /// The cell that comes next.
    pub fn peek(&self) -> u64 {
        self.next
    }

    /// On to the one after it.
    ///
    /// All in doubles, in this order: IEEE 754 fixes each bit of it.
    pub fn advance(&mut self) {
        self.state = self.state.wrapping_add(STEP);
        // Of 53 bits each, so both conversions are exact.
        let u = float((mix(self.state) >> 11) + 1) / TWO_53;
        let gap = ((float(self.next) + 1.5) * (1.0 / u.sqrt() - 1.0)).ceil();
        self.next = self.next.saturating_add(whole(gap).max(1));
    }
}

impl Iterator for Cells {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let cell = self.peek();
        self.advance();
        Some(cell)
    }
}

/// Exact up to 2^53; cells beyond are never asked for.
#[expect(clippy::cast_precision_loss, reason = "exact where it matters")]
fn float(number: u64) -> f64 {
    number as f64
}

/// A float that is integral and at least 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates, 0 for NaN")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f80_cells_ascend_and_come_as_often_as_they_should() {
        let mut hits = [0u32; 200];
        for id in 0..20_000 {
            let mut last = None;
            for cell in ShortId(mix(id)).cells().take_while(|cell| *cell < 200) {
                assert!(last.is_none_or(|last| cell > last));
                last = Some(cell);
                hits[usize::try_from(cell).unwrap()] += 1;
            }
        }
        assert_eq!(hits[0], 20_000);
        for (cell, hits) in hits.iter().enumerate() {
            let expected = 20_000.0 / (1.0 + f64::from(u32::try_from(cell).unwrap()) / 2.0);
            let deviation = (f64::from(*hits) - expected).abs() / expected.sqrt();
            assert!(deviation < 5.0, "cell {cell}: {hits} hits of {expected}");
        }
    }

    #[test]
    fn f80_a_row_of_cells_ends_at_the_end_of_numbers() {
        let mut cells = Cells { state: 1, next: u64::MAX - 1 };
        for _ in 0..1_000 {
            cells.advance();
        }
        assert_eq!(cells.peek(), u64::MAX);
    }
}
