//! Time as plain integers: a monotonic instant, a wall-clock time, and the pair that every input carries.
//!
//! Nothing here reads a clock. The driver reads its [`Clock`](crate::platform::Clock) and hands the
//! core a [`Now`] with each input, so that a whole run can be replayed under virtual time.

use core::time::Duration;

/// A point on a monotonic clock, in microseconds since an arbitrary start.
///
/// Only differences mean anything. It never goes back, also when the wall clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// An instant `micros` microseconds after the clock's start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This instant moved by `duration`; stays at the end of time rather than wrapping.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// How long before this instant `earlier` was; zero if it was not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A wall-clock time, in microseconds since 1970-01-01T00:00:00Z, in the range of entry timestamps.
///
/// It may jump either way. The core uses it for the timestamps of new entries and for the mark
/// "ahead of the clock"; never to decide whether an entry belongs to a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(u64);

impl WallTime {
    /// A wall-clock time `micros` microseconds after the epoch of 1970.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch of 1970.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This time moved by `duration`; stays at the end of time rather than wrapping.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The time `duration` before this one; stays at its start rather than wrapping.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How long before this time `earlier` was; zero if it was not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For intervals and deadlines.
    pub monotonic: Instant,
    /// For timestamps.
    pub wall: WallTime,
}

/// Whole microseconds of a duration, at most `u64::MAX`.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_saturate_instead_of_wrapping() {
        let last = Instant::from_micros(u64::MAX);
        assert_eq!(last.after(Duration::from_secs(1)), last);
        assert_eq!(Instant::from_micros(3).since(last), Duration::ZERO);
        assert_eq!(last.since(Instant::from_micros(u64::MAX - 2)), Duration::from_micros(2));
    }
}
