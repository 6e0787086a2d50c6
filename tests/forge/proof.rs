//! Proofs put together part by part, also such as no map gives.

use isoroot::{EntryId, Hash};

/// A part of a proof's tree, in the order of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Fork,
    Hash(Hash),
    Empty,
    Member,
    Other(EntryId),
}

/// The bytes of a proof with this tree.
pub fn bytes(count: u64, tree: &[Part]) -> Vec<u8> {
    let mut bits = String::new();
    let mut items = Vec::new();
    for part in tree {
        match part {
            Part::Fork => bits.push('0'),
            Part::Hash(hash) => {
                bits.push_str("10");
                items.extend_from_slice(hash);
            }
            Part::Empty => bits.push_str("110"),
            Part::Member => bits.push_str("1110"),
            Part::Other(id) => {
                bits.push_str("1111");
                items.extend_from_slice(id.as_bytes());
            }
        }
    }
    let mut bytes = vec![1];
    bytes.extend_from_slice(&count.to_be_bytes());
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().enumerate().map(|(at, bit)| (bit - b'0') << (7 - at));
        bytes.push(byte.sum());
    }
    bytes.extend(items);
    bytes
}

/// The parts of a proof's bytes.
pub fn parts(bytes: &[u8]) -> Vec<Part> {
    let bits: Vec<bool> =
        bytes[9..].iter().flat_map(|byte| (0..8).map(move |at| byte << at & 0x80 != 0)).collect();
    let (mut tags, mut at, mut open) = (Vec::new(), 0, 1);
    while open > 0 {
        let ones = bits[at..].iter().take(4).take_while(|bit| **bit).count();
        at += (ones + 1).min(4);
        open = if ones == 0 { open + 1 } else { open - 1 };
        tags.push(ones);
    }
    let mut items = bytes[9 + at.div_ceil(8)..].chunks(32).map(|item| <[u8; 32]>::try_from(item).unwrap());
    let part = |ones| match ones {
        0 => Part::Fork,
        1 => Part::Hash(items.next().unwrap()),
        2 => Part::Empty,
        3 => Part::Member,
        _ => Part::Other(EntryId::from_bytes(items.next().unwrap())),
    };
    tags.into_iter().map(part).collect()
}
