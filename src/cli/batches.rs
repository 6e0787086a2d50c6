//! Gathers facts into entries of equal size.

use crate::driver::error::NodeError;
use crate::fact::entry::{Draft, DraftError};
use crate::fact::statement::Fact;
use crate::ids::DeviceId;

/// An entry to be appended.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) draft: Draft,
    /// Number of the line that its last fact comes from.
    pub(super) last_line: u64,
}

/// Facts on their way into entries.
#[derive(Debug)]
pub(super) struct Batches {
    device: DeviceId,
    /// Facts to an entry.
    size: usize,
    facts: Vec<Fact>,
    lines: Vec<u64>,
}

impl Batches {
    /// Entries by this device, of `size` facts each.
    pub(super) fn new(device: DeviceId, size: usize) -> Self {
        Self { device, size: size.max(1), facts: Vec::new(), lines: Vec::new() }
    }

    /// Takes facts; the entries that are full now.
    pub(super) fn add(&mut self, facts: Vec<(u64, Fact)>) -> Result<Vec<Batch>, NodeError> {
        for (line, fact) in facts {
            self.lines.push(line);
            self.facts.push(fact);
        }
        let full = self.facts.len().saturating_sub(self.facts.len() % self.size);
        let (facts, lines) = (self.facts.split_off(full), self.lines.split_off(full));
        let (facts, lines) =
            (std::mem::replace(&mut self.facts, facts), std::mem::replace(&mut self.lines, lines));
        self.batches(&facts, &lines)
    }

    /// The entry that never got full.
    pub(super) fn rest(&mut self) -> Result<Vec<Batch>, NodeError> {
        let (facts, lines) = (std::mem::take(&mut self.facts), std::mem::take(&mut self.lines));
        self.batches(&facts, &lines)
    }

    fn batches(&self, facts: &[Fact], lines: &[u64]) -> Result<Vec<Batch>, NodeError> {
        let mut batches = Vec::with_capacity(facts.len() / self.size);
        for (facts, lines) in facts.chunks(self.size).zip(lines.chunks(self.size)) {
            draft(self.device, facts, lines, &mut batches)?;
        }
        Ok(batches)
    }
}

/// An entry of these facts, or several where one would be too large.
fn draft(device: DeviceId, facts: &[Fact], lines: &[u64], batches: &mut Vec<Batch>) -> Result<(), NodeError> {
    match Draft::new(device, facts) {
        Ok(draft) => {
            batches.push(Batch { draft, last_line: lines.last().copied().unwrap_or_default() });
            Ok(())
        }
        Err(DraftError::Size { .. }) if facts.len() > 1 => {
            let (facts, later_facts) = facts.split_at(facts.len() / 2);
            let (lines, later_lines) = lines.split_at(facts.len().min(lines.len()));
            draft(device, facts, lines, batches)?;
            draft(device, later_facts, later_lines, batches)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(range: core::ops::Range<u64>, value: &str) -> Vec<(u64, Fact)> {
        range.map(|line| (line, Fact::new("p", value))).collect()
    }

    fn shape(batches: Result<Vec<Batch>, NodeError>) -> Vec<(usize, u64)> {
        batches.unwrap().iter().map(|batch| (batch.draft.fact_count(), batch.last_line)).collect()
    }

    #[test]
    fn f5_entries_are_of_equal_size_whatever_the_pieces() {
        let mut batches = Batches::new(DeviceId::from_bytes([1; 32]), 3);
        assert_eq!(shape(batches.add(facts(1..3, "a"))), []);
        assert_eq!(shape(batches.add(facts(5..10, "a"))), [(3, 5), (3, 8)]);
        assert_eq!(shape(batches.rest()), [(1, 9)]);
        assert_eq!(shape(batches.rest()), []);
    }

    #[test]
    fn f5_what_is_too_large_for_one_entry_makes_several() {
        let mut batches = Batches::new(DeviceId::from_bytes([1; 32]), 40);
        assert_eq!(
            shape(batches.add(facts(0..40, &"x".repeat(65_000)))),
            [(10, 9), (10, 19), (10, 29), (10, 39)]
        );
    }
}
