//! A fact: one small immutable statement, and its canonical bytes inside an entry.
//!
//! `[1, predicate, value, authority or null, timestamp or null]`

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::fact::value::{self, Value, ValueError};
use crate::ids::{AuthorityId, DeviceId};
use crate::limits::{PREDICATE_BYTES, SAFE_INTEGER};

/// Version number that starts a fact.
const VERSION: u64 = 1;

/// One small immutable statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What the statement is about: 1 to 256 bytes of UTF-8.
    pub predicate: String,
    /// What it says: at most 65,536 bytes encoded.
    pub value: Value,
    /// On whose behalf, if not the signing device's own. A claim: it has nothing to do with membership.
    pub authority: Option<AuthorityId>,
    /// When it holds, in milliseconds since 1970, within ±(2^53 − 1). Free for the application.
    pub timestamp: Option<i64>,
}

/// A fact that can't be written as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// The predicate is empty or over 256 bytes.
    #[error("the predicate takes {bytes} bytes, of 1 to {PREDICATE_BYTES}")]
    Predicate {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The value is too large.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The timestamp lies outside ±(2^53 − 1).
    #[error("the timestamp {0} lies outside ±(2^53 − 1) ms")]
    Timestamp(i64),
}

impl Fact {
    /// A fact of the device itself, without a timestamp.
    pub fn new(predicate: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { predicate: predicate.into(), value: value.into(), authority: None, timestamp: None }
    }

    /// Checks every bound, as an append would.
    ///
    /// # Errors
    /// The first bound that is exceeded.
    pub fn validate(&self) -> Result<(), FactError> {
        // The author only decides whether the authority is spelled out; no bound depends on it.
        self.encode(&mut Writer::new(), &DeviceId::from_bytes([0; 32]))
    }

    /// Writes the canonical bytes of the fact in an entry of `author`: an authority that is the
    /// author itself is left out.
    pub(crate) fn encode(&self, writer: &mut Writer, author: &DeviceId) -> Result<(), FactError> {
        let bytes = self.predicate.len();
        if !(1..=PREDICATE_BYTES).contains(&bytes) {
            return Err(FactError::Predicate { bytes });
        }
        writer.array(5).unsigned(VERSION).text(&self.predicate);
        self.value.encode(writer)?;
        match self.authority {
            Some(authority) if authority.as_bytes() != author.as_bytes() => {
                writer.bytes(authority.as_bytes())
            }
            _ => writer.null(),
        };
        match self.timestamp {
            Some(timestamp) if timestamp.unsigned_abs() > SAFE_INTEGER => {
                return Err(FactError::Timestamp(timestamp));
            }
            Some(timestamp) => writer.integer(timestamp),
            None => writer.null(),
        };
        Ok(())
    }
}

/// A fact as it stands in an entry's bytes: checked, its value not built yet.
#[derive(Clone, Debug)]
pub(crate) struct FactView<'b> {
    pub(crate) predicate: &'b str,
    value: &'b [u8],
    pub(crate) authority: Option<AuthorityId>,
    timestamp: Option<i64>,
}

impl<'b> FactView<'b> {
    /// Reads and checks one fact of an entry by `author`.
    pub(crate) fn read(reader: &mut Reader<'b>, author: &DeviceId) -> Result<Self, DecodeError> {
        reader.array_of("parts of a fact", 5)?;
        let position = reader.position();
        if reader.unsigned()? != VERSION {
            return Err(Reader::out_of_bounds(position, "version of the fact"));
        }
        let position = reader.position();
        let predicate = reader.text()?;
        if !(1..=PREDICATE_BYTES).contains(&predicate.len()) {
            return Err(Reader::out_of_bounds(position, "length of the predicate"));
        }
        let start = reader.position();
        value::check(reader)?;
        let value = reader.since(start);
        let position = reader.position();
        let authority =
            reader.optional(|r| r.array_of_bytes("32 bytes of an authority").map(AuthorityId::from_bytes))?;
        if authority.is_some_and(|authority| authority.as_bytes() == author.as_bytes()) {
            let rule = "an authority that is the device itself is null";
            return Err(DecodeError::NotCanonical { rule, position });
        }
        let position = reader.position();
        let timestamp = reader.optional(Reader::integer)?;
        if timestamp.is_some_and(|timestamp: i64| timestamp.unsigned_abs() > SAFE_INTEGER) {
            return Err(Reader::out_of_bounds(position, "timestamp of the fact"));
        }
        Ok(Self { predicate, value, authority, timestamp })
    }

    /// The fact, with its value built.
    pub(crate) fn to_fact(&self) -> Result<Fact, DecodeError> {
        Ok(Fact {
            predicate: self.predicate.to_owned(),
            value: Value::decode(&mut Reader::new(self.value))?,
            authority: self.authority,
            timestamp: self.timestamp,
        })
    }
}
