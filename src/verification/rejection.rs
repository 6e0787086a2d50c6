//! Every reason to reject an entry or a fact that somebody hands over, in the order in which they are looked for.

use crate::codec::cbor::DecodeError;
use crate::error::Code;
use crate::fact::unchecked::EntryError;
use crate::ids::{AuthorityId, EntryId};
use crate::limits::RECORD_BYTES;
use crate::merkle::proof::ProofError;

/// Why an entry, or a fact with its entry, is rejected. The first failure wins, in this order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Over 1,048,576 bytes.
    #[error("the record takes {bytes} bytes, of at most {RECORD_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It is of another version of the format.
    #[error("the entry has version {0}, which is not known here")]
    Version(u64),
    /// Nobody is named as its signer.
    #[error("the entry names no signer")]
    SignerMissing,
    /// There is no signature, or one of zeros.
    #[error("the entry has no signature")]
    SignatureMissing,
    /// Not the canonical bytes of an entry.
    #[error("the record is malformed: {0}")]
    Malformed(DecodeError),
    /// It names an epoch that is not known here.
    #[error("the entry names epoch {0}, which is not known here")]
    UnknownEpoch(u64),
    /// It belongs to another journal.
    #[error("the entry belongs to another journal")]
    WrongJournal,
    /// It is of a kind that is not admitted here.
    #[error("entries of kind {0} are not admitted here")]
    KindNotAdmitted(u64),
    /// It is said to have another id than its bytes have.
    #[error("the entry has the id {found}, not the one that was named")]
    BadId {
        /// The id of the bytes.
        found: EntryId,
    },
    /// The named signer is no public key.
    #[error("the entry's signer is no public key")]
    KeyMalformed,
    /// Nobody trusted here has that key.
    #[error("the entry's signer is not known here")]
    UnknownSigner,
    /// The signer is no member in the epoch that the entry names.
    #[error("the entry's signer is no member in epoch {epoch}")]
    NotAMember {
        /// The epoch.
        epoch: u64,
    },
    /// A fact speaks for an authority that did not let the signer do so.
    #[error("fact {fact} speaks for the authority {authority}, which did not certify the signer")]
    AuthorityNotCertified {
        /// Zero-based place of the fact.
        fact: u16,
        /// The authority.
        authority: AuthorityId,
    },
    /// What came as proof does not show that it is under the claimed root.
    #[error("the entry is not shown to be under the claimed root: {0}")]
    NotUnderRoot(NotUnderRoot),
    /// The signature is not the signer's.
    #[error("the signature is not that of the named device")]
    BadSignature,
    /// It is ahead of the clock, and the policy refuses that.
    #[error("the entry is {} ms ahead of the clock", micros / 1_000)]
    Ahead {
        /// How far, in microseconds.
        micros: u64,
    },
    /// A fact names no authority, and the policy wants one.
    #[error("fact {fact} names no authority")]
    AuthorityMissing {
        /// Zero-based place of the fact.
        fact: u16,
    },
    /// A fact's authority is not the signer's.
    #[error("fact {fact} speaks for another authority than the signer's")]
    AuthorityNotSigners {
        /// Zero-based place of the fact.
        fact: u16,
    },
    /// The entry has no fact at that place.
    #[error("the entry has {facts} facts, none at place {index}")]
    NoSuchFact {
        /// The place asked for, zero-based.
        index: u16,
        /// How many it has.
        facts: usize,
    },
    /// The fact at that place says something else.
    #[error("the entry's fact {index} says something else")]
    OtherFact {
        /// Its zero-based place.
        index: u16,
    },
}

/// Why an entry is not shown to be under a root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderRoot {
    /// The proof is none, or one of something else.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof shows that the entry is *not* under the root.
    #[error("it is proved to be absent")]
    Absent,
    /// The entries were said to be all under the root, and make another.
    #[error("the entries together have another root")]
    OtherSet,
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> Code {
        Code::new(match self {
            Self::TooLarge { .. } => "TOO_LARGE",
            Self::Version(_) => "UNKNOWN_VERSION",
            Self::SignerMissing => "SIGNER_MISSING",
            Self::SignatureMissing => "SIGNATURE_MISSING",
            Self::Malformed(_) => "MALFORMED",
            Self::BadId { .. } => "BAD_ID",
            Self::WrongJournal => "WRONG_JOURNAL",
            Self::UnknownEpoch(_) => "UNKNOWN_EPOCH",
            Self::KindNotAdmitted(_) => "KIND_NOT_ADMITTED",
            Self::KeyMalformed => "KEY_MALFORMED",
            Self::UnknownSigner => "UNKNOWN_SIGNER",
            Self::NotAMember { .. } => "NOT_A_MEMBER",
            Self::AuthorityNotCertified { .. } => "AUTHORITY_NOT_CERTIFIED",
            Self::NotUnderRoot(_) => "NOT_UNDER_ROOT",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::Ahead { .. } => "AHEAD",
            Self::AuthorityMissing { .. } => "AUTHORITY_MISSING",
            Self::AuthorityNotSigners { .. } => "AUTHORITY_NOT_SIGNERS",
            Self::NoSuchFact { .. } => "NO_SUCH_FACT",
            Self::OtherFact { .. } => "OTHER_FACT",
        })
    }
}

impl From<EntryError> for Rejection {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::TooLarge { bytes } => Self::TooLarge { bytes },
            EntryError::Malformed(error) => Self::Malformed(error),
            EntryError::UnknownEpoch(number) => Self::UnknownEpoch(number),
            EntryError::WrongJournal => Self::WrongJournal,
            EntryError::KindNotAdmitted(kind) => Self::KindNotAdmitted(kind),
            EntryError::BadSignature => Self::BadSignature,
        }
    }
}
