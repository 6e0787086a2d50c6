//! How fast a peer may open channels: some at once, then so many a second.

use crate::limits::{OPENINGS, OPENINGS_PER_SECOND};
use crate::time::Instant;

/// A token bucket.
#[derive(Debug)]
pub(super) struct Pace {
    /// Openings that may come now, in millionths.
    left: u64,
    as_of: Instant,
}

const ONE: u64 = 1_000_000;
const FULL: u64 = OPENINGS as u64 * ONE;

impl Pace {
    /// As many as may come at once.
    pub(super) fn new(now: Instant) -> Self {
        Self { left: FULL, as_of: now }
    }

    /// Whether one more may come now; it is counted if so.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let micros = u64::try_from(now.since(self.as_of).as_micros()).unwrap_or(u64::MAX);
        let more = micros.saturating_mul(u64::from(OPENINGS_PER_SECOND));
        self.left = self.left.saturating_add(more).min(FULL);
        self.as_of = now;
        match self.left.checked_sub(ONE) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn d8_openings_come_at_once_up_to_a_bound_and_then_at_a_pace() {
        let now = Instant::default();
        let mut pace = Pace::new(now);
        assert!((0..OPENINGS).all(|_| pace.admits(now)));
        assert!(!pace.admits(now));
        let each = Duration::from_secs(1) / OPENINGS_PER_SECOND;
        let mut later = now;
        for _ in 0..100 {
            // Looked at often, it comes no faster and no slower.
            assert!(!pace.admits(later.after(each / 2)));
            later = later.after(each);
            assert!(pace.admits(later));
            assert!(!pace.admits(later));
        }
        let rested = later.after(Duration::from_secs(1_000_000));
        assert!((0..OPENINGS).all(|_| pace.admits(rested)));
        assert!(!pace.admits(rested), "never more than at once");
    }
}
