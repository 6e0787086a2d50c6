//! Every reason to refuse a file.

use crate::error::Code;
use crate::fact::genesis::GenesisError;
use crate::fact::unchecked::EntryError;
use crate::ids::{EntryId, JournalId};
use crate::limits::{GENESIS_BYTES, RECORD_BYTES};
use crate::merkle::subtree::Root;

/// Why bytes are no file of a journal, or not a whole one. Offsets count bytes from the file's beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It does not begin as such files do.
    #[error("this is not a file of a journal")]
    NotAFile,
    /// It was written by a later version.
    #[error("the file has version {0}, which this version of Isoroot cannot read")]
    Version(u8),
    /// The genesis is longer than any.
    #[error("the file announces a genesis of {bytes} bytes, of at most {GENESIS_BYTES}")]
    GenesisLength {
        /// How long it claims to be.
        bytes: u32,
    },
    /// The genesis is none, or of a kind that this version can't open.
    #[error("in the file: {0}")]
    Genesis(#[from] GenesisError),
    /// The genesis is that of another journal than the file names.
    #[error("the file names the journal {named}, its genesis is that of {found}")]
    GenesisOfAnother {
        /// The journal that the file names.
        named: JournalId,
        /// The journal whose genesis it holds.
        found: JournalId,
    },
    /// It holds another journal than the one that it is imported into.
    #[error("the file holds the journal {found}, not {expected}")]
    OtherJournal {
        /// The journal in the file.
        found: JournalId,
        /// The journal that was to be imported.
        expected: JournalId,
    },
    /// A record is longer than any.
    #[error("byte {offset}: the file announces a record of {bytes} bytes, of at most {RECORD_BYTES}")]
    RecordLength {
        /// Where its length stands.
        offset: u64,
        /// How long it claims to be.
        bytes: u32,
    },
    /// A record is no entry of the journal.
    #[error("byte {offset}: entry {number}: {error}")]
    Entry {
        /// Where the record begins.
        offset: u64,
        /// Its place in the file, from 1.
        number: u64,
        /// What is wrong with it.
        error: EntryError,
    },
    /// An entry stands in the file twice.
    #[error("byte {offset}: entry {number} is {id} again")]
    Twice {
        /// Where the record begins that stood there before.
        offset: u64,
        /// Its place in the file, from 1.
        number: u64,
        /// The entry.
        id: EntryId,
    },
    /// It holds another number of entries than it says at its end.
    #[error("the file says that it holds {claimed} entries, and holds {found}")]
    Count {
        /// How many it claims to hold.
        claimed: u64,
        /// How many it holds.
        found: u64,
    },
    /// Its hash is not that of its bytes.
    #[error("the file's hash is not that of its bytes: it was damaged")]
    Hash,
    /// Its entries have another root than it says at its end.
    #[error("the file claims the root {claimed}, its entries have {found}")]
    Root {
        /// The root that stands at its end.
        claimed: Root,
        /// The root of the entries in it.
        found: Root,
    },
    /// Something follows its end.
    #[error("byte {offset}: something follows the end of the file")]
    Trailing {
        /// Where it begins.
        offset: u64,
    },
    /// It ends before its end: it was cut off.
    #[error("the file is incomplete: it was cut off after {offset} bytes and {entries} whole entries")]
    Incomplete {
        /// How many bytes there are.
        offset: u64,
        /// How many whole entries there are.
        entries: u64,
    },
    /// Reading it failed.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
}

impl FileError {
    /// The stable code.
    pub fn code(&self) -> Code {
        Code::new(match self {
            Self::NotAFile => "NOT_A_JOURNAL_FILE",
            Self::Version(_) => "FILE_VERSION",
            Self::OtherJournal { .. } => "OTHER_JOURNAL",
            Self::Entry { .. } => "FILE_ENTRY",
            Self::Count { .. } | Self::Hash | Self::Root { .. } => "FILE_MISMATCH",
            Self::Incomplete { .. } => "FILE_INCOMPLETE",
            Self::Unreadable(_) => "FILE_UNREADABLE",
            Self::GenesisLength { .. }
            | Self::Genesis(_)
            | Self::GenesisOfAnother { .. }
            | Self::RecordLength { .. }
            | Self::Twice { .. }
            | Self::Trailing { .. } => "FILE_DAMAGED",
        })
    }
}
