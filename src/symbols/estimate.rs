//! How many cells to send and to ask for: by the sketch first, then by what the first cells show too.

use crate::symbols::decoder::Decoder;
use crate::symbols::row::MOST_CELLS;

/// Cells to send at once for so many differences by the sketch: 1.5 for each, the root of them, and 6 more.
///
/// With fewer a further question is asked more often, with more too much comes unasked. Simulated, they suffice
/// for 10 differences in 88 of 100 cases, for 1,000 in 65, and what is asked for then nearly always.
pub fn first_cells(difference: u64) -> usize {
    cells(difference, 1, 6)
}

/// Cells to ask for in all after the first were too few: 1.5 for each difference, 5 times the root of them,
/// and 12 more.
pub fn more_cells(difference: u64) -> usize {
    cells(difference, 5, 12)
}

fn cells(difference: u64, roots: u64, more: u64) -> usize {
    let roots = difference.isqrt().saturating_mul(roots);
    let cells = difference.saturating_add(difference / 2).saturating_add(roots).saturating_add(more);
    usize::try_from(cells).unwrap_or(MOST_CELLS).min(MOST_CELLS)
}

/// About how many differences there are, by the sketch, which says `sketch`, and by how many cells came empty.
/// Nothing if so many that more than 16,384 cells are needed anyway.
///
/// The likeliest number, where the sketch is off by a quarter as a rule and the empty cells deviate from what is
/// to be expected as they do. A sketch that is off by far is left out: it can be biased by whoever grinds ids.
/// In doubles, in a fixed order: the same on every platform.
pub fn estimate(decoder: &Decoder, sketch: u64) -> Option<u64> {
    let cells = decoder.cell_count();
    let empty = u32::try_from(decoder.came_empty()).map_or(f64::MAX, f64::from);
    // Beyond what a row can hold the sketch need not be exact.
    let sketch = u32::try_from(sketch).unwrap_or(u32::MAX).clamp(1, 1 << 20);
    let twice = Empty::expected(cells, sketch.saturating_mul(2));
    let missing = twice.mean - empty;
    let is_far = missing > 0.0 && missing * missing > 9.0 * twice.variance;
    let weight = if is_far { 0.0 } else { 16.0 };
    // Whether the likelihood still rises at so many.
    let rises = |difference: u32| {
        let expected = Empty::expected(cells, difference);
        let (difference, sketch) = (f64::from(difference), f64::from(sketch));
        let by_sketch = weight * (sketch - difference) / (difference * difference);
        let by_cells = (expected.mean - empty) * expected.slope / expected.variance.max(1e-9);
        by_sketch + by_cells > 0.0
    };
    let (mut few, mut many) = (0u32, u32::try_from(MOST_CELLS).unwrap_or(u32::MAX));
    if rises(many) {
        return None;
    }
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        if rises(middle) { few = middle } else { many = middle }
    }
    // There are more than were found, or all would be solved.
    Some(u64::from(many).max(decoder.found_count() as u64 + 1))
}

/// How many cells come empty.
struct Empty {
    mean: f64,
    variance: f64,
    /// By how many fewer where there is one more difference.
    slope: f64,
}

impl Empty {
    /// Of so many first cells, where there are so many differences.
    ///
    /// Cell *i* holds each id with probability 1 / (1 + i/2), so that it is empty with (1 − that)^d. From the
    /// 64th on some stand for those beside them.
    fn expected(cells: usize, difference: u32) -> Self {
        let mut empty = Self { mean: 0.0, variance: 0.0, slope: 0.0 };
        let cells = u32::try_from(cells).unwrap_or(u32::MAX);
        let mut cell = 1;
        while cell < cells {
            let alike = (1 + cell / 64).min(cells - cell);
            let half = (f64::from(cell) + f64::from(alike - 1) / 2.0) / 2.0;
            let spared = half / (1.0 + half);
            let (chance, weight) = (power(spared, difference), f64::from(alike));
            empty.mean += weight * chance;
            empty.variance += weight * chance * (1.0 - chance);
            empty.slope += weight * chance * (1.0 - spared);
            cell += alike;
        }
        empty
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::cell::Cell;
    use crate::symbols::mapping::ShortId;
    use crate::symbols::row::Row;

    #[test]
    fn f80_so_many_cells_are_sent_and_asked_for() {
        assert_eq!([0, 1, 10, 100, 20_000, u64::MAX].map(first_cells), [6, 8, 24, 166, 16_384, 16_384]);
        assert_eq!([0, 1, 10, 100, 20_000, u64::MAX].map(more_cells), [12, 18, 42, 212, 16_384, 16_384]);
    }

    #[test]
    fn f80_cells_that_stand_for_others_hardly_change_what_is_expected() {
        for (cells, difference) in [(20, 10), (200, 100), (1_700, 1_000), (16_384, 10_000), (16_384, 100)] {
            let (mut mean, mut variance) = (0.0, 0.0);
            for cell in 1..cells {
                let half = f64::from(cell) / 2.0;
                let chance = (half / (1.0 + half)).powi(difference);
                mean += chance;
                variance += chance * (1.0 - chance);
            }
            let expected = Empty::expected(cells as usize, difference as u32);
            assert!(
                (expected.mean / mean - 1.0).abs() < 1e-3,
                "{cells} {difference}: {}, {mean}",
                expected.mean
            );
            assert!((expected.variance / variance - 1.0).abs() < 1e-3, "{cells} {difference}");
            let one_more = Empty::expected(cells as usize, difference as u32 + 1);
            assert!(((expected.mean - one_more.mean) / expected.slope - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn f80_a_sketch_that_is_off_by_far_is_left_out() {
        let ids = |count: u64| (0..count).map(|id| ShortId(id.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        for (sketch, difference) in [(1, 200), (5, 200), (50, 1_000), (900, 5_000), (40, 45), (3_000, 30)] {
            let row = Row::of(ids(difference), 16_384);
            let (mut decoder, mut wanted, mut questions) = (Decoder::new(), first_cells(sketch), 0);
            loop {
                let have = decoder.cell_count();
                let own = vec![Cell::default(); wanted - have];
                decoder.extend(&row.cells()[have..wanted], &own);
                questions += 1;
                if decoder.is_done() {
                    break;
                }
                let Some(estimate) = estimate(&decoder, sketch) else { break };
                wanted = more_cells(estimate).max(wanted + 4);
            }
            assert!(questions <= 4, "{questions} questions for {difference} by a sketch of {sketch}");
        }
    }

    #[test]
    fn f80_powers_are_products() {
        assert_eq!(power(0.5, 10), 1.0 / 1_024.0);
        assert_eq!([power(0.0, 0), power(0.0, 3), power(1.0, 7)], [1.0, 0.0, 1.0]);
    }
}
