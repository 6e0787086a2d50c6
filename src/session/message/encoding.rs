//! The bytes of messages: a type byte, then canonical CBOR items.

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::ids::{DeviceId, EntryId, JournalId, StoreId};
use crate::limits::{
    ADDRESS_BYTES, CELLS_PER_FRAME, FRAME_BYTES, FRAME_PAYLOAD_BYTES, IDS_PER_FRAME, PREFIXES_PER_ASK,
    RECORD_BYTES, SAFE_INTEGER,
};
use crate::merkle::subtree::Root;
use crate::session::message::bundle::Bundle;
use crate::session::message::subtrees::{decode_answer, decode_prefix, encode_answer, encode_prefix};
use crate::session::message::{
    CODE_BYTES, ChannelMessage, Hello, HelloAck, LEADING_MAX, LEADING_MIN, Leading, Message, MessageError,
    Plan, REASON_BYTES, Reason, STATEMENT_BYTES, Summary,
};
use crate::symbols::cell::Cell;
use crate::symbols::mapping::ShortId;
use crate::symbols::row::MOST_CELLS;
use crate::symbols::sketch::Sketch;

mod kind {
    //! The type bytes.
    pub(super) const HELLO: u8 = 0;
    pub(super) const HELLO_ACK: u8 = 1;
    pub(super) const AUTH: u8 = 2;
    pub(super) const PING: u8 = 3;
    pub(super) const PONG: u8 = 4;
    pub(super) const GOAWAY: u8 = 5;
    pub(super) const OPEN: u8 = 16;
    pub(super) const SAME: u8 = 17;
    pub(super) const DIFFER: u8 = 18;
    pub(super) const CLOSE: u8 = 19;
    pub(super) const ASK: u8 = 20;
    pub(super) const TELL: u8 = 21;
    pub(super) const WANT: u8 = 22;
    pub(super) const ENTRIES: u8 = 23;
    pub(super) const PART: u8 = 24;
    pub(super) const UPTO: u8 = 25;
    pub(super) const SENT: u8 = 26;
    pub(super) const ROOT: u8 = 27;
    pub(super) const REFUSED: u8 = 28;
    pub(super) const CREDIT: u8 = 29;
    pub(super) const SYMBOLS: u8 = 30;
    pub(super) const MORE: u8 = 31;
    pub(super) const LIST: u8 = 32;
    pub(super) const ASK_RECEIPT: u8 = 33;
    pub(super) const RECEIPT: u8 = 34;
}

