//! Finding the entries that hold what a query means, a page at a time, in the order of commit.
//!
//! Lists of places, each ascending, are walked side by side: whichever is behind leaps to where the others
//! are (galloping search, then a leapfrog join), so that a rare part spares the walk of frequent ones. A
//! part that is spread over many lists or a long stretch of time is looked up only where that is cheaper
//! than to look at the entries themselves, which is where there are at most √(entries × page) of them: then
//! neither way takes more than that for a page, on average. What comes out holds a fact that is meant, but
//! for facts' own timestamps, which no index has.

use std::collections::BinaryHeap;

use crate::ids::DeviceId;
use crate::journal::index::{Index, Kind, Row};
use crate::journal::number_set::ascending;
use crate::journal::query::Query;
use crate::journal::timeline::Point;
use crate::limits::SEARCH_STEPS;

/// What one search has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Numbers of entries that hold facts that are meant, in the order asked for.
    pub(crate) numbers: Vec<u64>,
    /// How many facts they hold that are.
    pub(crate) facts: usize,
    /// How many entries and facts were looked at: what it has cost.
    pub(crate) looked: usize,
}

/// A query in the index's own terms.
struct Wanted<'q> {
    predicate: Option<u32>,
    authority: Option<u32>,
    device: Option<u32>,
    prefix: Option<&'q str>,
    /// Least and greatest timestamp of entries.
    written: (u64, u64),
    /// The one entry that is meant.
    place: Option<u64>,
    /// The one fact of it.
    fact: Option<u16>,
}

impl Wanted<'_> {
    /// How many of an entry's facts are meant.
    fn count(&self, index: &Index, row: Row<'_>) -> usize {
        if self.device.is_some_and(|device| row.device != device)
            || !(self.written.0..=self.written.1).contains(&row.timestamp)
        {
            return 0;
        }
        let mut count = 0usize;
        for (place, topic) in (0u16..).zip(row.topics) {
            let is_meant = self.predicate.is_none_or(|predicate| topic.predicate == predicate)
                && self.authority.is_none_or(|authority| topic.authority == authority)
                && self.fact.is_none_or(|fact| fact == place)
                && self.prefix.is_none_or(|prefix| index.starts_with(topic.predicate, prefix));
            count = count.saturating_add(usize::from(is_meant));
        }
        count
    }
}

impl Index {
    /// The query in terms of the index, with the number of the one entry that it names, if it names one;
    /// nothing if no fact can be meant.
    fn wanted<'q>(&self, query: &'q Query, entry: Option<u64>) -> Option<Wanted<'q>> {
        let term = |kind, bytes: Option<&[u8]>| match bytes {
            Some(bytes) => self.term(kind, bytes).map(Some),
            None => Some(None),
        };
        let named = query.entry.is_some() || query.fact.is_some();
        let same = |entry| query.entry.is_none_or(|other| other == entry);
        if query.fact.is_some_and(|fact| !same(fact.entry)) || named && entry.is_none() {
            return None;
        }
        Some(Wanted {
            predicate: term(Kind::Predicate, query.predicate.as_ref().map(String::as_bytes))?,
            authority: term(Kind::Authority, query.authority.as_ref().map(|id| id.as_bytes().as_slice()))?,
            device: term(Kind::Device, query.device.as_ref().map(|id: &DeviceId| id.as_bytes().as_slice()))?,
            prefix: query.prefix.as_deref(),
            written: query.written.as_ref().map_or((0, u64::MAX), |range| (*range.start(), *range.end())),
            place: entry.and_then(|number| number.checked_sub(1)),
            fact: query.fact.map(|fact| fact.index),
        })
    }

    /// Entries numbered beyond `after`, with timestamps up to `shown`, in the order of their numbers, until
    /// they hold `facts` facts that are meant; and the number up to which all is in it. `entry` is the
    /// number of the entry that the query names, if it names one that is here.
    pub(crate) fn find(
        &self,
        query: &Query,
        entry: Option<u64>,
        after: u64,
        shown: u64,
        facts: usize,
    ) -> (Found, u64) {
        let mut found = Found::default();
        let Some(wanted) = self.wanted(query, entry) else { return (found, self.head()) };
        let one = wanted.place.and_then(|place| u32::try_from(place).ok()).map(|place| vec![place]);
        let mut joined = Vec::new();
        for term in [wanted.predicate, wanted.authority, wanted.device].into_iter().flatten() {
            joined.push(Union::of(vec![self.places(term)], after));
        }
        joined.extend(one.as_ref().map(|one| Union::of(vec![one], after)));
        let rest = self.head().saturating_sub(after);
        let few = rest.saturating_mul(facts as u64).isqrt();
        let few = usize::try_from(few).unwrap_or(usize::MAX).clamp(1, SEARCH_STEPS / 4);
        // What is rarer already than these parts can be leaves nothing to be gained from them.
        let few = joined.iter().map(|union| union.len).fold(few, usize::min);
        if let Some(lists) = wanted.prefix.and_then(|prefix| self.places_by_prefix(prefix, few)) {
            found.looked = lists.len();
            joined.push(Union::of(lists, after));
        }
        let times = self.at_times(wanted.written, few);
        found.looked = found.looked.saturating_add(times.as_ref().map_or(0, Vec::len));
        joined.extend(times.as_ref().map(|times| Union::of(vec![times], after)));
        let mut place = after;
        while found.facts < facts && found.looked < SEARCH_STEPS {
            let Some(agreed) = agree(&mut joined, place, &mut found.looked) else {
                return (found, self.head());
            };
            place = agreed;
            let Some(row) = self.row(place) else { return (found, self.head()) };
            place = place.saturating_add(1);
            found.looked = found.looked.saturating_add(1);
            if row.timestamp <= shown {
                self.take(&wanted, row, place, &mut found);
            }
        }
        (found, place.min(self.head()))
    }

    /// Entries numbered up to `up_to`, from a point in time to another, in the order of their timestamps,
    /// until they hold `facts` facts that are meant; and the point up to which all is in it, if that is not
    /// the end.
    pub(crate) fn find_by_time(
        &self,
        query: &Query,
        entry: Option<u64>,
        (from, to): (Point, Point),
        up_to: u64,
        facts: usize,
    ) -> (Found, Option<Point>) {
        let mut found = Found::default();
        let Some(wanted) = self.wanted(query, entry) else { return (found, None) };
        let mut last = None;
        for point in self.by_time(from) {
            if point >= to {
                break;
            }
            if found.facts >= facts || found.looked >= SEARCH_STEPS {
                return (found, last);
            }
            found.looked = found.looked.saturating_add(1);
            let number = point.place.saturating_add(1);
            let is_meant = number <= up_to && wanted.place.is_none_or(|place| place == point.place);
            if let Some(row) = self.row(point.place).filter(|_| is_meant) {
                self.take(&wanted, row, number, &mut found);
            }
            last = Some(Point { place: number, ..point });
        }
        (found, None)
    }

    fn take(&self, wanted: &Wanted<'_>, row: Row<'_>, number: u64, found: &mut Found) {
        let count = wanted.count(self, row);
        found.looked = found.looked.saturating_add(row.topics.len());
        found.facts = found.facts.saturating_add(count);
        if count > 0 {
            found.numbers.push(number);
        }
    }

    /// The places of the entries with timestamps of a range, ascending, unless there are more than `most`
    /// or the range is all of time.
    fn at_times(&self, (first, last): (u64, u64), most: usize) -> Option<Vec<u32>> {
        if (first, last) == (0, u64::MAX) {
            return None;
        }
        let (from, to) = (Point { timestamp: first, place: 0 }, Point::after(last));
        if first > last {
            return Some(Vec::new());
        }
        if self.count_between(from, to) > most {
            return None;
        }
        let points = self.by_time(from).take_while(|point| *point < to);
        let places = ascending(points.map(|point| point.place).collect());
        Some(places.into_iter().filter_map(|place| u32::try_from(place).ok()).collect())
    }
}

