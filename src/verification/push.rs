//! Entries in an envelope: who hands them over, for which journal, under which root that they signed for.
//!
//! Eight things are checked, each from data, before anything of it may be applied: the version, the peer's
//! identity, its permission, the journal, the freshness, the signer's membership, the envelope's
//! authenticity, and for each entry its proof.

use crate::error::Code;
use crate::fact::entry::Entry;
use crate::ids::{DeviceId, EntryId, JournalId};
use crate::merkle::subtree::Root;
use crate::time::WallTime;
use crate::verification::policy::Standing;
use crate::verification::signed_root::SignedRoot;
use crate::verification::verifier::{MerkleVerifier, Shown, Submission, Verification, VerifyError};

/// The version of the envelope that is known here.
pub const PUSH_VERSION: u64 = 1;

/// Entries, and the signed root under which they are said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The version of the envelope: [`PUSH_VERSION`].
    pub version: u64,
    /// The journal that it is about.
    pub journal: JournalId,
    /// The root under which the entries are said to be.
    pub claimed: Root,
    /// The sender's signature for that root.
    pub signed: SignedRoot,
    /// The entries.
    pub entries: Vec<Submission>,
    /// How they are shown to be under the root.
    pub shown: Shown,
}

/// What this side knows of the exchange by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The peer as the connection has authenticated it, never as a message names it.
    pub peer: DeviceId,
    /// The nonce that was drawn here, and given to that peer for this one push.
    pub nonce: [u8; 32],
}

/// Why nothing of an envelope is judged. The first failure wins, in this order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The envelope is of another version.
    #[error("the push has version {0}, which is not known here")]
    Version(u64),
    /// Another device signed for the root than the one that is connected.
    #[error("the root is signed for by {signer}, the peer is {peer}")]
    Peer {
        /// Who signed for the root.
        signer: DeviceId,
        /// Who is connected.
        peer: DeviceId,
    },
    /// The peer may not hand over anything here.
    #[error("the peer may not hand over entries here")]
    NotAllowed,
    /// It is about another journal, or the root is.
    #[error("the push is about another journal")]
    WrongJournal,
    /// It was made for another exchange: it is a repetition, or an answer to somebody else.
    #[error("the signed root was not made for this exchange")]
    NotFresh,
    /// It is said in an epoch that is not the journal's now.
    #[error("the root is signed for in epoch {0}, which is not the journal's")]
    OtherEpoch(u64),
    /// The signer is not known, or no member of the epoch.
    #[error("the signer of the root is no member in epoch {epoch}")]
    NotAMember {
        /// The epoch.
        epoch: u64,
    },
    /// The root that is claimed is not the one that is signed for.
    #[error("the root that is claimed is not the one that is signed for")]
    OtherRoot,
    /// The signature under the root is not the peer's.
    #[error("the signature under the root is not the peer's")]
    BadSignature,
    /// Nothing can be judged.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl PushError {
    /// The stable code.
    pub fn code(&self) -> Code {
        Code::new(match self {
            Self::Version(_) => "UNKNOWN_VERSION",
            Self::Peer { .. } => "OTHER_PEER",
            Self::NotAllowed => "SENDER_NOT_ALLOWED",
            Self::WrongJournal => "WRONG_JOURNAL",
            Self::NotFresh => "NOT_FRESH",
            Self::OtherEpoch(_) => "UNKNOWN_EPOCH",
            Self::NotAMember { .. } => "NOT_A_MEMBER",
            Self::OtherRoot => "OTHER_ROOT",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::Verify(error) => return error.code(),
        })
    }
}

impl MerkleVerifier {
    /// Checks the envelope, then judges each entry against the root that the peer signed for.
    ///
    /// # Errors
    /// The first thing that is wrong with the envelope; no entry is judged then.
    pub fn verify_push(
        &self,
        push: Push,
        expected: &Expected,
        is_known: &dyn Fn(&EntryId) -> bool,
        wall: Option<WallTime>,
    ) -> Result<Verification<Entry>, PushError> {
        let Push { version, journal, claimed, signed, entries, shown } = push;
        if version != PUSH_VERSION {
            return Err(PushError::Version(version));
        }
        if signed.device != expected.peer {
            return Err(PushError::Peer { signer: signed.device, peer: expected.peer });
        }
        if !self.policy().may_push(&expected.peer) {
            return Err(PushError::NotAllowed);
        }
        if journal != self.journal() || signed.journal != journal {
            return Err(PushError::WrongJournal);
        }
        if signed.nonce != expected.nonce {
            return Err(PushError::NotFresh);
        }
        if !signed.is_of_open_epoch() {
            return Err(PushError::OtherEpoch(signed.epoch));
        }
        if self.policy().standing(&signed.device, signed.epoch) != Standing::Writer {
            return Err(PushError::NotAMember { epoch: signed.epoch });
        }
        if claimed != signed.root {
            return Err(PushError::OtherRoot);
        }
        if !signed.is_authentic() {
            return Err(PushError::BadSignature);
        }
        Ok(self.verify_entries(&claimed.hash, entries, &shown, is_known, wall)?)
    }
}
