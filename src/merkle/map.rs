//! The Merkle map: a growing set of entry ids whose root is always at hand.
//!
//! The shape that hashes follow is a binary trie over the bits of the ids in which subtrees of one
//! leaf are collapsed. In memory only its upper part is kept: a *fork* for each subtree of more than
//! [`BUCKET`] ids, and below the forks *buckets* of ascending ids, whose inner hashes are found anew
//! when needed. So the layout too is a function of the set alone; there is no moment at which all is
//! rebuilt; and ids ground to crowd one place make the path to it longer, not the buckets larger.
//!
//! Beside each id the map keeps a number, for which a journal has a use. With a million ids that is
//! some 55 B an id in all, of which 32 are the id itself and 8 its number.

use core::fmt;

use super::batch::distinct;
use super::grow::Growth;
use super::item::{Item, Member};
use super::order::in_runs;
use super::prefix::{ID_BITS, Prefix, bit, split};
use super::subtree::{Node, Root};
use crate::ids::EntryId;

/// Ids in one bucket at most. Half as many would cost 11 B an id and a sixth of the time of a bulk
/// build, and save an eighth of that of an insert.
pub(super) const BUCKET: usize = 14;

/// After larger batches, what they were worked on with is given up.
const KEPT: usize = 1_000;

/// Where the subtree of all ids is among the slots.
pub(super) const TOP: usize = 0;

/// A set of entry ids with its Merkle root.
///
/// It grows only. The root is up to date after each insert, and reading never changes anything.
/// Reads that take `without` answer as if those ids were not in the map; they are ascending, and
/// those that are not in the map do not matter.
#[derive(Clone)]
pub struct MerkleMap {
    /// The subtree of all ids first; the two halves of a fork side by side.
    pub(super) slots: Vec<Slot>,
    growth: Growth,
}

/// A subtree.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) node: Node,
    pub(super) below: Below,
}

/// What a subtree consists of.
#[derive(Clone)]
pub(super) enum Below {
    /// Its ids, ascending, at most [`BUCKET`].
    Bucket(Box<[Item]>),
    /// Two halves: the one in this slot, whose next bit is 0, and the one in the next.
    Fork(usize),
}

/// One piece of a walk that visits subtrees first and joins their halves afterwards.
enum Step<'a> {
    /// To the subtree in slot `at`, which begins at `depth`, without these of its ids.
    Visit { at: usize, depth: u16, without: &'a [EntryId] },
    /// Back to a fork, its halves done.
    Join,
}

impl MerkleMap {
    /// The map without ids.
    pub fn new() -> Self {
        let top = Slot { node: Node::EMPTY, below: Below::Bucket(Box::default()) };
        Self { slots: vec![top], growth: Growth::default() }
    }

    /// The map of these ids, which may come in any order and more than once.
    pub fn from_ids(ids: Vec<EntryId>) -> Self {
        let mut map = Self::new();
        map.insert_all(ids);
        map
    }

    /// Adds ids, which may come in any order, more than once, and be in the map already.
    /// Says how many are new.
    ///
    /// Takes O(log n) hashes for each new id; what several have in common is hashed once.
    pub fn insert_all(&mut self, ids: Vec<EntryId>) -> usize {
        self.insert_members(ids)
    }

    /// The same with numbers. An id that is in keeps the number that it has; of several for one new id
    /// the least is taken.
    pub(crate) fn insert_items(&mut self, items: Vec<Item>) -> usize {
        self.insert_members(items)
    }

    fn insert_members<T: Member>(&mut self, mut members: Vec<T>) -> usize {
        let before = self.len();
        let mut growth = core::mem::take(&mut self.growth);
        in_runs(&mut members, |run| {
            let new = distinct(run, |member| before == 0 || !self.contains(member.id()));
            growth.take_in(self, new);
        });
        growth.hash(self);
        if members.len() <= KEPT {
            self.growth = growth;
        }
        self.len() - before
    }

    /// Whether the id is in.
    pub fn contains(&self, id: &EntryId) -> bool {
        self.number_of(id).is_some()
    }

