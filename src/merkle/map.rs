//! The Merkle map: a growing set of entry ids whose root is always at hand.
//!
//! The shape that hashes follow is a binary trie over the bits of the ids in which subtrees of one
//! leaf are collapsed. In memory only its upper part is kept: a *fork* for each subtree of more than
//! [`BUCKET`] ids, and below the forks *buckets* of ascending ids, whose inner hashes are found anew
//! when needed. So the layout too is a function of the set alone; there is no moment at which all is
//! rebuilt; and ids ground to crowd one place make the path to it longer, not the buckets larger.
//!
//! Measured with a million ids: 46 B an id in all, 32 of them the id itself.

use core::fmt;

use super::prefix::{ID_BITS, Prefix, bit, sort, split};
use super::subtree::{Node, Root};
use crate::ids::EntryId;

/// Ids in one bucket at most. Twice as many would save 7 B an id, and an insert take half as long again.
const BUCKET: usize = 16;

/// Where the subtree of all ids is among the slots.
const TOP: usize = 0;

/// A set of entry ids with its Merkle root.
///
/// It grows only. The root is up to date after each insert, and reading never changes anything.
/// Reads that take `without` answer as if those ids were not in the map; they are ascending, and
/// those that are not in the map do not matter.
#[derive(Clone)]
pub struct MerkleMap {
    /// The subtree of all ids first; the two halves of a fork side by side.
    slots: Vec<Slot>,
}

/// A subtree.
#[derive(Clone)]
struct Slot {
    node: Node,
    below: Below,
}

/// What a subtree consists of.
#[derive(Clone)]
enum Below {
    /// Its ids, ascending, at most [`BUCKET`].
    Bucket(Vec<EntryId>),
    /// Two halves: the one at this index, whose next bit is 0, and the one at the next.
    Fork(usize),
}

/// Stands for a slot that does not exist, so that looking one up cannot fail.
static VACANT: Slot = Slot { node: Node::EMPTY, below: Below::Bucket(Vec::new()) };

/// One piece of a walk that visits subtrees first and joins their halves afterwards.
enum Step<'a> {
    /// To the subtree in slot `at`, which begins at `depth`, with the ids that concern it.
    Visit { at: usize, depth: u16, ids: &'a [EntryId] },
    /// Back to the fork in slot `at`, its halves done.
    Join { at: usize },
}

