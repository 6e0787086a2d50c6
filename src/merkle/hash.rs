//! The four hashes of the Merkle map: nothing, a leaf, a node, the root.
//!
//! What is hashed begins with a tag that says which it is, so that none can pass for another. Ids are
//! hashes already, but are hashed again as leaves: a node can be ground to begin with its own path,
//! and if a leaf were its bare id, that node could pose as "the other leaf" in a proof of absence.
//!
//! The messages have fixed lengths and are laid out as padded SHA-256 blocks (FIPS 180-4 §5.1.1) for
//! the compression function: a million entries take 2.4 million hashes, and a third of the time of
//! each would go to the buffering of a general hasher.

use sha2::block_api::compress256;

use crate::crypto::hash::Hash;
use crate::ids::EntryId;

/// The hash of a subtree without leaves: SHA-256("isoroot/v1/empty").
pub(super) const EMPTY: Hash = [
    0x36, 0xf2, 0x4d, 0xdd, 0x73, 0x34, 0xcb, 0x49, 0x53, 0x6a, 0xa5, 0x24, 0x14, 0x4a, 0x9d, 0xf1, 0x4f,
    0xed, 0xdd, 0x63, 0x02, 0x13, 0x6e, 0xed, 0x37, 0xd3, 0x7a, 0x05, 0x87, 0xf3, 0xca, 0xf0,
];

/// The root of the map without entries: `root(0, &EMPTY)`.
pub(super) const EMPTY_ROOT: Hash = [
    0x6c, 0x8b, 0xd5, 0x87, 0x83, 0x5f, 0xe7, 0x55, 0x51, 0xbf, 0xce, 0x78, 0x93, 0x62, 0xf7, 0x13, 0x8d,
    0xb0, 0xc2, 0xd6, 0x07, 0xc4, 0xcb, 0xd7, 0xdb, 0x6b, 0x6f, 0x3e, 0xfd, 0xca, 0x49, 0x9b,
];

/// Tags, one for each kind of message.
const LEAF: u8 = 0x00;
const NODE: u8 = 0x01;
const ROOT: u8 = 0x02;

/// The bit that ends a message (FIPS 180-4 §5.1.1), as a byte.
const END: u8 = 0x80;

/// SHA-256's initial hash value (FIPS 180-4 §5.3.3).
const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// So many messages are best laid out before the first of them is hashed: a processor that reads what
/// it has just written in other pieces stalls, and would not begin with the next one meanwhile. With
/// SHA-256 in hardware that halves the time.
pub(super) const TOGETHER: usize = 8;

/// SHA-256 between two blocks.
pub(super) type State = [u32; 8];

/// The message of a leaf.
#[derive(Clone, Copy)]
pub(super) struct LeafMessage([u8; 64]);

impl LeafMessage {
    pub(super) const fn new() -> Self {
        let mut message = [0; 64];
        message[0] = LEAF;
        message[33] = END;
        let [.., high, low] = bits(33);
        (message[62], message[63]) = (high, low);
        Self(message)
    }

    pub(super) fn set(&mut self, id: &EntryId) {
        self.0[1..33].copy_from_slice(id.as_bytes());
    }

    /// `SHA-256(0x00 ‖ id)`.
    pub(super) fn hash(&self) -> Hash {
        compress(&self.0)
    }
}

/// The message of a node.
#[derive(Clone, Copy)]
pub(super) struct NodeMessage([u8; 128]);

impl NodeMessage {
    pub(super) const fn new() -> Self {
        let mut message = [0; 128];
        message[0] = NODE;
        message[65] = END;
        let [.., high, low] = bits(65);
        (message[126], message[127]) = (high, low);
        Self(message)
    }

    pub(super) fn set(&mut self, left: &Hash, right: &Hash) {
        self.0[1..33].copy_from_slice(left);
        self.0[33..65].copy_from_slice(right);
    }