impl Message {
    /// The name of its type, for logs and errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "Hello",
            Self::HelloAck(_) => "HelloAck",
            Self::Auth { .. } => "Auth",
            Self::Ping { .. } => "Ping",
            Self::Pong { .. } => "Pong",
            Self::Goaway(_) => "Goaway",
            Self::Channel { message, .. } => message.name(),
        }
    }

    /// Its bytes, one frame.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.about());
        match self {
            Self::Hello(hello) => {
                w.canonical(&[kind::HELLO]);
                w.unsigned(hello.versions.0)
                    .unsigned(hello.versions.1)
                    .unsigned(hello.suite)
                    .bytes(&hello.nonce);
                w.bytes(hello.device.as_bytes()).bytes(hello.store.as_bytes()).text(&hello.address);
            }
            Self::HelloAck(ack) => {
                w.canonical(&[kind::HELLO_ACK]).canonical(&ack.unsigned()).bytes(&ack.signature);
            }
            Self::Auth { signature } => {
                w.canonical(&[kind::AUTH]).bytes(signature);
            }
            Self::Ping { number } => {
                w.canonical(&[kind::PING]).unsigned(*number);
            }
            Self::Pong { number } => {
                w.canonical(&[kind::PONG]).unsigned(*number);
            }
            Self::Goaway(reason) => {
                w.canonical(&[kind::GOAWAY]).text(&reason.code).text(&reason.text);
            }
            Self::Channel { channel, message } => message.encode(*channel, &mut w),
        }
        w.into_bytes()
    }

    /// About how many bytes it takes, so that a long one is written without being moved.
    fn about(&self) -> usize {
        let Self::Channel { message, .. } = self else { return 256 };
        let long = match message {
            ChannelMessage::Entries(bundle) => bundle.bytes(),
            ChannelMessage::Part { bytes, .. } => bytes.len(),
            ChannelMessage::Symbols { cells, .. }
            | ChannelMessage::Differ { plan: Plan::Symbols { cells, .. }, .. } => {
                cells.len().saturating_mul(Cell::BYTES)
            }
            ChannelMessage::List { ids, .. } => ids.len().saturating_mul(8),
            ChannelMessage::Want { ids, .. } => ids.bytes.len(),
            ChannelMessage::Refused { ids } => ids.len().saturating_mul(34),
            ChannelMessage::Open { .. }
            | ChannelMessage::Same { .. }
            | ChannelMessage::Differ { .. }
            | ChannelMessage::Close(_)
            | ChannelMessage::Ask { .. }
            | ChannelMessage::Tell { .. }
            | ChannelMessage::More { .. }
            | ChannelMessage::Upto { .. }
            | ChannelMessage::Sent
            | ChannelMessage::Root(_)
            | ChannelMessage::Credit { .. }
            | ChannelMessage::AskReceipt { .. }
            | ChannelMessage::Receipt { .. } => 192,
        };
        long.saturating_add(64)
    }

    /// Reads one frame.
    pub(crate) fn decode(frame: &[u8]) -> Result<Self, MessageError> {
        if frame.len() > FRAME_BYTES {
            return Err(MessageError::TooLarge(frame.len()));
        }
        let (&kind, body) = frame.split_first().ok_or(MessageError::Empty)?;
        let r = &mut Reader::new(body);
        let message = match kind {
            kind::HELLO => Self::Hello(Hello {
                versions: (number(r)?, number(r)?),
                suite: number(r)?,
                nonce: r.array_of_bytes("32 bytes of a nonce")?,
                device: DeviceId::from_bytes(r.array_of_bytes("32 bytes of a device")?),
                store: store(r)?,
                address: text(r, "address", ADDRESS_BYTES)?,
            }),
            kind::HELLO_ACK => Self::HelloAck(HelloAck {
                version: number(r)?,
                suite: number(r)?,
                nonce: r.array_of_bytes("32 bytes of a nonce")?,
                device: DeviceId::from_bytes(r.array_of_bytes("32 bytes of a device")?),
                store: store(r)?,
                signature: r.array_of_bytes("64 bytes of a signature")?,
            }),
            kind::AUTH => Self::Auth { signature: r.array_of_bytes("64 bytes of a signature")? },
            kind::PING => Self::Ping { number: number(r)? },
            kind::PONG => Self::Pong { number: number(r)? },
            kind::GOAWAY => Self::Goaway(reason(r)?),
            kind::OPEN..=kind::RECEIPT => {
                let channel = u32::try_from(r.bounded("channel", u64::from(u32::MAX))?).unwrap_or_default();
                Self::Channel { channel, message: ChannelMessage::decode(kind, r)? }
            }
            unknown => return Err(MessageError::UnknownType(unknown)),
        };
        r.end()?;
        Ok(message)
    }
}

impl HelloAck {
    /// Its bytes without type and signature: what the signatures cover.
    pub(crate) fn unsigned(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(96);
        w.unsigned(self.version).unsigned(self.suite).bytes(&self.nonce).bytes(self.device.as_bytes());
        w.bytes(self.store.as_bytes());
        w.into_bytes()
    }
}

