//! The clocks of a browser or of Node.

use core::cell::Cell;

use js_sys::Date;
use wasm_bindgen::JsCast;
use web_sys::Performance;

use super::js::{global, to_u64};
use crate::limits::SAFE_INTEGER;
use crate::platform::traits::Clock;
use crate::time::{Instant, WallTime};

thread_local! {
    static PERFORMANCE: Option<Performance> = global("performance").map(JsCast::unchecked_into);
    /// What the source said last, and the milliseconds that had gone by here.
    static LAST: Cell<(f64, f64)> = const { Cell::new((0.0, 0.0)) };
}

/// `performance.now()` and `Date.now()`. All of one page or worker agree.
///
/// Browsers round both, up to 0.1 s where they protect against fingerprinting. Whether the monotonic
/// clock runs on while the machine sleeps differs between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebClock;

impl Clock for WebClock {
    /// If the source goes back, this clock stands still for that moment and then goes on.
    fn monotonic(&self) -> Instant {
        // Where there is no monotonic source at all, the wall clock has to do.
        let now = PERFORMANCE.with(|source| source.as_ref().map_or_else(Date::now, Performance::now));
        let (before, millis) = LAST.get();
        let millis = millis + (now - before).max(0.0);
        LAST.set((now, millis));
        Instant::from_micros(to_u64(millis * 1_000.0))
    }

    /// A clock set outside the range of entry timestamps, 1970 to 2255, shows its nearest end.
    fn wall(&self) -> WallTime {
        WallTime::from_micros(to_u64(Date::now() * 1_000.0).min(SAFE_INTEGER))
    }

    fn try_wall(&self) -> Option<WallTime> {
        let micros = Date::now() * 1_000.0;
        // `NaN` is in no range.
        let is_good = micros >= 0.0 && to_u64(micros) <= SAFE_INTEGER;
        is_good.then(|| WallTime::from_micros(to_u64(micros)))
    }
}
