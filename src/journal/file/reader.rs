//! Takes a file apart, however its bytes are cut: head, records, end.
//!
//! It looks at form, lengths, count and hash. Whether the records are entries, and whether the root is
//! theirs, is for the [checker](super::checker) to see.

use crate::crypto::hash::{Hash, Hasher};
use crate::fact::genesis::Genesis;
use crate::ids::JournalId;
use crate::journal::file::error::FileError;
use crate::journal::file::header::FileHeader;
use crate::journal::file::{END_BYTES, END_HASHED_BYTES, HEAD_BYTES, LENGTH_BYTES, MAGIC, VERSION};
use crate::limits::{GENESIS_BYTES, RECORD_BYTES};
use crate::merkle::subtree::Root;

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileItem {
    /// The head, first.
    Header(FileHeader),
    /// A record. Nothing says yet that it is an entry.
    Record(Vec<u8>),
    /// The end: the root that the file claims. Count and hash are right.
    End(Root),
}

/// What stands next in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    Genesis { journal: JournalId, bytes: usize },
    Length,
    Record { bytes: usize },
    End,
    Nothing,
}

impl Next {
    /// How many bytes it takes.
    fn bytes(self) -> usize {
        match self {
            Self::Head => HEAD_BYTES,
            Self::Length => LENGTH_BYTES,
            Self::End => END_BYTES,
            Self::Genesis { bytes, .. } | Self::Record { bytes } => bytes,
            Self::Nothing => 0,
        }
    }
}

/// Reads a file from bytes in pieces of any size.
///
/// Holds one part of the file at most, and takes memory for bytes that came, not for lengths that the file
/// claims. What has failed stays failed.
#[derive(Debug)]
pub struct FileReader {
    next: Next,
    /// What came of the next part.
    buffer: Vec<u8>,
    /// Where the next part begins.
    offset: u64,
    hash: Hasher,
    entries: u64,
    failed: Option<FileError>,
}

impl FileReader {
    /// At the beginning of a file.
    pub fn new() -> Self {
        Self {
            next: Next::Head,
            buffer: Vec::new(),
            offset: 0,
            hash: Hasher::default(),
            entries: 0,
            failed: None,
        }
    }

    /// Reads on, up to the end of the next part, and takes what it reads from the front of `input`. Nothing
    /// when `input` is used up; call it again with what follows.
    ///
    /// # Errors
    /// When these are not the bytes of a file.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<FileItem>, FileError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let read = self.read_on(input);
        if let Err(error) = &read {
            self.failed = Some(error.clone());
        }
        read
    }

    /// Nothing follows: whether that is right.
    ///
    /// # Errors
    /// When the file is incomplete, or has failed before.
    pub fn finish(&self) -> Result<(), FileError> {
        match (&self.failed, self.next) {
            (Some(error), _) => Err(error.clone()),
            (None, Next::Nothing) => Ok(()),
            (None, _) => {
                let offset = self.offset.saturating_add(self.buffer.len() as u64);
                Err(FileError::Incomplete { offset, entries: self.entries })
            }
        }
    }

    /// Where the record begins that was read last.
    pub(crate) fn last_record_at(&self, bytes: usize) -> u64 {
        self.offset.saturating_sub(bytes as u64)
    }

    fn read_on(&mut self, input: &mut &[u8]) -> Result<Option<FileItem>, FileError> {
        loop {
            if self.next == Next::Nothing {
                return match input.is_empty() {
                    true => Ok(None),
                    false => Err(FileError::Trailing { offset: self.offset }),
                };
            }
            let missing = self.next.bytes().saturating_sub(self.buffer.len());
            let (came, rest) = input.split_at(missing.min(input.len()));
            self.buffer.extend_from_slice(came);
            *input = rest;
            if self.next == Next::Head {
                check_beginning(&self.buffer)?;
            }
            if came.len() < missing {
                return Ok(None);
            }
            let part = core::mem::take(&mut self.buffer);
            if let Some(item) = self.part(part)? {
                return Ok(Some(item));
            }
        }
    }

    /// Takes the next part, which is whole.
    fn part(&mut self, part: Vec<u8>) -> Result<Option<FileItem>, FileError> {
        let hashed = if self.next == Next::End { END_HASHED_BYTES } else { part.len() };
        self.hash.update(part.get(..hashed).unwrap_or_default());
        let start = self.offset;
        self.offset = start.saturating_add(part.len() as u64);
        match self.next {
            Next::Head => {
                let journal = JournalId::from_bytes(chunk(&part, MAGIC.len() + 1));
                let bytes = u32::from_be_bytes(chunk(&part, HEAD_BYTES - LENGTH_BYTES));
                if bytes == 0 {
                    self.next = Next::Length;
                    return Ok(Some(FileItem::Header(FileHeader::of_joined(journal))));
                }
                let bounded = usize::try_from(bytes).ok().filter(|bytes| *bytes <= GENESIS_BYTES);
                let bounded = bounded.ok_or(FileError::GenesisLength { bytes })?;
                self.next = Next::Genesis { journal, bytes: bounded };
                Ok(None)
            }
            Next::Genesis { journal: named, .. } => {
                let genesis = Genesis::from_bytes(&part)?;
                let found = genesis.journal();
                if found != named {
                    return Err(FileError::GenesisOfAnother { named, found });
                }
                self.next = Next::Length;
                Ok(Some(FileItem::Header(FileHeader::of(genesis))))
            }
            Next::Length => {
                let bytes = u32::from_be_bytes(chunk(&part, 0));
                let bounded = usize::try_from(bytes).ok().filter(|bytes| *bytes <= RECORD_BYTES);
                self.next = match bounded.ok_or(FileError::RecordLength { offset: start, bytes })? {
                    0 => Next::End,
                    bytes => Next::Record { bytes },
                };
                Ok(None)
            }
            Next::Record { .. } => {
                self.next = Next::Length;
                self.entries = self.entries.saturating_add(1);
                Ok(Some(FileItem::Record(part)))
            }
            Next::End => {
                let root = Root { count: u64::from_be_bytes(chunk(&part, 0)), hash: chunk(&part, 8) };
                if root.count != self.entries {
                    return Err(FileError::Count { claimed: root.count, found: self.entries });
                }
                let hash: Hash = chunk(&part, END_HASHED_BYTES);
                if core::mem::take(&mut self.hash).finish() != hash {
                    return Err(FileError::Hash);
                }
                self.next = Next::Nothing;
                Ok(Some(FileItem::End(root)))
            }
            Next::Nothing => Ok(None),
        }
    }
}

impl Default for FileReader {
    fn default() -> Self {
        Self::new()
    }
}

/// Fails as soon as no file begins so.
fn check_beginning(bytes: &[u8]) -> Result<(), FileError> {
    let magic = bytes.get(..MAGIC.len().min(bytes.len())).unwrap_or_default();
    if !MAGIC.starts_with(magic) {
        return Err(FileError::NotAFile);
    }
    match bytes.get(MAGIC.len()) {
        Some(&version) if version != VERSION => Err(FileError::Version(version)),
        Some(_) | None => Ok(()),
    }
}

/// The `N` bytes of a part at a place, which is within it.
fn chunk<const N: usize>(part: &[u8], at: usize) -> [u8; N] {
    part.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}
