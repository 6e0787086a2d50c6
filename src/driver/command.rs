//! What callers ask of the command loop, each with the channel for its answer.

use futures::channel::oneshot;

use crate::crypto::hash::Hash;
use crate::driver::error::NodeError;
use crate::driver::facts::FactPage;
use crate::driver::proofs::Proved;
use crate::fact::entry::{Draft, Entry};
use crate::ids::{Cursor, DeviceId, EntryId, JournalId};
use crate::journal::checkpoint::LoadedFrom;
use crate::journal::evidence::Evidence;
use crate::journal::held::HeldEntry;
use crate::journal::position::Position;
use crate::journal::query::Query;
use crate::merkle::subtree::Root;
use crate::platform::send::MaybeSend;
use crate::platform::traits::Connection;
use crate::service::delivery::{Delivery, PeerDelivery};
use crate::service::event::Event;
use crate::service::peers::PeerInfo;
use crate::session::failure::PeerError;
use crate::session::report::SyncReport;
use crate::verification::signed_root::SignedRoot;

/// Who asked. Dropped without an answer, it knows that the node is closed.
pub(crate) trait Asker<T>: MaybeSend {
    /// Takes the answer, in a turn of the command loop.
    fn answer(self: Box<Self>, answer: Result<T, NodeError>);

    /// Whether anybody still waits for it.
    fn waits(&self) -> bool;
}

/// Where an answer goes. One type for each kind of answer, whatever becomes of it.
pub(crate) type Reply<T> = Box<dyn Asker<T>>;

impl<T: MaybeSend> Asker<T> for oneshot::Sender<Result<T, NodeError>> {
    fn answer(self: Box<Self>, answer: Result<T, NodeError>) {
        // Whoever asked may have given up.
        drop(self.send(answer));
    }

    fn waits(&self) -> bool {
        !self.is_canceled()
    }
}

/// A journal as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalStatus {
    /// Its root, which binds the number of its entries.
    pub root: Root,
    /// Facts of all entries.
    pub facts: u64,
    /// Different predicates.
    pub predicates: u64,
    /// Different authorities; that of a fact that names none is its device.
    pub authorities: u64,
    /// Devices that have written.
    pub devices: u64,
    /// Entries that are in the set and the root, and held back from queries and watches for now.
    pub held_back: u64,
    /// Entries that later ones of their device name, and that are not here: gaps.
    pub missing: u64,
    /// Devices whose entries fork: two stores with one key, or a restored backup.
    pub forked: u64,
    /// The place behind its last entry in this store.
    pub cursor: Cursor,
    /// The same as a reader's place, behind all that is shown: a watch from here gives what comes.
    pub position: Position,
    /// Where it was loaded from when it was opened.
    pub loaded_from: LoadedFrom,
}

/// What a stop did.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StopReport {
    /// Names of tasks that did not end in time and were aborted.
    pub aborted: Vec<&'static str>,
}

/// How syncing with one peer went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSync {
    /// The peer's address.
    pub peer: String,
    /// What the sync did, or why it failed.
    pub result: Result<SyncReport, PeerError>,
}

/// See the module.
pub(crate) enum Command {
    Start {
        reply: Reply<()>,
    },
    Stop {
        reply: Reply<StopReport>,
    },
    /// Ends the service. Answered once all of its tasks have ended.
    Close {
        reply: Reply<()>,
    },
    IsRunning {
        reply: Reply<bool>,
    },
    Open {
        journal: JournalId,
        reply: Reply<()>,
    },
    Append {
        journal: JournalId,
        drafts: Vec<Draft>,
        reply: Reply<Vec<(EntryId, u64)>>,
    },
    /// Takes in entries that were checked. Answered when they are durable, with how many are new.
    Import {
        journal: JournalId,
        entries: Vec<Entry>,
        reply: Reply<u64>,
    },
    Status {
        journal: JournalId,
        reply: Reply<JournalStatus>,
    },
    /// The status and the depth of the Merkle map. Looks at every id.
    Measure {
        journal: JournalId,
        reply: Reply<(JournalStatus, u16)>,
    },
    Get {
        journal: JournalId,
        entry: EntryId,
        reply: Reply<Option<Entry>>,
    },
    /// For each of these, whether the journal has it.
    Contains {
        journal: JournalId,
        entries: Vec<EntryId>,
        reply: Reply<Vec<bool>>,
    },
    /// The root as it is now, signed by this device.
    SignRoot {
        journal: JournalId,
        nonce: [u8; 32],
        previous: Option<Hash>,
        reply: Reply<SignedRoot>,
    },
    Page {
        journal: JournalId,
        query: Box<Query>,
        after: Option<Position>,
        limit: usize,
        reply: Reply<FactPage>,
    },
    Prove {
        journal: JournalId,
        entry: EntryId,
        reply: Reply<Evidence>,
    },
    ProveAll {
        journal: JournalId,
        entries: Vec<EntryId>,
        reply: Reply<Proved>,
    },
    /// Answered when there may be something to read behind `after`.
    News {
        journal: JournalId,
        after: Position,
        reply: Reply<()>,
    },
    HeldBack {
        journal: JournalId,
        after: Option<EntryId>,
        limit: usize,
        reply: Reply<Vec<HeldEntry>>,
    },
    /// A peer's signature over what it holds.
    AskReceipt {
        journal: JournalId,
        address: String,
        previous: Option<Hash>,
        reply: Reply<SignedRoot>,
    },
    Deliveries {
        journal: JournalId,
        reply: Reply<Vec<PeerDelivery>>,
    },
    Delivery {
        journal: JournalId,
        entry: EntryId,
        device: DeviceId,
        reply: Reply<Option<Delivery>>,
    },
    AddPeer {
        address: String,
        device: Option<DeviceId>,
        reply: Reply<bool>,
    },
    RemovePeer {
        address: String,
        reply: Reply<bool>,
    },
    Peers {
        reply: Reply<Vec<PeerInfo>>,
    },
    Sync {
        journal: JournalId,
        address: String,
        patient: bool,
        reply: Reply<SyncReport>,
    },
    /// Somebody who waited for a sync or a receipt has given up.
    Forget,
    Accept {
        connection: Connection,
        reply: Reply<()>,
    },
    Subscribe {
        events: async_channel::Sender<Event>,
        reply: Reply<()>,
    },
    /// How many are open or being made, and how many callers wait for syncs.
    Connections {
        reply: Reply<(usize, usize)>,
    },
}
