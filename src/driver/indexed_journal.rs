//! What verification needs of a journal, whoever keeps it.

use crate::driver::command::Command;
use crate::driver::error::NodeError;
use crate::driver::facts::ask;
use crate::driver::node::SyncNode;
use crate::fact::entry::Entry;
use crate::ids::{EntryId, JournalId};
use crate::merkle::subtree::Root;
use crate::platform::send::{BoxFuture, MaybeSend, MaybeSync};

/// A journal that says what it has, and takes in entries. [`SyncNode`] is one; an application may bring
/// another.
pub trait IndexedJournal: MaybeSend + MaybeSync {
    /// Its name.
    fn id(&self) -> JournalId;

    /// Its root.
    fn root(&self) -> BoxFuture<'_, Result<Root, NodeError>>;

    /// For each of these, in their order, whether it is here.
    fn contains(&self, entries: Vec<EntryId>) -> BoxFuture<'_, Result<Vec<bool>, NodeError>>;

    /// Takes in entries of this journal, which are authentic. Resolves when they are durable, with how many
    /// are new. Those that are here already change nothing.
    fn admit(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<u64, NodeError>>;
}

impl IndexedJournal for SyncNode {
    fn id(&self) -> JournalId {
        self.journal()
    }

    fn root(&self) -> BoxFuture<'_, Result<Root, NodeError>> {
        Box::pin(SyncNode::root(self))
    }

    fn contains(&self, entries: Vec<EntryId>) -> BoxFuture<'_, Result<Vec<bool>, NodeError>> {
        let journal = self.journal();
        Box::pin(ask(self.service().commands(), move |reply| Command::Contains { journal, entries, reply }))
    }

    fn admit(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<u64, NodeError>> {
        let journal = self.journal();
        Box::pin(ask(self.service().commands(), move |reply| Command::Import { journal, entries, reply }))
    }
}
