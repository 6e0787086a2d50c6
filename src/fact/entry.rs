//! An entry: the signed, atomic, replicated unit of 1 to 1,000 facts; making one and reading its parts.
//!
//! A *record* is what is stored and sent: the body `[1, kind, device, [epoch number, first 8 bytes
//! of the epoch's id], after, payload]`, then the signature. See `docs/FORMAT.md`.

use std::sync::Arc;

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::crypto::hash;
use crate::crypto::sign::DeviceKey;
use crate::fact::statement::{Fact, FactError, FactView};
use crate::fact::summary::{FactSummary, Summary};
use crate::ids::{AuthorityId, DeviceId, EntryId, EpochId, JournalId};
use crate::limits::{AFTER, FACTS_PER_ENTRY, RECORD_BYTES, SAFE_INTEGER, SIGNATURE_BYTES};

/// Version number that starts a body.
pub(crate) const VERSION: u64 = 1;
/// Kind of an entry whose facts are in the clear.
pub(crate) const KIND_PLAIN: u64 = 0;
/// Kind reserved for entries sealed under an epoch's key.
pub(crate) const KIND_SEALED: u64 = 1;
/// Kind reserved for entries that steer the journal, such as epoch certificates.
pub(crate) const KIND_CONTROL: u64 = 2;
/// What a body adds to its facts at most: heads, device, epoch, predecessors, timestamp, signature.
const OVERHEAD: usize = 512;

/// Facts ready to be signed: checked and encoded, once.
#[derive(Clone, Debug)]
pub struct Draft {
    author: DeviceId,
    /// Canonical bytes of the array of facts.
    facts: Vec<u8>,
    topics: Vec<Span>,
}

/// Facts that do not make an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// There are none, or more than 1,000.
    #[error("an entry has 1 to {FACTS_PER_ENTRY} facts, not {0}")]
    Count(usize),
    /// A fact exceeds a bound.
    #[error("fact {index}: {error}")]
    Fact {
        /// Zero-based place of the fact.
        index: usize,
        /// What is wrong with it.
        error: FactError,
    },
    /// They were put together for another device than the one that is to sign.
    #[error("the entry is for device {author}, this one is {device}")]
    Author {
        /// The device that the entry was put together for.
        author: DeviceId,
        /// The device that signs here.
        device: DeviceId,
    },
    /// Together they exceed the size of an entry.
    #[error("the facts take {bytes} bytes, of at most {}", RECORD_BYTES - OVERHEAD)]
    Size {
        /// Bytes of all facts, encoded.
        bytes: usize,
    },
}

/// What an entry can't be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The facts were drafted for another device than the key's.
    #[error("the facts are a draft of {draft}, the key is that of {key}")]
    Author {
        /// The author of the draft.
        draft: DeviceId,
        /// The device whose key it is.
        key: DeviceId,
    },
    /// Over 8 predecessors.
    #[error("an entry names at most {AFTER} predecessors, not {0}")]
    AfterCount(usize),
    /// The predecessors are not in ascending order, or one is named twice.
    #[error("predecessor {index} is not greater than the one before it")]
    AfterOrder {
        /// Zero-based place of the first one that is not greater than its neighbour on the left.
        index: usize,
    },
    /// Over 2^53 − 1.
    #[error("the timestamp {0} is over 2^53 − 1 us")]
    Timestamp(u64),
}

impl Draft {
    /// Checks and encodes the facts of one entry by `author`.
    ///
    /// # Errors
    /// When there are none or too many, or one or all of them exceed a bound.
    pub fn new(author: DeviceId, facts: &[Fact]) -> Result<Self, DraftError> {
        if !(1..=FACTS_PER_ENTRY).contains(&facts.len()) {
            return Err(DraftError::Count(facts.len()));
        }
        let mut writer = Writer::with_capacity(facts.len().saturating_mul(64));
        writer.array(facts.len());
        let mut topics = Vec::with_capacity(facts.len());
        for (index, fact) in facts.iter().enumerate() {
            let start = writer.as_bytes().len();
            let authority = fact.encode(&mut writer, &author);
            let authority = authority.map_err(|error| DraftError::Fact { index, error })?;
            topics.push(Span::of_topic(start, fact.predicate.len(), authority));
            let bytes = writer.as_bytes().len();
            if bytes > RECORD_BYTES - OVERHEAD {
                return Err(DraftError::Size { bytes });
            }
        }
        Ok(Self { author, facts: writer.into_bytes(), topics })
    }

