//! Comparing maps: equal, or where they differ and by how many entries.

use crate::ids::EntryId;
use crate::merkle::map::MerkleMap;
use crate::merkle::prefix::Prefix;
use crate::merkle::subtree::{Node, Root};

/// How a root compares to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootComparison {
    /// The sets are equal.
    InSync,
    /// They are not.
    Differ {
        /// The root here.
        local: Root,
        /// The other.
        remote: Root,
    },
}

/// A subtree in which two maps differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the ids in it begin with.
    pub prefix: Prefix,
    /// The subtree here.
    pub local: Node,
    /// The other's.
    pub remote: Node,
}

impl RootComparison {
    /// Compares two roots.
    pub fn of(local: Root, remote: Root) -> Self {
        if local == remote { Self::InSync } else { Self::Differ { local, remote } }
    }
}

impl MerkleMap {
    /// How this map's root compares to another.
    pub fn compare_root(&self, remote: Root) -> RootComparison {
        RootComparison::of(self.root(), remote)
    }

    /// Which of the 16 subtrees 4 bits below a prefix differ from another map's, as its
    /// [`children`](Self::children) gives them. None if the prefix has more than 252 bits.
    pub fn compare_children(&self, prefix: &Prefix, remote: &[Node; 16]) -> Vec<Difference> {
        let children = self.children(prefix, &[]).into_iter().flatten();
        let mut differences = Vec::new();
        for ((local, remote), nibble) in children.zip(*remote).zip(0..) {
            if let Some(prefix) = prefix.child(nibble).filter(|_| local != remote) {
                differences.push(Difference { prefix, local, remote });
            }
        }
        differences
    }

    /// The subtrees in which this map and another differ, ascending: the least that begin at a multiple
    /// of 4 bits, of which one side has at most `few` ids. Work grows with what differs, not with the maps.
    pub fn compare(&self, remote: &Self, few: u64) -> Vec<Difference> {
        let top = |map: &Self| map.node(&Prefix::ALL, &[]);
        let mut found = Vec::new();
        let mut open = vec![Difference { prefix: Prefix::ALL, local: top(self), remote: top(remote) }];
        while let Some(difference) = open.pop() {
            if difference.local == difference.remote {
                continue;
            }
            let is_small = difference.local.count.min(difference.remote.count) <= few;
            match remote.children(&difference.prefix, &[]) {
                Some(children) if !is_small => {
                    open.extend(self.compare_children(&difference.prefix, &children).into_iter().rev());
                }
                _ => found.push(difference),
            }
        }
        found
    }

    /// The ids that only this map has, and those that only the other has, each ascending.
    pub fn difference(&self, remote: &Self) -> (Vec<EntryId>, Vec<EntryId>) {
        let (mut only_local, mut only_remote) = (Vec::new(), Vec::new());
        for Difference { prefix, .. } in self.compare(remote, 16) {
            only_local
                .extend(self.ids_under(&prefix, &[], usize::MAX).iter().filter(|id| !remote.contains(id)));
            only_remote
                .extend(remote.ids_under(&prefix, &[], usize::MAX).iter().filter(|id| !self.contains(id)));
        }
        (only_local, only_remote)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::crypto::hash::plain;
    use crate::merkle::hash::count;

    fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<EntryId> {
        numbers.into_iter().map(|i| EntryId::from_bytes(plain(&[&i.to_be_bytes()]))).collect()
    }

    proptest! {
        #[test]
        fn f66_differences_are_found_exactly(
            common in prop::collection::btree_set(0u32..3_000, 0..1_500),
            a in prop::collection::btree_set(3_000u32..3_100, 0..40),
            b in prop::collection::btree_set(3_100u32..3_200, 0..40),
        ) {
            let local = MerkleMap::from_ids(ids(common.iter().chain(&a).copied()));
            let remote = MerkleMap::from_ids(ids(common.iter().chain(&b).copied()));
            let sorted = |set: BTreeSet<u32>| ids(set).into_iter().collect::<BTreeSet<_>>();
            let (only_local, only_remote) = local.difference(&remote);
            prop_assert!(only_local.is_sorted() && only_remote.is_sorted());
            prop_assert_eq!(only_local.iter().copied().collect::<BTreeSet<_>>(), sorted(a.clone()));
            prop_assert_eq!(only_remote.iter().copied().collect::<BTreeSet<_>>(), sorted(b.clone()));
            let found = local.compare(&remote, 0);
            for difference in &found {
                prop_assert_ne!(difference.local, difference.remote);
                prop_assert_eq!(difference.local, local.node(&difference.prefix, &[]));
                prop_assert_eq!(difference.remote, remote.node(&difference.prefix, &[]));
            }
            prop_assert_eq!(found.is_empty(), a.is_empty() && b.is_empty());
        }
    }

    #[test]
    fn f66_roots_are_in_sync_or_both_are_named() {
        let (one, two) = (MerkleMap::from_ids(ids(0..10)), MerkleMap::from_ids(ids(0..11)));
        assert_eq!(one.compare_root(one.clone().root()), RootComparison::InSync);
        let differ = RootComparison::Differ { local: one.root(), remote: two.root() };
        assert_eq!(one.compare_root(two.root()), differ);
        // The hash binds the count: the same hash with another count is another root.
        let forged = Root { count: 11, ..one.root() };
        assert_eq!(one.compare_root(forged), RootComparison::Differ { local: one.root(), remote: forged });
    }

    #[test]
    fn c8_comparing_takes_work_by_the_difference() {
        let local = MerkleMap::from_ids(ids(0..50_000));
        let remote = MerkleMap::from_ids(ids(0..50_001));
        let (hashes, found) = count::of(|| local.compare(&remote, 16));
        assert_eq!(found.len(), 1);
        assert!(found[0].local.count <= 16 && found[0].remote.count == found[0].local.count + 1);
        // Below the forks buckets are hashed anew.
        assert!(hashes < 2_000, "{hashes} hashes");
    }

    #[test]
    fn f76_a_union_takes_work_in_proportion_to_what_is_merged() {
        let mut each = Vec::new();
        for size in [5_000, 10_000, 20_000, 40_000] {
            let mut map = MerkleMap::from_ids(ids(0..size));
            let (hashes, new) = count::of(|| map.insert_all(ids(size / 2..size + size / 2)));
            assert_eq!(new, usize::try_from(size / 2).unwrap());
            each.push(hashes / new);
        }
        // Some two nodes and a bucket each, whatever the size.
        assert!(each.iter().all(|hashes| *hashes <= each[0] + 2 && *hashes < 20), "{each:?} hashes an id");
    }
}
