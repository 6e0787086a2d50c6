//! Proofs that ids are in a map or not: those that an honest map gives hold, and no others (C5; F-55 to
//! F-58). `tests/proof_vectors.rs` holds their bytes.

#![cfg(not(target_arch = "wasm32"))]

#[path = "forge/proof.rs"]
mod forge;

use std::collections::{BTreeMap, BTreeSet};

use forge::{Part, bytes, parts};
use isoroot::{Code, EntryId, Fault, Hash, MerkleMap, Proof, ProofError, ProveError, limits};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const EMPTY: &[u8] = b"isoroot/v1/empty";

fn sha256(parts: &[&[u8]]) -> Hash {
    Sha256::digest(parts.concat()).into()
}

fn leaf(id: &EntryId) -> Hash {
    sha256(&[&[0], id.as_bytes()])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// Of ids that share `depth` bits and differ in the next few.
fn subtree(mut ids: Vec<&EntryId>, depth: usize) -> Hash {
    ids.sort();
    match ids[..] {
        [] => sha256(&[EMPTY]),
        [one] => leaf(one),
        _ => {
            let one = |id: &&EntryId| id.as_bytes()[depth / 8] << (depth % 8) & 0x80 != 0;
            let (ones, zeros) = ids.into_iter().partition(one);
            node(&subtree(zeros, depth + 1), &subtree(ones, depth + 1))
        }
    }
}

fn root(count: u64, top: &Hash) -> Hash {
    sha256(&[&[2], &count.to_be_bytes(), top])
}

fn id(number: u32) -> EntryId {
    EntryId::from_bytes(sha256(&[&number.to_be_bytes()]))
}

fn ids(range: std::ops::Range<u32>) -> Vec<EntryId> {
    range.map(id).collect()
}

/// An id of these bytes and zeros behind them.
fn leading(bytes: &[u8]) -> EntryId {
    let mut all = [0; 32];
    all[..bytes.len()].copy_from_slice(bytes);
    EntryId::from_bytes(all)
}

fn flipped(id: &EntryId, bit: usize) -> EntryId {
    let mut bytes = *id.as_bytes();
    bytes[bit / 8] ^= 0x80 >> (bit % 8);
    EntryId::from_bytes(bytes)
}

fn map(ids: &[EntryId]) -> MerkleMap {
    MerkleMap::from_ids(ids.to_vec())
}

/// Checks bytes as whoever receives them does.
fn check(bytes: &[u8], root: &Hash, ids: &[EntryId]) -> Result<Vec<bool>, ProofError> {
    Proof::from_bytes(bytes)?.verify(root, ids)
}

/// The proof about ids, seen to hold, to read back and to be alone in its form.
fn hold(map: &MerkleMap, asked: &[EntryId]) -> Proof {
    let proof = map.prove(asked).unwrap();
    let bytes = proof.to_bytes();
    assert_eq!(Proof::from_bytes(&bytes).as_ref(), Ok(&proof));
    assert_eq!(proof.count(), map.root().count);
    let sorted: Vec<EntryId> = BTreeSet::from_iter(asked.iter().copied()).into_iter().collect();
    let answers: Vec<bool> = sorted.iter().map(|id| map.contains(id)).collect();
    assert_eq!(check(&bytes, &map.root().hash, &sorted), Ok(answers));
    assert_eq!(proof.claimed_root(&sorted), Ok(map.root()));
    proof
}

#[test]
fn f56_f57_every_proof_from_a_map_of_every_size_to_300_holds() {
    let all = ids(0..300);
    let mut map = MerkleMap::new();
    for size in 0..=all.len() {
        let root = map.root().hash;
        let (present, absent) = all.split_at(size);
        for id in present {
            let proof = hold(&map, &[*id]);
            assert_eq!(map.prove_inclusion(id).as_ref(), Ok(&proof));
            assert_eq!(proof.verify_inclusion(&root, id), Ok(()));
            assert_eq!(proof.verify_exclusion(&root, id), Err(ProofError::Present));
        }
        // Others, and those that part from one that is there at its last bits.
        let close = present.iter().take(3).map(|id| flipped(id, 255));
        for id in absent.iter().take(20).copied().chain(close) {
            let proof = hold(&map, &[id]);
            assert_eq!(map.prove_exclusion(&id).as_ref(), Ok(&proof));
            assert_eq!(proof.verify_exclusion(&root, &id), Ok(()));
            assert_eq!(proof.verify_inclusion(&root, &id), Err(ProofError::Absent));
        }
        map.insert_all(absent.iter().take(1).copied().collect());
    }
}

#[test]
fn f56_an_empty_map_and_one_of_one_id_prove_by_themselves() {
    let one = id(0);
    assert_eq!(hold(&MerkleMap::new(), &[one]).to_bytes(), bytes(0, &[Part::Empty]));
    assert_eq!(hold(&map(&[one]), &[one]).to_bytes(), bytes(1, &[Part::Member]));
    assert_eq!(hold(&map(&[one]), &[id(1)]).to_bytes(), bytes(1, &[Part::Other(one)]));
    let both = bytes(1, &[Part::Other(one)]);
    assert_eq!(hold(&map(&[one]), &[one, id(1)]).to_bytes(), both, "of several asked for it is spelled out");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 30, ..Default::default() })]

    #[test]
    fn f56_f57_proofs_about_many_ids_hold_at_any_size(
        size in prop_oneof![0..100_u32, 0..100_000_u32],
        asked in prop::collection::vec((any::<u32>(), 0..3_u8), 1..200),
    ) {
        let map = map(&ids(0..size));
        let asked: Vec<EntryId> = asked
            .into_iter()
            .map(|(number, kind)| match kind {
                0 => id(number % size.max(1)),
                1 => flipped(&id(number % size.max(1)), (number % 256) as usize),
                _ => id(number),
            })
            .collect();
        let proof = hold(&map, &asked);
        let mut backwards = asked.clone();
        backwards.reverse();
        backwards.extend(asked.iter().take(3));
        prop_assert_eq!(map.prove(&backwards), Ok(proof.clone()), "order and repetition do not matter");
        let alone: usize = asked.iter().map(|id| map.prove(&[*id]).unwrap().to_bytes().len()).sum();
        prop_assert!(proof.to_bytes().len() <= alone, "they share what they have in common");
    }
}