    /// `SHA-256(0x01 ‖ left ‖ right)` of each, [`TOGETHER`] at most. First the first block of all, then the
    /// second: blocks that do not wait for each other are hashed side by side. To be made a [`hash`] each.
    pub(super) fn hash_all(messages: &[Self]) -> [State; TOGETHER] {
        let mut states = [INITIAL; TOGETHER];
        for block in 0..2 {
            for (state, message) in states.iter_mut().zip(messages) {
                let (blocks, _) = message.0.as_chunks();
                compress256(state, blocks.get(block..=block).unwrap_or_default());
            }
        }
        #[cfg(test)]
        messages.iter().for_each(|_| count::add_one());
        states
    }
}

/// `SHA-256(0x00 ‖ id)`, of one alone.
pub(super) fn leaf(id: &EntryId) -> Hash {
    let mut message = LeafMessage::new();
    message.set(id);
    message.hash()
}

/// `SHA-256(0x01 ‖ left ‖ right)`, of one alone.
pub(super) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut message = NodeMessage::new();
    message.set(left, right);
    compress(&message.0)
}

/// `SHA-256(0x02 ‖ count as u64 big-endian ‖ top)`: whoever signs a root signs the count.
pub(super) fn root(count: u64, top: &Hash) -> Hash {
    let mut message = [0; 64];
    message[0] = ROOT;
    message[1..9].copy_from_slice(&count.to_be_bytes());
    message[9..41].copy_from_slice(top);
    message[41] = END;
    message[56..].copy_from_slice(&bits(41));
    compress(&message)
}

/// The last eight bytes of the padding: the length of the message in bits.
const fn bits(bytes: u64) -> [u8; 8] {
    (bytes * 8).to_be_bytes()
}

/// SHA-256 of a message that is padded already.
fn compress(padded: &[u8]) -> Hash {
    #[cfg(test)]
    count::add_one();
    let (blocks, _) = padded.as_chunks();
    let mut state = INITIAL;
    compress256(&mut state, blocks);
    hash(state)
}

/// The hash that the last block leaves.
pub(super) fn hash(state: State) -> Hash {
    let mut hash = [0; 32];
    let (words, _) = hash.as_chunks_mut();
    for (bytes, word) in words.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}

/// Counts the hashes that a test causes.
#[cfg(test)]
pub(super) mod count {
    use std::cell::Cell;

    thread_local! {
        static HASHES: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add_one() {
        HASHES.set(HASHES.get() + 1);
    }

    /// Hashes computed on this thread while `act` ran.
    pub(in crate::merkle) fn of<T>(act: impl FnOnce() -> T) -> (usize, T) {
        let before = HASHES.get();
        let result = act();
        (HASHES.get() - before, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::plain;

    #[test]
    fn messages_are_hashed_as_plain_sha256_does() {
        for i in 0..100_u64 {
            let (a, b) = (plain(&[&i.to_be_bytes()]), plain(&[&i.to_le_bytes(), &[1]]));
            let mut message = LeafMessage::new();
            for id in [b, a] {
                message.set(&EntryId::from_bytes(id));
            }
            assert_eq!(message.hash(), plain(&[&[0], &a]));
            assert_eq!(node(&a, &b), plain(&[&[1], &a, &b]));
            assert_eq!(root(i << 40, &a), plain(&[&[2], &(i << 40).to_be_bytes(), &a]));
        }
    }

    #[test]
    fn constants_are_the_hashes_that_they_stand_for() {
        assert_eq!(EMPTY, plain(&[b"isoroot/v1/empty"]));
        assert_eq!(EMPTY_ROOT, root(0, &EMPTY));
    }

    #[test]
    fn f55_kinds_of_message_have_different_hashes() {
        let a = EMPTY;
        let leaf = LeafMessage::new().hash();
        assert_eq!(leaf, plain(&[&[0; 33]]));
        assert_ne!(leaf, root(0, &[0; 32]));
        assert_ne!(leaf, node(&[0; 32], &[0; 32]));
        assert_ne!(root(0, &a), root(1, &a), "the count is in the root");
        assert_ne!(node(&a, &EMPTY_ROOT), node(&EMPTY_ROOT, &a), "sides differ");
    }
}
