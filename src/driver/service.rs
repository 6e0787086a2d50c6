//! `SyncService`: the handle to a service that may serve many journals.

use std::sync::Arc;

use async_channel::Sender;

use crate::crypto::hash::Hash;
use crate::crypto::sign::DeviceKey;
use crate::driver::command::{Command, StopReport};
use crate::driver::command_loop::CommandLoop;
use crate::driver::error::NodeError;
use crate::driver::facts::ask;
use crate::driver::files::FileAccess;
use crate::driver::indexed_journal::IndexedJournal;
use crate::driver::kept_peers::{self, KeptPeer};
use crate::driver::node::SyncNode;
use crate::driver::storage;
use crate::driver::task_group::TaskGroup;
use crate::driver::verification::{JournalVerifier, Surroundings};
use crate::driver::waits::Waits;
use crate::fact::entry::Entry;
use crate::fact::genesis::Genesis;
use crate::ids::{DeviceId, JournalId};
use crate::limits::MAILBOX;
use crate::merkle::compare::RootComparison;
use crate::merkle::subtree::Root;
use crate::platform::send::BoxFuture;
use crate::platform::traits::{Connection, Listener, Platform, Store};
use crate::service::config::Config;
use crate::service::event::Event;
use crate::service::machine::Machine;
use crate::service::peers::PeerInfo;
use crate::session::report::SyncReport;
use crate::verification::verifier::{FactClaim, Shown, SignedFact, Submission, Verification};

/// Events that wait for a subscriber before it counts as too slow.
const EVENTS: usize = 1_024;

/// A sync service: one store, one device key, any number of journals, peers and connections.
///
/// A handle: clones are cheap and share the service, which ends when the last one is dropped. Use
/// [`SyncNode`] for one journal.
#[derive(Clone)]
pub struct SyncService {
    commands: Sender<Command>,
    device: DeviceId,
    journals: Arc<dyn JournalNotes>,
    around: Arc<dyn Surroundings>,
    verifier: Option<JournalVerifier>,
}

/// The store's list of journals, without its type.
trait JournalNotes: FileAccess {
    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalId>, NodeError>>;
    fn register(&self, journal: JournalId, genesis: Option<Vec<u8>>) -> BoxFuture<'_, Result<(), NodeError>>;
    fn peers(&self, journal: JournalId) -> BoxFuture<'_, Result<Vec<KeptPeer>, NodeError>>;
    fn keep(&self, journal: JournalId, peer: KeptPeer, keep: bool) -> BoxFuture<'_, Result<bool, NodeError>>;
}

pub(super) struct Notes<P>(pub(super) Arc<P>);

impl<P: Platform> JournalNotes for Notes<P> {
    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalId>, NodeError>> {
        Box::pin(async { Ok(storage::journals(self.0.store()).await?) })
    }

    fn register(&self, journal: JournalId, genesis: Option<Vec<u8>>) -> BoxFuture<'_, Result<(), NodeError>> {
        Box::pin(async move { Ok(storage::register(self.0.store(), journal, genesis).await?) })
    }

    fn peers(&self, journal: JournalId) -> BoxFuture<'_, Result<Vec<KeptPeer>, NodeError>> {
        Box::pin(async move { Ok(kept_peers::kept(self.0.store(), journal).await?) })
    }

    fn keep(&self, journal: JournalId, peer: KeptPeer, keep: bool) -> BoxFuture<'_, Result<bool, NodeError>> {
        Box::pin(kept_peers::change(self.0.store(), journal, peer, keep))
    }
}

impl core::fmt::Debug for SyncService {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SyncService").field("device", &self.device).finish_non_exhaustive()
    }
}

impl SyncService {
    /// A stopped service on this platform. The device key is the store's; a new store gets one.
    ///
    /// # Errors
    /// When the store or the source of entropy fails.
    pub async fn new<P: Platform>(platform: P, config: Config) -> Result<Self, NodeError> {
        Self::of_device(platform, config, None).await
    }

    /// A stopped service of the device with this key. The store only notes which device it belongs to:
    /// the key is the caller's to keep, and to bring each time.
    ///
    /// # Errors
    /// When the store belongs to another device, or as [`new`](Self::new).
    pub async fn with_key<P: Platform>(
        platform: P,
        config: Config,
        key: DeviceKey,
    ) -> Result<Self, NodeError> {
        Self::of_device(platform, config, Some(key)).await
    }

