//! Isoroot's side of the measurement: two channels over a simulated link.

use core::time::Duration;

use isoroot::EntryId;
use isoroot::sim::SimPair;

use crate::cost::Cost;
use crate::timing::Began;
use crate::{CONTENT, id};

const DELAY: Duration = Duration::from_millis(20);
const BYTES_PER_SECOND: u64 = 100_000_000 / 8;

/// Messages that find the difference.
const FIND: [&str; 9] = ["Open", "Same", "Differ", "Symbols", "More", "List", "Want", "Ask", "Tell"];
/// Messages that carry entries.
const ENTRIES: [&str; 2] = ["Entries", "Part"];

/// What was measured.
pub struct Measured {
    /// Each reconciliation.
    pub costs: Vec<Cost>,
    /// Milliseconds of the accepting side of one that makes the cells.
    pub cold: f64,
}

/// One after the other: the sets grow by what each finds, and are made anew when they have grown by a fifth.
/// With `cursors` each side goes on from where it was in the other's store.
pub fn reconcile(entries: u64, differences: u64, seeds: u64, cursors: bool) -> Measured {
    let mut measured = Measured { costs: Vec::new(), cold: f64::MAX };
    let mut pair = SimPair::new(DELAY, BYTES_PER_SECOND);
    let mut grown = u64::MAX;
    for seed in 0..seeds {
        if grown > entries / 5 {
            let (made, cold) = fresh(entries, differences);
            measured.cold = measured.cold.min(cold);
            (pair, grown) = (made, 0);
        }
        let half = usize::try_from(differences / 2).unwrap_or_default();
        let odd = usize::try_from(differences % 2).unwrap_or_default();
        pair.append(0, half + odd * usize::from(seed % 2 == 0), CONTENT);
        pair.append(1, half + odd * usize::from(seed % 2 == 1), CONTENT);
        let mut cost = one(&mut pair, cursors);
        cost.whole -= CONTENT as u64 * differences;
        measured.costs.push(cost);
        grown += differences;
    }
    measured
}

/// Two sets of so many entries that have met once, so differing, so that each has made its cells; the
/// milliseconds that took the busier side.
fn fresh(entries: u64, differences: u64) -> (SimPair, f64) {
    let mut pair = SimPair::new(DELAY, BYTES_PER_SECOND);
    let ids: Vec<_> = (0..entries).map(|number| EntryId::from_bytes(id(number))).collect();
    pair.share(&ids);
    drop(ids);
    let half = usize::try_from(differences / 2).unwrap_or_default().max(5);
    [0, 1].into_iter().for_each(|end| pair.append(end, half, CONTENT));
    let [one_side, other] = one(&mut pair, false).cpu;
    let cold = one_side.max(other);
    (pair, cold)
}

fn one(pair: &mut SimPair, cursors: bool) -> Cost {
    let mut cost = Cost::default();
    let began = Began::now();
    pair.open(cursors);
    cost.cpu[0] += began.milliseconds();
    loop {
        let began = Began::now();
        let Some(step) = pair.step() else { break };
        if FIND.contains(&step.what) {
            cost.cpu[step.end] += began.milliseconds();
        }
    }
    assert!(pair.report(0).is_some() && pair.root(0) == pair.root(1), "it ends with equal roots");
    for (kind, traffic) in pair.traffic() {
        cost.whole += traffic.bytes;
        if FIND.contains(kind) {
            cost.find += traffic.bytes;
        } else if !ENTRIES.contains(kind) {
            cost.rest += traffic.bytes;
        }
    }
    let until = pair.until_first_entry().unwrap_or(pair.elapsed());
    cost.round_trips = until.as_secs_f64() / (2.0 * DELAY.as_secs_f64());
    pair.cut();
    cost
}
