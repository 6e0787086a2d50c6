//! How many cells to send and to ask for: by the sketch first, then by what the first cells show.

use crate::symbols::decoder::Decoder;
use crate::symbols::row::MOST_CELLS;

/// Cells to send at once for so many differences by the sketch: 1.5 for each and 6 more.
///
/// With fewer a further question is asked more often, with more too much comes unasked: measured, this is where
/// ten differences take the fewest bytes.
pub fn first_cells(difference: u64) -> usize {
    bounded(difference.saturating_add(difference / 2).saturating_add(6))
}

/// Cells to ask for in all after the first were too few: 1.5 for each difference, 4 times the root of them,
/// and 8 more.
pub fn more_cells(difference: u64) -> usize {
    let root = difference.isqrt().saturating_mul(4);
    bounded(difference.saturating_add(difference / 2).saturating_add(root).saturating_add(8))
}

/// About how many differences there are, by how many cells came empty. Nothing if none did, or so few that
/// more than 16,384 cells are needed anyway.
///
/// Cell *i* holds each id with probability 1 / (1 + i/2), so that it is empty with (1 − that)^d. The sum of
/// these over all cells, the empty ones that are to be expected, falls with d: where it meets the real number
/// is the likeliest d. In doubles, multiplied in a fixed order: the same on every platform.
pub fn estimate(decoder: &Decoder) -> Option<u64> {
    let expected = |difference: u32| -> f64 {
        let mut sum = 0.0;
        for cell in 1..decoder.cell_count() {
            // Of at most 16,384 cells, so exact.
            let half = u32::try_from(cell).map_or(f64::MAX, f64::from) / 2.0;
            sum += power(half / (1.0 + half), difference);
        }
        sum
    };
    let empty = u32::try_from(decoder.came_empty()).map_or(f64::MAX, f64::from);
    let (mut few, mut many) = (0u32, u32::try_from(MOST_CELLS).unwrap_or(u32::MAX));
    if expected(many) > empty {
        return None;
    }
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        if expected(middle) > empty { few = middle } else { many = middle }
    }
    Some(u64::from(many))
}

/// `base` to the power of `exponent`, by squaring.
fn power(mut base: f64, mut exponent: u32) -> f64 {
    let mut product = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            product *= base;
        }
        base *= base;
        exponent >>= 1;
    }
    product
}

fn bounded(cells: u64) -> usize {
    usize::try_from(cells).unwrap_or(MOST_CELLS).min(MOST_CELLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f80_so_many_cells_are_sent_and_asked_for() {
        assert_eq!([0, 1, 10, 100, 20_000, u64::MAX].map(first_cells), [6, 7, 21, 156, 16_384, 16_384]);
        assert_eq!([0, 1, 10, 100, 20_000, u64::MAX].map(more_cells), [8, 13, 35, 198, 16_384, 16_384]);
    }

    #[test]
    fn f80_powers_are_products() {
        assert_eq!(power(0.5, 10), 1.0 / 1_024.0);
        assert_eq!([power(0.0, 0), power(0.0, 3), power(1.0, 7)], [1.0, 0.0, 1.0]);
    }
}
