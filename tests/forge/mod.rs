//! Twins of facts and entries with every part open, to build bytes that the crate itself never writes.
//!
//! They have an encoder of their own, so that a fault in the crate's cannot cancel itself out.

#![allow(dead_code, reason = "each test file uses its own part of this")]

#[cfg(not(target_arch = "wasm32"))]
pub mod arbitrary;

use ed25519_zebra::SigningKey;
use isoroot::{DeviceKey, Draft, Entry, EntryError, Fact, Genesis, JournalId, UncheckedEntry, Value};

/// Bytes of a body before its array of facts, when it names no predecessor and its timestamp and
/// number of facts are below 24: six heads and small integers, device, epoch, payload.
pub const FACTS_AT: usize = 51;
/// Bytes of a fact before its value when the predicate is one byte long.
pub const VALUE_AT: usize = 4;
pub const SIGNATURE_BYTES: usize = 64;
pub const NULL: u8 = 0xf6;

/// The shortest head of a CBOR item (RFC 8949 §3).
pub fn head(major: u8, argument: u64) -> Vec<u8> {
    match argument {
        0..24 => vec![major << 5 | argument as u8],
        24..0x100 => wide_head(major, argument, 1),
        0x100..0x1_0000 => wide_head(major, argument, 2),
        0x1_0000..0x1_0000_0000 => wide_head(major, argument, 4),
        _ => wide_head(major, argument, 8),
    }
}

/// A head whose argument takes `width` bytes, needed or not.
pub fn wide_head(major: u8, argument: u64, width: u32) -> Vec<u8> {
    let mut bytes = vec![major << 5 | (24 + width.trailing_zeros() as u8)];
    bytes.extend_from_slice(&argument.to_be_bytes()[8 - width as usize..]);
    bytes
}

pub fn uint(value: u64) -> Vec<u8> {
    head(0, value)
}

pub fn bytes(value: &[u8]) -> Vec<u8> {
    [head(2, value.len() as u64), value.to_vec()].concat()
}

pub fn text(value: &str) -> Vec<u8> {
    [head(3, value.len() as u64), value.as_bytes().to_vec()].concat()
}

pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u64), items.concat()].concat()
}

pub fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed([seed; 32])
}

pub fn journal() -> JournalId {
    Genesis::named("notes").journal()
}

/// A fact of which each part is bytes to be put together as they are.
#[derive(Clone)]
pub struct FactParts {
    pub head: Vec<u8>,
    pub version: Vec<u8>,
    pub predicate: Vec<u8>,
    pub value: Vec<u8>,
    pub authority: Vec<u8>,
    pub timestamp: Vec<u8>,
}

impl FactParts {
    /// `p: 1`, without authority and timestamp.
    pub fn valid() -> Self {
        Self {
            head: head(4, 5),
            version: uint(1),
            predicate: text("p"),
            value: uint(1),
            authority: vec![NULL],
            timestamp: vec![NULL],
        }
    }

    pub fn with_value(value: Vec<u8>) -> Self {
        Self { value, ..Self::valid() }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.head, &self.version, &self.predicate, &self.value, &self.authority, &self.timestamp]
            .map(Vec::as_slice)
            .concat()
    }
}

/// An entry of which each part is bytes to be put together as they are.
#[derive(Clone)]
pub struct EntryParts {
    pub head: Vec<u8>,
    pub version: Vec<u8>,
    pub kind: Vec<u8>,
    pub device: Vec<u8>,
    pub epoch: Vec<u8>,
    pub after: Vec<u8>,
    pub payload_head: Vec<u8>,
    pub timestamp: Vec<u8>,
    pub facts: Vec<u8>,
    /// What follows the body, in front of the signature.
    pub tail: Vec<u8>,
}

impl EntryParts {
    /// A valid entry of the device with seed 1 in [`journal`], with the one fact of
    /// [`FactParts::valid`], timestamp 0, no predecessors.
    pub fn valid() -> Self {
        Self {
            head: head(4, 6),
            version: uint(1),
            kind: uint(0),
            device: bytes(key(1).device().as_bytes()),
            epoch: array(&[uint(0), bytes(&journal().as_bytes()[..8])]),
            after: array(&[]),
            payload_head: head(4, 2),
            timestamp: uint(0),
            facts: array(&[FactParts::valid().to_bytes()]),
            tail: Vec::new(),
        }
    }

    /// The same with this one fact.
    pub fn with_fact(fact: &FactParts) -> Self {
        Self { facts: array(&[fact.to_bytes()]), ..Self::valid() }
    }

    /// The same with one fact of this value.
    pub fn with_value(value: Vec<u8>) -> Self {
        Self::with_fact(&FactParts::with_value(value))
    }

    pub fn body(&self) -> Vec<u8> {
        [
            &self.head,
            &self.version,
            &self.kind,
            &self.device,
            &self.epoch,
            &self.after,
            &self.payload_head,
            &self.timestamp,
            &self.facts,
            &self.tail,
        ]
        .map(Vec::as_slice)
        .concat()
    }

    /// The record, signed by the device with seed 1 whatever the parts say.
    pub fn record(&self) -> Vec<u8> {
        sign(&journal(), 1, &self.body())
    }
}

/// What a signature covers.
pub fn message(journal: &JournalId, body: &[u8]) -> Vec<u8> {
    [b"isoroot/v1/entry\0".as_slice(), journal.as_bytes(), journal.as_bytes(), body].concat()
}

/// The record of any body, rightly signed by the device with `seed`.
pub fn sign(journal: &JournalId, seed: u8, body: &[u8]) -> Vec<u8> {
    let signature = SigningKey::from([seed; 32]).sign(&message(journal, body));
    [body, &signature.to_bytes()].concat()
}

/// Checks a record in [`journal`], alone and in a batch: both must say the same.
pub fn check(record: Vec<u8>) -> Result<Entry, EntryError> {
    let alone = UncheckedEntry::new(record.clone()).check(&journal());
    let batch = UncheckedEntry::check_all(&journal(), vec![UncheckedEntry::new(record)]);
    assert_eq!(batch, core::slice::from_ref(&alone), "alone and in a batch");
    alone
}

/// The crate's bytes of a fact in an entry of `author`, taken out of a signed record.
pub fn fact_bytes(author: &DeviceKey, fact: &Fact) -> Vec<u8> {
    let draft = Draft::new(author.device(), core::slice::from_ref(fact)).unwrap();
    let entry = Entry::sign(&journal(), author, &[], 0, &draft).unwrap();
    let record = entry.record();
    record[FACTS_AT + 1..record.len() - SIGNATURE_BYTES].to_vec()
}

/// The crate's bytes of a value.
pub fn value_bytes(value: &Value) -> Vec<u8> {
    let fact = fact_bytes(&key(1), &Fact::new("p", value.clone()));
    fact[VALUE_AT..fact.len() - 2].to_vec()
}
