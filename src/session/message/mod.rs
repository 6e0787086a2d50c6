//! The messages of wire version 0, and their bytes: a type byte, then canonical CBOR items.
//!
//! Version 0 is provisional and has no page of its own. Every message fits one frame of at most
//! 65,536 bytes; each length and count is bounded before memory is taken.

mod encoding;

use crate::codec::cbor::DecodeError;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId, StoreId};
use crate::limits::{FRAME_BYTES, SIGNATURE_BYTES};
use crate::merkle::prefix::Prefix;
use crate::merkle::subtree::Root;
use crate::reconcile::descent::Answer;

/// The only version spoken here.
pub(crate) const VERSION: u64 = 0;
/// Bytes of a reason in words.
const REASON_BYTES: usize = 200;
/// Bytes of a reason's code.
const CODE_BYTES: usize = 40;
/// Entries of one frame.
const ENTRIES_PER_FRAME: usize = 4_096;

/// A message between two connected nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// First, from the dialling side.
    Hello(Hello),
    /// The answer to it.
    HelloAck(HelloAck),
    /// The dialling side's proof; channels may be opened right behind it.
    Auth { signature: [u8; SIGNATURE_BYTES] },
    /// Are you there? Answered by a pong with the same number.
    Ping { number: u64 },
    /// Yes.
    Pong { number: u64 },
    /// The connection ends, and why.
    Goaway(Reason),
    /// Something about one channel.
    Channel { channel: u32, message: ChannelMessage },
}

/// The dialling side's first words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Lowest and highest version spoken.
    pub(crate) versions: (u64, u64),
    pub(crate) nonce: [u8; 32],
    pub(crate) device: DeviceId,
    /// The address dialled, in its canonical form.
    pub(crate) address: String,
}

/// The accepting side's first words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HelloAck {
    pub(crate) version: u64,
    pub(crate) nonce: [u8; 32],
    pub(crate) device: DeviceId,
    pub(crate) signature: [u8; SIGNATURE_BYTES],
}

/// Why something ends: a stable code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) text: String,
}

impl Reason {
    /// A reason, its words cut to what a message holds.
    pub(crate) fn new(code: &str, text: &str) -> Self {
        let cut = |text: &str, max: usize| {
            let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
        };
        Self { code: cut(code, CODE_BYTES), text: cut(text, REASON_BYTES) }
    }
}

/// A journal as one side sees it when a channel opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) store: StoreId,
    /// Number of the last entry.
    pub(crate) at: u64,
    pub(crate) root: Root,
}

/// How the difference is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Each side sends what it has numbered behind these: the opener, the acceptor.
    Feed { opener_after: u64, acceptor_after: u64 },
    /// The opener asks its way down the Merkle map.
    Descend,
}

/// A message about one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChannelMessage {
    /// Opens the channel for a journal, or begins a new sync on a new channel.
    Open {
        journal: JournalId,
        summary: Summary,
        /// Up to where the opener has what the acceptor's store holds, as it remembers.
        cursor: Option<Cursor>,
    },
    /// The roots are equal.
    Same { store: StoreId, at: u64 },
    /// They are not.
    Differ { summary: Summary, plan: Plan },
    /// The journal is not served, or the channel ends.
    Close(Reason),
    /// What do you have below these prefixes?
    Ask { prefixes: Vec<Prefix> },
    /// This.
    Tell { answers: Vec<Answer> },
    /// Send me these; whether these were the last.
    Want { ids: Vec<EntryId>, last: bool },
    /// Entries with the sender's numbers.
    Entries { entries: Vec<(u64, Vec<u8>)> },
    /// Part of an entry that is too large for a frame; its parts follow each other.
    Part { number: u64, size: u64, bytes: Vec<u8> },
    /// All of the sender's entries up to this number are sent or known to be there.
    Upto { number: u64 },
    /// The sender's part of the difference has been sent.
    Sent,
    /// The root of the union as the sender has it.
    Root(Root),
    /// Entries that the sender will not take.
    Refused { ids: Vec<EntryId> },
    /// So many bytes of entries are durable here: send as many more.
    Credit { bytes: u64 },
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than a frame may be.
    #[error("a message of {0} bytes, of at most {FRAME_BYTES}")]
    TooLarge(usize),
    /// Of a type that this version does not have.
    #[error("a message of type {0}, which version {VERSION} does not have")]
    UnknownType(u8),
    /// Without even a type.
    #[error("an empty message")]
    Empty,
    /// Not the canonical bytes of its type.
    #[error("a malformed message: {0}")]
    Malformed(#[from] DecodeError),
}
