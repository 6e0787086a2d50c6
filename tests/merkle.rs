//! The Merkle map against golden roots and a naive second implementation (C4; F-52, F-55).

#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;

use isoroot::{EntryId, Hash, MerkleMap, Node, Prefix, Root};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use sha2::{Digest, Sha256};

/// The definition, written down as it reads.
mod naive {
    use super::*;

    pub fn sha256(parts: &[&[u8]]) -> Hash {
        Sha256::digest(parts.concat()).into()
    }

    pub fn bit(id: &EntryId, depth: u16) -> bool {
        let depth = usize::from(depth);
        id.as_bytes()[depth / 8] >> (7 - depth % 8) & 1 == 1
    }

    /// Of ascending ids that share `depth` bits.
    fn subtree(ids: &[EntryId], depth: u16) -> Hash {
        match ids {
            [] => sha256(&[b"isoroot/v1/empty"]),
            [id] => sha256(&[&[0x00], id.as_bytes()]),
            _ => {
                let (zeros, ones) = ids.split_at(ids.partition_point(|id| !bit(id, depth)));
                sha256(&[&[0x01], &subtree(zeros, depth + 1), &subtree(ones, depth + 1)])
            }
        }
    }

    pub fn under(ids: &BTreeSet<EntryId>, prefix: &Prefix) -> Vec<EntryId> {
        let under =
            |id: &&EntryId| (0..prefix.bits()).all(|depth| bit(id, depth) == bit(&prefix.first(), depth));
        ids.iter().filter(under).copied().collect()
    }

    pub fn node(ids: &BTreeSet<EntryId>, prefix: &Prefix) -> Node {
        let ids = under(ids, prefix);
        Node { count: ids.len() as u64, hash: subtree(&ids, prefix.bits()) }
    }

    pub fn root(ids: &BTreeSet<EntryId>) -> Root {
        let top = node(ids, &Prefix::ALL);
        Root { count: top.count, hash: sha256(&[&[0x02], &top.count.to_be_bytes(), &top.hash]) }
    }
}

fn sha256_ids(count: u32) -> Vec<EntryId> {
    (0..count).map(|i| EntryId::from_bytes(naive::sha256(&[&i.to_be_bytes()]))).collect()
}

/// 32 bytes from the first, the last, and what stands between.
fn id(first: u8, between: u8, last: u8) -> EntryId {
    let mut bytes = [between; 32];
    (bytes[0], bytes[31]) = (first, last);
    EntryId::from_bytes(bytes)
}

/// The roots that never change. `tests/golden/roots.json` holds them too, for other implementations.
#[test]
fn c4_roots_of_known_sets_are_golden() {
    let paired = |middle, last| {
        let mut bytes = [0xA5; 32];
        bytes[16] = 0x20;
        (bytes[17], bytes[31]) = (middle, last);
        bytes[18..31].fill(if middle == 0 { 0 } else { 0xFF });
        EntryId::from_bytes(bytes)
    };
    let sets = [
        (vec![], "6c8bd587835fe75551bfce789362f7138db0c2d607c4cbd7db6b6f3efdca499b"),
        (vec![id(0, 0, 0)], "261e44373a7512c41bfb5d8ee893f19337151d8811fdb4a63ce9d7be9cf74d58"),
        (vec![id(0, 0, 0), id(0, 0, 1)], "81f263ed373d3c7d84b7b881e51f0a10f7bab8bf5e4a2944df9ff6bb44133c90"),
        (
            vec![id(0, 0, 0), id(0, 0, 1), id(0xFF, 0xFF, 0xFF)],
            "0aeed985b1aff4636033088835fcb844afbbb501216650bb078c984b5283ed23",
        ),
        (
            vec![paired(0, 0), paired(0, 1), paired(0x1F, 0xFF), paired(0x1F, 0xFE)],
            "75be394bd5682affc8987187b591011ffe29a0553a9b150ad4195906e825b5a5",
        ),
        (sha256_ids(0), "6c8bd587835fe75551bfce789362f7138db0c2d607c4cbd7db6b6f3efdca499b"),
        (sha256_ids(1), "00f50c7ce4891a75535237c38d8047384e9b1ab83b1fc33c37aba1666cf492cf"),
        (sha256_ids(2), "f93c76a8e04041d24800e7b68f904d0ffeb30d6a209973b9ed6d0733dcdbf5be"),
        (sha256_ids(3), "c03d6c29c0d400bd7a5c9fa94d43e4bf194c286cdef5109a6e60fa3c1cd7931b"),
        (sha256_ids(7), "e00934545e03783ba59154459ee4ef5ddef5aafb58809f52dfe54b334cfdc729"),
        (sha256_ids(1_000), "fedc444f6240ade6fe60b625341c0161a8581e36cbd5cb48e4a55a7266fdb516"),
    ];
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/roots.json")).unwrap();
    let golden = golden["roots"].as_array().unwrap();
    assert_eq!(golden.len(), sets.len());
    for ((ids, root), golden) in sets.into_iter().zip(golden) {
        let listed = match &golden["ids"] {
            serde_json::Value::Array(ids) => {
                ids.iter().map(|id| id.as_str().unwrap().parse().unwrap()).collect()
            }
            other => sha256_ids(other["sha256_of_u32_be_up_to"].as_u64().unwrap().try_into().unwrap()),
        };
        assert_eq!((&listed, golden["root"].as_str()), (&ids, Some(root)), "{}", golden["name"]);
        assert_eq!(naive::root(&ids.iter().copied().collect()).to_string(), root, "{}", golden["name"]);
        assert_eq!(MerkleMap::from_ids(ids).root().to_string(), root, "{}", golden["name"]);
    }
}

