//! Why a call to a node failed.

use crate::error::{Code, Fault, StoreError, TransportError};
use crate::fact::entry::DraftError;
use crate::ids::{DeviceId, JournalId};
use crate::journal::file::error::FileError;
use crate::limits::{PAGE_MAX, PEERS};
use crate::merkle::prove::ProveError;
use crate::platform::traits::EntropyError;
use crate::session::failure::PeerError;
use crate::verification::push::PushError;
use crate::verification::verifier::VerifyError;

/// Why a call to a node failed. Nothing was changed then, unless it says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The node was closed, or its task is gone.
    #[error("the node is closed")]
    Closed,
    /// Syncing needs a service that was started.
    #[error("the sync service is not started")]
    NotStarted,
    /// The store does not know the journal.
    #[error("the store has no journal {0}")]
    NoJournal(JournalId),
    /// The facts do not make an entry.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// Nothing of what was handed over can be judged.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The envelope of what was handed over is wrong.
    #[error(transparent)]
    Push(PushError),
    /// A file is not one of this journal, or not a whole one.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Syncing with the peer failed.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The address can't be dialled.
    #[error(transparent)]
    Address(#[from] TransportError),
    /// There is no such peer, or none at all.
    #[error("no peer to sync with")]
    NoPeer,
    /// As many peers are there as may be.
    #[error("a node keeps at most {PEERS} peers")]
    TooManyPeers,
    /// There is no proof about so many entries.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The page asked for is too large or empty.
    #[error("a page has 1 to {PAGE_MAX} entries")]
    Page,
    /// No filter lets such a share pass.
    #[error("a filter lets a share of 0.00001 to 0.99999 pass")]
    FilterRate,
    /// A filter over so many facts at this rate would take more than 1 MiB.
    #[error("a filter over so many facts would take {bits} bits: ask for a greater rate")]
    FilterTooLarge {
        /// Bits that it would take.
        bits: u64,
    },
    /// The store belongs to another device than the one whose key was given.
    #[error("the store belongs to the device {0}, whose key is another than the one given")]
    OtherDevice(DeviceId),
    /// The store belongs to a device whose key it does not hold.
    #[error("the store belongs to the device {0}, whose key must be given")]
    KeyNeeded(DeviceId),
    /// The system gave no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl NodeError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Closed => Code::new("CLOSED"),
            Self::NotStarted => Code::new("NOT_STARTED"),
            Self::NoJournal(_) => Code::new("NO_JOURNAL"),
            Self::Draft(_) => Code::new("INVALID_FACTS"),
            Self::Verify(error) => error.code(),
            Self::Push(error) => error.code(),
            Self::File(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Peer(error) => error.code(),
            Self::Address(error) => error.code(),
            Self::NoPeer => Code::new("NO_PEER"),
            Self::TooManyPeers => Code::new("TOO_MANY_PEERS"),
            Self::Prove(error) => error.code(),
            Self::Page => Code::new("INVALID_PAGE"),
            Self::FilterRate => Code::new("INVALID_RATE"),
            Self::FilterTooLarge { .. } => Code::new("FILTER_TOO_LARGE"),
            Self::OtherDevice(_) => Code::new("OTHER_DEVICE"),
            Self::KeyNeeded(_) => Code::new("KEY_NEEDED"),
            Self::Entropy(_) => Code::new("ENTROPY"),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Store(error) => error.fault(),
            Self::Peer(error) => error.fault(),
            Self::Address(error) => error.fault(),
            Self::Entropy(_) | Self::Verify(VerifyError::Clock) => Fault::Internal,
            Self::Push(_) => Fault::Peer,
            Self::Closed
            | Self::NotStarted
            | Self::NoJournal(_)
            | Self::Draft(_)
            | Self::File(_)
            | Self::NoPeer
            | Self::TooManyPeers
            | Self::OtherDevice(_)
            | Self::KeyNeeded(_)
            | Self::Verify(VerifyError::TooMany(_))
            | Self::Prove(_)
            | Self::FilterRate
            | Self::FilterTooLarge { .. }
            | Self::Page => Fault::Caller,
        }
    }
}
