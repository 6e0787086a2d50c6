//! What is found is what a naive scan finds, and costs what it finds.

use core::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;
use crate::fact::statement::Fact;
use crate::ids::{AuthorityId, EntryId, FactId};
use crate::time::WallTime;

/// An entry as the index knows it; its id is made of its number.
#[derive(Clone, Debug)]
struct Known {
    timestamp: u64,
    device: u8,
    facts: Vec<(String, Option<u8>)>,
}

fn device(seed: u8) -> DeviceId {
    DeviceId::from_bytes([seed; 32])
}

fn authority(seed: u8) -> AuthorityId {
    AuthorityId::from_bytes([seed; 32])
}

fn entry(number: u64) -> EntryId {
    EntryId::from_bytes([number as u8; 32])
}

fn index<'k>(entries: impl IntoIterator<Item = &'k Known>) -> Index {
    let mut index = Index::default();
    for (number, entry) in (1..).zip(entries) {
        let facts = entry.facts.iter().map(|(predicate, by)| (predicate.as_str(), by.map(authority)));
        index.insert(number, entry.timestamp, device(entry.device), facts);
    }
    index
}

/// All that is found, page by page, and what it has cost.
fn find_all(index: &Index, query: &Query, shown: u64, facts: usize) -> (Vec<u64>, usize) {
    let named = query.entry.or(query.fact.map(|fact| fact.entry));
    let entry = named.map(|id| u64::from(id.as_bytes()[0]));
    let entry = entry.filter(|number| (1..=index.head()).contains(number));
    let (mut all, mut looked, mut after) = (Vec::new(), 0, 0);
    while after < index.head() {
        let (found, passed) = index.find(query, entry, after, shown, facts);
        assert!(passed > after, "a page goes on");
        assert!(found.facts >= facts || found.looked >= SEARCH_STEPS || passed == index.head());
        assert!(found.numbers.iter().all(|number| (after + 1..=passed).contains(number)));
        looked += found.looked;
        all.extend(found.numbers);
        after = passed;
    }
    (all, looked)
}

fn known() -> impl Strategy<Value = Vec<Known>> {
    let fact = ("[ab]{1,3}", prop::option::of(0u8..3));
    let entry = (0u64..30, 0u8..3, prop::collection::vec(fact, 1..4));
    prop::collection::vec(
        entry.prop_map(|(timestamp, device, facts)| Known { timestamp, device, facts }),
        0..80,
    )
}