#[test]
fn f56_every_flipped_bit_truncation_and_extension_fails() {
    let all = ids(0..70);
    for size in 0..=64_usize {
        let map = map(&all[..size]);
        let root = map.root().hash;
        for (place, id) in all.iter().enumerate().take(size + 2) {
            let honest = map.prove(&[*id]).unwrap().to_bytes();
            let mut bytes = honest.clone();
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 0x80 >> (bit % 8);
                assert!(
                    check(&bytes, &root, &[*id]).is_err(),
                    "bit {bit} of the proof of id {place} of {size}"
                );
                bytes[bit / 8] ^= 0x80 >> (bit % 8);
            }
            for len in 0..honest.len() {
                assert!(
                    Proof::from_bytes(&honest[..len]).is_err(),
                    "{len} bytes of the proof of {place} of {size}"
                );
            }
            for more in [0, 0x80, 0xff] {
                let longer = [&honest[..], &[more]].concat();
                assert_eq!(Proof::from_bytes(&longer), Err(ProofError::Trailing { count: 1 }));
            }
        }
    }
}

#[test]
fn f56_f57_no_proof_is_good_for_another_id_root_or_claim() {
    let all = ids(0..40);
    let map = map(&all[..32]);
    let mut grown = map.clone();
    grown.insert_all(vec![id(1_000)]);
    for of in &all {
        let proof = map.prove(&[*of]).unwrap();
        let wrong = proof.verify(&grown.root().hash, &[*of]);
        assert_eq!(wrong, Err(ProofError::OtherRoot { found: map.root().hash }));
        for other in all.iter().filter(|other| *other != of) {
            match proof.verify(&map.root().hash, &[*other]) {
                // Absent, both, and by the same leaf or gap: the proof is about both.
                Ok(answer) => assert!(
                    answer == [false] && !map.contains(other) && map.prove(&[*other]).as_ref() == Ok(&proof)
                ),
                Err(error) => assert_eq!(error.code(), Code::new("PROOF_FALSE"), "{error}"),
            }
        }
        match map.contains(of) {
            true => assert_eq!(proof.verify_exclusion(&map.root().hash, of), Err(ProofError::Present)),
            false => assert_eq!(proof.verify_inclusion(&map.root().hash, of), Err(ProofError::Absent)),
        }
    }
    // More or fewer ids than it is about.
    let mut two = [all[0], all[1]];
    two.sort();
    let (root, both) = (map.root().hash, map.prove(&two).unwrap());
    assert_eq!(both.verify(&root, &two[..1]), Err(ProofError::Unasked));
    let alone = map.prove(&two[..1]).unwrap();
    assert_eq!(alone.verify(&root, &two), Err(ProofError::Unanswered(two[1])));
}