impl MerkleMap {
    /// The map without ids.
    pub fn new() -> Self {
        Self { slots: vec![VACANT.clone()] }
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
    pub fn insert_all(&mut self, mut ids: Vec<EntryId>) -> usize {
        sort(&mut ids);
        ids.dedup();
        ids.retain(|id| !self.contains(id));
        self.insert_new(&ids);
        ids.len()
    }

    /// Whether the id is in.
    pub fn contains(&self, id: &EntryId) -> bool {
        match &self.slot(self.find(id, ID_BITS).0).below {
            Below::Bucket(bucket) => bucket.binary_search(id).is_ok(),
            Below::Fork(_) => false,
        }
    }

    /// How many ids are in.
    pub fn len(&self) -> usize {
        usize::try_from(self.slot(TOP).node.count).unwrap_or(usize::MAX)
    }

    /// Whether no id is in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root.
    pub fn root(&self) -> Root {
        Root::over(self.slot(TOP).node)
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
        let prefix = *prefix;
        let mut open = vec![self.find(&prefix.first(), prefix.bits()).0];
        let buckets = core::iter::from_fn(move || {
            loop {
                match &self.slot(open.pop()?).below {
                    Below::Bucket(bucket) => return Some(bucket),
                    Below::Fork(left) => open.extend([left + 1, *left]),
                }
            }
        });
        buckets.flat_map(move |bucket| prefix.select(bucket)).copied()
    }

    /// The subtree on the way to an id that begins at depth `until`, or the bucket that ends the way
    /// before: its slot, and the depth at which it begins.
    fn find(&self, id: &EntryId, until: u16) -> (usize, u16) {
        let (mut at, mut depth) = (TOP, 0);
        while depth < until
            && let Below::Fork(left) = self.slot(at).below
        {
            at = left + usize::from(bit(id, depth));
            depth += 1;
        }
        (at, depth)
    }

    fn slot(&self, at: usize) -> &Slot {
        self.slots.get(at).unwrap_or(&VACANT)
    }

    /// The subtree in slot `at`, which begins at `depth`, less some of its ids: only the buckets of
    /// those and the forks above are hashed anew.
    fn subtree(&self, at: usize, depth: u16, without: &[EntryId]) -> Node {
        let mut steps = vec![Step::Visit { at, depth, ids: without }];
        // Halves that are known and not joined yet.
        let mut nodes = Vec::new();
        while let Some(step) = steps.pop() {
            match step {
                Step::Visit { at, depth, ids: without } => {
                    let slot = self.slot(at);
                    match &slot.below {
                        Below::Bucket(_) | Below::Fork(_) if without.is_empty() => nodes.push(slot.node),
                        Below::Bucket(bucket) => {
                            let mut ids = bucket.clone();
                            ids.retain(|id| without.binary_search(id).is_err());
                            nodes.push(Node::of(&ids, depth));
                        }
                        Below::Fork(left) => {
                            let (zeros, ones) = split(without, depth);
                            let depth = depth + 1;
                            steps.extend([
                                Step::Join { at },
                                Step::Visit { at: left + 1, depth, ids: ones },
                                Step::Visit { at: *left, depth, ids: zeros },
                            ]);
                        }
                    }
                }
                Step::Join { .. } => {
                    let (right, left) = (nodes.pop(), nodes.pop());
                    nodes.extend(left.zip(right).map(|(left, right)| Node::join(left, right)));
                }
            }
        }
        nodes.pop().unwrap_or(Node::EMPTY)
    }

    /// Adds ids that are strictly ascending and not in yet. Each node that changes is hashed once.
    fn insert_new(&mut self, ids: &[EntryId]) {
        let mut steps = Vec::new();
        if !ids.is_empty() {
            steps.push(Step::Visit { at: TOP, depth: 0, ids });
        }
        while let Some(step) = steps.pop() {
            match step {
                Step::Visit { at, depth, ids } => {
                    let Some(slot) = self.slots.get_mut(at) else { continue };
                    let (left, fresh) = match &mut slot.below {
                        Below::Bucket(bucket) if bucket.len() + ids.len() <= BUCKET => {
                            bucket.reserve_exact(ids.len());
                            bucket.extend_from_slice(ids);
                            sort(bucket);
                            slot.node = Node::of(bucket, depth);
                            continue;
                        }
                        Below::Bucket(bucket) => {
                            let bucket = core::mem::take(bucket);
                            (self.fork(at, depth, &bucket), true)
                        }
                        Below::Fork(left) => (*left, false),
                    };
                    steps.push(Step::Join { at });
                    let (zeros, ones) = split(ids, depth);
                    for (at, ids) in [(left, zeros), (left + 1, ones)] {
                        if fresh || !ids.is_empty() {
                            steps.push(Step::Visit { at, depth: depth + 1, ids });
                        }
                    }
                }
                Step::Join { at } => {
                    if let Below::Fork(left) = self.slot(at).below {
                        let node = Node::join(self.slot(left).node, self.slot(left + 1).node);
                        if let Some(slot) = self.slots.get_mut(at) {
                            slot.node = node;
                        }
                    }
                }
            }
        }
    }

    /// Makes slot `at` a fork with the ids of its bucket divided among two new buckets, which are not
    /// hashed yet. Says where the first is.
    fn fork(&mut self, at: usize, depth: u16, bucket: &[EntryId]) -> usize {
        let left = self.slots.len();
        if self.slots.capacity() < left + 2 {
            // By an eighth: to double would leave up to 12 B an id unused.
            self.slots.reserve_exact(2 + left / 8);
        }
        let (zeros, ones) = split(bucket, depth);
        self.slots
            .extend([zeros, ones].map(|ids| Slot { node: Node::EMPTY, below: Below::Bucket(ids.to_vec()) }));
        if let Some(slot) = self.slots.get_mut(at) {
            slot.below = Below::Fork(left);
        }
        left
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
    use super::*;
    use crate::crypto::hash::plain;
    use crate::merkle::hash::count;

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
        let buckets = |map: &MerkleMap| -> Vec<usize> {
            let mut lens: Vec<_> = map
                .slots
                .iter()
                .filter_map(|slot| match &slot.below {
                    Below::Bucket(bucket) => Some(bucket.len()),
                    Below::Fork(_) => None,
                })
                .collect();
            lens.sort();
            lens
        };
        assert_eq!(buckets(&bulk), buckets(&single));
    }

    #[test]
    fn memory_stays_under_56_bytes_an_id() {
        // With 8 B for the entry's number in the store that is 64 B.
        let mut map = MerkleMap::new();
        for (i, batch) in ids(0..200_000).chunks(1_000).enumerate() {
            map.insert_all(batch.to_vec());
            let mut bytes = map.slots.capacity() * size_of::<Slot>();
            for slot in &map.slots {
                if let Below::Bucket(bucket) = &slot.below
                    && bucket.capacity() > 0
                {
                    // An allocator adds 8 B and rounds up to 16.
                    bytes += (bucket.capacity() * 32 + 8).next_multiple_of(16);
                }
            }
            assert!(bytes < map.len() * 56, "{bytes} B for {} ids", (i + 1) * 1_000);
        }
    }
}
