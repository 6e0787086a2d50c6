//! negentropy's: the same ids, all with one time, frames as long as they like.

use cpu_time::ThreadTime;
use negentropy::{Id, Negentropy, NegentropyStorageVector, Storage};

use crate::{Cost, id};

fn sealed(entries: u64, more: core::ops::Range<u64>) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::new();
    for number in (0..entries).chain(more) {
        storage.insert(0, Id::from_byte_array(id(number))).expect("an id");
    }
    storage.seal().expect("sealed");
    storage
}

/// Reconciles so often; each time the sides differ in other ids.
pub fn negentropy(entries: u64, differences: u64, seeds: u64) -> Vec<Cost> {
    (0..seeds).map(|seed| one(entries, differences, entries + seed * 2 * differences)).collect()
}

fn one(entries: u64, differences: u64, from: u64) -> Cost {
    let half = differences / 2;
    let client = sealed(entries, from..from + differences - half);
    let server = sealed(entries, from + differences..from + differences + half);
    let mut cost = Cost::default();
    let timed = |cost: &mut Cost, end: usize, began: ThreadTime| {
        cost.cpu[end] += began.elapsed().as_secs_f64() * 1e3;
    };
    let began = ThreadTime::now();
    let mut one = Negentropy::new(Storage::Borrowed(&client), 0).expect("a side");
    let mut other = Negentropy::new(Storage::Borrowed(&server), 0).expect("a side");
    let mut question = Some(one.initiate().expect("a beginning"));
    timed(&mut cost, 0, began);
    let (mut have, mut need) = (Vec::new(), Vec::new());
    while let Some(asked) = question {
        let began = ThreadTime::now();
        let answer = other.reconcile(&asked).expect("an answer");
        timed(&mut cost, 1, began);
        let began = ThreadTime::now();
        question = one.reconcile_with_ids(&answer, &mut have, &mut need).expect("an answer");
        timed(&mut cost, 0, began);
        // With the head of a WebSocket frame and its mask, as ours.
        cost.find += (asked.len() + answer.len() + 12) as u64;
        if cost.round_trips == 0.0 || have.is_empty() && need.is_empty() {
            cost.round_trips += 1.0;
        }
    }
    assert_eq!((have.len() + need.len()) as u64, differences, "all is found");
    cost
}
