//! What a peer may have of this side in one round, and how long finding the difference may take.

use crate::limits::{ASKED_PER_ROUND, CELLS_PER_ROUND, COMPARE, REPEATED_ENTRIES};
use crate::session::failure::PeerError;
use crate::time::Instant;

/// What answering has cost in a round. An honest peer comes nowhere near the bounds, which grow with the journal
/// alone.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// When the round began.
    began: Instant,
    /// Cells that the peer asked for, and ids that were walked for them.
    cells: u64,
    walked: u64,
    /// Prefixes that it asked about.
    asked: u64,
}

impl Budget {
    /// Of a round that begins.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, ..Self::default() }
    }

    /// When the difference must have been found, however lively the peer is.
    pub(super) fn deadline(&self) -> Instant {
        self.began.after(COMPARE)
    }

    /// The peer asks for cells, for which so many of the journal's ids are walked.
    ///
    /// # Errors
    /// When it asks for none, or for more than a round may hold.
    pub(super) fn charge_cells(&mut self, cells: u64, walked: u64, head: u64) -> Result<(), PeerError> {
        self.cells = self.cells.saturating_add(cells);
        self.walked = self.walked.saturating_add(walked);
        let walk = head.saturating_mul(8).saturating_add(CELLS_PER_ROUND);
        if cells == 0 || self.cells > CELLS_PER_ROUND || self.walked > walk {
            return Err(PeerError::Breach("no cells are asked for, or more than one round may hold"));
        }
        Ok(())
    }

    /// The peer asks about so many prefixes. Each that has to be asked for leads to entries, and two to
    /// different ones unless ids begin alike.
    ///
    /// # Errors
    /// When there are more of them than a descent through the whole journal takes.
    pub(super) fn charge_asked(&mut self, prefixes: usize, head: u64) -> Result<(), PeerError> {
        self.asked = self.asked.saturating_add(prefixes as u64);
        if self.asked > head.saturating_add(ASKED_PER_ROUND) {
            return Err(PeerError::Breach("more is asked than one round may hold"));
        }
        Ok(())
    }
}

/// Ids that are looked at for a peer, of those that may be.
#[derive(Debug)]
pub(super) struct Steps {
    left: u64,
    taken: u64,
}

impl Steps {
    /// So many may be.
    pub(super) fn new(left: u64) -> Self {
        Self { left, taken: 0 }
    }

    /// So many are about to be looked at.
    ///
    /// # Errors
    /// When that is more than may be; then they are not.
    pub(super) fn charge(&mut self, steps: u64) -> Result<(), PeerError> {
        self.left = self.left.checked_sub(steps).ok_or(PeerError::TooOften)?;
        self.taken = self.taken.saturating_add(steps);
        Ok(())
    }

    /// How many were.
    pub(super) fn take(&mut self) -> u64 {
        std::mem::take(&mut self.taken)
    }
}

/// Entries that a peer sent and that were here, or had come before, in one channel.
#[derive(Debug)]
pub(super) struct Repeated {
    highest: u64,
    entries: u64,
}

impl Repeated {
    /// None yet, with a journal up to this number.
    pub(super) fn new(head: u64) -> Self {
        Self { highest: head, entries: 0 }
    }

    /// An entry of the peer has this number here. What is new has a higher one than all before.
    pub(super) fn count(&mut self, number: u64) {
        self.entries = self.entries.saturating_add(u64::from(number <= self.highest));
        self.highest = self.highest.max(number);
    }

    /// Whether they are too many for an honest peer, which sends each entry once as a rule.
    ///
    /// # Errors
    /// When the peer sends again and again what is here: a journal over and over.
    pub(super) fn check(&self) -> Result<(), PeerError> {
        if self.entries > self.highest.saturating_mul(2).saturating_add(REPEATED_ENTRIES) {
            return Err(PeerError::Breach("what is here already is sent over and over"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d8_each_bound_of_a_round_holds_to_the_last_one() {
        let head = 1_000;
        let mut budget = Budget::new(Instant::default());
        assert_eq!(budget.charge_asked(5_000, head), Ok(()));
        assert_eq!(budget.charge_asked(96, head), Ok(()));
        assert!(budget.charge_asked(1, head).is_err());
        let mut budget = Budget::new(Instant::default());
        assert_eq!(budget.charge_cells(CELLS_PER_ROUND, 0, head), Ok(()));
        assert!(budget.charge_cells(1, 0, head).is_err());
        let mut budget = Budget::new(Instant::default());
        assert!(budget.charge_cells(0, 0, head).is_err());
        let mut budget = Budget::new(Instant::default());
        assert_eq!(budget.charge_cells(1, 8 * head + CELLS_PER_ROUND, head), Ok(()));
        assert!(budget.charge_cells(1, 1, head).is_err());
        let began = Instant::default().after(COMPARE);
        assert_eq!(Budget::new(began).deadline(), began.after(COMPARE));
    }

    #[test]
    fn d8_what_is_here_may_come_again_but_not_for_ever() {
        let mut repeated = Repeated::new(10);
        (11..=100).for_each(|number| repeated.count(number));
        (0..2 * 100 + REPEATED_ENTRIES).for_each(|again| repeated.count(again % 100 + 1));
        assert_eq!(repeated.check(), Ok(()));
        repeated.count(100);
        assert!(repeated.check().is_err());
        // What is new makes room for more.
        repeated.count(101);
        assert_eq!(repeated.check(), Ok(()));
    }
}