#[test]
fn f55_empty_root_is_a_named_constant_and_not_zeros() {
    assert_eq!(MerkleMap::new().root(), Root::EMPTY);
    assert_eq!(MerkleMap::new().node(&Prefix::ALL, &[]), Node::EMPTY);
    assert_eq!(Root::EMPTY, naive::root(&BTreeSet::new()));
    assert_ne!(Root::EMPTY.hash, [0; 32]);
    assert_ne!(Node::EMPTY.hash, [0; 32]);
    assert_ne!(Root::EMPTY.hash, Node::EMPTY.hash);
}

#[test]
fn f55_node_does_not_pass_for_a_leaf() {
    let two = MerkleMap::from_ids(sha256_ids(2)).node(&Prefix::ALL, &[]);
    let forged = MerkleMap::from_ids(vec![EntryId::from_bytes(two.hash)]);
    assert_ne!(forged.node(&Prefix::ALL, &[]).hash, two.hash, "its hash as an id");
    assert_ne!(forged.root().hash, MerkleMap::from_ids(sha256_ids(2)).root().hash);
    // Nor a leaf for a node: the id's two halves as children.
    let leaf = MerkleMap::from_ids(sha256_ids(1)).node(&Prefix::ALL, &[]);
    assert_ne!(leaf.hash, naive::sha256(&[&[0x01], sha256_ids(1)[0].as_bytes()]));
    assert_ne!(leaf.hash, *sha256_ids(1)[0].as_bytes(), "a leaf is not its bare id");
}

#[test]
fn f55_root_binds_the_count() {
    let map = MerkleMap::from_ids(sha256_ids(7));
    let (top, root) = (map.node(&Prefix::ALL, &[]), map.root());
    let with_count = |count: u64| naive::sha256(&[&[0x02], &count.to_be_bytes(), &top.hash]);
    assert_eq!((root.count, root.hash), (7, with_count(7)));
    assert_ne!(root.hash, with_count(6));
    assert_ne!(root.hash, with_count(8));
}

#[test]
fn prefix_of_256_bits_has_no_children() {
    let map = MerkleMap::from_ids(sha256_ids(100));
    let under = |bits| map.children(&Prefix::of(&sha256_ids(1)[0], bits).unwrap(), &[]);
    assert!(under(253).is_none() && under(256).is_none());
    assert_eq!(under(252).unwrap().iter().map(|node| node.count).sum::<u64>(), 1);
}