    /// The device that it was put together for.
    pub fn author(&self) -> DeviceId {
        self.author
    }

    /// Bytes of the encoded facts; the record takes at most 512 more.
    pub fn size(&self) -> usize {
        self.facts.len()
    }

    /// How many facts.
    pub fn fact_count(&self) -> usize {
        self.topics.len()
    }

    /// Signs the entry for the open journal `journal`. `key` is the author's.
    ///
    /// `after` holds at most 8 ids in strictly ascending order, `timestamp` is at most 2^53 − 1:
    /// [`Entry::sign`] is the form that checks this.
    pub(crate) fn sign(
        &self,
        journal: &JournalId,
        key: &DeviceKey,
        after: &[EntryId],
        timestamp: u64,
    ) -> Entry {
        debug_assert!(after.len() <= AFTER && after.is_sorted_by(|a, b| a < b));
        debug_assert!(timestamp <= SAFE_INTEGER && key.device() == self.author);
        let epoch = EpochTag::open(journal);
        let mut writer = Writer::with_capacity(self.facts.len().saturating_add(OVERHEAD));
        writer.array(6).unsigned(VERSION).unsigned(KIND_PLAIN).bytes(self.author.as_bytes());
        writer.array(2).unsigned(epoch.number).bytes(&epoch.tag);
        writer.array(after.len());
        for id in after {
            writer.bytes(id.as_bytes());
        }
        writer.array(2).unsigned(timestamp);
        let facts_at = writer.as_bytes().len();
        writer.canonical(&self.facts);
        let message = signed_message(journal, &EpochId::from(*journal), writer.as_bytes());
        let mut record = writer.into_bytes();
        record.extend_from_slice(&key.sign(&message));
        Entry {
            id: entry_id(journal, &record),
            head: Head { device: self.author, after: after.to_vec(), timestamp },
            topics: self.topics.iter().map(|span| span.shifted(facts_at)).collect(),
            record: record.into(),
            facts_at,
        }
    }
}

/// The epoch that an entry names: its number and the first 8 bytes of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochTag {
    pub(crate) number: u64,
    pub(crate) tag: [u8; 8],
}

impl EpochTag {
    /// Epoch 0 of an open journal, the only one that it has.
    pub(crate) fn open(journal: &JournalId) -> Self {
        let tag = journal.as_bytes().first_chunk().copied().unwrap_or_default();
        Self { number: 0, tag }
    }
}

/// What the signature of an entry covers.
pub(crate) fn signed_message(journal: &JournalId, epoch: &EpochId, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(body.len().saturating_add(81));
    message.extend_from_slice(b"isoroot/v1/entry\0");
    message.extend_from_slice(journal.as_bytes());
    message.extend_from_slice(epoch.as_bytes());
    message.extend_from_slice(body);
    message
}

/// `H("id", journal ‖ record)`.
pub(crate) fn entry_id(journal: &JournalId, record: &[u8]) -> EntryId {
    EntryId::from_bytes(hash::labelled("id", &[journal.as_bytes(), record]))
}

/// Where the predicate of a fact stands in the bytes, and its authority if that is spelled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    len: usize,
    authority: Option<usize>,
}

impl Span {
    /// The predicate of `len` bytes in the fact that starts at `fact`: behind the heads of the fact
    /// and of its version, a byte each, and its own.
    pub(crate) fn of_topic(fact: usize, len: usize, authority: Option<usize>) -> Self {
        let head = match len {
            0..24 => 3,
            24..256 => 4,
            _ => 5,
        };
        Self { start: fact.saturating_add(head), len, authority }
    }

    fn shifted(self, by: usize) -> Self {
        let authority = self.authority.map(|start| start.saturating_add(by));
        Self { start: self.start.saturating_add(by), authority, ..self }
    }

