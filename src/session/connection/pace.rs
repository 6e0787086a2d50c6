//! How much of this side a peer may have at once, and how much more each second: token buckets.

use crate::limits::{OPENINGS, OPENINGS_PER_SECOND, STEPS, STEPS_PER_SECOND};
use crate::time::Instant;

/// How much there may be at once, and how much more each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    most: u64,
    per_second: u64,
}

impl Rate {
    /// Of openings of channels.
    pub(super) const OPENINGS: Self = Self { most: OPENINGS as u64, per_second: OPENINGS_PER_SECOND as u64 };

    /// Of ids looked at, in a journal of so many: a sync that goes through all of it in every way takes no more
    /// than what may come at once.
    pub(super) fn of_steps(head: u64) -> Self {
        Self {
            most: head.saturating_mul(32).saturating_add(STEPS),
            per_second: (head / 4).saturating_add(STEPS_PER_SECOND),
        }
    }
}

/// A token bucket, full at first.
#[derive(Debug)]
pub(super) struct Pace {
    /// What has been had and is not made up for, in millionths.
    had: u64,
    as_of: Instant,
}

const ONE: u64 = 1_000_000;

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { had: 0, as_of: now }
    }

    /// How much may be had now.
    pub(super) fn left(&mut self, rate: Rate, now: Instant) -> u64 {
        let micros = u64::try_from(now.since(self.as_of).as_micros()).unwrap_or(u64::MAX);
        self.had = self.had.saturating_sub(micros.saturating_mul(rate.per_second));
        self.as_of = now;
        rate.most.saturating_sub(self.had.div_ceil(ONE))
    }

    /// So much was had.
    pub(super) fn spend(&mut self, count: u64) {
        self.had = self.had.saturating_add(count.saturating_mul(ONE));
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn d8_what_may_be_had_comes_at_once_up_to_a_bound_and_then_at_a_pace() {
        for rate in [Rate::OPENINGS, Rate::of_steps(0), Rate::of_steps(1_000_000)] {
            let now = Instant::default();
            let mut pace = Pace::new(now);
            assert_eq!(pace.left(rate, now), rate.most);
            pace.spend(rate.most);
            assert_eq!(pace.left(rate, now), 0);
            let mut later = now;
            for _ in 0..100 {
                // Looked at often, it comes no faster and no slower.
                for _ in 0..10 {
                    later = later.after(Duration::from_millis(100));
                    pace.left(rate, later);
                }
                assert_eq!(pace.left(rate, later), rate.per_second);
                pace.spend(rate.per_second);
                assert_eq!(pace.left(rate, later), 0);
            }
            let rested = later.after(Duration::from_secs(1_000_000));
            assert_eq!(pace.left(rate, rested), rate.most, "never more than at once");
            // What is beyond has to be made up for.
            pace.spend(rate.most + 10 * rate.per_second);
            assert_eq!(pace.left(rate, rested.after(Duration::from_secs(10))), 0);
            assert_eq!(pace.left(rate, rested.after(Duration::from_secs(11))), rate.per_second);
        }
    }
}
