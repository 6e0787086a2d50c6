//! `SyncNode`: the handle to one journal of a sync service.

use std::sync::Arc;

use futures::Stream;
use futures::future::join_all;

use crate::crypto::hash::Hash;
use crate::driver::command::{Command, JournalStatus, PeerSync, StopReport};
use crate::driver::error::NodeError;
use crate::driver::facts::{self, FactPage, FactRecord, Reader, Watched, ask};
use crate::driver::files::{self, ImportError, ImportReport};
use crate::driver::filter;
use crate::driver::proofs::Proved;
use crate::driver::service::SyncService;
use crate::driver::statistics::{self, Statistics};
use crate::driver::verification::JournalVerifier;
use crate::driver::waits::Waits;
use crate::fact::bloom::BloomFilter;
use crate::fact::entry::{Draft, Entry};
use crate::fact::genesis::Genesis;
use crate::fact::statement::Fact;
use crate::ids::{DeviceId, EntryId, JournalId};
use crate::journal::evidence::Evidence;
use crate::journal::held::HeldEntry;
use crate::journal::position::Position;
use crate::journal::query::Query;
use crate::merkle::subtree::Root;
use crate::platform::send::BoxStream;
use crate::platform::traits::Platform;
use crate::service::config::Config;
use crate::service::delivery::{Delivery, PeerDelivery};
use crate::service::event::Event;
use crate::service::peers::PeerInfo;
use crate::session::report::SyncReport;
use crate::verification::signed_root::SignedRoot;

/// An entry that is durable here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its id.
    pub id: EntryId,
    /// Its number in this store.
    pub number: u64,
}

/// One journal on this device, kept equal with its peers while started.
///
/// A handle: clones are cheap and share the node, which ends when the last one is dropped. Appending
/// and reading work started or stopped, connected or not.
#[derive(Clone, Debug)]
pub struct SyncNode {
    service: SyncService,
    journal: JournalId,
}

impl SyncNode {
    pub(crate) fn new(service: SyncService, journal: JournalId) -> Self {
        Self { service, journal }
    }

    /// A node on a new journal, or on the one with this genesis if the store has it. Not started yet.
    ///
    /// # Errors
    /// When the store or the source of entropy fails.
    pub async fn create<P: Platform>(platform: P, genesis: &Genesis) -> Result<Self, NodeError> {
        SyncService::new(platform, Config::default()).await?.create(genesis).await
    }

    /// A node on a journal that somebody else made, or that the store has. Not started yet.
    ///
    /// In an open journal everyone who knows the id may read and write.
    ///
    /// # Errors
    /// When the store or the source of entropy fails.
    pub async fn open<P: Platform>(platform: P, journal: JournalId) -> Result<Self, NodeError> {
        SyncService::new(platform, Config::default()).await?.open(journal).await
    }

    /// The service that runs it.
    pub fn service(&self) -> &SyncService {
        &self.service
    }

    /// The journal.
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    /// The device that signs here.
    pub fn device(&self) -> DeviceId {
        self.service.device()
    }

    /// See [`SyncService::start`].
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn start(&self) -> Result<(), NodeError> {
        self.service.start().await
    }

    /// See [`SyncService::stop`].
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn stop(&self) -> Result<StopReport, NodeError> {
        self.service.stop().await
    }

    /// See [`SyncService::is_running`].
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn is_running(&self) -> Result<bool, NodeError> {
        self.service.is_running().await
    }

    /// See [`SyncService::add_peer`].
    ///
    /// # Errors
    /// When no transport dials such an address, there are too many peers, or the node is closed.
    pub async fn add_peer(&self, address: &str) -> Result<bool, NodeError> {
        self.service.add_peer(address).await
    }

    /// See [`SyncService::remove_peer`].
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn remove_peer(&self, address: &str) -> Result<bool, NodeError> {
        self.service.remove_peer(address).await
    }

    /// Dials this address from now on, as [`add_peer`](Self::add_peer), and has the store remember it for
    /// this journal. False if it was dialled already.
    ///
    /// # Errors
    /// As [`add_peer`](Self::add_peer), or when the store fails.
    pub async fn keep_peer(&self, address: &str, device: Option<DeviceId>) -> Result<bool, NodeError> {
        let new = self.service.add_peer_device(address, device).await?;
        match self.service.keep_peer(self.journal, (address.to_owned(), device), true).await {
            Ok(_) => Ok(new),
            Err(error) => {
                if new {
                    self.remove_peer(address).await?;
                }
                Err(error)
            }
        }
    }

