//! Isoroot's side of the measurement: two channels over a simulated link.

use core::time::Duration;

use cpu_time::ThreadTime;
use isoroot::EntryId;
use isoroot::sim::SimPair;

use crate::{Cost, id};

const DELAY: Duration = Duration::from_millis(20);
const BYTES_PER_SECOND: u64 = 100_000_000 / 8;

/// Messages that find the difference.
const FIND: [&str; 9] = ["Open", "Same", "Differ", "Symbols", "More", "List", "Want", "Ask", "Tell"];
/// Messages that carry entries.
const ENTRIES: [&str; 2] = ["Entries", "Part"];

/// What was measured.
pub struct Measured {
    /// Each reconciliation but the first.
    pub costs: Vec<Cost>,
    /// Processor's time of the accepting side of the first, which makes the cells, in milliseconds.
    pub cold: f64,
}

/// One after the other: the sets grow by what each finds.
pub fn reconcile(entries: u64, differences: u64, seeds: u64) -> Measured {
    let mut pair = SimPair::new(DELAY, BYTES_PER_SECOND);
    let ids: Vec<_> = (0..entries).map(|number| EntryId::from_bytes(id(number))).collect();
    pair.share(&ids);
    drop(ids);
    let mut measured = Measured { costs: Vec::new(), cold: 0.0 };
    for seed in 0..=seeds {
        let half = usize::try_from(differences / 2).unwrap_or_default();
        let odd = usize::try_from(differences % 2).unwrap_or_default();
        pair.append(0, half + odd * usize::from(seed % 2 == 0), 20);
        pair.append(1, half + odd * usize::from(seed % 2 == 1), 20);
        let cost = one(&mut pair);
        if seed == 0 {
            measured.cold = cost.cpu[1];
        } else {
            measured.costs.push(cost);
        }
    }
    measured
}

fn one(pair: &mut SimPair) -> Cost {
    let mut cost = Cost::default();
    let began = ThreadTime::now();
    pair.open(false);
    cost.cpu[0] += began.elapsed().as_secs_f64() * 1e3;
    loop {
        let began = ThreadTime::now();
        let Some(step) = pair.step() else { break };
        if FIND.contains(&step.what) {
            cost.cpu[step.end] += began.elapsed().as_secs_f64() * 1e3;
        }
    }
    assert!(pair.report(0).is_some() && pair.root(0) == pair.root(1), "it ends with equal roots");
    for (kind, traffic) in pair.traffic() {
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
