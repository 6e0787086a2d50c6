//! What a subtree comes to, its count and hash; and how those of two sides or of a list of ids are found.

use core::fmt;

use super::hash;
use super::plan::Plan;
use crate::crypto::hash::Hash;
use crate::ids::{EntryId, write_hex};

/// A subtree of the Merkle map: how many ids are in it, and its hash.
///
/// Of none the hash is the fixed one of [`Node::EMPTY`], of one that of its leaf at whatever depth the
/// subtree begins, of more that of its two halves, also where one half is empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// How many ids.
    pub count: u64,
    /// The hash over them, without their count.
    pub hash: Hash,
}

/// The root of a Merkle map: it stands for the whole set, and names its size.
///
/// Equal roots are equal sets, whatever the order and history in which they came about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root {
    /// How many entries.
    pub count: u64,
    /// `SHA-256(0x02 ‖ count as u64 big-endian ‖ hash of the whole map as a subtree)`.
    pub hash: Hash,
}

impl Node {
    /// The subtree without ids.
    pub const EMPTY: Self = Self { count: 0, hash: hash::EMPTY };

    /// The subtree with these halves. It takes no hash where there is at most one id.
    pub(super) fn join(left: Self, right: Self) -> Self {
        match (left.count, right.count) {
            (0, 0 | 1) => right,
            (1, 0) => left,
            (l, r) => Self { count: l.saturating_add(r), hash: hash::node(&left.hash, &right.hash) },
        }
    }

    /// The subtree that begins at `depth` and has these ids, which are strictly ascending and share
    /// their first `depth` bits. Takes at most 256 hashes an id.
    pub(super) fn of(ids: &[EntryId], depth: u16) -> Self {
        debug_assert!(ids.is_sorted_by(|a, b| a < b));
        let (mut plan, mut node) = (Plan::default(), Self::EMPTY);
        plan.add(ids.iter().copied(), depth);
        plan.finish(|top| node = top);
        node
    }
}

impl Root {
    /// The root of the map without entries.
    pub const EMPTY: Self = Self { count: 0, hash: hash::EMPTY_ROOT };

    /// The root over the whole map as a subtree.
    pub(super) fn over(top: Node) -> Self {
        Self { count: top.count, hash: hash::root(top.count, &top.hash) }
    }
}

impl fmt::Display for Root {
    /// The hash as lower-case hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.hash)
    }
}

impl fmt::Debug for Root {
    /// The count and the first four bytes of the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(f, "Root", self.count, &self.hash)
    }
}

impl fmt::Debug for Node {
    /// The count and the first four bytes of the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(f, "Node", self.count, &self.hash)
    }
}

fn write_short(f: &mut fmt::Formatter<'_>, name: &str, count: u64, hash: &Hash) -> fmt::Result {
    write!(f, "{name}({count}, ")?;
    write_hex(f, hash.get(..4).unwrap_or_default())?;
    f.write_str("…)")
}

#[cfg(test)]
mod tests {
    use super::hash::{EMPTY, LeafMessage, count, node};
    use super::*;

    fn leaf(id: EntryId) -> Hash {
        let mut message = LeafMessage::new();
        message.set(&id);
        message.hash()
    }

    fn id(leading: u8, last: u8) -> EntryId {
        let mut bytes = [0; 32];
        bytes[0] = leading;
        bytes[31] |= last;
        EntryId::from_bytes(bytes)
    }

    #[test]
    fn one_id_is_its_leaf_at_any_depth() {
        let one = id(0xA5, 1);
        for depth in [0, 1, 255, 256] {
            assert_eq!(Node::of(&[one], depth), Node { count: 1, hash: leaf(one) });
        }
        assert_eq!(Node::of(&[], 0), Node::EMPTY);
    }

    #[test]
    fn two_ids_on_one_side_are_lifted_bit_by_bit() {
        let ids = [id(0b0100_0000, 0), id(0b0110_0000, 0)];
        let parted = node(&leaf(ids[0]), &leaf(ids[1]));
        let right = node(&EMPTY, &parted);
        assert_eq!(Node::of(&ids, 2), Node { count: 2, hash: parted });
        assert_eq!(Node::of(&ids, 1), Node { count: 2, hash: right });
        assert_eq!(Node::of(&ids, 0), Node { count: 2, hash: node(&right, &EMPTY) });
    }

    #[test]
    fn ids_that_share_all_bits_but_the_last_take_256_nodes() {
        let (hashes, node) = count::of(|| Node::of(&[id(0, 0), id(0, 1)], 0));
        assert_eq!((hashes, node.count), (2 + 256, 2));
        // Each further id parts from the chain at its own depth: no node is hashed twice.
        let (hashes, node) = count::of(|| Node::of(&[id(0, 0), id(0, 1), id(0, 2), id(0x80, 0)], 0));
        assert_eq!((hashes, node.count), (4 + 256, 4));
    }

    #[test]
    fn debug_is_short() {
        assert_eq!(format!("{:?} {:?}", Root::EMPTY, Node::EMPTY), "Root(0, 6c8bd587…) Node(0, 36f24ddd…)");
        assert_eq!(Root::over(Node::EMPTY), Root::EMPTY);
    }
}
