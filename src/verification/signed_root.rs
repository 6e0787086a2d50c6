//! A root that a device signs for: "this is what I hold of this journal".
//!
//! `[1, journal, [epoch number, first 8 bytes of its id], device, count, root, time, nonce,
//! previous or null]`, then the signature. See `docs/VERIFICATION.md`.

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::crypto::hash::{self, Hash};
use crate::crypto::sign::{self, DeviceKey};
use crate::fact::entry::{EpochTag, split_record};
use crate::ids::{DeviceId, EpochId, JournalId};
use crate::limits::{SAFE_INTEGER, SIGNATURE_BYTES};
use crate::merkle::subtree::Root;
use crate::time::WallTime;

/// Version number that starts a statement.
const VERSION: u64 = 1;
/// What starts the message that is signed.
const TAG: &[u8] = b"isoroot/v1/root\0";

/// A device's signed statement of the root that it holds: evidence, also later and before others.
///
/// Asked for with a fresh nonce it cannot be an old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRoot {
    /// The journal.
    pub journal: JournalId,
    /// The number of the epoch in which it is said; 0 in an open journal.
    pub epoch: u64,
    /// The first 8 bytes of the epoch's id.
    pub epoch_tag: [u8; 8],
    /// Who says it.
    pub device: DeviceId,
    /// The root, which binds the number of entries.
    pub root: Root,
    /// The device's wall clock, in microseconds since 1970, 0 to 2^53 − 1. Its word only.
    pub time: WallTime,
    /// What the asker drew for it.
    pub nonce: [u8; 32],
    /// The hash of the statement before, where the asker handed one in: so that they form a chain.
    pub previous: Option<Hash>,
    /// Over all of the above.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl SignedRoot {
    /// Signs for a root of an open journal. The same input gives the same bytes.
    pub fn sign(
        journal: JournalId,
        key: &DeviceKey,
        root: Root,
        time: WallTime,
        nonce: [u8; 32],
        previous: Option<Hash>,
    ) -> Self {
        let tag = EpochTag::open(&journal);
        let time = WallTime::from_micros(time.as_micros().min(SAFE_INTEGER));
        let mut statement = Self {
            journal,
            epoch: tag.number,
            epoch_tag: tag.tag,
            device: key.device(),
            root,
            time,
            nonce,
            previous,
            signature: [0; SIGNATURE_BYTES],
        };
        statement.signature = key.sign(&statement.message());
        statement
    }

    /// Whether the signature is the named device's over this statement. Nothing else is looked at.
    pub fn is_authentic(&self) -> bool {
        sign::verify(&self.device, &self.message(), &self.signature)
    }

    /// The name of this statement, by which the next one names it: `H("signed-root", bytes)`.
    pub fn hash(&self) -> Hash {
        hash::labelled("signed-root", &[&self.to_bytes()])
    }

    /// Whether two statements of one device cannot both be true of one store: a journal only grows, so two
    /// sets of one size are the same set. The device lied, or lost what it had. Both are authentic, or they
    /// show nothing. Neither the nonces nor the times matter: the asker chooses the ones, clocks may jump.
    pub fn contradicts(&self, other: &Self) -> bool {
        (self.device, self.journal, self.root.count) == (other.device, other.journal, other.root.count)
            && self.root != other.root
            && self.is_authentic()
            && other.is_authentic()
    }

    /// The canonical bytes: body and signature, some 250.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.body();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads the canonical bytes. The signature is not checked.
    ///
    /// # Errors
    /// When they are no such statement.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let too_short = DecodeError::Expected { expected: "body and signature", position: 0 };
        let (body, signature) = split_record(bytes).ok_or(too_short)?;
        let reader = &mut Reader::new(body);
        reader.array_of("parts of a signed root", 9)?;
        let position = reader.position();
        if reader.unsigned()? != VERSION {
            return Err(Reader::out_of_bounds(position, "version of the signed root"));
        }
        let journal = JournalId::from_bytes(reader.array_of_bytes("32 bytes of a journal's id")?);
        reader.array_of("parts of an epoch", 2)?;
        let epoch = reader.unsigned()?;
        let epoch_tag = reader.array_of_bytes("8 bytes of an epoch's id")?;
        let device = DeviceId::from_bytes(reader.array_of_bytes("32 bytes of a device")?);
        let count = reader.unsigned()?;
        let hash: Hash = reader.array_of_bytes("32 bytes of a root")?;
        let time = WallTime::from_micros(reader.bounded("time of the statement", SAFE_INTEGER)?);
        let nonce = reader.array_of_bytes("32 bytes of a nonce")?;
        let previous = reader.optional(|reader| reader.array_of_bytes("32 bytes of a hash"))?;
        reader.end()?;
        let root = Root { count, hash };
        Ok(Self { journal, epoch, epoch_tag, device, root, time, nonce, previous, signature: *signature })
    }

    /// Whether it is said in the one epoch that an open journal has.
    pub(crate) fn is_of_open_epoch(&self) -> bool {
        EpochTag { number: self.epoch, tag: self.epoch_tag } == EpochTag::open(&self.journal)
    }

    fn body(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(192);
        writer.array(9).unsigned(VERSION).bytes(self.journal.as_bytes());
        writer.array(2).unsigned(self.epoch).bytes(&self.epoch_tag);
        writer.bytes(self.device.as_bytes()).unsigned(self.root.count).bytes(&self.root.hash);
        writer.unsigned(self.time.as_micros()).bytes(&self.nonce);
        match &self.previous {
            Some(previous) => writer.bytes(previous),
            None => writer.null(),
        };
        writer.into_bytes()
    }

    /// What the signature covers: the tag, the journal, the epoch's whole id, the body.
    fn message(&self) -> Vec<u8> {
        let epoch = EpochId::from(self.journal);
        [TAG, self.journal.as_bytes(), epoch.as_bytes(), &self.body()].concat()
    }
}