fn query() -> impl Strategy<Value = Query> {
    let one_in_three = |strategy: BoxedStrategy<Query>| prop::option::weighted(0.3, strategy);
    let parts = (
        one_in_three("[ab]{1,2}".prop_map(|p| Query::all().predicate(p)).boxed()),
        one_in_three("[ab]{0,2}".prop_map(|p| Query::all().prefix(p)).boxed()),
        one_in_three((0u8..4).prop_map(|a| Query::all().authority(authority(a))).boxed()),
        one_in_three((0u8..4).prop_map(|d| Query::all().device(device(d))).boxed()),
        one_in_three(
            (0u64..31, 0u64..31)
                .prop_map(|(a, b)| Query::all().written(WallTime::from_micros(a)..=WallTime::from_micros(b)))
                .boxed(),
        ),
        prop::option::weighted(0.1, 0u64..80),
        prop::option::weighted(0.1, (0u64..80, 0u16..3)),
    );
    parts.prop_map(|(predicate, prefix, by, signer, written, one, fact)| Query {
        predicate: predicate.and_then(|query| query.predicate),
        prefix: prefix.and_then(|query| query.prefix),
        authority: by.and_then(|query| query.authority),
        device: signer.and_then(|query| query.device),
        written: written.and_then(|query| query.written),
        timestamp: None,
        entry: one.map(entry),
        fact: fact.map(|(number, index)| FactId { entry: entry(number), index }),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn f62_what_is_found_is_what_a_naive_scan_finds(
        entries in known(), query in query(), shown in 0u64..32, facts in 1usize..5, up_to in 0u64..80, from in 0u64..32,
    ) {
        let index = index(&entries);
        let naive = (1u64..).zip(&entries).filter(|(number, known)| {
            let facts = (0u16..).zip(&known.facts);
            let mut meant = facts.map(|(place, (predicate, by))| {
                let fact = Fact { authority: by.map(authority), ..Fact::new(predicate.as_str(), 0) };
                let id = FactId { entry: entry(*number), index: place };
                query.matches(id, device(known.device), known.timestamp, &fact)
            });
            meant.any(|meant| meant)
        });
        let naive: Vec<_> = naive.map(|(number, known)| (known.timestamp, number)).collect();
        let visible: Vec<_> = naive.iter().filter(|(timestamp, _)| *timestamp <= shown).map(|(_, n)| *n).collect();
        prop_assert_eq!(find_all(&index, &query, shown, facts).0, visible);

        // The same in the order of time, of those up to a number.
        let mut by_time: Vec<_> = naive.into_iter().filter(|(t, n)| (from..=shown).contains(t) && *n <= up_to).collect();
        by_time.sort();
        let named = query.entry.or(query.fact.map(|fact| fact.entry));
        let named = named.map(|id| u64::from(id.as_bytes()[0])).filter(|n| (1..=index.head()).contains(n));
        let (mut all, mut start) = (Vec::new(), Point { timestamp: from, place: 0 });
        loop {
            let times = (start, Point::after(shown));
            let (found, cut) = index.find_by_time(&query, named, times, up_to, facts);
            all.extend(found.numbers);
            let Some(cut) = cut else { break };
            prop_assert!(cut > start, "a page goes on");
            start = cut;
        }
        prop_assert_eq!(all, by_time.into_iter().map(|(_, number)| number).collect::<Vec<_>>());
    }
}

const MANY: u64 = 100_000;

fn one_fact(timestamp: u64, device: u8, predicate: String) -> Known {
    Known { timestamp, device, facts: vec![(predicate, None)] }
}

fn written(range: RangeInclusive<u64>) -> Query {
    Query::all().written(WallTime::from_micros(*range.start())..=WallTime::from_micros(*range.end()))
}

#[test]
fn f62_a_query_costs_what_it_finds_and_not_what_the_journal_holds() {
    // Two devices in turn, one of a hundred entries by a third; predicates of many kinds.
    let entries = (0..MANY).map(|n| match n % 100 {
        99 => one_fact(n, 3, format!("rare/{}", n / 10_000)),
        _ => one_fact(n, (n % 2) as u8, format!("note/{n}")),
    });
    let entries: Vec<_> = entries.collect();
    let index = index(&entries);
    let cost = |query: Query| {
        let (numbers, looked) = find_all(&index, &query, u64::MAX, 256);
        (numbers.len(), looked)
    };
    // What is found, and how many entries have the rarest part.
    for (query, found, rarest) in [
        (Query::all().predicate("note/7"), 1, 1),
        (Query::all().predicate("rare/7"), 100, 100),
        (Query::all().prefix("rare/"), 1_000, 1_000),
        (Query::all().device(device(3)), 1_000, 1_000),
        (Query::all().authority(authority(3)).prefix("rare/3"), 100, 100),
        (written(5_000..=5_499), 500, 500),
        (written(5_000..=5_499).device(device(3)), 5, 5),
        (Query::all().prefix("note/12"), 1_100, 1_111),
        (Query::all().prefix("note/").device(device(3)), 0, 1_000),
        (Query::all().entry(entry(9)), 1, 1),
    ] {
        let (numbers, looked) = cost(query.clone());
        assert_eq!(numbers, found, "{query:?}");
        // A page is 256, and each may look its parts up anew.
        assert!(looked <= 16 * rarest + 3 * 256, "{query:?} looked at {looked}");
    }
    // What is all of it costs all of it, once: not again with each page.
    let (numbers, looked) = cost(Query::all().prefix("note/"));
    assert_eq!(numbers as u64, MANY / 100 * 99);
    assert!(looked as u64 <= 3 * MANY, "{looked}");
    // A page in the middle of much costs a page.
    let (found, _) = index.find(&Query::all().prefix("note/"), None, MANY / 2, u64::MAX, 256);
    assert!(found.numbers.len() == 256 && found.looked < 2_000, "{}", found.looked);
    // The latest part of much: what is of another time is passed over by blocks.
    let (found, passed) = index.find(&written(MANY / 2..=MANY), None, 0, u64::MAX, 256);
    assert_eq!((found.numbers.len(), passed), (256, MANY / 2 + 256));
    assert!(found.looked < 1_500, "{}", found.looked);
    // No page takes more than √(entries × page) on average, however awkward: many kinds, spread thin.
    let (numbers, looked) = cost(Query::all().prefix("note/1").device(device(1)));
    let pages = numbers / 256 + 1;
    assert!(looked <= pages * 4 * (MANY as usize * 256).isqrt(), "{looked} for {numbers}");
}

#[test]
fn f62_frequent_parts_that_seldom_meet_are_leapt_over() {
    // One device wrote the first half, another the second; each predicate is in both halves' ends.
    let entries = (0..MANY).map(|n| {
        let late = n >= MANY / 2;
        let odd = n == MANY - 1;
        one_fact(n, u8::from(late), if late == odd { "early" } else { "late" }.into())
    });
    let entries: Vec<_> = entries.collect();
    let index = index(&entries);
    let query = Query::all().predicate("early").device(device(1));
    let (numbers, looked) = find_all(&index, &query, u64::MAX, 256);
    assert_eq!(numbers, [MANY]);
    assert!(looked < 20, "{looked}");
}

#[test]
fn f62_back_dated_entries_do_not_spoil_queries_by_time() {
    // An honest clock; every other entry is dated back or ahead by someone who means ill.
    let time = |n: u64| match n % 4 {
        1 => 7,
        3 => MANY * 2,
        _ => MANY / 2 + n / 2,
    };
    let entries: Vec<_> = (0..MANY).map(|n| one_fact(time(n), 0, "p".into())).collect();
    let index = index(&entries);
    let (numbers, looked) = find_all(&index, &written(60_000..=60_099), u64::MAX, 256);
    assert_eq!(numbers.len(), 100);
    assert!(looked < 1_000, "{looked}");
    assert!(find_all(&index, &written(8..=40_000), u64::MAX, 256).1 == 0, "nothing there, nothing looked at");
}

#[test]
fn f62_one_page_looks_at_a_bounded_number() {
    let entries: Vec<_> = (0..MANY).map(|n| one_fact(n, 0, "p".into())).collect();
    let index = index(&entries);
    // Each of the many is asked, and none is shown.
    let (found, passed) = index.find(&Query::all(), None, 0, 0, 256);
    assert_eq!(found.numbers, [1]);
    assert!(passed < MANY && found.looked <= SEARCH_STEPS + 2, "{}", found.looked);
}
