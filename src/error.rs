//! What all errors have in common: a stable code and whose fault it is.

use core::fmt;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller passed something that can't be done.
    Caller,
    /// A peer sent something that it should not have.
    Peer,
    /// The way to the peer failed: try again later.
    Network,
    /// The store failed, is full, damaged or in use.
    Store,
    /// A fault of Isoroot itself: please report it.
    Internal,
}

/// The stable name of an error, the same in Rust, JavaScript, the command line's JSON and the logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    /// A code with this text: upper-case words joined by underscores.
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// The code's text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
