//! Entries in the order of their timestamps, in whatever order they come.
//!
//! Places are kept in sorted runs, each more than twice as long as the next, as in a log-structured
//! merge tree. Honest entries come nearly in order, and go to the end of the first run. Back-dated ones
//! cost O(log n) moves each, however many there are, where one sorted list would be quadratic.

use core::cmp::Ordering;

/// Zero-based places of entries, sorted by timestamp, then place. Timestamps are the caller's to keep,
/// by place.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    runs: Vec<Vec<u32>>,
}

/// A point in the order: of the entries with this timestamp, those before this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) timestamp: u64,
    pub(crate) place: u64,
}

impl Point {
    /// Behind all entries with this timestamp.
    pub(crate) fn after(timestamp: u64) -> Self {
        Self { timestamp: timestamp.saturating_add(1), place: 0 }
    }

    fn of(times: &[u64], place: u32) -> Self {
        let timestamp = usize::try_from(place).ok().and_then(|place| times.get(place));
        Self { timestamp: timestamp.copied().unwrap_or(u64::MAX), place: place.into() }
    }
}

impl Timeline {
    /// Adds the greatest place so far.
    pub(crate) fn push(&mut self, times: &[u64], place: u32) {
        let point = Point::of(times, place);
        let fits = |run: &Vec<u32>| run.last().is_none_or(|last| Point::of(times, *last) < point);
        let run = self.runs.iter().position(fits).unwrap_or_else(|| {
            self.runs.push(Vec::new());
            self.runs.len().saturating_sub(1)
        });
        if let Some(run) = self.runs.get_mut(run) {
            run.push(place);
        }
        self.merge(times, run);
    }

    /// Merges the run that has grown into the one before it while that is not more than twice as long.
    fn merge(&mut self, times: &[u64], mut grown: usize) {
        while let Some(before) = grown.checked_sub(1)
            && let (Some(long), Some(short)) = (self.runs.get(before), self.runs.get(grown))
            && long.len() <= short.len().saturating_mul(2)
        {
            let merged = merged(times, long, short);
            self.runs.remove(grown);
            if let Some(run) = self.runs.get_mut(before) {
                *run = merged;
            }
            grown = before;
        }
    }

    /// How many entries lie between two points.
    pub(crate) fn count(&self, times: &[u64], from: Point, to: Point) -> usize {
        let between = |run: &Vec<u32>| {
            let place = |point| run.partition_point(|place| Point::of(times, *place) < point);
            place(to).saturating_sub(place(from))
        };
        self.runs.iter().map(between).sum()
    }

    /// The timestamp of the last entry before a point.
    pub(crate) fn last_before(&self, times: &[u64], to: Point) -> Option<u64> {
        let mut last = None;
        for run in &self.runs {
            let end = run.partition_point(|place| Point::of(times, *place) < to);
            let place = end.checked_sub(1).and_then(|end| run.get(end));
            last = last.max(place.map(|place| Point::of(times, *place).timestamp));
        }
        last
    }

    /// The entries from a point on.
    pub(crate) fn from<'t>(&'t self, times: &'t [u64], from: Point) -> Walk<'t> {
        let rest = |run: &'t Vec<u32>| {
            run.get(run.partition_point(|place| Point::of(times, *place) < from)..).unwrap_or_default()
        };
        Walk { times, runs: self.runs.iter().map(rest).collect() }
    }
}

/// Entries in the order of time.
pub(crate) struct Walk<'t> {
    times: &'t [u64],
    /// What is left of each run: few, so that the least head is found by looking at all.
    runs: Vec<&'t [u32]>,
}

impl Iterator for Walk<'_> {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        let mut next: Option<(Point, usize)> = None;
        for (index, run) in self.runs.iter().enumerate() {
            if let Some(place) = run.first() {
                let point = Point::of(self.times, *place);
                if next.is_none_or(|(least, _)| point < least) {
                    next = Some((point, index));
                }
            }
        }
        let (point, index) = next?;
        let run = self.runs.get_mut(index)?;
        *run = run.get(1..)?;
        Some(point)
    }
}

fn merged(times: &[u64], a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut merged = Vec::with_capacity(a.len().saturating_add(b.len()));
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    while let (Some(left), Some(right)) = (a.peek(), b.peek()) {
        merged.extend(match Point::of(times, *left).cmp(&Point::of(times, *right)) {
            Ordering::Less => a.next(),
            Ordering::Equal | Ordering::Greater => b.next(),
        });
    }
    merged.extend(a);
    merged.extend(b);
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timeline(times: &[u64]) -> Timeline {
        let mut timeline = Timeline::default();
        for place in 0..times.len() {
            timeline.push(&times[..=place], place as u32);
        }
        timeline
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_list(
            times in prop::collection::vec(0u64..40, 0..200), from in 0u64..42, to in 0u64..42, place in 0u64..200,
        ) {
            let timeline = timeline(&times);
            let mut plain: Vec<_> =
                (0..).zip(&times).map(|(place, time)| Point { timestamp: *time, place }).collect();
            plain.sort();
            let (from, to) = (Point { timestamp: from, place }, Point::after(to));
            let rest: Vec<_> = plain.iter().copied().filter(|point| *point >= from).collect();
            prop_assert_eq!(timeline.from(&times, from).collect::<Vec<_>>(), rest.clone());
            let between = rest.iter().filter(|point| **point < to).count();
            prop_assert_eq!(timeline.count(&times, from, to), between);
            let last = plain.iter().rfind(|point| **point < to).map(|point| point.timestamp);
            prop_assert_eq!(timeline.last_before(&times, to), last);
            let lengths: Vec<_> = timeline.runs.iter().map(Vec::len).collect();
            prop_assert!(lengths.windows(2).all(|pair| pair[0] > 2 * pair[1]), "{:?}", lengths);
        }
    }

    #[test]
    fn f62_no_order_of_arrival_takes_more_than_n_log_n_moves() {
        const COUNT: u64 = 100_000;
        let orders: [fn(u64) -> u64; 4] = [
            |n| n,
            |n| COUNT - n,
            |n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20,
            // An honest clock, and a liar who dates every other entry back.
            |n| if n % 2 == 0 { n + COUNT } else { COUNT - n },
        ];
        for (order, time) in orders.into_iter().enumerate() {
            let times: Vec<_> = (0..COUNT).map(time).collect();
            let mut timeline = Timeline::default();
            let mut moves = 0;
            for place in 0..times.len() {
                let before: Vec<_> = timeline.runs.iter().map(Vec::len).collect();
                timeline.push(&times[..=place], place as u32);
                let after: Vec<_> = timeline.runs.iter().map(Vec::len).collect();
                // Each merge has moved no more than the run now holds that took all of them.
                let took = (0..).find(|run| before.get(*run) != after.get(*run)).unwrap();
                if after[took] != before.get(took).unwrap_or(&0) + 1 {
                    moves += (before.len() + 1 - after.len()) * after[took];
                }
                assert!(after.len() <= 17, "{} runs", after.len());
            }
            assert!(timeline.from(&times, Point::after(0)).is_sorted());
            assert!(moves < 17 * 6 * times.len(), "order {order}: {moves} moves");
        }
    }
}
