//! negentropy's: the same ids, all with one time, frames as long as they like.

use negentropy::{Id, Negentropy, NegentropyStorageVector, Storage};

use crate::cost::Cost;
use crate::id;
use crate::timing::Began;

/// A set with more ids than another.
fn sealed(mut set: NegentropyStorageVector, more: core::ops::Range<u64>) -> NegentropyStorageVector {
    for number in more {
        set.insert(0, Id::from_byte_array(id(number))).expect("an id");
    }
    set.seal().expect("sealed");
    set
}

/// Reconciles so often; each time the sides differ in other ids.
pub fn negentropy(entries: u64, differences: u64, seeds: u64) -> Vec<Cost> {
    let mut shared = NegentropyStorageVector::new();
    if seeds > 0 {
        shared = sealed(shared, 0..entries);
        shared.unseal().expect("unsealed");
    }
    (0..seeds).map(|seed| one(&shared, differences, entries + seed * 2 * differences)).collect()
}

fn one(shared: &NegentropyStorageVector, differences: u64, from: u64) -> Cost {
    let half = differences / 2;
    let client = sealed(shared.clone(), from..from + differences - half);
    let server = sealed(shared.clone(), from + differences..from + differences + half);
    let mut cost = Cost::default();
    let timed = |cost: &mut Cost, end: usize, began: Began| {
        cost.cpu[end] += began.milliseconds();
    };
    let began = Began::now();
    let mut one = Negentropy::new(Storage::Borrowed(&client), 0).expect("a side");
    let mut other = Negentropy::new(Storage::Borrowed(&server), 0).expect("a side");
    let mut question = Some(one.initiate().expect("a beginning"));
    timed(&mut cost, 0, began);
    let (mut have, mut need) = (Vec::new(), Vec::new());
    while let Some(asked) = question {
        let began = Began::now();
        let answer = other.reconcile(&asked).expect("an answer");
        timed(&mut cost, 1, began);
        let began = Began::now();
        question = one.reconcile_with_ids(&answer, &mut have, &mut need).expect("an answer");
        timed(&mut cost, 0, began);
        // With the head of a WebSocket frame and its mask, as ours.
        cost.find += (asked.len() + answer.len() + 12) as u64;
        if cost.round_trips == 0.0 || have.is_empty() && need.is_empty() {
            cost.round_trips += 1.0;
        }
    }
    cost.whole = cost.find;
    assert_eq!((have.len() + need.len()) as u64, differences, "all is found");
    cost
}
