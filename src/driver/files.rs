//! Exporting a journal as a file, and importing one: the store and the command loop on one side, bytes on
//! the other.

use std::collections::VecDeque;

use futures::channel::oneshot;
use futures::{Stream, StreamExt, stream};

use crate::driver::command::Command;
use crate::driver::error::NodeError;
use crate::driver::node::SyncNode;
use crate::driver::service::Notes;
use crate::driver::storage;
use crate::error::StoreError;
use crate::fact::entry::Entry;
use crate::fact::genesis::Genesis;
use crate::ids::JournalId;
use crate::journal::file::checker::{CheckedBatch, FileBatch, FileChecker, FileStep};
use crate::journal::file::error::FileError;
use crate::journal::file::header::FileHeader;
use crate::journal::file::writer::FileWriter;
use crate::merkle::subtree::Root;
use crate::platform::send::{BoxFuture, BoxStream, MaybeSend, MaybeSync};
use crate::platform::traits::{Platform, Spawner, StoredRecord};

/// Bytes of a piece of an export, unless one entry takes more.
const PIECE_BYTES: usize = 262_144;
/// Batches of an import that are on their way to the store: while one is committed, the next are checked.
const UNDER_WAY: usize = 4;

/// What files need of the platform, without its type.
pub(crate) trait FileAccess: MaybeSend + MaybeSync {
    fn genesis(&self, journal: JournalId) -> BoxFuture<'_, Result<Option<Genesis>, StoreError>>;
    fn records(
        &self,
        journal: JournalId,
        range: (u64, u64),
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>>;
    fn check(&self, batch: FileBatch) -> BoxFuture<'_, CheckedBatch>;
}

impl<P: Platform> FileAccess for Notes<P> {
    fn genesis(&self, journal: JournalId) -> BoxFuture<'_, Result<Option<Genesis>, StoreError>> {
        Box::pin(storage::genesis(self.0.store(), journal))
    }

    fn records(
        &self,
        journal: JournalId,
        range: (u64, u64),
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(storage::records(self.0.store(), journal, range, PIECE_BYTES))
    }

    fn check(&self, batch: FileBatch) -> BoxFuture<'_, CheckedBatch> {
        Box::pin(self.0.spawner().compute(|| batch.check()))
    }
}

/// How far an export has come.
pub(crate) enum Export {
    /// Nothing is written yet.
    Begin,
    /// The head is, and entries below `next`.
    Entries { writer: FileWriter, next: u64, last: u64, root: Root },
    /// The end is, or it has failed.
    Ended,
}

/// See [`SyncNode::export`].
pub(crate) fn export(node: SyncNode) -> BoxStream<'static, Result<Vec<u8>, NodeError>> {
    Box::pin(stream::unfold((node, Export::Begin), |(node, export)| async move {
        match export.next(&node).await {
            Ok((piece, next)) => piece.map(|piece| (Ok(piece), (node, next))),
            Err(error) => Some((Err(error), (node, Export::Ended))),
        }
    }))
}

impl Export {
    /// The next piece, and the export behind it; nothing at the end.
    pub(crate) async fn next(self, node: &SyncNode) -> Result<(Option<Vec<u8>>, Self), NodeError> {
        let (journal, files) = (node.journal(), node.service().files());
        let mut out = Vec::new();
        let next = match self {
            Self::Begin => {
                let status = node.status().await?;
                let header = match files.genesis(journal).await? {
                    Some(genesis) => FileHeader::of(genesis),
                    None => FileHeader::of_joined(journal),
                };
                let writer = FileWriter::begin(&header, &mut out);
                Self::Entries { writer, next: 1, last: status.cursor.number, root: status.root }
            }
            Self::Entries { writer, next, last, root } if next > last => {
                let twice = |_| StoreError::Damaged(format!("journal {journal} holds an entry twice"));
                writer.end(&root, &mut out).map_err(twice)?;
                Self::Ended
            }
            Self::Entries { mut writer, next, last, root } => {
                let records = files.records(journal, (next, last)).await?;
                for record in &records {
                    writer.record(&record.bytes, &mut out);
                }
                let next = next.saturating_add(records.len() as u64);
                Self::Entries { writer, next, last, root }
            }
            Self::Ended => return Ok((None, Self::Ended)),
        };
        Ok((Some(out), next))
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// Entries in the file.
    pub entries: u64,
    /// How many of them were not here before.
    pub new: u64,
    /// The root of the file.
    pub in_file: Root,
    /// The root of the journal here, with what else it holds.
    pub here: Root,
}

/// Why an import ended early, and what it had done by then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}; {}", imported(*.entries, *.new))]
pub struct ImportError {
    /// What went wrong.
    pub error: NodeError,
    /// Entries of the file that are in the journal, before the place where something was wrong.
    pub entries: u64,
    /// How many of them were not here before.
    pub new: u64,
}

impl ImportError {
    /// A reason, with what was imported before that.
    #[cfg(feature = "cli")]
    pub(crate) fn after(&self, reason: &str) -> String {
        format!("{reason}; {}", imported(self.entries, self.new))
    }
}

fn imported(entries: u64, new: u64) -> String {
    match entries {
        0 => "nothing was imported".into(),
        1 => format!("1 entry before that was right and is imported, {new} new"),
        _ => format!("{entries} entries before that were right and are imported, {new} of them new"),
    }
}

/// A file on its way in. It does not keep the node alive: the node is lent to each step, always the same.
pub(crate) struct Import {
    checker: FileChecker,
    /// Whether the file is only to be checked.
    dry: bool,
    under_way: VecDeque<UnderWay>,
    entries: u64,
    new: u64,
}

/// Entries on their way to the store: how many, and the answer that says how many were new.
type UnderWay = (u64, oneshot::Receiver<Result<u64, NodeError>>);

impl Import {
    /// A file to be imported into the node's journal; or only checked, which changes nothing.
    pub(crate) fn new(dry: bool) -> Self {
        let checker = FileChecker::new();
        Self { checker, dry, under_way: VecDeque::new(), entries: 0, new: 0 }
    }

