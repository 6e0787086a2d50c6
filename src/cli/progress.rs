//! Progress on a terminal; nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::Output;

/// A bar or a spinner that goes when dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar up to so many bytes.
    pub(super) fn bytes(output: &Output, what: &'static str, all: u64) -> Self {
        Self::shown(
            output,
            what,
            ProgressBar::new(all),
            "{msg} {wide_bar} {percent}% {elapsed} (left: {eta})",
        )
    }

    /// A spinner, for work without a known end.
    pub(super) fn spinner(output: &Output, what: &'static str) -> Self {
        Self::shown(output, what, ProgressBar::no_length(), "{spinner} {msg} {elapsed}")
    }

    fn shown(output: &Output, what: &'static str, bar: ProgressBar, template: &str) -> Self {
        if !output.is_watched() {
            return Self(ProgressBar::hidden());
        }
        // A template that does not parse would leave the default.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// So many bytes are done.
    pub(super) fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// What is being done now.
    pub(super) fn say(&self, what: String) {
        if !self.0.is_hidden() {
            self.0.set_message(what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
