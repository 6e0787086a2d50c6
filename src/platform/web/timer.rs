//! A timer on `setTimeout`, which every environment has.

use core::time::Duration;

use gloo_timers::future::TimeoutFuture;

use super::clock::WebClock;
use crate::platform::traits::{Clock, Timer};

/// The longest delay of `setTimeout`, in milliseconds; it takes a longer one for none at all.
const LONGEST: u32 = 0x7FFF_FFFF;

/// Waits by `setTimeout`. A sleep that is dropped clears its timeout.
///
/// Browsers let timers of a page in the background fire once a second or once a minute.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebTimer;

impl Timer for WebTimer {
    /// A duration that no clock can measure ends at the end of time.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        let end = WebClock.monotonic().after(duration);
        async move {
            // Again for what is left: of a long sleep much, else less than a millisecond, which some
            // engines fire early.
            loop {
                let left = end.since(WebClock.monotonic());
                TimeoutFuture::new(delay(left)).await;
                if WebClock.monotonic() >= end {
                    return;
                }
            }
        }
    }
}

/// Whole milliseconds, rounded up, as far as `setTimeout` goes.
fn delay(left: Duration) -> u32 {
    u32::try_from(left.as_micros().div_ceil(1_000)).unwrap_or(LONGEST).min(LONGEST)
}