    /// Takes the next bytes of the file.
    pub(crate) async fn push(&mut self, node: &SyncNode, mut bytes: &[u8]) -> Result<(), ImportError> {
        loop {
            let step = match self.checker.read(&mut bytes) {
                Ok(None) => return Ok(()),
                Ok(Some(step)) => self.step(node, step).await.map(drop),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = step {
                return Err(self.failed(error).await);
            }
        }
    }

    /// The file ends here.
    pub(crate) async fn finish(mut self, node: &SyncNode) -> Result<ImportReport, ImportError> {
        match self.end(node).await {
            Ok((in_file, here)) => {
                Ok(ImportReport { entries: self.checker.entries(), new: self.new, in_file, here })
            }
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// Reading the file failed.
    pub(crate) async fn unreadable(mut self, node: &SyncNode, reason: String) -> ImportError {
        // What came before is as good as if the file had been cut off there.
        match self.end(node).await {
            Err(NodeError::File(FileError::Incomplete { .. })) | Ok(_) => {}
            Err(error) => return self.failed(error).await,
        }
        self.failed(FileError::Unreadable(reason).into()).await
    }

    async fn end(&mut self, node: &SyncNode) -> Result<(Root, Root), NodeError> {
        let root = loop {
            let step = self.checker.finish()?;
            if let Some(root) = self.step(node, step).await? {
                break root;
            }
        };
        self.settle(0).await?;
        Ok((root, node.root().await?))
    }

    /// What is durable when it fails.
    async fn failed(&mut self, error: NodeError) -> ImportError {
        // An error of the store is told as such, also if the file is wrong behind that place.
        let error = self.settle(0).await.err().unwrap_or(error);
        ImportError { error, entries: self.entries, new: self.new }
    }

    async fn step(&mut self, node: &SyncNode, step: FileStep) -> Result<Option<Root>, NodeError> {
        match step {
            FileStep::Header(header) => {
                let (found, expected) = (header.journal(), node.journal());
                if found != expected {
                    return Err(FileError::OtherJournal { found, expected }.into());
                }
                if let Some(genesis) = header.genesis().filter(|_| !self.dry) {
                    node.service().note_genesis(genesis).await?;
                }
                Ok(None)
            }
            FileStep::Check(batch) => {
                let checked = node.service().files().check(batch).await;
                let entries = self.checker.settle(checked);
                self.take_in(node, entries).await?;
                Ok(None)
            }
            FileStep::End(root) => Ok(Some(root)),
        }
    }

    async fn take_in(&mut self, node: &SyncNode, entries: Vec<Entry>) -> Result<(), NodeError> {
        if self.dry || entries.is_empty() {
            return Ok(());
        }
        let (count, journal) = (entries.len() as u64, node.journal());
        self.settle(UNDER_WAY.saturating_sub(1)).await?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Import { journal, entries, reply: Box::new(reply) };
        node.service().commands().send(command).await.map_err(|_| NodeError::Closed)?;
        self.under_way.push_back((count, answer));
        Ok(())
    }

    /// Waits until at most so many batches are under way.
    async fn settle(&mut self, left: usize) -> Result<(), NodeError> {
        while self.under_way.len() > left
            && let Some((count, answer)) = self.under_way.pop_front()
        {
            let new = answer.await.map_err(|_| NodeError::Closed)??;
            self.entries = self.entries.saturating_add(count);
            self.new = self.new.saturating_add(new);
        }
        Ok(())
    }
}

/// See [`SyncNode::import`].
pub(crate) async fn import<E: core::fmt::Display>(
    node: &SyncNode,
    file: impl Stream<Item = Result<Vec<u8>, E>>,
) -> Result<ImportReport, ImportError> {
    let mut file = core::pin::pin!(file);
    let mut import = Import::new(false);
    while let Some(piece) = file.next().await {
        match piece {
            Ok(bytes) => import.push(node, &bytes).await?,
            Err(error) => return Err(import.unreadable(node, error.to_string()).await),
        }
    }
    import.finish(node).await
}