#[test]
fn f56_ids_that_share_many_bits_are_proved_bit_by_bit() {
    for shared in [1, 23, 24, 25, 63, 64, 128, 200, 254, 255_usize] {
        let one = id(7);
        let two = flipped(&one, shared);
        let map = map(&[one, two, id(1), id(2)]);
        let root = map.root().hash;
        for of in [one, two] {
            let proof = hold(&map, &[of]);
            assert_eq!(proof.verify_inclusion(&root, &of), Ok(()));
            let forks = parts(&proof.to_bytes()).iter().filter(|part| **part == Part::Fork).count();
            assert!(forks == shared + 1 || (forks > shared && shared < 10), "{forks} for {shared}");
        }
        for bit in 0..256 {
            let third = flipped(&one, bit);
            if third != two {
                assert_eq!(hold(&map, &[third]).verify_exclusion(&root, &third), Ok(()), "{shared} {bit}");
            }
        }
        hold(&map, &[one, two]);
    }
    // As deep as it goes: a fork of two ids at depth 255.
    let deep = map(&[leading(&[]), flipped(&leading(&[]), 255)]).prove(&[leading(&[])]).unwrap();
    let mut tree = parts(&deep.to_bytes());
    assert_eq!(tree.iter().filter(|part| **part == Part::Fork).count(), 256);
    tree.insert(0, Part::Fork);
    tree.push(Part::Empty);
    assert_eq!(Proof::from_bytes(&bytes(2, &tree)), Err(ProofError::TooDeep));
}

#[test]
fn f55_an_inner_node_cannot_pose_as_a_leaf() {
    // Ids of which the hash over the greater half begins with a one, as it stands to the right: it could
    // be an id there. One can be ground for any path; here every other set has it.
    let mut found = 0;
    for start in (0..400).step_by(8) {
        let all = ids(start..start + 8);
        let map = map(&all);
        let (zeros, ones): (Vec<_>, Vec<_>) = all.iter().partition(|id| id.as_bytes()[0] < 0x80);
        if ones.len() < 2 {
            continue;
        }
        let (left, right) = (subtree(zeros, 1), subtree(ones, 1));
        assert_eq!(map.root().hash, root(8, &node(&left, &right)), "the whole is these two halves");
        if right[0] & 0x80 == 0 {
            continue;
        }
        found += 1;
        // With bare ids as leaves this would be: the right half is one leaf, so that whatever is in it is
        // proved not to be there.
        let forged = bytes(8, &[Part::Fork, Part::Hash(left), Part::Other(EntryId::from_bytes(right))]);
        let victim = all.iter().find(|id| id.as_bytes()[0] & 0x80 != 0).unwrap();
        let verdict = check(&forged, &map.root().hash, &[*victim]);
        assert!(matches!(verdict, Err(ProofError::OtherRoot { .. })), "{verdict:?}");
        // Nor is the half itself an id that is in.
        let posed = bytes(8, &[Part::Fork, Part::Hash(left), Part::Member]);
        let verdict = check(&posed, &map.root().hash, &[EntryId::from_bytes(right)]);
        assert!(verdict.is_err(), "{verdict:?}");
    }
    assert!(found > 5, "{found}");
}

