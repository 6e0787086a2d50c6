//! How far a sync is, in words for people.

/// How far the sync of a journal with a peer is, as this side sees it. A phase that is over at once may be passed
/// over: equal roots lead from the opening straight to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncPhase {
    /// The peer was asked and has not answered.
    Opening,
    /// The two find out what they differ in.
    Comparing,
    /// Entries travel. Where the roots still differ afterwards, they are compared again.
    Exchanging,
    /// The roots were equal: what is new follows by itself.
    Live,
}

impl SyncPhase {
    /// Its name, which stays the same: `opening`, `comparing`, `exchanging`, `live`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Comparing => "comparing",
            Self::Exchanging => "exchanging",
            Self::Live => "live",
        }
    }
}

impl core::fmt::Display for SyncPhase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}