    /// The number that went in with the id, if that is in.
    pub(crate) fn number_of(&self, id: &EntryId) -> Option<u64> {
        let bucket = self.bucket(self.find(id, ID_BITS).0);
        // One by one: they stand in a row, and are few.
        bucket.iter().find(|item| item.id == *id).map(|item| item.number)
    }

    /// How many ids are in.
    pub fn len(&self) -> usize {
        usize::try_from(self.at(TOP).count).unwrap_or(usize::MAX)
    }

    /// Whether no id is in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root.
    pub fn root(&self) -> Root {
        Root::over(self.at(TOP))
    }

    /// The root as if these ids were not in. Takes O(log n) hashes for each of them.
    pub fn root_without(&self, without: &[EntryId]) -> Root {
        Root::over(self.node(&Prefix::ALL, without))
    }

    /// The subtree of the ids under a prefix, less some. Takes O(log n) hashes for each of those.
    pub fn node(&self, prefix: &Prefix, without: &[EntryId]) -> Node {
        debug_assert!(without.is_sorted());
        let (at, depth) = self.find(&prefix.first(), prefix.bits());
        if depth == prefix.bits() {
            return self.subtree(at, depth, prefix.select(without));
        }
        Node::of(&self.ids_under(prefix, without, BUCKET), prefix.bits())
    }

    /// The 16 subtrees 4 bits below a prefix, less some ids; nothing if the prefix has more than 252
    /// bits.
    pub fn children(&self, prefix: &Prefix, without: &[EntryId]) -> Option<[Node; 16]> {
        let mut children = [Node::EMPTY; 16];
        for (child, nibble) in children.iter_mut().zip(0..) {
            *child = self.node(&prefix.child(nibble)?, without);
        }
        Some(children)
    }

    /// The first `limit` ids under a prefix, ascending, less some.
    pub fn ids_under(&self, prefix: &Prefix, without: &[EntryId], limit: usize) -> Vec<EntryId> {
        debug_assert!(without.is_sorted());
        let without = prefix.select(without);
        let kept = self.under(prefix).filter(|id| without.binary_search(id).is_err());
        kept.take(limit).collect()
    }

    /// All ids that begin with these bytes, ascending. None do with more than 32.
    ///
    /// With few bytes these can be many: where they come from a peer, ask for enough.
    pub fn find_by_leading_bytes(&self, bytes: &[u8]) -> Vec<EntryId> {
        let prefix = Prefix::from_leading_bytes(bytes);
        prefix.map(|prefix| self.under(&prefix).collect()).unwrap_or_default()
    }

    /// All ids, ascending.
    pub fn iter(&self) -> impl Iterator<Item = EntryId> {
        self.under(&Prefix::ALL)
    }

    /// The ids under a prefix, ascending.
    fn under(&self, prefix: &Prefix) -> impl Iterator<Item = EntryId> {
        let range = prefix.first()..=prefix.last();
        let mut open = vec![self.find(&prefix.first(), prefix.bits()).0];
        let buckets = core::iter::from_fn(move || {
            loop {
                let at = open.pop()?;
                match self.fork(at) {
                    None => return Some(self.bucket(at)),
                    Some(left) => open.extend([left + 1, left]),
                }
            }
        });
        buckets.flatten().map(|item| item.id).filter(move |id| range.contains(id))
    }

    /// The subtree on the way to an id that begins at depth `until`, or the bucket that ends the way
    /// before: its slot, and the depth at which it begins.
    fn find(&self, id: &EntryId, until: u16) -> (usize, u16) {
        let (mut at, mut depth) = (TOP, 0);
        while depth < until
            && let Some(left) = self.fork(at)
        {
            at = left + usize::from(bit(id, depth));
            depth += 1;
        }
        (at, depth)
    }

    /// What the subtree in slot `at` comes to.
    pub(super) fn at(&self, at: usize) -> Node {
        self.slots.get(at).map_or(Node::EMPTY, |slot| slot.node)
    }

    /// Where the halves of the subtree in slot `at` are, if it is a fork.
    fn fork(&self, at: usize) -> Option<usize> {
        match self.slots.get(at)?.below {
            Below::Fork(left) => Some(left),
            Below::Bucket(_) => None,
        }
    }