/// The least place from `place` on that all lists have. Without lists every place is in all of them.
fn agree(joined: &mut [Union<'_>], mut place: u64, looked: &mut usize) -> Option<u64> {
    let mut agreed = 0;
    while agreed < joined.len() {
        agreed = 0;
        for union in joined.iter_mut() {
            let next = union.seek(place, looked)?;
            if next > place {
                place = next;
                break;
            }
            agreed = agreed.saturating_add(1);
        }
        if *looked >= SEARCH_STEPS {
            // Up to here nothing is in all; the rest is for the next page.
            break;
        }
    }
    Some(place)
}

/// Several ascending lists as one.
struct Union<'i> {
    lists: Vec<&'i [u32]>,
    /// The place at the head of each list, and which list that is; the least comes first, since all bits
    /// are turned round.
    heads: BinaryHeap<u64>,
    /// Places in all lists together at first.
    len: usize,
}

impl<'i> Union<'i> {
    /// What these lists hold from a place on.
    fn of(mut lists: Vec<&'i [u32]>, from: u64) -> Self {
        let mut heads = Vec::with_capacity(lists.len());
        let mut len = 0usize;
        for (number, list) in (0u32..).zip(&mut lists) {
            *list = leap(list, from);
            len = len.saturating_add(list.len());
            heads.extend(list.first().map(|place| !(u64::from(*place) << 32 | u64::from(number))));
        }
        Self { lists, heads: BinaryHeap::from(heads), len }
    }

    /// The least place from this one on.
    fn seek(&mut self, from: u64, looked: &mut usize) -> Option<u64> {
        loop {
            let head = !*self.heads.peek()?;
            let (place, number) = (head >> 32, head & u64::from(u32::MAX));
            if place >= from {
                return Some(place);
            }
            *looked = looked.saturating_add(1);
            self.heads.pop();
            let list = usize::try_from(number).ok().and_then(|number| self.lists.get_mut(number))?;
            *list = leap(list, from);
            self.heads.extend(list.first().map(|place| !(u64::from(*place) << 32 | number)));
        }
    }
}

/// An ascending list from a place on: found in steps that double, then by halving, so that a short leap is
/// cheap in a long list.
fn leap(list: &[u32], from: u64) -> &[u32] {
    let mut step = 1usize;
    while list.get(step.saturating_sub(1)).is_some_and(|place| u64::from(*place) < from) {
        step = step.saturating_mul(2);
    }
    let near = list.get(..step.min(list.len())).unwrap_or_default();
    let start = near.partition_point(|place| u64::from(*place) < from);
    list.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
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
                    .prop_map(|(a, b)| {
                        Query::all().written(WallTime::from_micros(a)..=WallTime::from_micros(b))
                    })
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
        assert!(
            find_all(&index, &written(8..=40_000), u64::MAX, 256).1 == 0,
            "nothing there, nothing looked at"
        );
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
}
