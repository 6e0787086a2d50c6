//! The first bytes of a journal, whose hash is its name.
//!
//! `[1, mode, founder or null, parameters or null, 32-byte nonce]`

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::crypto::hash;
use crate::ids::JournalId;

/// Version number that starts a genesis.
const VERSION: u64 = 1;
/// Mode *open*: no members and no keys; who may write is the application's or the hub's policy.
const MODE_OPEN: u64 = 0;

/// The beginning of a journal. Nobody can show a newcomer another one, since the journal's id is its hash.
///
/// Only the mode *open* exists so far, which has neither founder nor parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    nonce: [u8; 32],
}

/// Bytes that are no genesis of a journal that this version can open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not the canonical bytes of a genesis.
    #[error("the genesis is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// A mode that this version does not know.
    #[error("the journal has mode {0}, which this version cannot open")]
    Mode(u64),
}

impl Genesis {
    /// An open journal with this nonce: 32 uniformly random bytes make it unique.
    pub const fn open(nonce: [u8; 32]) -> Self {
        Self { nonce }
    }

    /// The open journal that everybody derives from `text`, for demos and tests.
    pub fn named(text: &str) -> Self {
        Self::open(hash::labelled("named", &[text.as_bytes()]))
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(40);
        writer.array(5).unsigned(VERSION).unsigned(MODE_OPEN).null().null().bytes(&self.nonce);
        writer.into_bytes()
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// When they are malformed, or of a mode that is not known here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GenesisError> {
        let mut reader = Reader::new(bytes);
        reader.array_of("parts of a genesis", 5)?;
        reader.bounded("version of the genesis", VERSION).and_then(|version| match version {
            VERSION => Ok(()),
            _ => Err(Reader::out_of_bounds(1, "version of the genesis")),
        })?;
        let mode = reader.unsigned()?;
        if mode != MODE_OPEN {
            return Err(GenesisError::Mode(mode));
        }
        reader.null()?;
        reader.null()?;
        let nonce = reader.array_of_bytes("32 bytes of a nonce")?;
        reader.end()?;
        Ok(Self { nonce })
    }

    /// The journal's name: `H("journal", genesis)`.
    pub fn journal(&self) -> JournalId {
        JournalId::from_bytes(hash::labelled("journal", &[&self.to_bytes()]))
    }
}