    /// Both in one, so that what is generic is compiled once.
    pub(crate) async fn of_device<P: Platform>(
        platform: P,
        config: Config,
        key: Option<DeviceKey>,
    ) -> Result<Self, NodeError> {
        let platform = Arc::new(platform);
        let key = storage::device_key(&*platform, key).await?;
        let device = key.device();
        let machine = Machine::new(config, key, platform.store().id(), storage::seed(&*platform)?);
        let (commands, mailbox) = async_channel::bounded(MAILBOX);
        let command_loop = CommandLoop::new(platform.clone(), machine, mailbox);
        TaskGroup::default().spawn(platform.spawner(), "service", Box::pin(command_loop.run()), None);
        let journals = Arc::new(Notes(platform.clone()));
        Ok(Self { commands, device, journals, around: platform, verifier: None })
    }

    /// The device that signs here.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Makes a journal in this store, or opens it if it is there, and keeps it open.
    ///
    /// # Errors
    /// When the store fails or the service is closed.
    pub async fn create(&self, genesis: &Genesis) -> Result<SyncNode, NodeError> {
        let journal = genesis.journal();
        self.journals.register(journal, Some(genesis.to_bytes())).await?;
        self.keep_open(journal).await
    }

    /// Joins a journal by its id: opens it if it is in this store, else begins it empty, to be
    /// filled from peers. In an open journal everyone who knows the id may read and write.
    ///
    /// # Errors
    /// When the store fails or the service is closed.
    pub async fn open(&self, journal: JournalId) -> Result<SyncNode, NodeError> {
        self.journals.register(journal, None).await?;
        self.keep_open(journal).await
    }

    /// Reads and checks for files, of what is kept in the store.
    pub(crate) fn files(&self) -> &dyn FileAccess {
        &*self.journals
    }

    /// Notes a journal's genesis, if it was not known here.
    pub(crate) async fn note_genesis(&self, genesis: &Genesis) -> Result<(), NodeError> {
        self.journals.register(genesis.journal(), Some(genesis.to_bytes())).await
    }

    async fn keep_open(&self, journal: JournalId) -> Result<SyncNode, NodeError> {
        ask(&self.commands, |reply| Command::Open { journal, reply }).await?;
        Ok(SyncNode::new(self.clone(), journal))
    }

