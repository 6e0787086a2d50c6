//! Tests: how many cells decoding takes, and that what comes out is the difference and nothing else.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::cell::Cell;
use super::decoder::Decoder;
use super::estimate::{estimate, first_cells, more_cells};
use super::mapping::ShortId;
use super::row::{MOST_CELLS, Row};
use super::sketch::Sketch;
use crate::ids::EntryId;

fn random_ids(rng: &mut ChaCha8Rng, count: usize) -> Vec<ShortId> {
    (0..count).map(|_| ShortId(rng.next_u64())).collect()
}

/// Cells that it takes to decode so many differences, given one by one.
fn cells_needed(rng: &mut ChaCha8Rng, difference: usize, step: usize) -> usize {
    let ids = random_ids(rng, difference);
    let row = Row::of(ids.iter().copied(), MOST_CELLS);
    let mut decoder = Decoder::new();
    while !decoder.is_done() {
        let from = decoder.cell_count();
        assert!(from < MOST_CELLS, "{difference} differences are not decoded");
        let to = (from + step).min(MOST_CELLS);
        decoder.extend(&row.cells()[from..to], &vec![Cell::default(); to - from]);
    }
    let found: BTreeSet<_> = decoder.found().collect();
    assert_eq!(found, ids.into_iter().collect(), "a false decode");
    decoder.cell_count()
}

fn mean_per_difference(seeds: u32, difference: usize, step: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(difference as u64);
    let total: usize = (0..seeds).map(|_| cells_needed(&mut rng, difference, step)).sum();
    // Given several at a time, on average half of the last step was not needed.
    let over = (step - 1) as f64 / 2.0;
    (total as f64 / f64::from(seeds) - over) / difference as f64
}

#[test]
fn f80_cells_for_each_difference_are_as_few_as_simulated() {
    for (seeds, difference, step, expected) in
        [(4_000, 10, 1, 1.71), (800, 100, 1, 1.45), (60, 1_000, 4, 1.38), (4, 10_000, 64, 1.36)]
    {
        let mean = mean_per_difference(seeds, difference, step);
        assert!((mean / expected - 1.0).abs() < 0.02, "{difference}: {mean}, not {expected}");
    }
}

#[test]
fn f80_one_batch_or_two_suffice_as_often_as_they_should() {
    // In so many cases one batch does, or two; cells in the mean, and those that one in 100 cases takes more than.
    for (difference, seeds, one, two, mean, p99) in [
        (1, 500, 0.999, 0.999, 8.1, 8),
        (10, 2_000, 0.86, 0.99, 26.4, 44),
        (100, 400, 0.6, 0.98, 195.0, 300),
        (1_000, 60, 0.5, 0.98, 1_850.0, 3_000),
    ] {
        let (mut first, mut second, mut cells) = (0, 0, Vec::new());
        for seed in 0..seeds {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let ids: Vec<_> = (0..difference)
                .map(|_| {
                    let mut id = [0; 32];
                    rng.fill_bytes(&mut id);
                    EntryId::from_bytes(id)
                })
                .collect();
            let sketch = Sketch::of(&ids).difference(&Sketch::default()).max(difference % 2);
            let row = Row::of(ids.iter().map(ShortId::of), MOST_CELLS);
            let (mut decoder, mut wanted, mut batches) = (Decoder::new(), first_cells(sketch), 0);
            while !decoder.is_done() {
                let have = decoder.cell_count();
                decoder.extend(&row.cells()[have..wanted], &vec![Cell::default(); wanted - have]);
                batches += 1;
                wanted = more_cells(estimate(&decoder, sketch).unwrap_or(10_000)).max(wanted + 4);
            }
            first += u32::from(batches == 1);
            second += u32::from(batches <= 2);
            cells.push(decoder.cell_count());
        }
        cells.sort_unstable();
        let share = |count: u32| f64::from(count) / seeds as f64;
        assert!(share(first) > one, "{difference}: one batch in {}", share(first));
        assert!(share(second) > two, "{difference}: two batches in {}", share(second));
        let in_the_mean = cells.iter().sum::<usize>() as f64 / seeds as f64;
        assert!(in_the_mean < mean, "{difference}: {in_the_mean} cells in the mean");
        let at_p99 = cells[seeds as usize * 99 / 100];
        assert!(at_p99 <= p99, "{difference}: {at_p99} cells at p99");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn f80_any_two_sets_are_told_apart(
        common in prop::collection::btree_set(any::<u64>(), 0..300),
        here in prop::collection::btree_set(any::<u64>(), 0..60),
        there in prop::collection::btree_set(any::<u64>(), 0..60),
        steps in prop::collection::vec(1usize..50, 40),
    ) {
        let ids = |own: &BTreeSet<u64>| common.iter().chain(own).map(|id| ShortId(*id)).collect::<BTreeSet<_>>();
        let (ours, theirs) = (ids(&here), ids(&there));
        let rows = [&ours, &theirs].map(|ids| Row::of(ids.iter().copied(), 1_000));
        let mut decoder = Decoder::new();
        for step in steps {
            let from = decoder.cell_count();
            let to = (from + step).min(1_000);
            decoder.extend(&rows[1].cells()[from..to], &rows[0].cells()[from..to]);
            if decoder.is_done() {
                break;
            }
        }
        prop_assert!(decoder.is_done());
        let found: BTreeSet<_> = decoder.found().collect();
        prop_assert_eq!(found, ours.symmetric_difference(&theirs).copied().collect::<BTreeSet<_>>());
    }

    #[test]
    fn d8_made_up_cells_end_and_find_no_more_than_there_are(
        cells in prop::collection::vec(any::<[u8; 11]>(), 0..400), pure in any::<u64>(), repeats in 0usize..50,
    ) {
        let mut cells: Vec<_> = cells.iter().map(Cell::from_bytes).collect();
        // And some that look like one id, at places where it may not be.
        let mut single = Cell::default();
        single.toggle(ShortId(pure));
        cells.extend(vec![single; repeats]);
        let mut decoder = Decoder::new();
        let own = vec![Cell::default(); cells.len()];
        for (cells, own) in cells.chunks(37).zip(own.chunks(37)) {
            decoder.extend(cells, own);
        }
        prop_assert!(decoder.found_count() <= cells.len());
        estimate(&decoder, pure);
    }
}

#[test]
fn d8_no_more_cells_are_taken_than_may_be_asked_for() {
    let mut decoder = Decoder::new();
    let cells = vec![Cell::default(); 10_000];
    decoder.extend(&cells, &cells);
    decoder.extend(&cells, &cells);
    assert_eq!(decoder.cell_count(), MOST_CELLS);
    assert!(decoder.is_done());
    assert!(!Decoder::new().is_done(), "without a cell nothing is known");
}
