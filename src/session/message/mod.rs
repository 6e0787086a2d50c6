//! The messages of wire version 1, and their bytes: a type byte, then canonical CBOR items.
//!
//! `docs/PROTOCOL.md` describes them byte by byte. Every message fits one frame of at most 65,536 bytes;
//! each length and count is bounded before memory is taken.

pub(crate) mod bundle;
mod encoding;
#[cfg(test)]
mod samples;
mod subtrees;

use crate::codec::cbor::DecodeError;
use crate::crypto::hash::Hash;
use crate::ids::{DeviceId, EntryId, JournalId, StoreId};
use crate::limits::{FRAME_BYTES, HANDSHAKE_FRAME_BYTES, SIGNATURE_BYTES};
use crate::merkle::prefix::Prefix;
use crate::merkle::subtree::Root;
use crate::reconcile::descent::Answer;
use crate::session::message::bundle::Bundle;
use crate::symbols::cell::Cell;
use crate::symbols::mapping::ShortId;
use crate::symbols::sketch::Sketch;

/// The only version spoken here.
pub(crate) const VERSION: u64 = 1;
/// The only suite: both sides sign, secrecy is the transport's.
pub(crate) const SUITE: u64 = 0;
/// Bytes of an id in a want, least and most.
const LEADING_MIN: usize = 2;
const LEADING_MAX: usize = 8;
/// Bytes of a reason in words.
const REASON_BYTES: usize = 200;
/// Bytes of a signed root.
const STATEMENT_BYTES: usize = 512;
/// Bytes of a reason's code.
const CODE_BYTES: usize = 40;

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
    /// What protects the connection.
    pub(crate) suite: u64,
    pub(crate) nonce: [u8; 32],
    pub(crate) device: DeviceId,
    /// The store of the dialling side.
    pub(crate) store: StoreId,
    /// The address dialled, in its canonical form.
    pub(crate) address: String,
}

/// The accepting side's first words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HelloAck {
    pub(crate) version: u64,
    pub(crate) suite: u64,
    pub(crate) nonce: [u8; 32],
    pub(crate) device: DeviceId,
    /// The store of the accepting side.
    pub(crate) store: StoreId,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Number of the last entry, at least `count`.
    pub(crate) at: u64,
    /// How many entries it has.
    pub(crate) count: u64,
}

/// How the difference is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Each side sends what it has numbered behind these: the opener, the acceptor.
    Feed { opener_after: u64, acceptor_after: u64 },
    /// The opener asks its way down the Merkle map.
    Descend,
    /// By coded symbols; about how many differences there are, how many cells of the acceptor's row of all
    /// ids come unasked, and the first of them; the rest follow.
    Symbols { difference: u64, coming: u64, cells: Vec<Cell> },
    /// The acceptor lists what it has; the lists follow.
    AcceptorLists,
    /// The opener is to list what it has.
    OpenerLists,
}

/// A message about one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChannelMessage {
    /// Opens the channel for a journal, or begins a new sync on a new channel.
    Open {
        journal: JournalId,
        summary: Summary,
        /// The root's hash.
        root: Hash,
        sketch: Sketch,
        /// Up to which number the opener has what the acceptor's store holds, as it remembers.
        cursor: Option<u64>,
    },
    /// The roots are equal; the acceptor's last number, and whether anything is taken from the opener.
    Same { at: u64, takes: bool },
    /// They are not.
    Differ { summary: Summary, plan: Plan, takes: bool },
    /// The journal is not served, or the channel ends.
    Close(Reason),
    /// What do you have below these prefixes?
    Ask { prefixes: Vec<Prefix> },
    /// This.
    Tell { answers: Vec<Answer> },
    /// Cells of the sender's row of the ids below a prefix, from this one on; whether they are all that was
    /// asked for.
    Symbols { prefix: Prefix, from: u64, cells: Vec<Cell>, last: bool },
    /// Send me so many cells of that row, from this one on.
    More { prefix: Prefix, from: u64, count: u64 },
    /// Short ids of what the sender has; whether these were the last.
    List { ids: Vec<ShortId>, last: bool },
    /// Send me what begins with these bytes; whether these were the last.
    Want { ids: Leading, last: bool },
    /// Entries with the sender's numbers.
    Entries(Bundle),
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
    /// So many bytes of entries are durable here: send as many more. And everything that the receiver of this
    /// has numbered up to `upto` is durable here.
    Credit { bytes: u64, upto: u64 },
    /// Sign for what you hold, with this nonce, as following the statement with this hash.
    AskReceipt { nonce: [u8; 32], previous: Option<Hash> },
    /// The signed root.
    Receipt { statement: Vec<u8> },
}

/// The leading bytes of ids, as many of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leading {
    width: usize,
    bytes: Vec<u8>,
}

impl Leading {
    /// Bytes of each that are worth it among so many entries: one in 4,096 finds another than was meant, or
    /// fewer do.
    pub(crate) fn width_among(entries: u64) -> usize {
        let bits = u64::BITS.saturating_sub(entries.saturating_sub(1).leading_zeros()).saturating_add(12);
        usize::try_from(bits.div_ceil(8)).unwrap_or(LEADING_MAX).clamp(LEADING_MIN, LEADING_MAX)
    }

    /// None yet, of `width` bytes each, 2 to 8.
    pub(crate) fn new(width: usize) -> Self {
        Self { width: width.clamp(LEADING_MIN, LEADING_MAX), bytes: Vec::new() }
    }

    /// Takes the leading bytes of an id.
    pub(crate) fn push(&mut self, id: ShortId) {
        self.bytes.extend(id.0.to_be_bytes().iter().take(self.width));
    }

    /// The leading bytes of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.width)
    }
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than a frame may be.
    #[error("a message of {0} bytes, of at most {FRAME_BYTES}")]
    TooLarge(usize),
    /// Longer than a frame may be before the peer has proved who it is.
    #[error(
        "a message of {0} bytes before the peer has proved who it is, of at most {HANDSHAKE_FRAME_BYTES}"
    )]
    TooLargeYet(usize),
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
