//! A timer on the reactor of `async-io`, which works under every executor.

use core::time::Duration;

use crate::platform::traits::Timer;

/// Waits by `async-io`'s reactor, a thread that starts on first use.
#[derive(Clone, Copy, Debug, Default)]
pub struct IoTimer;

impl Timer for IoTimer {
    /// A duration beyond the end of the system's time never ends.
    async fn sleep(&self, duration: Duration) {
        async_io::Timer::after(duration).await;
    }
}