impl ChannelMessage {
    /// The name of its type, for logs and errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "Open",
            Self::Same { .. } => "Same",
            Self::Differ { .. } => "Differ",
            Self::Close(_) => "Close",
            Self::Ask { .. } => "Ask",
            Self::Tell { .. } => "Tell",
            Self::Symbols { .. } => "Symbols",
            Self::More { .. } => "More",
            Self::List { .. } => "List",
            Self::Want { .. } => "Want",
            Self::Entries(_) => "Entries",
            Self::Part { .. } => "Part",
            Self::Upto { .. } => "Upto",
            Self::Sent => "Sent",
            Self::Root(_) => "Root",
            Self::Refused { .. } => "Refused",
            Self::Credit { .. } => "Credit",
            Self::AskReceipt { .. } => "AskReceipt",
            Self::Receipt { .. } => "Receipt",
        }
    }

    fn encode(&self, channel: u32, w: &mut Writer) {
        let channel = u64::from(channel);
        let mut head = |kind: u8| {
            w.canonical(&[kind]).unsigned(channel);
        };
        match self {
            Self::Open { journal, summary, root, sketch, cursor } => {
                head(kind::OPEN);
                let fixed: [&[u8]; 3] = [journal.as_bytes(), root, &sketch.to_bytes()];
                w.bytes(&fixed.concat());
                summary.encode(w);
                match cursor {
                    Some(number) => w.unsigned(*number),
                    None => w.null(),
                };
            }
            Self::Same { at, takes } => {
                head(kind::SAME);
                w.unsigned(*at);
                w.bool(*takes);
            }
            Self::Differ { summary, plan, takes } => {
                head(kind::DIFFER);
                summary.encode(w);
                match plan {
                    Plan::Feed { opener_after, acceptor_after } => {
                        w.array(3).unsigned(0).unsigned(*opener_after).unsigned(*acceptor_after)
                    }
                    Plan::Descend => w.array(1).unsigned(1),
                    Plan::Symbols { difference, coming, cells } => {
                        w.array(4).unsigned(2).unsigned(*difference).unsigned(*coming).bytes(&pack(cells))
                    }
                    Plan::AcceptorLists => w.array(1).unsigned(3),
                    Plan::OpenerLists => w.array(1).unsigned(4),
                };
                w.bool(*takes);
            }
            Self::Close(reason) => {
                head(kind::CLOSE);
                w.text(&reason.code).text(&reason.text);
            }
            Self::Ask { prefixes } => {
                head(kind::ASK);
                w.array(prefixes.len());
                prefixes.iter().for_each(|prefix| encode_prefix(prefix, w));
            }
            Self::Tell { answers } => {
                head(kind::TELL);
                w.array(answers.len());
                answers.iter().for_each(|answer| encode_answer(answer, w));
            }
            Self::Symbols { prefix, from, cells, last } => {
                head(kind::SYMBOLS);
                encode_prefix(prefix, w);
                w.unsigned(*from).bytes(&pack(cells)).bool(*last);
            }
            Self::More { prefix, from, count } => {
                head(kind::MORE);
                encode_prefix(prefix, w);
                w.unsigned(*from).unsigned(*count);
            }
            Self::List { ids, last } => {
                head(kind::LIST);
                let mut bytes = Vec::with_capacity(ids.len().saturating_mul(8));
                ids.iter().for_each(|id| bytes.extend_from_slice(&id.0.to_be_bytes()));
                w.bytes(&bytes).bool(*last);
            }
            Self::Want { ids, last } => {
                head(kind::WANT);
                w.unsigned(ids.width as u64).bytes(&ids.bytes).bool(*last);
            }
            Self::Entries(bundle) => {
                head(kind::ENTRIES);
                bundle.encode(w);
            }
            Self::Part { number, size, bytes } => {
                head(kind::PART);
                w.unsigned(*number).unsigned(*size).bytes(bytes);
            }
            Self::Upto { number } => {
                head(kind::UPTO);
                w.unsigned(*number);
            }
            Self::Sent => head(kind::SENT),
            Self::Root(root) => {
                head(kind::ROOT);
                w.unsigned(root.count).bytes(&root.hash);
            }
            Self::Refused { ids } => {
                head(kind::REFUSED);
                encode_ids(ids, w);
            }
            Self::Credit { bytes, upto } => {
                head(kind::CREDIT);
                w.unsigned(*bytes).unsigned(*upto);
            }
            Self::AskReceipt { nonce, previous } => {
                head(kind::ASK_RECEIPT);
                w.bytes(nonce);
                match previous {
                    Some(previous) => w.bytes(previous),
                    None => w.null(),
                };
            }
            Self::Receipt { statement } => {
                head(kind::RECEIPT);
                w.bytes(statement);
            }
        }
    }

    fn decode(kind: u8, r: &mut Reader<'_>) -> Result<Self, MessageError> {
        Ok(match kind {
            kind::OPEN => decode_open(r)?,
            kind::SAME => Self::Same { at: number(r)?, takes: r.bool()? },
            kind::DIFFER => {
                let (summary, plan) = (Summary::decode(r)?, decode_plan(r)?);
                Self::Differ { summary, plan, takes: r.bool()? }
            }
            kind::CLOSE => Self::Close(reason(r)?),
            kind::ASK => {
                let len = r.array("prefixes", PREFIXES_PER_ASK)?;
                Self::Ask { prefixes: r.items(len, |r| decode_prefix(r, 4))? }
            }
            kind::TELL => {
                let len = r.array("answers", PREFIXES_PER_ASK)?;
                Self::Tell { answers: r.items(len, decode_answer)? }
            }
            kind::SYMBOLS => {
                let prefix = decode_prefix(r, 1)?;
                let from = r.bounded("number of a cell", MOST_CELLS as u64)?;
                Self::Symbols { prefix, from, cells: cells(r)?, last: r.bool()? }
            }
            kind::MORE => {
                let prefix = decode_prefix(r, 1)?;
                let mut cells = || r.bounded("number of a cell", MOST_CELLS as u64);
                Self::More { prefix, from: cells()?, count: cells()? }
            }
            kind::LIST => {
                let ids = packed(r, "ids", FRAME_PAYLOAD_BYTES / 8)?;
                let ids = ids.iter().map(|id| ShortId(u64::from_be_bytes(*id))).collect();
                Self::List { ids, last: r.bool()? }
            }
            kind::WANT => {
                let position = r.position();
                let width = usize::try_from(r.unsigned()?).unwrap_or(usize::MAX);
                let bytes = r.bytes()?.to_vec();
                if !(LEADING_MIN..=LEADING_MAX).contains(&width) || bytes.len() % width != 0 {
                    return Err(Reader::out_of_bounds(position, "bytes of ids").into());
                }
                Self::Want { ids: Leading { width, bytes }, last: r.bool()? }
            }
            kind::ENTRIES => Self::Entries(Bundle::decode(r)?),
            kind::PART => Self::Part {
                number: number(r)?,
                size: r.bounded("size of the entry", RECORD_BYTES as u64)?,
                bytes: r.bytes()?.to_vec(),
            },
            kind::UPTO => Self::Upto { number: number(r)? },
            kind::SENT => Self::Sent,
            kind::ROOT => Self::Root(root(r)?),
            kind::REFUSED => Self::Refused { ids: decode_ids(r, IDS_PER_FRAME)? },
            kind::CREDIT => Self::Credit { bytes: number(r)?, upto: number(r)? },
            kind::ASK_RECEIPT => Self::AskReceipt {
                nonce: r.array_of_bytes("32 bytes of a nonce")?,
                previous: r.optional(|r| r.array_of_bytes("32 bytes of a hash"))?,
            },
            kind::RECEIPT => {
                let position = r.position();
                let statement = r.bytes()?.to_vec();
                if statement.len() > STATEMENT_BYTES {
                    return Err(Reader::out_of_bounds(position, "statement").into());
                }
                Self::Receipt { statement }
            }
            unknown => return Err(MessageError::UnknownType(unknown)),
        })
    }
}

