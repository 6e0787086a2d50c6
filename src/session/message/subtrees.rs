//! The bytes of prefixes, and of what is below them.

use crate::codec::cbor::{DecodeError, Kind, Reader, Writer};
use crate::limits::IDS_PER_NODE;
use crate::merkle::prefix::Prefix;
use crate::merkle::subtree::Node;
use crate::reconcile::descent::Answer;
use crate::session::message::encoding::{decode_ids, encode_ids, number};

/// The number of bits, then the bytes that hold them.
pub(super) fn encode_prefix(prefix: &Prefix, w: &mut Writer) {
    let bits = prefix.bits();
    let bytes = prefix.as_bytes().get(..usize::from(bits.div_ceil(8))).unwrap_or_default();
    w.array(2).unsigned(u64::from(bits)).bytes(bytes);
}

/// A prefix of whole steps of so many bits.
pub(super) fn decode_prefix(r: &mut Reader<'_>, step: u16) -> Result<Prefix, DecodeError> {
    r.array_of("parts of a prefix", 2)?;
    let position = r.position();
    let bits = u16::try_from(r.bounded("bits of the prefix", 256)?).unwrap_or_default();
    let found = r.bytes()?;
    let mut bytes = [0; 32];
    let malformed = Reader::out_of_bounds(position, "bits of the prefix");
    let filled = bytes.get_mut(..usize::from(bits.div_ceil(8))).filter(|part| part.len() == found.len());
    filled.ok_or(malformed)?.copy_from_slice(found);
    Prefix::new(bytes, bits).filter(|_| bits % step == 0).ok_or(malformed)
}

/// Ids as an array of byte strings; children as one byte string of 16 hashes behind their counts.
pub(super) fn encode_answer(answer: &Answer, w: &mut Writer) {
    match answer {
        Answer::Ids(ids) => encode_ids(ids, w),
        Answer::Children(children) => {
            w.map(16);
            for node in children.iter() {
                w.unsigned(node.count).bytes(if node.count == 0 { &[] } else { &node.hash });
            }
        }
    }
}

pub(super) fn decode_answer(r: &mut Reader<'_>) -> Result<Answer, DecodeError> {
    let position = r.position();
    if r.kind()? == Kind::Array {
        let max = usize::try_from(IDS_PER_NODE).unwrap_or_default();
        return decode_ids(r, max).map(Answer::Ids);
    }
    if r.map("children", 16)? != 16 {
        return Err(Reader::out_of_bounds(position, "children"));
    }
    let mut children = Box::new([Node::EMPTY; 16]);
    for node in children.iter_mut() {
        node.count = number(r)?;
        match node.count {
            0 if r.bytes()?.is_empty() => {}
            0 => return Err(Reader::out_of_bounds(position, "children")),
            _ => node.hash = r.array_of_bytes("32 bytes of a node's hash")?,
        }
    }
    Ok(Answer::Children(children))
}