/// Each tree of at most so many forks below one another, in which one of these items stands for a subtree.
fn trees(depth: u32, ends: &[Part]) -> Vec<Vec<Part>> {
    let mut all: Vec<Vec<Part>> = ends.iter().map(|end| vec![*end]).collect();
    if depth > 0 {
        let below = trees(depth - 1, ends);
        for left in &below {
            all.extend(below.iter().map(|right| [&[Part::Fork], &left[..], &right[..]].concat()));
        }
    }
    all
}

#[test]
fn f57_one_root_has_one_proof_and_so_one_answer_whoever_made_it() {
    // All proofs about these ids that can be made of these parts, honest or not, in trees of two levels.
    let of = leading(&[0x10]);
    let (near, far) = (leading(&[0x18]), leading(&[0xf0]));
    let hashes =
        [leaf(&of), leaf(&near), node(&leaf(&of), &leaf(&near)), node(&leaf(&near), &sha256(&[EMPTY]))];
    let mut ends = vec![Part::Empty, Part::Member, Part::Other(of), Part::Other(near), Part::Other(far)];
    ends.extend(hashes.map(Part::Hash));
    let questions = [vec![of], vec![of, near], vec![of, far], vec![of, near, far]];
    let mut held = BTreeMap::new();
    for tree in trees(2, &ends) {
        for count in 0..4 {
            let bytes = bytes(count, &tree);
            let Ok(proof) = Proof::from_bytes(&bytes) else { continue };
            assert_eq!(proof.to_bytes(), bytes);
            for asked in &questions {
                let Ok(root) = proof.claimed_root(asked) else { continue };
                assert!(proof.verify(&root.hash, asked).is_ok());
                let former = held.insert((asked, root.hash), bytes.clone());
                assert_eq!(former, None, "two proofs for one root and question: {tree:?}");
            }
        }
    }
    assert!(held.len() > 300, "{}", held.len());
}

#[test]
fn c5_each_reason_to_refuse_bytes_has_its_own_error() {
    use Part::{Empty, Fork, Member, Other};
    let (one, two) = (leading(&[0x10]), leading(&[0x90]));
    let hash = |text: &str| Part::Hash(sha256(&[text.as_bytes()]));
    let nothing = Part::Hash(sha256(&[EMPTY]));
    let good = bytes(2, &[Fork, Member, Other(two)]);
    assert!(Proof::from_bytes(&good).is_ok());
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let cases: Vec<(Vec<u8>, ProofError)> = vec![
        (vec![], ProofError::Truncated),
        (with(0, 0), ProofError::Version(0)),
        (with(0, 2), ProofError::Version(2)),
        (vec![1, 0, 0], ProofError::Truncated),
        (good[..9].to_vec(), ProofError::Truncated),
        (good[..good.len() - 1].to_vec(), ProofError::Truncated),
        ([&good[..], &[0]].concat(), ProofError::Trailing { count: 1 }),
        ([&good[..], &[0; 40]].concat(), ProofError::Trailing { count: 40 }),
        (with(10, good[10] | 1), ProofError::Padding),
        ([[1; 9].as_slice(), &[0; 40]].concat(), ProofError::TooDeep),
        (bytes(0, &[Fork, Empty, Empty]), ProofError::NotCollapsed),
        (bytes(1, &[Fork, Member, Empty]), ProofError::NotCollapsed),
        (bytes(1, &[Fork, Empty, Other(two)]), ProofError::NotCollapsed),
        (bytes(3, &[Fork, Fork, Empty, Empty, hash("x")]), ProofError::NotCollapsed),
        (bytes(2, &[Fork, Member, nothing]), ProofError::EmptySpelledOut),
        (bytes(2, &[hash("x")]), ProofError::NothingAsked),
        (bytes(2, &[Fork, hash("x"), hash("y")]), ProofError::NothingAsked),
        (bytes(3, &[Fork, Fork, hash("x"), hash("y"), Member]), ProofError::NothingAsked),
        (bytes(1, &[Empty]), ProofError::Count { count: 1, known: 0 }),
        (bytes(0, &[Member]), ProofError::Count { count: 0, known: 1 }),
        (bytes(2, &[Other(one)]), ProofError::Count { count: 2, known: 1 }),
        (bytes(3, &[Fork, Member, Other(two)]), ProofError::Count { count: 3, known: 2 }),
        (bytes(1, &[Fork, Member, Other(two)]), ProofError::Count { count: 1, known: 2 }),
        (bytes(1, &[Fork, Member, hash("x")]), ProofError::Count { count: 1, known: 2 }),
        (bytes(1, &[Fork, Empty, hash("x")]), ProofError::Count { count: 1, known: 2 }),
        (bytes(2, &[Fork, Fork, Empty, hash("x"), Member]), ProofError::Count { count: 2, known: 3 }),
    ];
    for (bytes, error) in cases {
        assert_eq!(Proof::from_bytes(&bytes), Err(error), "{bytes:02x?}");
        assert_eq!((error.code(), error.fault()), (Code::new("PROOF_MALFORMED"), Fault::Peer));
    }
    assert!(Proof::from_bytes(&bytes(u64::MAX, &[Fork, Empty, hash("x")])).is_ok());
}