    /// The ids of the subtree in slot `at`, if it is a bucket.
    pub(super) fn bucket(&self, at: usize) -> &[Item] {
        match self.slots.get(at).map(|slot| &slot.below) {
            Some(Below::Bucket(bucket)) => bucket,
            Some(Below::Fork(_)) | None => &[],
        }
    }

    /// The subtree in slot `at`, which begins at `depth`, less some of its ids: only the buckets of
    /// those and the forks above are hashed anew.
    fn subtree(&self, at: usize, depth: u16, without: &[EntryId]) -> Node {
        let mut steps = vec![Step::Visit { at, depth, without }];
        // Halves that are known and not joined yet.
        let mut nodes = Vec::new();
        while let Some(step) = steps.pop() {
            match step {
                Step::Visit { at, without: [], .. } => nodes.push(self.at(at)),
                Step::Visit { at, depth, without } => match self.fork(at) {
                    None => {
                        let ids = self.bucket(at).iter().map(|item| item.id);
                        let ids: Vec<_> = ids.filter(|id| without.binary_search(id).is_err()).collect();
                        nodes.push(Node::of(&ids, depth));
                    }
                    Some(left) => {
                        let (zeros, ones) = split(without, depth);
                        let depth = depth + 1;
                        steps.extend([
                            Step::Join,
                            Step::Visit { at: left + 1, depth, without: ones },
                            Step::Visit { at: left, depth, without: zeros },
                        ]);
                    }
                },
                Step::Join => {
                    let (right, left) = (nodes.pop(), nodes.pop());
                    nodes.extend(left.zip(right).map(|(left, right)| Node::join(left, right)));
                }
            }
        }
        nodes.pop().unwrap_or(Node::EMPTY)
    }
}

