//! A set of entry numbers, kept as ranges: numbers mostly come in runs.

use std::collections::{BTreeMap, BinaryHeap};

/// These numbers ascending, each once.
pub(crate) fn ascending(numbers: Vec<u64>) -> Vec<u64> {
    // Less code than a sort, which counts in a browser.
    let mut numbers = BinaryHeap::from(numbers).into_sorted_vec();
    numbers.dedup();
    numbers
}

/// A set of `u64`, small where its members are neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NumberSet {
    /// First member of each run to its last; runs neither touch nor overlap.
    runs: BTreeMap<u64, u64>,
}

impl NumberSet {
    pub(crate) fn insert(&mut self, number: u64) {
        let mut first = number;
        let mut last = number;
        if let Some((&start, &end)) = self.runs.range(..=number).next_back() {
            if number <= end {
                return;
            }
            if end.checked_add(1) == Some(number) {
                first = start;
            }
        }
        if let Some(next) = number.checked_add(1)
            && let Some(end) = self.runs.remove(&next)
        {
            last = end;
        }
        self.runs.insert(first, last);
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.run_from(number).is_some()
    }

    /// Drops all members up to and including `number`.
    pub(crate) fn remove_up_to(&mut self, number: u64) {
        while let Some((&start, &end)) = self.runs.first_key_value() {
            if start > number {
                return;
            }
            self.runs.remove(&start);
            if end > number {
                self.runs.insert(number.saturating_add(1), end);
                return;
            }
        }
    }

    /// The last number of the run that `number` is in, if it is a member.
    pub(crate) fn run_from(&self, number: u64) -> Option<u64> {
        self.runs.range(..=number).next_back().map(|(_, end)| *end).filter(|end| number <= *end)
    }

    /// All members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// The least member.
    pub(crate) fn first(&self) -> Option<u64> {
        self.runs.first_key_value().map(|(start, _)| *start)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The numbers from `first` to `last` that are not members, as runs.
    pub(crate) fn gaps(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut next = first;
        let covering = self.runs.range(..=first).next_back().filter(|(_, end)| **end >= first);
        let from = covering.map_or(first, |(start, _)| *start);
        for (&start, &end) in self.runs.range(from..) {
            if start > last {
                break;
            }
            if start > next {
                gaps.push((next, start.saturating_sub(1)));
            }
            next = end.saturating_add(1).max(next);
        }
        if next <= last {
            gaps.push((next, last));
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_plain_set(
            inserts in prop::collection::vec(0u64..60, 0..80), cut in 0u64..60, a in 0u64..60, b in 0u64..60,
        ) {
            let mut set = NumberSet::default();
            let mut plain = BTreeSet::new();
            for number in inserts {
                set.insert(number);
                plain.insert(number);
            }
            let members = |set: &NumberSet| (0..62).filter(|n| set.contains(*n)).collect::<BTreeSet<_>>();
            prop_assert_eq!(members(&set), plain.clone());
            let (a, b) = (a.min(b), a.max(b));
            let gaps: BTreeSet<u64> = set.gaps(a, b).into_iter().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(gaps, (a..=b).filter(|n| !plain.contains(n)).collect::<BTreeSet<_>>());
            prop_assert_eq!(set.first(), plain.first().copied());
            let run = (a..62).take_while(|n| plain.contains(n)).last();
            prop_assert_eq!(set.run_from(a), run);
            let runs: Vec<_> = set.runs.iter().collect();
            prop_assert!(runs.windows(2).all(|pair| *pair[0].1 + 1 < *pair[1].0), "runs touch: {:?}", runs);
            set.remove_up_to(cut);
            plain.retain(|n| *n > cut);
            prop_assert_eq!(members(&set), plain.clone());
            prop_assert_eq!(set.is_empty(), plain.is_empty());
        }
    }
}
