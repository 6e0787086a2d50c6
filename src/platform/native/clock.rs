//! The system's clocks.

use std::sync::OnceLock;
use std::time::{Instant as StdInstant, SystemTime};

use crate::limits::SAFE_INTEGER;
use crate::platform::traits::Clock;
use crate::time::{Instant, WallTime};

/// When this process first asked for the time.
static START: OnceLock<StdInstant> = OnceLock::new();

/// The clocks of the operating system. All of one process agree.
///
/// Whether the monotonic clock runs on while the machine sleeps is the system's choice: on Linux
/// and macOS it does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn monotonic(&self) -> Instant {
        let now = StdInstant::now();
        let elapsed = now.saturating_duration_since(*START.get_or_init(|| now));
        Instant::default().after(elapsed)
    }

    /// A clock set outside the range of entry timestamps, 1970 to 2255, shows its nearest end.
    fn wall(&self) -> WallTime {
        WallTime::from_micros(since_1970().map_or(0, |micros| micros.min(SAFE_INTEGER)))
    }

    fn try_wall(&self) -> Option<WallTime> {
        since_1970().filter(|micros| *micros <= SAFE_INTEGER).map(WallTime::from_micros)
    }
}

/// Microseconds; nothing before 1970.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn since_1970() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_go_back_and_wall_time_is_of_this_century() {
        let earlier = SystemClock.now();
        let later = SystemClock.now();
        assert!(later.monotonic >= earlier.monotonic);
        assert!(earlier.wall > WallTime::from_micros(1_700_000_000_000_000));
        assert!(earlier.wall < WallTime::from_micros(4_102_444_800_000_000));
    }
}