impl Default for MerkleMap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MerkleMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MerkleMap({:?})", self.root())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::crypto::hash::plain;
    use crate::merkle::hash::count;
    use crate::merkle::prefix::sort;

    fn ids(range: core::ops::Range<u32>) -> Vec<EntryId> {
        range.map(|i| EntryId::from_bytes(plain(&[&i.to_be_bytes()]))).collect()
    }

    /// The ids that begin with `bits` zeros, else as in `ids`.
    fn crowded(range: core::ops::Range<u32>, bits: u16) -> Vec<EntryId> {
        let zeros = Prefix::of(&EntryId::from_bytes([0; 32]), bits).unwrap().last();
        let mask = |id: EntryId| core::array::from_fn(|i| id.as_bytes()[i] & zeros.as_bytes()[i]);
        ids(range).into_iter().map(|id| EntryId::from_bytes(mask(id))).collect()
    }

    #[test]
    fn c4_insert_takes_o_log_n_hashes_at_every_size() {
        let mut map = MerkleMap::new();
        let mut total = 0;
        for (size, id) in (1..).zip(ids(0..20_000)) {
            let (hashes, new) = count::of(|| map.insert_all(vec![id]));
            assert_eq!(new, 1);
            // A full bucket and one more, with the halves without ids in it, and a node for each level.
            let bound = 6 * BUCKET + 2 * usize::try_from(f64::from(size).log2() as u32).unwrap();
            assert!(hashes <= bound, "{hashes} hashes to insert id {size}");
            total += hashes;
            let (hashes, new) = count::of(|| map.insert_all(vec![id]));
            assert_eq!((hashes, new), (0, 0), "an id that is in already");
        }
        assert!(total < 20_000 * 45, "{total} hashes");
    }

    #[test]
    fn c4_crowded_ids_take_at_most_256_hashes_more_each() {
        for bits in [20, 100, 200, 240] {
            let mut map = MerkleMap::new();
            for id in crowded(0..300, bits) {
                let (hashes, _) = count::of(|| map.insert_all(vec![id]));
                assert!(hashes < 256 + 6 * BUCKET + 40, "{hashes} hashes with {bits} bits in common");
            }
            let (hashes, bulk) = count::of(|| MerkleMap::from_ids(crowded(0..300, bits)));
            assert!(hashes < 256 + 3 * 300, "{hashes} hashes in bulk with {bits} bits in common");
            assert_eq!(bulk.root(), map.root());
        }
    }

    #[test]
    fn c4_root_without_takes_o_log_n_hashes_for_each_id() {
        let all = ids(0..20_000);
        let map = MerkleMap::from_ids(all.clone());
        let mut some = all[5_000..5_020].to_vec();
        some.sort();
        let (hashes, root) = count::of(|| map.root_without(&some));
        assert!(hashes < 20 * (3 * BUCKET + 12), "{hashes} hashes");
        let (hashes, _) = count::of(|| map.root_without(&[]));
        assert_eq!(hashes, 1, "only the root itself");
        let rest = all.iter().filter(|id| !some.contains(id)).copied().collect();
        assert_eq!(root, MerkleMap::from_ids(rest).root());
    }

    #[test]
    fn bulk_build_hashes_each_node_once() {
        let all = ids(0..10_000);
        let (each, node) = count::of(|| {
            let mut sorted = all.clone();
            sort(&mut sorted);
            Node::of(&sorted, 0)
        });
        let (bulk, map) = count::of(|| MerkleMap::from_ids(all));
        assert_eq!((bulk, map.node(&Prefix::ALL, &[])), (each, node));
    }

    #[test]
    fn layout_is_a_function_of_the_set() {
        let all = ids(0..3_000);
        let bulk = MerkleMap::from_ids(all.clone());
        let mut single = MerkleMap::new();
        for ids in all.chunks(7) {
            single.insert_all(ids.to_vec());
        }
        assert_eq!(bulk.slots.len(), single.slots.len());
        let buckets = |map: &MerkleMap| {
            let mut lens: Vec<_> = (0..map.slots.len()).map(|at| map.bucket(at).len()).collect();
            lens.sort();
            lens
        };
        assert_eq!(buckets(&bulk), buckets(&single));
    }

    #[test]
    fn c4_memory_stays_under_64_bytes_an_id_with_its_number() {
        let mut map = MerkleMap::new();
        for (i, batch) in ids(0..200_000).chunks(1_000).enumerate() {
            let items: Vec<_> = batch.iter().zip(0..).map(|(id, number)| Item { id: *id, number }).collect();
            map.insert_items(items);
            let mut bytes = map.slots.capacity() * size_of::<Slot>() + map.growth.bytes();
            for at in 0..map.slots.len() {
                if let len @ 1.. = map.bucket(at).len() {
                    // An allocator adds 8 B and rounds up to 16.
                    bytes += (len * size_of::<Item>() + 8).next_multiple_of(16);
                }
            }
            // What an insert works with does not grow with the map.
            let fixed = 256 << 10;
            assert!(bytes < fixed + map.len() * 64, "{bytes} B for {} ids", (i + 1) * 1_000);
        }
        map.insert_all(ids(200_000..210_000));
        assert_eq!(map.growth.bytes(), 0, "after a large batch nothing is kept");
    }

    proptest! {
        /// Batches of ids, some ground to share up to 255 bits, some again and again, with numbers.
        #[test]
        fn c4_numbers_are_those_that_a_plain_map_would_hold(
            batches in prop::collection::vec(
                prop::collection::vec((0..300_u32, prop::sample::select(vec![0_u16, 31, 32, 33, 100, 250])), 0..60),
                0..12,
            ),
            asked in prop::collection::vec(0..300_u32, 20),
        ) {
            let mut map = MerkleMap::new();
            let mut plain = BTreeMap::new();
            let mut number = 0;
            for batch in batches {
                let mut items = Vec::new();
                let before = plain.len();
                for (i, bits) in batch {
                    number += 1;
                    let id = crowded(i..i + 1, bits)[0];
                    items.push(Item { id, number });
                    plain.entry(id).or_insert(number);
                }
                prop_assert_eq!(map.insert_items(items), plain.len() - before);
                prop_assert_eq!(map.root(), MerkleMap::from_ids(plain.keys().copied().collect()).root());
            }
            prop_assert!(map.iter().eq(plain.keys().copied()));
            for (id, number) in &plain {
                prop_assert_eq!(map.number_of(id), Some(*number));
            }
            for id in asked.into_iter().flat_map(|i| ids(i..i + 1)) {
                prop_assert_eq!(map.number_of(&id), plain.get(&id).copied());
            }
        }
    }
}
