//! Tests: sides that take nothing in, in each way of finding the difference.

use super::pair_tests::{equal, ids, pair};
use crate::session::failure::PeerError;
use crate::session::message::ChannelMessage;

#[test]
fn d7_f89_in_each_way_of_finding_the_difference_nothing_goes_to_a_side_that_takes_nothing() {
    // A feed to or from nothing, lists of either side's, coded symbols, and many of them, part by part.
    let cases = [(0, 3, 0), (0, 0, 4), (0, 40, 5), (0, 5, 40), (600, 3, 4), (600, 0, 0), (900, 17_000, 400)];
    for (shared, mine, theirs) in cases {
        let mut pair = pair(shared, mine, theirs);
        pair.refuse_all(1);
        pair.open(false);
        // It is told in the answer to its opening, so that nothing goes there that is not taken.
        while let Some(step) = pair.step() {
            assert!(step.end == 0 || !matches!(step.what, "Entries" | "Part"), "{step:?}");
        }
        assert_eq!((pair.error(0), pair.error(1)), (None, None));
        let reports = [0, 1].map(|end| pair.report(end).expect("the sync has ended"));
        assert_eq!(reports[0].root, reports[1].root, "equal but for what is refused");
        assert_eq!(reports[0].root, pair.root(1));
        assert_eq!((reports[0].refused, reports[0].entries_sent), (mine as u64, 0));
        assert_eq!(pair.root(1).count, u64::from(shared) + theirs as u64, "it has taken nothing in");
        assert_eq!(pair.root(0).count, u64::from(shared) + (mine + theirs) as u64, "it has got everything");
        // Nor does anything follow live, while the other way all goes on.
        pair.append(0, 2, 20);
        pair.append(1, 3, 20);
        pair.run();
        assert_eq!(pair.root(1).count, u64::from(shared) + theirs as u64 + 3);
        assert_eq!(pair.root(0).count, u64::from(shared) + (mine + theirs) as u64 + 5);
        assert!(pair.delivered(0) <= u64::from(shared), "what was refused is not durable there");
        // Once it takes them they go there.
        pair.cut();
        pair.take_all(1);
        pair.open(true);
        pair.run();
        equal(&pair, u64::from(shared) + (mine + theirs) as u64 + 5);
    }
}

#[test]
fn d7_an_acceptor_from_which_nothing_is_taken_is_told_by_ids() {
    for (shared, mine, theirs) in
        [(0, 3, 0), (0, 0, 4), (30, 40, 5), (30, 5, 40), (600, 3, 4), (900, 400, 17_000)]
    {
        let mut pair = pair(shared, mine, theirs);
        pair.refuse_all(0);
        pair.open(false);
        pair.run();
        assert_eq!((pair.error(0), pair.error(1)), (None, None));
        let reports = [0, 1].map(|end| pair.report(end).expect("the sync has ended"));
        assert_eq!(reports[0].root, pair.root(0));
        assert_eq!((reports[1].root, reports[1].refused), (pair.root(0), theirs as u64));
        assert_eq!(pair.root(0).count, u64::from(shared) + mine as u64);
        assert_eq!(pair.root(1).count, u64::from(shared) + (mine + theirs) as u64);
        assert!(theirs == 0 || pair.delivered(1) <= u64::from(shared), "{shared} {mine} {theirs}");
    }
}

#[test]
fn d8_who_refuses_more_than_was_sent_is_a_liar() {
    let mut pair = pair(300, 5, 6);
    pair.tamper_with(Some(|message| {
        if let ChannelMessage::Upto { .. } | ChannelMessage::Credit { .. } = message {
            *message = ChannelMessage::Refused { ids: ids(300) };
        }
    }));
    pair.open(false);
    pair.run();
    let errors = [pair.error(0), pair.error(1)];
    assert!(errors.contains(&Some(&PeerError::Breach("more is refused than was sent"))), "{errors:?}");
}

#[test]
fn d7_what_a_side_that_takes_nothing_has_itself_is_left_out_by_both() {
    for refuses in [0, 1] {
        let mut pair = pair(0, 20, 20);
        pair.open(true);
        pair.run();
        equal(&pair, 40);
        pair.cut();
        // One side writes, and the other gets that by another way; both remember where they are in each other.
        pair.append(refuses, 1, 20);
        pair.hand_over(refuses);
        pair.append(refuses, 1, 20);
        pair.append(1 - refuses, 2, 20);
        pair.refuse_all(refuses);
        pair.open(true);
        pair.run();
        assert_eq!((pair.error(0), pair.error(1)), (None, None));
        let reports = [0, 1].map(|end| pair.report(end).expect("the sync has ended"));
        assert_eq!(reports[0].root, reports[1].root);
        assert_eq!([pair.root(refuses).count, pair.root(1 - refuses).count], [42, 44]);
    }
}