    /// No longer dials this address, and has the store forget it. False if it was neither dialled nor
    /// remembered.
    ///
    /// # Errors
    /// When the store fails, which leaves the peer as it is, or the node is closed.
    pub async fn forget_peer(&self, address: &str) -> Result<bool, NodeError> {
        let kept = self.service.keep_peer(self.journal, (address.to_owned(), None), false).await?;
        Ok(self.remove_peer(address).await? || kept)
    }

    /// Dials the peers that the store remembers for this journal. Those that can't be dialled here stay
    /// remembered; they are the result.
    ///
    /// # Errors
    /// When the store fails, what it remembers is damaged or from a newer version, or the node is closed.
    pub async fn dial_kept_peers(&self) -> Result<Vec<String>, NodeError> {
        let mut left = Vec::new();
        for (address, device) in self.service.kept_peers(self.journal).await? {
            match self.service.add_peer_device(&address, device).await {
                Ok(_) => {}
                Err(NodeError::Closed) => return Err(NodeError::Closed),
                Err(error) => {
                    tracing::debug!(address, %error, "peer not dialled");
                    left.push(address);
                }
            }
        }
        Ok(left)
    }

    /// See [`SyncService::peers`].
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, NodeError> {
        self.service.peers().await
    }

    /// Appends facts as one entry: all or none. Resolves when it is durable here.
    ///
    /// # Errors
    /// When the facts exceed a bound, or the store fails; nothing is appended then.
    pub async fn append(&self, facts: impl IntoIterator<Item = Fact>) -> Result<Appended, NodeError> {
        let facts: Vec<_> = facts.into_iter().collect();
        let draft = Draft::new(self.device(), &facts)?;
        let appended = self.append_all(vec![draft]).await?;
        appended.first().copied().ok_or(NodeError::Closed)
    }