/// A tree of more parts than 10,000 ids ask for: full down to where there are that many ways, each way
/// then down to the end.
#[test]
fn c5_the_size_of_a_tree_is_bounded() {
    fn full(depth: u32, tree: &mut Vec<Part>) {
        match depth {
            0 => {
                let rest = 256 - 14;
                tree.extend((1..rest).flat_map(|_| [Part::Fork, Part::Empty]));
                tree.extend([Part::Fork, Part::Member, Part::Member]);
            }
            _ => {
                tree.push(Part::Fork);
                full(depth - 1, tree);
                full(depth - 1, tree);
            }
        }
    }
    let mut tree = Vec::new();
    full(14, &mut tree);
    assert!(tree.len() > limits::PROOF_TAGS);
    assert_eq!(Proof::from_bytes(&bytes(32_768, &tree)), Err(ProofError::TooLarge));
}

#[test]
fn c5_each_reason_to_refuse_a_proof_has_its_own_error() {
    use Part::{Empty, Fork, Member, Other};
    let (one, near, two) = (leading(&[0x10]), leading(&[0x11]), leading(&[0x90]));
    let map = map(&[one, near, two]);
    let hash = map.root().hash;
    let leaf_of = |id| Part::Hash(leaf(id));
    let pair = MerkleMap::from_ids(vec![one, two]);
    let cases: Vec<(Vec<EntryId>, Vec<Part>, ProofError)> = vec![
        (vec![], vec![Member], ProofError::Question),
        (vec![two, one], vec![Fork, Member, Member], ProofError::Question),
        (vec![one, one], vec![Other(one)], ProofError::Question),
        (vec![one], vec![Fork, leaf_of(&one), Member], ProofError::Unanswered(one)),
        (vec![one], vec![Fork, Member, Member], ProofError::Unasked),
        (vec![one], vec![Fork, Member, Other(two)], ProofError::Unasked),
        (vec![one], vec![Fork, Member, Fork, leaf_of(&two), Empty], ProofError::Unasked),
        (vec![one, near], vec![Fork, Member, leaf_of(&two)], ProofError::Ambiguous(2)),
        (vec![one], vec![Fork, Other(one), leaf_of(&two)], ProofError::LeafSpelledOut(one)),
        (vec![near], vec![Fork, Other(two), leaf_of(&two)], ProofError::Misplaced(two)),
        // One leaf on both sides, as in CVE-2012-2459: it leads to one place alone.
        (vec![near, two], vec![Fork, Other(one), Other(one)], ProofError::Misplaced(one)),
    ];
    for (asked, tree, error) in cases {
        let proof = (0..5).find_map(|count| Proof::from_bytes(&bytes(count, &tree)).ok()).unwrap();
        assert_eq!(proof.verify(&pair.root().hash, &asked), Err(error), "{tree:?}");
        let code = if error == ProofError::Question { "INVALID_QUESTION" } else { "PROOF_FALSE" };
        assert_eq!(error.code(), Code::new(code));
        assert_eq!(error.fault() == Fault::Caller, error == ProofError::Question);
    }
    // A hash twice, where a half that is missing could be made up.
    let doubled = Proof::from_bytes(&bytes(2, &[Fork, Member, leaf_of(&one)])).unwrap();
    let other = root(2, &node(&leaf(&one), &leaf(&one)));
    assert_eq!(doubled.verify(&hash, &[one]), Err(ProofError::OtherRoot { found: other }));
    let proof = map.prove(&[one]).unwrap();
    assert_eq!(proof.verify_exclusion(&hash, &one), Err(ProofError::Present));
    assert_eq!(
        map.prove(&[flipped(&one, 3)]).unwrap().verify_inclusion(&hash, &flipped(&one, 3)),
        Err(ProofError::Absent)
    );
    let many: Vec<EntryId> = (0..=limits::PROOF_IDS as u32).map(|i| leading(&i.to_be_bytes())).collect();
    assert_eq!(proof.verify(&hash, &many), Err(ProofError::Question));
}

