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
    /// Entries at its beginning that are in the checkpoint, in chunks that were taken up again.
    saved: usize,
    /// Chunks before it that wait to be saved with it, each with the number of its last entry.
    aside: Vec<(u64, Vec<u8>)>,
    /// Numbers of the last entries of the chunks that there are.
    ends: Vec<u64>,
    /// The head's note as it was written last.
    head: Option<Vec<u8>>,
    /// Whether what there is was wrong and is not replaced yet.
    is_wrong: bool,
    /// Chunks that the next head does not name.
    unnamed: Vec<u64>,
}

impl Unsaved {
    /// Of a journal without a checkpoint.
    pub(crate) fn all() -> Self {
        Self { chunk: Some(ChunkWriter::new(1)), ..Self::none() }
    }

    /// Of a journal that has a checkpoint with `head`, whose note this is, of which the chunks behind the first
    /// `kept` are taken up again: their entries are pushed once more, and go into a chunk with those that follow.
    /// `strays` are the last numbers of chunks that the head does not name.
    pub(crate) fn behind(head: Head, note: Vec<u8>, kept: usize, strays: Vec<u64>) -> Self {
        let (number, mut ends, mut unnamed) = (head.number(), head.ends, strays);
        unnamed.extend(ends.drain(kept.min(ends.len())..));
        let end = ends.last().copied().unwrap_or_default();
        let saved = usize::try_from(number.saturating_sub(end)).unwrap_or(usize::MAX);
        let chunk = Some(ChunkWriter::new(end.saturating_add(1)));
        Self { chunk, saved, ends, head: Some(note), unnamed, ..Self::none() }
    }

    /// Of a journal whose checkpoint is wrong and is made anew; this is the note of its head.
    pub(crate) fn anew(wrong: Vec<u8>) -> Self {
        Self { head: Some(wrong), is_wrong: true, ..Self::all() }
    }

    /// Of a journal of which no checkpoint is kept.
    pub(crate) fn none() -> Self {
        Self {
            chunk: None,
            saved: 0,
            aside: Vec::new(),
            ends: Vec::new(),
            head: None,
            is_wrong: false,
            unnamed: Vec::new(),
        }
    }

    /// Takes the next entry. `number_of` says of an id which entry of the journal has it.
    pub(crate) fn push(&mut self, summary: &Summary<'_>, number_of: impl Fn(&EntryId) -> Option<u64>) {
        if let Some(chunk) = &mut self.chunk {
            chunk.push(summary, number_of);
        }
    }

    fn is_full(&self) -> bool {
        self.chunk.as_ref().is_some_and(|chunk| is_full(chunk.len(), chunk.size()))
    }

    /// Whether there is a chunk that is full.
    pub(crate) fn is_due(&self) -> bool {
        self.is_full() || !self.aside.is_empty()
    }

    /// Whether what waits is worth a chunk that is not full.
    pub(crate) fn is_worth_it(&self) -> bool {
        // What is wrong is replaced in any case.
        let least = if self.is_wrong { 1 } else { CHUNK_ENTRIES_MIN };
        self.chunk.as_ref().is_some_and(|chunk| chunk.len() >= self.saved.saturating_add(least))
    }

    /// Sets the chunk aside if it is full, to be saved with what follows. `ids` are all of the journal's, in the
    /// order of their numbers.
    pub(crate) fn set_aside(&mut self, journal: JournalId, ids: &[EntryId]) {
        if self.is_full() {
            self.finish(journal, ids);
        }
    }

    /// Makes a chunk of all that waits, if anything does, and says what is to be saved. `ids` are all of the
    /// journal's, in the order of their numbers, and `root` is theirs.
    pub(crate) fn take(&mut self, journal: JournalId, ids: &[EntryId], root: Root) -> Option<Saving> {
        self.finish(journal, ids);
        let chunks = core::mem::take(&mut self.aside);
        if chunks.is_empty() {
            return None;
        }
        self.ends.extend(chunks.iter().map(|(end, _)| *end));
        let head = Head { ends: self.ends.clone(), root }.write(journal);
        let replaces = self.head.replace(head.clone());
        let anew = core::mem::take(&mut self.is_wrong);
        Some(Saving { chunks, replaces, anew, head, unnamed: core::mem::take(&mut self.unnamed) })
    }

    fn finish(&mut self, journal: JournalId, ids: &[EntryId]) {
        let number = ids.len() as u64;
        let Some(chunk) = self.chunk.take_if(|chunk| chunk.len() > 0) else { return };
        self.chunk = Some(ChunkWriter::new(number.saturating_add(1)));
        self.saved = 0;
        let from = usize::try_from(chunk.first().saturating_sub(1)).unwrap_or(usize::MAX);
        self.aside.push((number, chunk.finish(journal, ids.get(from..).unwrap_or_default())));
    }
}

/// Whether a chunk of so many entries and bytes is full.
fn is_full(entries: usize, bytes: usize) -> bool {
    entries >= CHUNK_ENTRIES || bytes >= CHUNK_BYTES
}

/// How many of a checkpoint's chunks are kept as they are: the last ones that together would not fill a chunk are
/// taken up again. Of each the number of its last entry and its bytes.
pub(crate) fn kept<'c>(
    chunks: impl DoubleEndedIterator<Item = (u64, &'c [u8])> + ExactSizeIterator,
) -> usize {
    let (mut kept, mut last, mut bytes) = (chunks.len(), None, 0_usize);
    let mut ends = chunks.rev().peekable();
    while let Some((end, note)) = ends.next() {
        let before = ends.peek().map_or(0, |(before, _)| *before);
        let entries = last.get_or_insert(end).saturating_sub(before);
        bytes = bytes.saturating_add(note.len());
        if is_full(usize::try_from(entries).unwrap_or(usize::MAX), bytes) {
            break;
        }
        kept = kept.saturating_sub(1);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f61_the_last_chunks_that_do_not_fill_one_are_taken_up_again() {
        let kept_of = |chunks: &[(u64, usize)]| {
            let notes: Vec<_> = chunks.iter().map(|(end, bytes)| (*end, vec![0; *bytes])).collect();
            kept(notes.iter().map(|(end, note)| (*end, note.as_slice())))
        };
        assert_eq!(kept_of(&[]), 0);
        assert_eq!(kept_of(&[(300, 9)]), 0);
        assert_eq!(kept_of(&[(300, 9), (900, 9), (4_095, 9)]), 0);
        assert_eq!(kept_of(&[(300, 9), (900, 9), (4_096, 9)]), 1, "2 and 3 are 3,796");
        assert_eq!(kept_of(&[(4_096, 9)]), 1);
        assert_eq!(kept_of(&[(4_096, 9), (8_192, 9), (8_500, 9), (8_800, 9)]), 2);
        assert_eq!(kept_of(&[(300, 9), (4_396, 9), (4_800, 9)]), 2, "not over one that is full");
        assert_eq!(kept_of(&[(300, CHUNK_BYTES)]), 1, "full of bytes");
        assert_eq!(kept_of(&[(300, 9), (600, CHUNK_BYTES / 2), (900, CHUNK_BYTES / 2)]), 2);
    }
}
