//! Tests: connections that are cut, sides that are wiped or restored, and how they go on.

use core::time::Duration;

use super::pair_tests::{equal, pair};
use crate::sim::pair::SimPair;
use crate::sim::pair::faults::Backup;

/// Both have the same, which is all that either had, and both know it.
#[track_caller]
fn equal_again(pair: &SimPair, what: &str) {
    assert_eq!((pair.error(0), pair.error(1)), (None, None), "{what}");
    assert_eq!(pair.root(0), pair.root(1), "{what}");
    assert!(pair.report(0).is_some() && pair.report(1).is_some(), "{what}");
    assert_eq!([pair.delivered(0), pair.delivered(1)], [pair.head(0), pair.head(1)], "{what}");
}

/// Two that have synced, of which one made a backup before the last part of that, and which now differ; with a
/// session just opened.
fn remembering(end: usize, few: bool) -> (SimPair, Backup) {
    let mut pair = SimPair::new(Duration::from_millis(20), 12_500_000);
    pair.append(0, if few { 6 } else { 60 }, 20);
    pair.append(1, 8, 20);
    pair.open(true);
    pair.run();
    let backup = pair.backup(end);
    pair.append(0, 4, 20);
    pair.append(1, 5, 20);
    pair.run();
    pair.cut();
    pair.append(0, 7, 300);
    pair.append(1, 6, 300);
    pair.open(true);
    (pair, backup)
}

#[test]
fn row2_row26_a_side_wiped_or_restored_in_any_phase_ends_equal_while_the_other_remembers_it() {
    let mut cases = 0;
    for (end, few) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut steps = 0;
        loop {
            let whole = {
                let mut pair = remembering(end, few).0;
                (0..steps).all(|_| pair.step().is_some())
            };
            // Wiped; restored; restored, and then written to before anybody is heard of.
            for (wiped, later) in [(true, 0), (true, 3), (false, 0), (false, 3), (false, 40)] {
                let (mut pair, backup) = remembering(end, few);
                for _ in 0..steps {
                    pair.step();
                }
                pair.restore(end, (!wiped).then_some(backup));
                pair.append(end, later, 20);
                pair.append(1 - end, later.min(2), 20);
                pair.open(true);
                pair.run();
                let what = format!("side {end}, few {few}, wiped {wiped}, later {later}, step {steps}");
                equal_again(&pair, &what);
                // And the next one finds nothing more to do.
                pair.cut();
                pair.open(true);
                pair.run();
                equal_again(&pair, &what);
                assert_eq!(pair.report(0).unwrap().rounds, 0, "{what}");
                cases += 1;
            }
            if !whole {
                break;
            }
            steps += 1;
        }
    }
    assert!(cases > 400, "{cases}");
}

#[test]
fn row2_row26_both_sides_restored_at_once_end_equal() {
    for (one, other) in [(true, true), (true, false), (false, true)] {
        let (mut pair, backup) = remembering(0, false);
        for _ in 0..7 {
            pair.step();
        }
        let theirs = pair.backup(1);
        pair.append(1, 3, 20);
        pair.restore(0, one.then_some(backup));
        pair.restore(1, other.then_some(theirs));
        pair.append(0, 9, 20);
        pair.append(1, 12, 20);
        pair.open(true);
        pair.run();
        equal_again(&pair, &format!("{one} {other}"));
    }
}

#[test]
fn f46_row1_whatever_arrives_before_a_cut_is_noticed_it_goes_on_and_sends_nothing_twice() {
    let begun = || {
        let mut pair = pair(400, 25, 30);
        pair.open(true);
        pair
    };
    let (mut steps, mut cuts) = (0, 0);
    loop {
        let mut at = begun();
        if !(0..steps).all(|_| at.step().is_some()) {
            break;
        }
        // Each direction is cut by itself, behind any frame that is on its way there.
        let [to_opener, to_acceptor] = at.on_the_way();
        for arrive in (0..=to_opener).flat_map(|one| (0..=to_acceptor).map(move |other| [one, other])) {
            let mut pair = begun();
            for _ in 0..steps {
                pair.step();
            }
            pair.cut_after(arrive);
            let before = [0, 1].map(|end| pair.head(end));
            pair.open(true);
            pair.run();
            equal(&pair, 455);
            let received = [0, 1].map(|end| pair.report(end).unwrap().entries_received);
            assert_eq!(received, [0, 1].map(|end| 455 - before[end]), "step {steps}, arrived {arrive:?}");
            cuts += 1;
        }
        steps += 1;
    }
    assert!(cuts > 60, "{cuts} cuts in {steps} steps");
}

#[test]
fn f46_f81_a_sync_that_is_cut_at_any_frame_goes_on_and_sends_nothing_twice() {
    let whole = {
        let mut pair = pair(400, 25, 30);
        pair.open(true);
        let mut steps = 0;
        while pair.step().is_some() {
            steps += 1;
        }
        steps
    };
    for at in 0..whole {
        let mut pair = pair(400, 25, 30);
        pair.open(true);
        for _ in 0..at {
            pair.step();
        }
        let before = [0, 1].map(|end| pair.head(end));
        pair.cut();
        pair.open(true);
        pair.run();
        equal(&pair, 455);
        // What was durable before the cut does not travel again, and all else does once.
        let received = [0, 1].map(|end| pair.report(end).unwrap().entries_received);
        assert_eq!(received, [0, 1].map(|end| 455 - before[end]), "cut at step {at}");
    }
}