    fn predicate(self, bytes: &[u8]) -> &str {
        let bytes = bytes.get(self.start..self.start.saturating_add(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    fn authority(self, bytes: &[u8]) -> Option<AuthorityId> {
        bytes.get(self.authority?..)?.first_chunk().copied().map(AuthorityId::from_bytes)
    }
}

/// The signed head of a plain entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) device: DeviceId,
    pub(crate) after: Vec<EntryId>,
    pub(crate) timestamp: u64,
}

/// An entry that is one: well formed, of its journal, its signature checked, or made here.
///
/// Cheap to clone. The only ways to get one are to sign it and
/// [`UncheckedEntry::check`](crate::UncheckedEntry::check).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(crate) id: EntryId,
    pub(crate) record: Arc<[u8]>,
    pub(crate) head: Head,
    /// Byte offset of the array of facts.
    pub(crate) facts_at: usize,
    pub(crate) topics: Vec<Span>,
}

impl Entry {
    /// Signs `draft` as an entry of the open journal `journal`.
    ///
    /// A node does this for you, and knows `after` and the timestamp; this is for those who write
    /// entries without one. `after` names the device's own latest entries, 0 to 8 in strictly
    /// ascending order; `timestamp` is its hybrid logical clock, in microseconds since 1970. The same
    /// input gives the same bytes.
    ///
    /// # Errors
    /// When the draft is another device's, or `after` or `timestamp` is out of bounds.
    pub fn sign(
        journal: &JournalId,
        key: &DeviceKey,
        after: &[EntryId],
        timestamp: u64,
        draft: &Draft,
    ) -> Result<Self, SignError> {
        if key.device() != draft.author {
            return Err(SignError::Author { draft: draft.author, key: key.device() });
        }
        if after.len() > AFTER {
            return Err(SignError::AfterCount(after.len()));
        }
        let pairs = after.iter().zip(after.iter().skip(1));
        if let Some(pair) = pairs.map(|(left, right)| left < right).position(|ascending| !ascending) {
            return Err(SignError::AfterOrder { index: pair.saturating_add(1) });
        }
        if timestamp > SAFE_INTEGER {
            return Err(SignError::Timestamp(timestamp));
        }
        Ok(draft.sign(journal, key, after, timestamp))
    }

    /// Its name.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The device that signed it.
    pub fn device(&self) -> DeviceId {
        self.head.device
    }

    /// The device's own latest entries before it, in ascending order; at most 8.
    pub fn after(&self) -> &[EntryId] {
        &self.head.after
    }

    /// Hybrid logical clock of the device, in microseconds since 1970, at most 2^53 − 1.
    pub fn timestamp(&self) -> u64 {
        self.head.timestamp
    }

    /// The bytes that are stored and sent: body and signature.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// How many facts it has, 1 to 1,000.
    pub fn fact_count(&self) -> usize {
        self.topics.len()
    }

    /// The predicates of its facts, in their order.
    pub fn predicates(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|span| span.predicate(&self.record))
    }

    /// What the index takes of its facts, in their order: the predicate, and the authority if it is
    /// another than the device.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (&str, Option<AuthorityId>)> {
        self.topics.iter().map(|span| (span.predicate(&self.record), span.authority(&self.record)))
    }

    /// All that is known of it but for the values.
    pub(crate) fn summary(&self) -> Summary<'_> {
        let facts = self.topics().map(|(predicate, authority)| FactSummary { predicate, authority });
        Summary {
            id: self.id,
            device: self.head.device,
            timestamp: self.head.timestamp,
            after: self.head.after.clone(),
            facts: facts.collect(),
        }
    }

    /// Its facts.
    ///
    /// # Errors
    /// None for an entry that was checked; the type is there so that no panic has to be.
    pub fn facts(&self) -> Result<Vec<Fact>, DecodeError> {
        let mut reader = Reader::new(self.record.get(self.facts_at..).unwrap_or_default());
        let len = reader.array("facts", FACTS_PER_ENTRY)?;
        reader.items(len, |reader| FactView::read(reader, &self.head.device)?.to_fact())
    }
}

/// Body and signature of a record, if it is long enough to have both.
pub(crate) fn split_record(record: &[u8]) -> Option<(&[u8], &[u8; SIGNATURE_BYTES])> {
    record.split_last_chunk()
}