/// Ids of which many share up to 255 leading bits, so that they crowd in few places.
fn ids(count: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<EntryId>> {
    const CENTRES: [u8; 3] = [0x00, 0xFF, 0x5A];
    let near = (0..CENTRES.len(), 0..256_usize, any::<[u8; 32]>()).prop_map(|(centre, bits, mut bytes)| {
        for bit in 0..bits {
            let mask = 0x80 >> (bit % 8);
            bytes[bit / 8] = bytes[bit / 8] & !mask | CENTRES[centre] & mask;
        }
        EntryId::from_bytes(bytes)
    });
    let anywhere = any::<[u8; 32]>().prop_map(EntryId::from_bytes);
    proptest::collection::vec(prop_oneof![near, anywhere], count)
}

/// Ids and some of them, ascending, with a few strangers among those.
fn ids_and_some() -> impl Strategy<Value = (Vec<EntryId>, Vec<EntryId>)> {
    let some = |all: Vec<EntryId>| {
        let len = all.len();
        let some = (subsequence(all.clone(), 0..=len), ids(0..4)).prop_map(|(mut some, strangers)| {
            some.extend(strangers);
            some.sort();
            some
        });
        (Just(all), some)
    };
    ids(0..120).prop_flat_map(some)
}

/// A prefix of one of the ids, or of any.
fn prefix(ids: &[EntryId], of: Index, bits: u16) -> Prefix {
    let id = if ids.is_empty() { id(0x5A, 0x5A, 0x5A) } else { *of.get(ids) };
    Prefix::of(&id, bits).unwrap()
}

proptest! {
    #[test]
    fn f52_root_is_a_function_of_the_set(
        (all, mut stream) in ids(0..200).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        cuts in proptest::collection::vec(any::<Index>(), 0..6),
        again in proptest::collection::vec(any::<Index>(), 0..20),
    ) {
        let set: BTreeSet<_> = all.iter().copied().collect();
        let root = naive::root(&set);
        prop_assert_eq!(MerkleMap::from_ids(all.clone()).root(), root);

        // In any order, cut into batches anywhere, some ids again.
        if !all.is_empty() {
            stream.extend(again.iter().map(|index| *index.get(&all)));
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort();
        let mut map = MerkleMap::new();
        let mut new = 0;
        for cut in cuts.windows(2) {
            new += map.insert_all(stream[cut[0]..cut[1]].to_vec());
            let so_far = stream[..cut[1]].iter().copied().collect();
            prop_assert_eq!(map.root(), naive::root(&so_far));
            prop_assert_eq!(map.len(), so_far.len());
        }
        prop_assert_eq!(new, set.len());
        prop_assert_eq!(map.root(), root);
        prop_assert!(map.iter().eq(set.iter().copied()));
        prop_assert!(stream.iter().all(|id| map.contains(id)));
        prop_assert_eq!(map.is_empty(), set.is_empty());

        let mut single = MerkleMap::new();
        for id in stream {
            single.insert_all(vec![id]);
        }
        prop_assert_eq!(single.root(), root);
    }

    #[test]
    fn c4_root_without_is_that_of_the_rest((all, without) in ids_and_some()) {
        let map = MerkleMap::from_ids(all.clone());
        let rest: BTreeSet<_> = all.into_iter().filter(|id| !without.contains(id)).collect();
        let before = map.root();
        prop_assert_eq!(map.root_without(&without), naive::root(&rest));
        prop_assert_eq!(map.root(), before, "nothing has changed");
    }

    #[test]
    fn subtrees_are_those_of_the_definition(
        (all, without) in ids_and_some(),
        of in any::<Index>(),
        bits in 0..=256_u16,
        limit in 0..40_usize,
    ) {
        let map = MerkleMap::from_ids(all.clone());
        let set: BTreeSet<_> = all.iter().copied().collect();
        let rest = set.iter().copied().filter(|id| !without.contains(id)).collect();
        let prefix = prefix(&all, of, bits);
        for (without, ids) in [(&[][..], &set), (&without[..], &rest)] {
            prop_assert_eq!(map.node(&prefix, without), naive::node(ids, &prefix));
            let under = naive::under(ids, &prefix);
            prop_assert_eq!(map.ids_under(&prefix, without, usize::MAX), &under[..]);
            prop_assert_eq!(map.ids_under(&prefix, without, limit), &under[..under.len().min(limit)]);
            let children = map.children(&prefix, without);
            prop_assert_eq!(children.is_some(), bits <= 252);
            for (nibble, child) in (0..).zip(children.iter().flatten()) {
                prop_assert_eq!(*child, naive::node(ids, &prefix.child(nibble).unwrap()));
            }
        }
        prop_assert!(set.iter().all(|id| prefix.contains(id) == naive::under(&set, &prefix).contains(id)));
    }

    #[test]
    fn ids_are_found_by_leading_bytes(all in ids(1..120), of in any::<Index>(), len in 0..=32_usize) {
        let map = MerkleMap::from_ids(all.clone());
        let leading = &of.get(&all).as_bytes()[..len];
        let set: BTreeSet<_> = all.iter().copied().collect();
        let expected: Vec<_> = set.into_iter().filter(|id| id.as_bytes().starts_with(leading)).collect();
        prop_assert_eq!(map.find_by_leading_bytes(leading), expected);
        prop_assert_eq!(map.find_by_leading_bytes(&[0; 33]), &[]);
    }
}

/// Sizes beyond what the naive implementation checks in good time: batches of all sizes against bulk.
#[test]
fn f52_large_maps_grown_in_batches_equal_one_built_at_once() {
    let all = sha256_ids(30_000);
    let mut map = MerkleMap::new();
    let mut rest = &all[..];
    for size in (0..).map(|i| 1 + i * i % 701) {
        let (batch, left) = rest.split_at(rest.len().min(size));
        assert_eq!(map.insert_all(batch.to_vec()), batch.len());
        rest = left;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(map.root(), MerkleMap::from_ids(all.clone()).root());
    assert_eq!(map.root(), naive::root(&all.iter().copied().collect()));
    let mut half = all[15_000..].to_vec();
    half.sort();
    assert_eq!(map.root_without(&half), naive::root(&all[..15_000].iter().copied().collect()));
}
