//! How a file begins: which journal it holds.

use crate::fact::genesis::Genesis;
use crate::ids::JournalId;
use crate::journal::file::error::FileError;
use crate::journal::file::reader::{FileItem, FileReader};

/// Which journal a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHeader {
    journal: JournalId,
    genesis: Option<Genesis>,
}

impl FileHeader {
    /// Of a journal whose genesis is known.
    pub fn of(genesis: Genesis) -> Self {
        Self { journal: genesis.journal(), genesis: Some(genesis) }
    }

    /// Of a journal whose genesis is not known where the file is written.
    pub fn of_joined(journal: JournalId) -> Self {
        Self { journal, genesis: None }
    }

    /// What a file that begins with these bytes says of itself; nothing if it takes more of them, which
    /// are 1,069 at most.
    ///
    /// # Errors
    /// When no file begins so, or one of a later version.
    pub fn peek(mut bytes: &[u8]) -> Result<Option<Self>, FileError> {
        match FileReader::new().read(&mut bytes)? {
            Some(FileItem::Header(header)) => Ok(Some(header)),
            Some(FileItem::Record(_) | FileItem::End(_)) | None => Ok(None),
        }
    }

    /// Whether a file may begin with this byte. Text, such as lines of JSON, does not.
    pub fn may_begin_with(byte: u8) -> bool {
        byte == super::MAGIC[0]
    }

    /// The journal.
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    /// Its genesis, if the file has it.
    pub fn genesis(&self) -> Option<&Genesis> {
        self.genesis.as_ref()
    }
}
