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
    /// The latest instant that was told.
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// `performance.now()` and `Date.now()`. All of one page or worker agree.
///
/// Browsers round both, up to 0.1 s where they protect against fingerprinting. Whether the monotonic
/// clock runs on while the machine sleeps differs between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebClock;

impl Clock for WebClock {
    fn monotonic(&self) -> Instant {
        // Where there is no monotonic clock at all, the wall clock is kept from going back.
        let millis = PERFORMANCE.with(|performance| performance.as_ref().map_or_else(Date::now, Performance::now));
        let micros = LATEST.get().max(to_u64(millis * 1_000.0));
        LATEST.set(micros);
        Instant::from_micros(micros)
    }

    /// A clock set outside the range of entry timestamps, 1970 to 2255, shows its nearest end.
    fn wall(&self) -> WallTime {
        WallTime::from_micros(to_u64(Date::now() * 1_000.0).min(SAFE_INTEGER))
    }
}
