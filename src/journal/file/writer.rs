//! Writes a file: what is known of the journal goes in piece by piece, the bytes come out.

use crate::crypto::hash::Hasher;
use crate::fact::entry::Entry;
use crate::fact::genesis::Genesis;
use crate::journal::file::error::FileError;
use crate::journal::file::header::FileHeader;
use crate::journal::file::{MAGIC, VERSION};
use crate::merkle::subtree::Root;

/// Writes a journal's file, appending its bytes to what it is given: first the head, then each entry, at
/// last the end. It keeps nothing but the hash so far.
#[derive(Clone, Debug)]
pub struct FileWriter {
    hash: Hasher,
    entries: u64,
}

impl FileWriter {
    /// Begins a file.
    pub fn begin(header: &FileHeader, out: &mut Vec<u8>) -> Self {
        let start = out.len();
        let genesis = header.genesis().map(Genesis::to_bytes).unwrap_or_default();
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(header.journal().as_bytes());
        length(genesis.len(), out);
        out.extend_from_slice(&genesis);
        let mut writer = Self { hash: Hasher::default(), entries: 0 };
        writer.hashed(out, start);
        writer
    }

    /// Writes an entry, which is one of this journal and was not written before.
    pub fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        self.record(entry.record(), out);
    }

    /// The same, of its record.
    pub(crate) fn record(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        length(record.len(), out);
        out.extend_from_slice(record);
        self.hashed(out, start);
        self.entries = self.entries.saturating_add(1);
    }

    /// Ends the file. `root` is that of the entries, which the writer takes on trust: a reader does not.
    ///
    /// # Errors
    /// [`FileError::Count`] when it is that of another number of entries; the file is left without an end.
    pub fn end(mut self, root: &Root, out: &mut Vec<u8>) -> Result<(), FileError> {
        if root.count != self.entries {
            return Err(FileError::Count { claimed: root.count, found: self.entries });
        }
        let start = out.len();
        length(0, out);
        out.extend_from_slice(&root.count.to_be_bytes());
        out.extend_from_slice(&root.hash);
        self.hashed(out, start);
        out.extend_from_slice(&self.hash.finish());
        Ok(())
    }

    fn hashed(&mut self, out: &[u8], start: usize) {
        self.hash.update(out.get(start..).unwrap_or_default());
    }
}

/// A length, which is bounded far below 2^32 by what it is of.
fn length(bytes: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
}