    /// The journals that were made or joined in this store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn journals(&self) -> Result<Vec<JournalId>, NodeError> {
        self.journals.list().await
    }

    /// Runs: dials peers and keeps their journals equal. Starting what runs changes nothing; while it
    /// is stopping this waits for the end, then starts.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn start(&self) -> Result<(), NodeError> {
        ask(&self.commands, |reply| Command::Start { reply }).await
    }

    /// Ends all connections, with a word to each peer; waits for their tasks, at most 2 s. What is
    /// being committed is committed. Reading and appending go on. Stopping what is stopped changes nothing.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn stop(&self) -> Result<StopReport, NodeError> {
        ask(&self.commands, |reply| Command::Stop { reply }).await
    }

    /// Ends the service, for all its handles: stops it, finishes what is being written, keeps the
    /// checkpoints of its journals, and waits for all of that. Then the store can be closed. Every
    /// other call gets [`NodeError::Closed`] from then on.
    ///
    /// Dropping the last handle does the same in the background.
    ///
    /// # Errors
    /// When it is closed already.
    pub async fn close(&self) -> Result<(), NodeError> {
        ask(&self.commands, |reply| Command::Close { reply }).await
    }

    /// Whether it was started and not stopped.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn is_running(&self) -> Result<bool, NodeError> {
        ask(&self.commands, |reply| Command::IsRunning { reply }).await
    }

    /// Dials this address from now on, while the service runs. False if it did already.
    ///
    /// # Errors
    /// When no transport dials such an address, there are too many peers, or the service is closed.
    pub async fn add_peer(&self, address: &str) -> Result<bool, NodeError> {
        self.add_peer_device(address, None).await
    }

    /// The same, and holds the peer to be this device.
    ///
    /// # Errors
    /// As [`add_peer`](Self::add_peer).
    pub async fn add_peer_device(&self, address: &str, device: Option<DeviceId>) -> Result<bool, NodeError> {
        let address = address.to_owned();
        ask(&self.commands, |reply| Command::AddPeer { address, device, reply }).await
    }

    /// No longer dials this address, and ends its connection. False if it was not there.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn remove_peer(&self, address: &str) -> Result<bool, NodeError> {
        let address = address.to_owned();
        ask(&self.commands, |reply| Command::RemovePeer { address, reply }).await
    }

    /// The peers that the store remembers for a journal.
    pub(crate) async fn kept_peers(&self, journal: JournalId) -> Result<Vec<KeptPeer>, NodeError> {
        self.journals.peers(journal).await
    }

    /// Remembers a peer in the store for a journal, or forgets it; whether that changed anything.
    pub(crate) async fn keep_peer(
        &self,
        journal: JournalId,
        peer: KeptPeer,
        keep: bool,
    ) -> Result<bool, NodeError> {
        self.journals.keep(journal, peer, keep).await
    }

    /// The peers that are dialled, in the order in which they were added.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, NodeError> {
        ask(&self.commands, |reply| Command::Peers { reply }).await
    }

    /// Syncs a journal with one peer now, dialling it if need be, also while it is backing off. Who is patient
    /// waits through what may pass by itself.
    pub(crate) async fn sync_with(
        &self,
        journal: JournalId,
        address: &str,
        patient: bool,
    ) -> Result<SyncReport, NodeError> {
        let address = address.to_owned();
        let sync = |reply| Command::Sync { journal, address, patient, reply };
        Waits::for_answer(&self.commands, ask(&self.commands, sync)).await
    }

    /// Takes a connection that a peer has opened.
    ///
    /// # Errors
    /// When the service is not started or closed; the connection is dropped then.
    pub async fn accept(&self, connection: Connection) -> Result<(), NodeError> {
        ask(&self.commands, |reply| Command::Accept { connection, reply }).await
    }

    /// Takes connections from a listener until it is closed or the service is.
    pub async fn serve(&self, mut listener: impl Listener) {
        while let Some(connection) = listener.accept().await {
            // While the service is stopped, who comes is turned away.
            if self.accept(connection).await == Err(NodeError::Closed) {
                return;
            }
        }
    }

    /// Connections that are open or being made.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn connections(&self) -> Result<usize, NodeError> {
        Ok(ask(&self.commands, |reply| Command::Connections { reply }).await?.0)
    }

    /// Callers that wait for the end of a sync.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn waiting(&self) -> Result<usize, NodeError> {
        Ok(ask(&self.commands, |reply| Command::Connections { reply }).await?.1)
    }

    /// What happens from now on. A listener that is too slow is told how much it missed.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn events(&self) -> Result<async_channel::Receiver<Event>, NodeError> {
        let (events, listener) = async_channel::bounded(EVENTS);
        ask(&self.commands, |reply| Command::Subscribe { events, reply }).await?;
        Ok(listener)
    }

    /// The same service with a journal to judge by, such as a [`SyncNode`] of it. Handles made before have none.
    #[must_use]
    pub fn with_journal(&self, journal: Arc<dyn IndexedJournal>) -> Self {
        let verifier = JournalVerifier::new(journal, self.around.clone());
        Self { verifier: Some(verifier), ..self.clone() }
    }

    /// Whether it has a journal to judge by. Without one there is no verification: what asks for it is
    /// answered with nothing, and all else works.
    pub fn has_merkle_verification(&self) -> bool {
        self.verifier.is_some()
    }

    /// Judges and applies what others hand over for that journal; nothing without one.
    pub fn verifier(&self) -> Option<&JournalVerifier> {
        self.verifier.as_ref()
    }

    /// The root of that journal; nothing without one.
    pub async fn merkle_root(&self) -> Option<Result<Root, NodeError>> {
        Some(self.verifier()?.root().await)
    }

    /// See [`JournalVerifier::compare_root`]; nothing without a journal.
    pub async fn compare_root(&self, remote: Root) -> Option<Result<RootComparison, NodeError>> {
        Some(self.verifier()?.compare_root(remote).await)
    }

    /// See [`JournalVerifier::verify_entries`]; nothing without a journal.
    pub async fn verify_entries(
        &self,
        claimed: &Hash,
        entries: Vec<Submission>,
        shown: Shown,
    ) -> Option<Result<Verification<Entry>, NodeError>> {
        Some(self.verifier()?.verify_entries(claimed, entries, shown).await)
    }

    /// See [`JournalVerifier::verify_facts`]; nothing without a journal.
    pub async fn verify_facts(
        &self,
        claimed: &Hash,
        facts: Vec<FactClaim>,
    ) -> Option<Result<Verification<SignedFact>, NodeError>> {
        Some(self.verifier()?.verify_facts(claimed, facts).await)
    }

    /// What verification needs of the platform.
    pub(crate) fn around(&self) -> Arc<dyn Surroundings> {
        self.around.clone()
    }

    /// The mailbox, for what belongs to one journal.
    pub(crate) fn commands(&self) -> &Sender<Command> {
        &self.commands
    }
}