impl Summary {
    /// The count, and by how much the last number is beyond it: 0 as a rule.
    fn encode(&self, w: &mut Writer) {
        w.unsigned(self.count).unsigned(self.at.saturating_sub(self.count));
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (count, position) = (number(r)?, r.position());
        let at = count.saturating_add(number(r)?);
        if at > SAFE_INTEGER {
            return Err(Reader::out_of_bounds(position, "number of the last entry"));
        }
        Ok(Self { at, count })
    }
}

/// What has a fixed length in one byte string, then the rest.
fn decode_open(r: &mut Reader<'_>) -> Result<ChannelMessage, DecodeError> {
    let fixed = r.array_of_bytes::<128>("128 bytes of journal, root and sketch")?;
    let (journal, rest) = fixed.split_first_chunk().unwrap_or((&[0; 32], &[]));
    let (root, rest) = rest.split_first_chunk().unwrap_or((&[0; 32], &[]));
    let sketch = rest.first_chunk().unwrap_or(&[0; Sketch::BYTES]);
    Ok(ChannelMessage::Open {
        journal: JournalId::from_bytes(*journal),
        summary: Summary::decode(r)?,
        root: *root,
        sketch: Sketch::from_bytes(sketch),
        cursor: r.optional(number)?,
    })
}

fn pack(cells: &[Cell]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(cells.len().saturating_mul(Cell::BYTES));
    cells.iter().for_each(|cell| bytes.extend_from_slice(&cell.to_bytes()));
    bytes
}

