//! Which entries hold a fact with a given predicate.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::fact::summary::Summary;
use crate::journal::number_set::ascending;

/// By predicate, the numbers of the entries that have a fact with it, ascending.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_predicate: BTreeMap<Box<str>, Vec<u64>>,
    facts: u64,
}

impl Index {
    /// Adds the entry that got `number`, the greatest so far.
    pub(crate) fn insert(&mut self, number: u64, entry: &Summary<'_>) {
        self.facts = self.facts.saturating_add(entry.facts.len() as u64);
        for predicate in entry.predicates() {
            match self.by_predicate.get_mut(predicate) {
                Some(numbers) if numbers.last() == Some(&number) => {}
                Some(numbers) => numbers.push(number),
                None => {
                    self.by_predicate.insert(predicate.into(), vec![number]);
                }
            }
        }
    }

    /// Facts of all entries.
    pub(crate) fn facts(&self) -> u64 {
        self.facts
    }

    /// Different predicates.
    pub(crate) fn predicates(&self) -> usize {
        self.by_predicate.len()
    }

    /// The numbers behind `after` of entries with a fact of this predicate, ascending, at most `max`.
    pub(crate) fn page(&self, predicate: &str, after: u64, max: usize) -> Vec<u64> {
        let Some(numbers) = self.by_predicate.get(predicate) else { return Vec::new() };
        let start = numbers.partition_point(|number| *number <= after);
        numbers.iter().skip(start).take(max).copied().collect()
    }

    /// The numbers behind `after` of entries with a fact whose predicate starts with `prefix`,
    /// ascending, at most `max`.
    pub(crate) fn page_by_prefix(&self, prefix: &str, after: u64, max: usize) -> Vec<u64> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let mut page = Vec::new();
        for (predicate, numbers) in self.by_predicate.range::<str, _>(from) {
            if !predicate.starts_with(prefix) {
                break;
            }
            let start = numbers.partition_point(|number| *number <= after);
            page.extend(numbers.iter().skip(start).take(max).copied());
        }
        let mut page = ascending(page);
        page.truncate(max);
        page
    }
}
