//! A checkpoint: what a journal keeps in memory of each entry, so that opening decodes no records.
//!
//! It is a chain of chunks, each about the entries behind the former, and a short head that says how
//! far they reach and what the root is there. Chunks never change: to go on costs what is new. It is
//! never trusted: every part is held to the ids that the store has, and all of them to the root. Losing
//! it costs time only. See `docs/STORES.md`.

pub(crate) mod chunk;
pub(crate) mod head;
mod names;
pub(crate) mod unsaved;

use crate::codec::cbor::DecodeError;
use crate::ids::JournalId;

/// What starts the keys of a checkpoint's notes.
pub(crate) const NOTES: &str = "checkpoint/";
/// Version of the form of heads and chunks.
pub(crate) const VERSION: u64 = 1;

/// The key of the head's note.
pub(crate) fn head_key(journal: JournalId) -> String {
    format!("{NOTES}{journal}")
}

/// What starts the keys of the chunks' notes.
pub(crate) fn chunk_keys(journal: JournalId) -> String {
    format!("{NOTES}{journal}/")
}

/// The key of the note of the chunk whose last entry has this number. Keys stand in the order of the
/// numbers, which have at most 16 digits.
pub(crate) fn chunk_key(journal: JournalId, end: u64) -> String {
    format!("{NOTES}{journal}/{end:016}")
}

/// The number of the last entry of the chunk whose note has this key; nothing if it is no chunk's.
pub(crate) fn chunk_end(journal: JournalId, key: &str) -> Option<u64> {
    let end = key.strip_prefix(&chunk_keys(journal))?.parse().ok()?;
    (key == chunk_key(journal, end)).then_some(end)
}

/// Notes to be written: the chunks, then the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saving {
    /// Chunks, each with the number of its last entry.
    pub(crate) chunks: Vec<(u64, Vec<u8>)>,
    /// The head's note as it must still be: somebody else has gone on with the checkpoint if not.
    pub(crate) replaces: Option<Vec<u8>>,
    /// Whether it takes the place of a checkpoint that was wrong, whose chunks are to go.
    pub(crate) anew: bool,
    pub(crate) head: Vec<u8>,
    /// The last numbers of chunks that no head names once this is written: they are to go then.
    pub(crate) unnamed: Vec<u64>,
}

/// Where a journal in memory was loaded from when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadedFrom {
    /// The records: there was no checkpoint.
    Records,
    /// A checkpoint, held to the ids in the store and to the root, and the records behind it.
    Checkpoint {
        /// Number of the last entry that the checkpoint is about.
        number: u64,
    },
    /// The records: there was a checkpoint, and it did not agree with them. It is made anew.
    RecordsAgain,
}

/// What is wrong with a checkpoint. The records decide, and it is made anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// It is not what was written, or is about other entries.
    #[error("its {0} does not fit its hash")]
    Hash(&'static str),
    /// It fits its hash and is none.
    #[error("its {part} cannot be read: {error}")]
    Form {
        /// Head or chunk.
        part: &'static str,
        /// Where, and what is wrong.
        error: DecodeError,
    },
    /// A part of it is not there, or is about other numbers.
    #[error("its chunk up to number {0} is missing or is about other entries")]
    Chunk(u64),
    /// It reaches further than the store.
    #[error("it reaches to number {reaches}, the store to {head}")]
    Beyond {
        /// The number that it reaches.
        reaches: u64,
        /// The last number in the store.
        head: u64,
    },
    /// The ids of the entries have another root.
    #[error("the entries have another root")]
    Root,
    /// A newer version wrote it. It is left alone.
    #[error("it has version {0}")]
    Newer(u64),
}
