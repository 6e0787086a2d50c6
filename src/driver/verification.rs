//! Verification for a journal that is kept: what is judged here is known here, and what is proved can be applied.

use std::sync::Arc;

use futures::channel::oneshot;

use crate::crypto::hash::Hash;
use crate::driver::error::NodeError;
use crate::driver::indexed_journal::IndexedJournal;
use crate::fact::entry::{Entry, entry_id};
use crate::ids::{EntryId, JournalId};
use crate::merkle::compare::RootComparison;
use crate::merkle::subtree::Root;
use crate::platform::send::{BoxFuture, MaybeSend, MaybeSync};
use crate::platform::traits::{Clock, Entropy, EntropyError, Platform, Spawner};
use crate::time::WallTime;
use crate::verification::policy::SignerPolicy;
use crate::verification::push::{Expected, Push, PushError};
use crate::verification::verified::{Unproved, Verified};
use crate::verification::verifier::{FactClaim, MerkleVerifier, Shown, SignedFact, Submission, Verification};

/// What verification needs of a platform, without its type.
pub(crate) trait Surroundings: MaybeSend + MaybeSync {
    /// The wall clock, nothing if it cannot be read.
    fn wall(&self) -> Option<WallTime>;
    /// Random bytes.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
    /// Runs a long computation where it holds up nobody.
    fn compute(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'_, ()>;
}

impl<P: Platform> Surroundings for P {
    fn wall(&self) -> Option<WallTime> {
        self.clock().try_wall()
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.entropy().fill(bytes)
    }

    fn compute(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'_, ()> {
        Box::pin(self.spawner().compute(work))
    }
}

/// Judges what others hand over for a journal, and applies what is proved. Cheap to clone.
#[derive(Clone)]
pub struct JournalVerifier {
    journal: Arc<dyn IndexedJournal>,
    verifier: MerkleVerifier,
    around: Arc<dyn Surroundings>,
}

/// What applying did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Entries that were not here before. The others were, and changed nothing.
    pub new: u64,
    /// The root here afterwards.
    pub root: Root,
}

impl JournalVerifier {
    pub(crate) fn new(journal: Arc<dyn IndexedJournal>, around: Arc<dyn Surroundings>) -> Self {
        let verifier = MerkleVerifier::open(journal.id());
        Self { journal, verifier, around }
    }

    /// The same that trusts whom `policy` says, where by default every device may write.
    #[must_use]
    pub fn with_policy(&self, policy: Arc<dyn SignerPolicy>) -> Self {
        Self { verifier: MerkleVerifier::with_policy(self.journal(), policy), ..self.clone() }
    }

    /// The journal.
    pub fn journal(&self) -> JournalId {
        self.verifier.journal()
    }

    /// The root here.
    ///
    /// # Errors
    /// When the journal fails or is closed.
    pub async fn root(&self) -> Result<Root, NodeError> {
        self.journal.root().await
    }

    /// How the root here compares to another. [`MerkleMap`](crate::MerkleMap) says in which subtrees.
    ///
    /// # Errors
    /// When the journal fails or is closed.
    pub async fn compare_root(&self, remote: Root) -> Result<RootComparison, NodeError> {
        Ok(RootComparison::of(self.root().await?, remote))
    }

    /// 32 random bytes for a peer to put into the root that it signs: so that it signs it now.
    ///
    /// # Errors
    /// When the source of entropy fails.
    pub fn challenge(&self) -> Result<[u8; 32], NodeError> {
        let mut nonce = [0; 32];
        self.around.fill(&mut nonce)?;
        Ok(nonce)
    }

    /// See [`MerkleVerifier::verify_entries`]. Changes nothing.
    ///
    /// # Errors
    /// When nothing can be judged, or the journal fails or is closed.
    pub async fn verify_entries(
        &self,
        claimed: &Hash,
        entries: Vec<Submission>,
        shown: Shown,
    ) -> Result<Verification<Entry>, NodeError> {
        let (known, claimed, verifier) =
            (self.known(ids(self, &entries)).await?, *claimed, self.verifier.clone());
        self.judge(move |wall| verifier.verify_entries(&claimed, entries, &shown, &known.has(), wall)).await
    }

