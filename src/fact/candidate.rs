//! A record between reading and believing: well formed and of its journal, its signature not checked yet.
//!
//! For those who have something else to check first, such as a proof, which is cheaper than a signature.

use crate::codec::cbor::Reader;
use crate::crypto::sign;
use crate::fact::entry::{Entry, signed_message, split_record};
use crate::fact::unchecked::{EntryError, UncheckedEntry};
use crate::ids::{AuthorityId, DeviceId, EntryId, EpochId, JournalId};
use crate::limits::SIGNATURE_BYTES;

/// What can be told of a record before it is read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The version that it begins with.
    pub(crate) version: Option<u64>,
    /// Whether 32 bytes stand where the signer's key does.
    pub(crate) names_signer: bool,
    /// Whether a signature stands at the end, other than zeros.
    pub(crate) is_signed: bool,
}

impl Outline {
    /// The outline of a record.
    pub(crate) fn of(record: &[u8]) -> Self {
        let (body, signature) = split_record(record).unwrap_or((record, &[0; SIGNATURE_BYTES]));
        let reader = &mut Reader::new(body);
        let version = reader.array_of("parts of an entry", 6).and_then(|()| reader.unsigned()).ok();
        let signer = reader.unsigned().and_then(|_kind| reader.array_of_bytes::<32>("32 bytes of a device"));
        Self { version, names_signer: signer.is_ok(), is_signed: *signature != [0; SIGNATURE_BYTES] }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// An entry but for its signature: it leaves here only once that is checked.
    unsigned: Entry,
}

impl Candidate {
    /// Reads a record of an open journal.
    pub(crate) fn read(journal: &JournalId, record: Vec<u8>) -> Result<Self, EntryError> {
        let record = UncheckedEntry::new(record);
        let id = record.id(journal);
        Ok(Self { unsigned: record.reload(journal, &id)? })
    }

    pub(crate) fn id(&self) -> EntryId {
        self.unsigned.id()
    }

    /// Who is named as the signer.
    pub(crate) fn device(&self) -> DeviceId {
        self.unsigned.device()
    }

    /// For each of its facts the authority, if another than the device is named.
    pub(crate) fn authorities(&self) -> impl Iterator<Item = Option<AuthorityId>> {
        self.unsigned.topics().map(|(_, authority)| authority)
    }

    /// Checks the signatures of many together; one verdict for each.
    pub(crate) fn check_all(journal: &JournalId, candidates: Vec<Self>) -> Vec<Result<Entry, EntryError>> {
        let mut batch = sign::Batch::default();
        for candidate in &candidates {
            // A candidate was read, so it has a signature; one of zeros would be refused like any other.
            let (body, signature) =
                split_record(candidate.unsigned.record()).unwrap_or((&[], &[0; SIGNATURE_BYTES]));
            let message = signed_message(journal, &EpochId::from(*journal), body);
            batch.push(&candidate.device(), &message, signature);
        }
        let verdicts = candidates.into_iter().zip(batch.verify());
        let judged = verdicts.map(|(candidate, good)| match good {
            true => Ok(candidate.unsigned),
            false => Err(EntryError::BadSignature),
        });
        judged.collect()
    }
}
