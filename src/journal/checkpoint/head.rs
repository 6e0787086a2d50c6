//! The head of a checkpoint: `[1, [last number of each chunk], count, hash of the root]`, then 32 bytes of hash.

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::crypto::hash::{self, Hash};
use crate::ids::JournalId;
use crate::journal::checkpoint::{CheckpointError, VERSION};
use crate::limits::SAFE_INTEGER;
use crate::merkle::subtree::Root;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Numbers of the chunks' last entries, ascending; at least one.
    pub(crate) ends: Vec<u64>,
    /// The root of the entries up to the last of these numbers.
    pub(crate) root: Root,
}

impl Head {
    /// Number of the last entry that the checkpoint is about.
    pub(crate) fn number(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// The bytes of its note.
    pub(crate) fn write(&self, journal: JournalId) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(4).unsigned(VERSION).array(self.ends.len());
        for end in &self.ends {
            writer.unsigned(*end);
        }
        writer.unsigned(self.root.count).bytes(&self.root.hash);
        sealed(writer.into_bytes(), journal, &[])
    }

    /// Reads a note.
    pub(crate) fn read(journal: JournalId, note: &[u8]) -> Result<Self, CheckpointError> {
        let body = unsealed(note, journal, &[]).ok_or(CheckpointError::Hash("head"))?;
        version(body, "head", 4)?;
        read(body).map_err(|error| CheckpointError::Form { part: "head", error })
    }
}

fn read(body: &[u8]) -> Result<Head, DecodeError> {
    let reader = &mut Reader::new(body);
    reader.array_of("parts of a head", 4)?;
    reader.unsigned()?;
    let len = reader.array("chunks", usize::MAX)?;
    let (mut ends, mut last) = (Vec::with_capacity(len), 0);
    for _ in 0..len {
        let position = reader.position();
        let end = reader.bounded("number of the last entry", SAFE_INTEGER)?;
        if end <= last {
            return Err(DecodeError::NotCanonical { rule: "chunks ascending", position });
        }
        ends.push(end);
        last = end;
    }
    // Without a chunk there is no checkpoint, and no entry to count.
    let count = reader.bounded("count of the root", last)?;
    if count == 0 {
        return Err(Reader::out_of_bounds(0, "count of the root"));
    }
    let root = Root { count, hash: reader.array_of_bytes("32 bytes of a root")? };
    reader.end()?;
    Ok(Head { ends, root })
}

/// Refuses versions that are not known here, before anything else is looked at.
pub(super) fn version(body: &[u8], part: &'static str, parts: usize) -> Result<(), CheckpointError> {
    let reader = &mut Reader::new(body);
    let found =
        reader.array("parts of a checkpoint", usize::MAX).and_then(|len| Ok((len, reader.unsigned()?)));
    match found {
        Ok((_, found)) if found > VERSION => Err(CheckpointError::Newer(found)),
        Ok((len, VERSION)) if len == parts => Ok(()),
        Ok(_) => Err(CheckpointError::Form { part, error: Reader::out_of_bounds(0, "version") }),
        Err(error) => Err(CheckpointError::Form { part, error }),
    }
}

/// The body and its hash: `H("checkpoint", journal ‖ ids ‖ body)`.
pub(crate) fn sealed(mut body: Vec<u8>, journal: JournalId, ids: &[u8]) -> Vec<u8> {
    let hash = over(&body, journal, ids);
    body.extend_from_slice(&hash);
    body
}

/// The body of a note whose hash fits it.
pub(super) fn unsealed<'n>(note: &'n [u8], journal: JournalId, ids: &[u8]) -> Option<&'n [u8]> {
    let (body, hash) = note.split_last_chunk::<32>()?;
    (*hash == over(body, journal, ids)).then_some(body)
}

fn over(body: &[u8], journal: JournalId, ids: &[u8]) -> Hash {
    hash::labelled("checkpoint", &[journal.as_bytes(), ids, body])
}