fn cells(r: &mut Reader<'_>) -> Result<Vec<Cell>, DecodeError> {
    Ok(packed(r, "cells", CELLS_PER_FRAME)?.iter().map(Cell::from_bytes).collect())
}

fn text(r: &mut Reader<'_>, what: &'static str, max: usize) -> Result<String, DecodeError> {
    let position = r.position();
    let text = r.text()?;
    if text.len() > max {
        return Err(Reader::out_of_bounds(position, what));
    }
    Ok(text.to_owned())
}

fn reason(r: &mut Reader<'_>) -> Result<Reason, DecodeError> {
    Ok(Reason { code: text(r, "code", CODE_BYTES)?, text: text(r, "reason", REASON_BYTES)? })
}

/// Numbers, counts and sizes stay within 2^53 − 1, so that sums of a few don't overflow.
pub(super) fn number(r: &mut Reader<'_>) -> Result<u64, DecodeError> {
    r.bounded("number", SAFE_INTEGER)
}

fn store(r: &mut Reader<'_>) -> Result<StoreId, DecodeError> {
    r.array_of_bytes("16 bytes of a store's id").map(StoreId::from_bytes)
}

fn root(r: &mut Reader<'_>) -> Result<Root, DecodeError> {
    Ok(Root { count: number(r)?, hash: r.array_of_bytes("32 bytes of a root")? })
}

/// How the difference is to be found: its number, then what it needs.
fn decode_plan(r: &mut Reader<'_>) -> Result<Plan, DecodeError> {
    let position = r.position();
    let len = r.array("parts of a plan", 4)?;
    match (len, r.unsigned()?) {
        (3, 0) => Ok(Plan::Feed { opener_after: number(r)?, acceptor_after: number(r)? }),
        (1, 1) => Ok(Plan::Descend),
        (4, 2) => {
            let (difference, coming) = (number(r)?, r.bounded("number of cells", MOST_CELLS as u64)?);
            Ok(Plan::Symbols { difference, coming, cells: cells(r)? })
        }
        (1, 3) => Ok(Plan::AcceptorLists),
        (1, 4) => Ok(Plan::OpenerLists),
        _ => Err(Reader::out_of_bounds(position, "plan")),
    }
}

/// Items of `N` bytes each, at most `max`, in one byte string.
fn packed<'b, const N: usize>(
    r: &mut Reader<'b>,
    what: &'static str,
    max: usize,
) -> Result<&'b [[u8; N]], DecodeError> {
    let position = r.position();
    let (items, rest) = r.bytes()?.as_chunks();
    if rest.is_empty() && items.len() <= max { Ok(items) } else { Err(Reader::out_of_bounds(position, what)) }
}

pub(super) fn encode_ids(ids: &[EntryId], w: &mut Writer) {
    w.array(ids.len());
    for id in ids {
        w.bytes(id.as_bytes());
    }
}

pub(super) fn decode_ids(r: &mut Reader<'_>, max: usize) -> Result<Vec<EntryId>, DecodeError> {
    let len = r.array("ids", max)?;
    r.items(len, |r| r.array_of_bytes("32 bytes of an entry's id").map(EntryId::from_bytes))
}