#[test]
fn f58_a_proof_that_cannot_be_is_a_typed_error() {
    let map = map(&ids(0..3));
    let (there, not) = (id(0), id(9));
    assert_eq!(map.prove(&[]), Err(ProveError::NoIds));
    assert_eq!(map.prove_inclusion(&not), Err(ProveError::NotIn(not)));
    assert_eq!(map.prove_exclusion(&there), Err(ProveError::IsIn(there)));
    assert_eq!(MerkleMap::new().prove_inclusion(&there), Err(ProveError::NotIn(there)));
    let most = limits::PROOF_IDS as u32;
    let mut asked = ids(0..most);
    asked.extend(ids(0..most));
    assert_eq!(hold(&map, &asked).count(), 3, "the same twice is asked once");
    asked.push(id(most));
    assert_eq!(map.prove(&asked), Err(ProveError::TooManyIds(limits::PROOF_IDS + 1)));
}

#[test]
fn c5_a_proof_takes_about_32_bytes_for_each_halving() {
    let map = map(&ids(0..100_000));
    let sizes: usize = (0..1_000).map(|i| map.prove(&[id(i * 97)]).unwrap().to_bytes().len()).sum();
    // 16.6 halvings and a third: what is beside the hashes is 18 bytes.
    let mean = sizes as f64 / 1_000.0;
    assert!((550.0..572.0).contains(&mean), "{mean} bytes on average");
    let together = map.prove(&(0..1_000).map(|i| id(i * 97)).collect::<Vec<_>>()).unwrap().to_bytes().len();
    assert!(together < sizes / 2, "{together} bytes for 1,000 ids");
}

#[test]
fn c5_random_bytes_never_harm() {
    let (map, of) = (map(&ids(0..20)), id(3));
    let honest = map.prove(&[of]).unwrap().to_bytes();
    for seed in 0..20_000_u32 {
        let random = sha256(&[b"random", &seed.to_be_bytes()]);
        let mut bytes = honest.clone();
        for [at, byte, ..] in random.as_chunks::<4>().0.iter().take(1 + usize::from(random[31] % 6)) {
            let at = usize::from(*at) % bytes.len();
            match byte % 4 {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, *byte),
                _ => bytes[at] = *byte,
            }
        }
        if bytes != honest {
            assert!(check(&bytes, &map.root().hash, &[of]).is_err(), "seed {seed}");
        }
        let made =
            [&[1, 0, 0, 0, 0, 0, 0, 0, random[0] % 8], &random[1..2 + usize::from(random[30] % 30)]].concat();
        if let Ok(proof) = Proof::from_bytes(&made) {
            assert_eq!(proof.to_bytes(), made, "one form, seed {seed}");
        }
    }
}
