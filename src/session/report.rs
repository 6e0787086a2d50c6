//! What a sync did.

use core::time::Duration;

use crate::merkle::subtree::Root;

/// What a sync did, as one side saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// Entries sent to the peer during the sync.
    pub entries_sent: u64,
    /// Entries received from it, also those that were here already.
    pub entries_received: u64,
    /// Bytes of their records, sent.
    pub bytes_sent: u64,
    /// Bytes of their records, received.
    pub bytes_received: u64,
    /// Bytes of all frames of the channel, sent from its opening on.
    pub wire_sent: u64,
    /// Bytes of all frames of the channel, received from its opening on.
    pub wire_received: u64,
    /// Entries that either side refused: the sets are equal except for these.
    pub refused: u64,
    /// Rounds of comparing; 0 if the roots were equal from the start.
    pub rounds: u32,
    /// From the opening of the channel to equal roots.
    pub duration: Duration,
    /// The root that both sides have computed.
    pub root: Root,
}

impl SyncReport {
    /// Nothing done yet; this side's root.
    pub(crate) fn new(root: Root) -> Self {
        Self {
            entries_sent: 0,
            entries_received: 0,
            bytes_sent: 0,
            bytes_received: 0,
            wire_sent: 0,
            wire_received: 0,
            refused: 0,
            rounds: 0,
            duration: Duration::ZERO,
            root,
        }
    }
}
