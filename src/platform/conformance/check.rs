//! How a check fails: by a panic that names it and says what was found.

#![expect(clippy::panic, reason = "a check that fails says so by a panic, as tests do")]

use core::fmt::{Debug, Display};

/// Fails.
pub(super) fn fail(check: &str, otherwise: &str) -> ! {
    panic!("conformance: {check}: {otherwise}")
}

/// What there must be.
pub(super) fn ok<T, E: Display>(check: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| fail(check, &error.to_string()))
}

/// Fails unless what was found is what was expected.
pub(super) fn equal<T: PartialEq + Debug>(check: &str, found: T, expected: T) {
    if found != expected {
        fail(check, &format!("found {found:?}, expected {expected:?}"));
    }
}

/// Fails with what is the case `otherwise`.
pub(super) fn holds(check: &str, condition: bool, otherwise: &str) {
    if !condition {
        fail(check, otherwise);
    }
}
