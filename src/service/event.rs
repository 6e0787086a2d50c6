//! What a node tells those who listen.

use crate::ids::{DeviceId, JournalId};
use crate::session::failure::PeerError;
use crate::session::phase::SyncPhase;
use crate::session::report::SyncReport;

/// Something that happened in a sync service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The service runs.
    Started,
    /// The service has stopped.
    Stopped,
    /// A connection to a peer is open, and both sides have proved who they are.
    Connected {
        /// The peer's address if it was dialled, else where it came from.
        peer: String,
        /// Its device.
        device: DeviceId,
    },
    /// A connection ended, or could not be made.
    Disconnected {
        /// The peer's address if it was dialled, else where it came from.
        peer: String,
        /// Why.
        error: PeerError,
    },
    /// The sync of a journal with a peer has come this far.
    Phase {
        /// The peer's address if it was dialled, else where it came from.
        peer: String,
        /// The journal.
        journal: JournalId,
        /// How far.
        phase: SyncPhase,
    },
    /// A sync ended before the roots were equal; or a journal that was live is no longer kept equal, though the
    /// connection goes on. It is tried again, and that is told too. A sync that gave way to a newer one has not
    /// failed.
    SyncFailed {
        /// The peer's address if it was dialled, else where it came from.
        peer: String,
        /// The journal.
        journal: JournalId,
        /// Why.
        error: PeerError,
    },
    /// A sync ended with equal roots.
    Synced {
        /// The peer's address if it was dialled, else where it came from.
        peer: String,
        /// The journal.
        journal: JournalId,
        /// What it did.
        report: SyncReport,
    },
    /// A journal has new entries, own ones or others'.
    Grew {
        /// The journal.
        journal: JournalId,
        /// Number of its last entry in this store.
        head: u64,
    },
    /// A peer has made entries durable: of this journal everything that is numbered up to `upto` here.
    Delivered {
        /// The peer's address if it was dialled, else where it came from.
        peer: String,
        /// Its device.
        device: DeviceId,
        /// The journal.
        journal: JournalId,
        /// The number in this store, of the last entry of which that is known.
        upto: u64,
    },
    /// Entries that were held back, since they were ahead of the local clock, are shown from now on.
    Due {
        /// The journal.
        journal: JournalId,
        /// How many entries.
        entries: u64,
    },
    /// The listener was too slow: so many events before the next one are gone.
    Lagged {
        /// How many.
        count: u64,
    },
}