    /// See [`MerkleVerifier::verify_facts`]. Changes nothing.
    ///
    /// # Errors
    /// When nothing can be judged, or the journal fails or is closed.
    pub async fn verify_facts(
        &self,
        claimed: &Hash,
        facts: Vec<FactClaim>,
    ) -> Result<Verification<SignedFact>, NodeError> {
        let ids = facts.iter().map(|claim| entry_id(&self.journal(), &claim.record)).collect();
        let (known, claimed, verifier) = (self.known(ids).await?, *claimed, self.verifier.clone());
        self.judge(move |wall| verifier.verify_facts(&claimed, facts, &known.has(), wall)).await
    }

    /// See [`MerkleVerifier::verify_push`]. Changes nothing.
    ///
    /// # Errors
    /// What is wrong with the envelope; or the journal fails or is closed.
    pub async fn verify_push(
        &self,
        push: Push,
        expected: &Expected,
    ) -> Result<Verification<Entry>, NodeError> {
        let (known, verifier, expected) =
            (self.known(ids(self, &push.entries)).await?, self.verifier.clone(), *expected);
        self.judge(move |wall| verifier.verify_push(push, &expected, &known.has(), wall)).await
    }

    /// Takes in what is proved. When this returns it is durable, in the index and under the root; if it
    /// fails, it can be called again with the same.
    ///
    /// # Errors
    /// When the journal fails or is closed. Some of it may be in then.
    pub async fn apply(&self, verified: Vec<Verified<Entry>>) -> Result<Applied, NodeError> {
        self.admit(verified.into_iter().map(Verified::into_inner).collect()).await
    }

    /// Takes in what is authentic and unproved, as a sync does with whatever is authentic.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn apply_unproved(&self, unproved: Vec<Unproved<Entry>>) -> Result<Applied, NodeError> {
        self.admit(unproved.into_iter().map(Unproved::into_inner).collect()).await
    }

    async fn admit(&self, entries: Vec<Entry>) -> Result<Applied, NodeError> {
        let new = if entries.is_empty() { 0 } else { self.journal.admit(entries).await? };
        Ok(Applied { new, root: self.root().await? })
    }

    async fn known(&self, ids: Vec<EntryId>) -> Result<Known, NodeError> {
        let here = self.journal.contains(ids.clone()).await?;
        let mut known: Vec<_> =
            ids.into_iter().zip(here).filter_map(|(id, here)| here.then_some(id)).collect();
        crate::merkle::prefix::sort(&mut known);
        Ok(Known(known))
    }

    /// Judges where that holds up nobody.
    async fn judge<T, E>(
        &self,
        work: impl FnOnce(Option<WallTime>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, NodeError>
    where
        T: Send + 'static,
        E: Send + 'static,
        NodeError: From<E>,
    {
        let wall = self.around.wall();
        let (done, verdict) = oneshot::channel();
        // Whoever asked may have given up.
        self.around.compute(Box::new(move || drop(done.send(work(wall))))).await;
        Ok(verdict.await.map_err(|_| NodeError::Closed)??)
    }
}

impl core::fmt::Debug for JournalVerifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("JournalVerifier").field("journal", &self.journal()).finish_non_exhaustive()
    }
}

/// Those that are here already, ascending.
struct Known(Vec<EntryId>);

impl Known {
    fn has(&self) -> impl Fn(&EntryId) -> bool {
        |id| self.0.binary_search(id).is_ok()
    }
}

fn ids(verifier: &JournalVerifier, entries: &[Submission]) -> Vec<EntryId> {
    entries.iter().map(|entry| entry_id(&verifier.journal(), &entry.record)).collect()
}

impl From<PushError> for NodeError {
    fn from(error: PushError) -> Self {
        if let PushError::Verify(error) = error { Self::Verify(error) } else { Self::Push(error) }
    }
}
