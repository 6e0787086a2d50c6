//! What a checkpoint lacks: the summaries of the entries behind it, as they gather.

use crate::fact::summary::Summary;
use crate::ids::{EntryId, JournalId};
use crate::journal::checkpoint::Saving;
use crate::journal::checkpoint::chunk::ChunkWriter;
use crate::journal::checkpoint::head::Head;
use crate::limits::{CHUNK_BYTES, CHUNK_ENTRIES, CHUNK_ENTRIES_MIN};
use crate::merkle::subtree::Root;

/// See the module.
#[derive(Debug)]
pub(crate) struct Unsaved {
    /// Nothing where no checkpoint is kept.
    chunk: Option<ChunkWriter>,
    /// Numbers of the last entries of the chunks that there are.
    ends: Vec<u64>,
    /// The head's note as it was written last.
    head: Option<Vec<u8>>,
}

impl Unsaved {
    /// Of a journal without a checkpoint.
    pub(crate) fn all() -> Self {
        Self { chunk: Some(ChunkWriter::new(1)), ends: Vec::new(), head: None }
    }

    /// Of a journal that has a checkpoint up to `head`, whose note this is.
    pub(crate) fn behind(head: Head, note: Vec<u8>) -> Self {
        let chunk = ChunkWriter::new(head.number().saturating_add(1));
        Self { chunk: Some(chunk), ends: head.ends, head: Some(note) }
    }

    /// Of a journal whose checkpoint is wrong and is made anew; this is the note of its head.
    pub(crate) fn anew(wrong: Vec<u8>) -> Self {
        Self { head: Some(wrong), ..Self::all() }
    }

    /// Of a journal of which no checkpoint is kept.
    pub(crate) fn none() -> Self {
        Self { chunk: None, ends: Vec::new(), head: None }
    }

    /// Takes the next entry. `number_of` says of an id which entry of the journal has it.
    pub(crate) fn push(&mut self, summary: &Summary<'_>, number_of: impl Fn(&EntryId) -> Option<u64>) {
        if let Some(chunk) = &mut self.chunk {
            chunk.push(summary, number_of);
        }
    }

    /// Whether a chunk is full.
    pub(crate) fn is_full(&self) -> bool {
        self.chunk.as_ref().is_some_and(|chunk| chunk.len() >= CHUNK_ENTRIES || chunk.size() >= CHUNK_BYTES)
    }

    /// Whether what there is was wrong and is not replaced yet.
    fn is_wrong(&self) -> bool {
        self.ends.is_empty() && self.head.is_some()
    }

    /// Whether what waits is worth a chunk that is not full.
    pub(crate) fn is_worth_it(&self) -> bool {
        // What is wrong is replaced in any case.
        let least = if self.is_wrong() { 1 } else { CHUNK_ENTRIES_MIN };
        self.chunk.as_ref().is_some_and(|chunk| chunk.len() >= least)
    }

    /// Makes a chunk of all that waits, if anything does. `ids` are all of the journal's, in the order of
    /// their numbers, and `root` is theirs.
    pub(crate) fn take(&mut self, journal: JournalId, ids: &[EntryId], root: Root) -> Option<Saving> {
        let number = ids.len() as u64;
        let chunk = self.chunk.take_if(|chunk| chunk.len() > 0)?;
        self.chunk = Some(ChunkWriter::new(number.saturating_add(1)));
        let from = usize::try_from(chunk.first().saturating_sub(1)).unwrap_or(usize::MAX);
        let chunk = chunk.finish(journal, ids.get(from..).unwrap_or_default());
        let anew = self.is_wrong();
        self.ends.push(number);
        let head = Head { ends: self.ends.clone(), root }.write(journal);
        let replaces = self.head.replace(head.clone());
        Some(Saving { end: number, chunk, replaces, anew, head })
    }
}
