//! What goes into the service's machine and what comes out: inputs, effects, and who gets which answer.

use crate::crypto::hash::Hash;
use crate::error::StoreError;
use crate::fact::entry::{Draft, Entry};
use crate::ids::{Cursor, DeviceId, EntryId, JournalId};
use crate::journal::checkpoint::Saving;
use crate::journal::machine::Ticket;
use crate::journal::set::Journal;
use crate::service::event::Event;
use crate::session::connection::Verdicts;
use crate::session::failure::PeerError;
use crate::session::feed::{Fed, Feed};
use crate::session::report::SyncReport;
use crate::verification::signed_root::SignedRoot;

/// Names a connection of this node; never used again.
pub(crate) type ConnectionId = u64;

/// A journal as it was loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) journal: Box<Journal>,
    /// The cursors into peers' stores that were kept with it.
    pub(crate) cursors: Vec<(DeviceId, Cursor)>,
    /// How its checkpoint is to go on.
    pub(crate) savings: Vec<Saving>,
}

/// Something that happened outside.
#[derive(Debug)]
pub(crate) enum Input {
    /// Run: dial peers, accept connections.
    Start,
    /// End all connections.
    Stop,
    /// Keep a journal open, loaded from the store; answered by `Opened`.
    Open { ticket: Ticket, journal: JournalId },
    /// Append own facts, an entry for each draft; answered by `Appended`.
    Append { ticket: Ticket, journal: JournalId, drafts: Vec<Draft> },
    /// Take in entries that were checked; answered by `Imported`.
    Import { ticket: Ticket, journal: JournalId, entries: Vec<Entry> },
    /// Dial this peer from now on.
    AddPeer { address: String, device: Option<DeviceId> },
    /// No longer dial this peer.
    RemovePeer { address: String },
    /// Sync a journal with a peer now; answered by `Synced`. Who is patient waits through what may pass by itself,
    /// and for a sync that began no earlier.
    Sync { ticket: Ticket, journal: JournalId, address: String, patient: bool },
    /// Nobody waits any more for this answer to `Sync` or `AskReceipt`: none is given.
    Forget { ticket: Ticket },
    /// Ask a peer to sign for what it holds; answered by `Receipted`.
    AskReceipt { ticket: Ticket, journal: JournalId, address: String, previous: Option<Hash> },
    /// A journal has been loaded.
    Loaded { journal: JournalId, loaded: Result<Loaded, StoreError> },
    /// The commit in flight is durable.
    Committed { journal: JournalId },
    /// The commit in flight was too late.
    Behind { journal: JournalId },
    /// The commit in flight, or reading what others wrote, failed.
    CommitFailed { journal: JournalId, error: StoreError },
    /// Others' entries, read from the store; whether that is all.
    Followed { journal: JournalId, entries: Vec<Entry>, all: bool },
    /// Somebody else appended to the store.
    StoreChanged { journal: JournalId, head: u64 },
    /// A connection that was dialled is open: its binding, and the address in its canonical form.
    Dialled { connection: ConnectionId, canonical: String, binding: Vec<u8> },
    /// A connection was accepted.
    Accepted { connection: ConnectionId, remote: String, binding: Vec<u8> },
    /// A frame arrived.
    Frame { connection: ConnectionId, frame: Vec<u8> },
    /// The transport has taken so many bytes.
    Drained { connection: ConnectionId, bytes: usize },
    /// The transport is closed, or the connection could not be made.
    Disconnected { connection: ConnectionId, error: PeerError },
    /// Verdicts on a bundle.
    Checked { connection: ConnectionId, channel: u32, sequence: u64, verdicts: Verdicts },
    /// A read of the store has been framed and queued.
    Fed { connection: ConnectionId, channel: u32, fed: Fed, queued: usize },
    /// A read of the store failed.
    FeedFailed { connection: ConnectionId, channel: u32, error: StoreError },
    /// The deadline has passed.
    Timeout,
}

/// Something to be done outside.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Make a connection; answer with `Dialled` or `Disconnected`.
    Dial { connection: ConnectionId, address: String },
    /// Send a frame.
    Send { connection: ConnectionId, frame: Vec<u8> },
    /// Close a connection behind what was sent, with a short reason. Nothing is heard of it any more.
    Close { connection: ConnectionId, reason: String },
    /// Check records; answer with `Checked`.
    Check { connection: ConnectionId, channel: u32, sequence: u64, journal: JournalId, records: Vec<Vec<u8>> },
    /// Read, frame and send; answer with `Fed` or `FeedFailed`.
    Feed { connection: ConnectionId, channel: u32, journal: JournalId, feed: Feed },
    /// Load a journal from the store; answer with `Loaded`.
    Load { journal: JournalId },
    /// A journal is no longer in memory.
    Unload { journal: JournalId },
    /// Append if the head is still `at`; answer with `Committed`, `Behind` or `CommitFailed`.
    Commit { journal: JournalId, at: u64, entries: Vec<Entry> },
    /// Read what others wrote; answer with `Followed` or `CommitFailed`.
    Follow { journal: JournalId, from: u64 },
    /// Keep a cursor into a peer's store with the journal. A hint: losing it costs time only.
    Remember { journal: JournalId, device: DeviceId, cursor: Cursor },
    /// Go on with a journal's checkpoint, behind what was asked before. Losing it costs time only.
    Save { journal: JournalId, saving: Saving },
    /// The answer to `Open`.
    Opened { ticket: Ticket, opened: Result<(), StoreError> },
    /// The answer to `Append`.
    Appended { ticket: Ticket, appended: Result<Vec<(EntryId, u64)>, StoreError> },
    /// The answer to `Import`: how many entries were not here before.
    Imported { ticket: Ticket, imported: Result<u64, StoreError> },
    /// The answer to `Sync`.
    Synced { ticket: Ticket, synced: Result<SyncReport, PeerError> },
    /// The answer to `AskReceipt`.
    Receipted { ticket: Ticket, receipt: Result<SignedRoot, PeerError> },
    /// Tell those who listen.
    Event(Event),
}