    /// Appends many entries in this order, each whole or not at all. Resolves when all are durable here;
    /// much faster than one by one.
    ///
    /// If the future is dropped before the node has taken the call from its mailbox, nothing is appended;
    /// later it may be.
    ///
    /// # Errors
    /// When the store fails; the first of them may be appended then.
    pub async fn append_all(&self, drafts: Vec<Draft>) -> Result<Vec<Appended>, NodeError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let journal = self.journal;
        let appended =
            ask(self.service.commands(), |reply| Command::Append { journal, drafts, reply }).await?;
        Ok(appended.into_iter().map(|(id, number)| Appended { id, number }).collect())
    }

    /// The root, counts and the place behind the last entry, all of one moment.
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn status(&self) -> Result<JournalStatus, NodeError> {
        let journal = self.journal;
        ask(self.service.commands(), |reply| Command::Status { journal, reply }).await
    }

    /// The status with what takes work to find out: every id is looked at, and every record is read, page by
    /// page, in memory that is bounded. For people and for now and then.
    ///
    /// # Errors
    /// When the store fails or holds other records than it took, or the node is closed.
    pub async fn statistics(&self) -> Result<Statistics, NodeError> {
        statistics::statistics(self).await
    }

    /// A Bloom filter over predicate and value of every fact that queries show now: what is held back is not in.
    /// Made for as many pairs as the journal has facts, it lets a share of `rate` of other pairs pass, fewer
    /// where facts say the same. Reads all facts, page by page.
    ///
    /// # Errors
    /// When the rate is outside 0.00001 to 0.99999, the filter would take more than 1 MiB, as for over 875,000
    /// facts at 1 %, the store fails or the node is closed.
    pub async fn bloom(&self, rate: f64) -> Result<BloomFilter, NodeError> {
        filter::bloom(self, rate, None).await
    }

    /// The same, made for `expected` pairs: only filters that were made for the same can be merged.
    ///
    /// # Errors
    /// As [`bloom`](Self::bloom).
    pub async fn bloom_for(&self, expected: u64, rate: f64) -> Result<BloomFilter, NodeError> {
        filter::bloom(self, rate, Some(expected)).await
    }

    /// The Merkle root: two nodes are in sync exactly when theirs are equal.
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn root(&self) -> Result<Root, NodeError> {
        Ok(self.status().await?.root)
    }

    /// Judges what others hand over for this journal, and applies what is proved.
    #[allow(clippy::arc_with_non_send_sync, reason = "natively it is both; elsewhere there is one thread")]
    pub fn verifier(&self) -> JournalVerifier {
        JournalVerifier::new(Arc::new(self.clone()), self.service.around())
    }

    /// The root as it is now, signed by this device for whoever drew the nonce: evidence of what it holds.
    /// `previous` is the hash of the last statement that the asker got, if it handed one in.
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn sign_root(&self, nonce: [u8; 32], previous: Option<Hash>) -> Result<SignedRoot, NodeError> {
        let journal = self.journal;
        ask(self.service.commands(), |reply| Command::SignRoot { journal, nonce, previous, reply }).await
    }

    /// The entry with this id, if it is here; also one that is held back.
    ///
    /// # Errors
    /// When the store fails or the node is closed.
    pub async fn get(&self, entry: EntryId) -> Result<Option<Entry>, NodeError> {
        facts::get(self.service.commands(), self.journal, entry).await
    }

    /// Evidence that the entry with this id is in the journal, with the entry; or that it is not in. Whoever
    /// has the root of this moment, [`Evidence::claimed_root`], and trusts it, can check that without a
    /// journal.
    ///
    /// # Errors
    /// When the store fails or the node is closed.
    pub async fn prove(&self, entry: EntryId) -> Result<Evidence, NodeError> {
        let journal = self.journal;
        ask(self.service.commands(), |reply| Command::Prove { journal, entry, reply }).await
    }

    /// One proof about several entries, each in the journal or not, and the root that it is for.
    ///
    /// # Errors
    /// When there are none or over 10,000, or the node is closed.
    pub async fn prove_all(&self, entries: &[EntryId]) -> Result<Proved, NodeError> {
        let (journal, entries) = (self.journal, entries.to_vec());
        ask(self.service.commands(), |reply| Command::ProveAll { journal, entries, reply }).await
    }

    /// One page of at most `limit` facts (1 to 10,000) behind a position, or from the beginning, in the
    /// order of commit here. What is held back is left out; what has fallen due since the position comes
    /// first.
    ///
    /// It costs what it finds: a query is answered from an index by predicate, authority, device, time and
    /// id, and no entry is read that holds nothing that is meant. Only for facts' own timestamps entries are
    /// read to look.
    ///
    /// # Errors
    /// When the page is of a size out of bounds, the store fails or the node is closed.
    pub async fn page(
        &self,
        query: Query,
        after: Option<Position>,
        limit: usize,
    ) -> Result<FactPage, NodeError> {
        let (journal, query) = (self.journal, Box::new(query));
        ask(self.service.commands(), |reply| Command::Page { journal, query, after, limit, reply }).await
    }

    /// The facts that are here, in the order of commit here, read page by page.
    pub fn facts(&self, query: Query) -> BoxStream<'static, Result<FactRecord, NodeError>> {
        self.reader(query).facts()
    }

    /// The facts behind a position, or from the beginning, and then each new one as it comes; also those of
    /// entries that were held back, when they fall due.
    ///
    /// To go on after a restart, keep the `position` of the last fact. None is missed then; one may come
    /// twice where the local clock went back, and all come again if the position is of another store. A slow
    /// reader holds up nobody and takes no memory: it reads on in the log, and is told when it is more than
    /// 1,024 entries behind.
    pub fn watch(
        &self,
        query: Query,
        after: Option<Position>,
    ) -> BoxStream<'static, Result<Watched, NodeError>> {
        self.reader(query).live(after).watch()
    }

    fn reader(&self, query: Query) -> Reader {
        Reader::new(self.service.commands().clone(), self.journal, query)
    }

    /// Entries that are in the set and the root and held back from queries and watches for now, with the
    /// reason: at most `limit` (1 to 10,000), the first that is due first, behind the one given if it still
    /// is one.
    ///
    /// # Errors
    /// When the page is of a size out of bounds or the node is closed.
    pub async fn held_back(&self, after: Option<EntryId>, limit: usize) -> Result<Vec<HeldEntry>, NodeError> {
        let journal = self.journal;
        ask(self.service.commands(), |reply| Command::HeldBack { journal, after, limit, reply }).await
    }

    /// Has a connected peer sign for what it holds of this journal: a receipt, to be kept as evidence. It is
    /// asked for with a fresh nonce, and checked. `previous` is the hash of the receipt that was had from the
    /// peer before, so that they form a chain: see [`check_receipts`](crate::check_receipts).
    ///
    /// # Errors
    /// When the peer is not connected, does not serve the journal, does not answer in time, or answers with
    /// something else.
    pub async fn request_receipt(&self, peer: &str, previous: Option<Hash>) -> Result<SignedRoot, NodeError> {
        let (journal, address) = (self.journal, peer.to_owned());
        let ask_for = |reply| Command::AskReceipt { journal, address, previous, reply };
        Waits::for_answer(self.service.commands(), ask(self.service.commands(), ask_for)).await
    }

    /// How far each peer has this journal, of those that anything is known of since the service was made.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn deliveries(&self) -> Result<Vec<PeerDelivery>, NodeError> {
        let journal = self.journal;
        ask(self.service.commands(), |reply| Command::Deliveries { journal, reply }).await
    }

    /// Where an entry is as far as a peer's device goes: not sent, on its way, or durable there. Nothing if
    /// the entry is not here.
    ///
    /// # Errors
    /// When the service is closed.
    pub async fn delivery(&self, entry: EntryId, device: DeviceId) -> Result<Option<Delivery>, NodeError> {
        let journal = self.journal;
        ask(self.service.commands(), |reply| Command::Delivery { journal, entry, device, reply }).await
    }

    /// The journal as a file, piece by piece, in the form of `docs/FILES.md`: of the moment at which the
    /// first piece is asked for, whatever is appended meanwhile. A slow reader holds up nobody, and memory
    /// stays bounded. Only with the last piece is the file whole.
    pub fn export(&self) -> BoxStream<'static, Result<Vec<u8>, NodeError>> {
        files::export(self.clone())
    }

    /// Takes in the entries of a file of this journal as it comes, in pieces of any size, and checks each of
    /// them and the whole. Each batch is durable before the next but three is read; entries that are here
    /// already change nothing. To have nothing of a file that is wrong somewhere, put it through a
    /// [`FileChecker`](crate::FileChecker) first.
    ///
    /// # Errors
    /// When the file is of another journal, wrong, incomplete or unreadable, the store fails or the node is
    /// closed. The entries before that place are authentic, and are in the journal; the error says how many.
    pub async fn import<E: core::fmt::Display>(
        &self,
        file: impl Stream<Item = Result<Vec<u8>, E>>,
    ) -> Result<ImportReport, ImportError> {
        files::import(self, file).await
    }

    /// Syncs with one peer now.
    ///
    /// Dropping the future ends the wait and frees what was kept for it. The sync goes on: the peer is dialled and
    /// kept equal for the node's sake, until it is removed or the node is stopped.
    ///
    /// # Errors
    /// When the node is not started, does not know the peer, or is closed. How the sync itself went
    /// is in the result.
    pub async fn sync_with(&self, address: &str) -> Result<PeerSync, NodeError> {
        let peer = address.to_owned();
        match self.service.sync_with(self.journal, address, false).await {
            Ok(report) => Ok(PeerSync { peer, result: Ok(report) }),
            Err(NodeError::Peer(error)) => Ok(PeerSync { peer, result: Err(error) }),
            Err(error) => Err(error),
        }
    }

    /// Waits until all that is here now is durable at a peer and all that the peer has is here: patiently, through
    /// lost connections, a peer that is away, and the waits between attempts. What the sync did that showed it;
    /// entries that one side has `refused` are left out.
    ///
    /// To give up is to drop the future.
    ///
    /// # Errors
    /// When the node is not started, stopped meanwhile or closed, does not know the peer, or it is removed; and for
    /// what does not pass by itself, see [`PeerError::is_passing`](crate::PeerError::is_passing): another device
    /// answers, the peer refuses the journal or breaks the protocol, the store fails.
    pub async fn synced(&self, peer: &str) -> Result<SyncReport, NodeError> {
        self.service.sync_with(self.journal, peer, true).await
    }

    /// Syncs with all peers now; how it went with each. An unreachable peer is a failure.
    ///
    /// # Errors
    /// When the node is not started, has no peers, or is closed.
    pub async fn sync(&self) -> Result<Vec<PeerSync>, NodeError> {
        let peers = self.peers().await?;
        if !self.is_running().await? {
            return Err(NodeError::NotStarted);
        }
        if peers.is_empty() {
            return Err(NodeError::NoPeer);
        }
        let syncs = join_all(peers.iter().map(|peer| self.sync_with(&peer.address))).await;
        // A peer that was removed meanwhile is no longer of interest.
        syncs.into_iter().filter(|sync| *sync != Err(NodeError::NoPeer)).collect()
    }

    /// See [`SyncService::events`].
    ///
    /// # Errors
    /// When the node is closed.
    pub async fn events(&self) -> Result<async_channel::Receiver<Event>, NodeError> {
        self.service.events().await
    }
}
