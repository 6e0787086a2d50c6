//! How deep the map is.

use super::map::MerkleMap;
use super::prefix::common_bits;

impl MerkleMap {
    /// The depth of the deepest leaf in the shape that hashes follow, 0 to 256: how many halvings part it from
    /// the root. Of at most one id it is 0; random ids are about 2 log2(n) deep.
    ///
    /// Looks at every id: for statistics, not for what is asked often.
    pub fn depth(&self) -> u16 {
        let mut deepest = 0;
        for at in 0..self.slots.len() {
            // A leaf lies one below the last fork on its way, where it parts from the id that is most like it.
            // That the deepest and its like are in one bucket follows from forks having more ids than buckets:
            // under each of them some bucket has two ids, which part further below.
            let bucket = self.bucket(at);
            for (item, next) in bucket.iter().zip(bucket.iter().skip(1)) {
                deepest = deepest.max(common_bits(&item.id, &next.id) + 1);
            }
        }
        deepest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::hash::plain;
    use crate::ids::EntryId;
    use crate::merkle::prefix::{bit, sort, split};

    /// The ids that begin with `zeros` zero bits, else random.
    fn id(number: u32, zeros: u16) -> EntryId {
        let mut bytes = plain(&[&number.to_be_bytes()]);
        for at in 0..zeros {
            bytes[usize::from(at / 8)] &= !(0x80 >> (at % 8));
        }
        EntryId::from_bytes(bytes)
    }

    /// Walks down the trie as FORMAT.md draws it, fork by fork.
    fn naive(ids: &[EntryId], depth: u16) -> u16 {
        if ids.len() < 2 {
            return depth;
        }
        let (zeros, ones) = split(ids, depth);
        assert!(ones.first().is_none_or(|id| bit(id, depth)));
        // A half without ids is no leaf.
        let half = |ids: &[EntryId]| if ids.is_empty() { 0 } else { naive(ids, depth + 1) };
        half(zeros).max(half(ones))
    }

    #[test]
    fn f73_depth_of_few_ids() {
        assert_eq!(MerkleMap::new().depth(), 0);
        assert_eq!(MerkleMap::from_ids(vec![id(1, 0)]).depth(), 0);
        let (mut low, mut high) = ([0; 32], [0; 32]);
        low[31] = 1;
        let like = |bytes| EntryId::from_bytes(bytes);
        assert_eq!(MerkleMap::from_ids(vec![like(low), like(high)]).depth(), 256);
        high[0] = 0x80;
        assert_eq!(MerkleMap::from_ids(vec![like(low), like(high)]).depth(), 1);
        high[0] = 1;
        assert_eq!(MerkleMap::from_ids(vec![like(low), like(high)]).depth(), 8);
    }

    #[test]
    fn f73_depth_is_that_of_a_naive_walk_at_every_size() {
        let mut map = MerkleMap::new();
        let mut ids = Vec::new();
        for number in 0..400 {
            ids.push(id(number, 0));
            map.insert_all(vec![id(number, 0)]);
            sort(&mut ids);
            assert_eq!(map.depth(), naive(&ids, 0), "{number}");
        }
    }

    proptest! {
        /// Random ids and such as were ground to share up to 255 bits.
        #[test]
        fn f73_depth_is_that_of_a_naive_walk_also_of_crowded_ids(
            ids in prop::collection::vec(
                (any::<u32>(), prop::sample::select(vec![0_u16, 0, 0, 7, 30, 33, 100, 250, 255])), 0..200,
            ),
        ) {
            let mut ids: Vec<_> = ids.into_iter().map(|(number, zeros)| id(number, zeros)).collect();
            sort(&mut ids);
            ids.dedup();
            let map = MerkleMap::from_ids(ids.clone());
            prop_assert_eq!(map.depth(), naive(&ids, 0));
        }
    }
}
