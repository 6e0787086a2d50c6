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
            if let Some(beyond) = self.beyond(place, wanted.written) {
                place = beyond;
                found.looked = found.looked.saturating_add(1);
                continue;
            }
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
mod tests;
