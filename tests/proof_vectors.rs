//! Proofs for implementations in other languages: `tests/vectors/proofs.json` is replayed here, in browsers
//! and Node by `tests/web/anywhere.rs`, by the npm package, and by `tests/vectors/confirm.py`, which shares
//! no code with the crate (C5; F-55 to F-57). docs/PROOFS.md says what is in it.

#[cfg(not(target_arch = "wasm32"))]
#[path = "forge/proof.rs"]
mod forge;

use isoroot::{EntryId, Hash, Proof, ProofError};
use serde_json::Value as Json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const VECTORS: &str = include_str!("vectors/proofs.json");

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn unhex(json: &Json) -> Vec<u8> {
    let hex = text(json);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn unhex_32(json: &Json) -> [u8; 32] {
    unhex(json).try_into().unwrap()
}

/// The name of an error in the vectors.
fn reason(error: ProofError) -> &'static str {
    match error {
        ProofError::Version(_) => "version",
        ProofError::Truncated => "truncated",
        ProofError::Trailing { .. } => "trailing",
        ProofError::Padding => "padding",
        ProofError::TooDeep => "too-deep",
        ProofError::TooLarge => "too-large",
        ProofError::NotCollapsed => "not-collapsed",
        ProofError::EmptySpelledOut => "empty-spelled-out",
        ProofError::NothingAsked => "nothing-asked",
        ProofError::Count { .. } => "count",
        ProofError::Question => "question",
        ProofError::Unasked => "unasked",
        ProofError::Unanswered(_) => "unanswered",
        ProofError::Ambiguous(_) => "ambiguous",
        ProofError::LeafSpelledOut(_) => "leaf-spelled-out",
        ProofError::Misplaced(_) => "misplaced",
        ProofError::OtherRoot { .. } => "other-root",
        ProofError::Absent => "absent",
        ProofError::Present => "present",
    }
}

/// What the crate says: an answer for each id, or the reason why there is none.
fn judge(bytes: &[u8], root: &Hash, ids: &[EntryId], claim: Option<&str>) -> Result<Vec<bool>, &'static str> {
    let judged = Proof::from_bytes(bytes).and_then(|proof| match (claim, ids) {
        (Some("in"), [id]) => proof.verify_inclusion(root, id).map(|()| vec![true]),
        (Some("not in"), [id]) => proof.verify_exclusion(root, id).map(|()| vec![false]),
        (None, ids) => proof.verify(root, ids),
        claim => panic!("{claim:?}"),
    });
    judged.map_err(reason)
}

#[test]
fn c5_vectors() {
    let vectors: Vec<Json> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() >= 600, "{} vectors", vectors.len());
    for vector in vectors {
        let ids: Vec<_> =
            vector["ids"].as_array().unwrap().iter().map(|id| EntryId::from_bytes(unhex_32(id))).collect();
        let judged =
            judge(&unhex(&vector["proof"]), &unhex_32(&vector["root"]), &ids, vector.get("claim").map(text));
        let expected = match vector["answers"].as_array() {
            Some(answers) => Ok(answers.iter().map(|answer| answer.as_bool().unwrap()).collect()),
            None => Err(text(&vector["reason"])),
        };
        assert_eq!(judged, expected, "{}", vector["name"]);
    }
}

/// The making of the file. That it is made anew and compared holds the bytes of honest proofs.
#[cfg(not(target_arch = "wasm32"))]
mod making {
    use std::collections::BTreeSet;
    use std::fmt::Write;

    use isoroot::MerkleMap;
    use sha2::{Digest, Sha256};

    use super::forge::{Part, bytes, parts};
    use super::*;

    /// What a moved byte means.
    const FINAL: &str = "proofs are kept and handed on, so these bytes are final: undo the change. A new form \
        is a new version number in front (see docs/PROOFS.md), read beside this one, with vectors of its own; \
        these stay as they are. Only to add vectors: ISOROOT_WRITE_VECTORS=1 cargo test --test proof_vectors, \
        then python3 tests/vectors/confirm.py, and see in the diff that no line has changed";

    fn sha256(parts: &[&[u8]]) -> Hash {
        Sha256::digest(parts.concat()).into()
    }

    fn id(number: u32) -> EntryId {
        EntryId::from_bytes(sha256(&[&number.to_be_bytes()]))
    }

    fn flipped(id: &EntryId, bit: usize) -> EntryId {
        let mut bytes = *id.as_bytes();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        EntryId::from_bytes(bytes)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A set of ids, as the file describes it.
    #[derive(Clone)]
    enum Set {
        /// The SHA-256 of 0 to this less 1, as four bytes.
        UpTo(u32),
        These(Vec<EntryId>),
    }

    impl Set {
        fn map(&self) -> MerkleMap {
            MerkleMap::from_ids(match self {
                Self::UpTo(count) => (0..*count).map(id).collect(),
                Self::These(ids) => ids.clone(),
            })
        }

        fn json(&self) -> String {
            match self {
                Self::UpTo(count) => format!("{{\"sha256_of_u32_be_up_to\":{count}}}"),
                Self::These(ids) => format!("[{}]", quoted(ids)),
            }
        }
    }

    fn quoted(ids: &[EntryId]) -> String {
        ids.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(",")
    }

    /// The vectors as they come.
    #[derive(Default)]
    struct Vectors(Vec<String>);

    impl Vectors {
        fn line(
            &mut self,
            (mutation, of): (&str, &str),
            (root, ids, proof): (&Hash, &[EntryId], &[u8]),
            claim: Option<&str>,
            set: Option<&Set>,
        ) -> bool {
            let judged = judge(proof, root, ids, claim);
            let mut line = format!("{{\"name\":\"{mutation}: {of}\",\"mutation\":\"{mutation}\"");
            if let Some(set) = set {
                write!(line, ",\"set\":{}", set.json()).unwrap();
            }
            write!(line, ",\"root\":\"{}\",\"ids\":[{}]", hex(root), quoted(ids)).unwrap();
            if let Some(claim) = claim {
                write!(line, ",\"claim\":\"{claim}\"").unwrap();
            }
            write!(line, ",\"proof\":\"{}\"", hex(proof)).unwrap();
            match &judged {
                Ok(answers) => write!(line, ",\"answers\":{answers:?}}}").unwrap(),
                Err(reason) => write!(line, ",\"reason\":\"{reason}\"}}").unwrap(),
            }
            self.0.push(line);
            judged.is_ok()
        }

        /// A proof that holds.
        fn honest(&mut self, set: &Set, asked: &[EntryId], of: &str) {
            let map = set.map();
            let asked: Vec<_> = asked.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            let mutation = match asked[..] {
                [id] if map.contains(&id) => "honest-inclusion",
                [_] => "honest-exclusion",
                _ => "honest-multi",
            };
            let proof = map.prove(&asked).unwrap().to_bytes();
            let held = self.line((mutation, of), (&map.root().hash, &asked, &proof), None, Some(set));
            assert!(held, "{mutation}: {of}");
        }

        /// One that must not.
        fn refused(&mut self, mutation: &str, of: &str, root: &Hash, ids: &[EntryId], proof: &[u8]) {
            let held = self.line((mutation, of), (root, ids, proof), None, None);
            assert!(!held, "{mutation}: {of}: {:?}", judge(proof, root, ids, None));
        }
    }

    /// All that is done to one honest proof.
    fn mutate(vectors: &mut Vectors, set: &Set, asked: &[EntryId], of: &str) {
        let map = set.map();
        let (root, count) = (map.root().hash, map.root().count);
        let asked: Vec<_> = asked.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let honest = map.prove(&asked).unwrap().to_bytes();
        let tree = parts(&honest);
        let items =
            honest.len() - 32 * tree.iter().filter(|p| matches!(p, Part::Hash(_) | Part::Other(_))).count();
        let mut refuse = |mutation: &str, proof: Vec<u8>| {
            vectors.refused(mutation, of, &root, &asked, &proof);
        };
        refuse("empty", vec![]);
        refuse("trailing", [&honest[..], &[0]].concat());
        refuse("trailing component", [&honest[..], &[0xab; 32]].concat());
        refuse("preceding", [&[0], &honest[..]].concat());
        refuse("truncated", honest[..honest.len() - 1].to_vec());
        refuse("version+1", [&[2], &honest[1..]].concat());
        refuse("size+1", bytes(count + 1, &tree));
        refuse("size-1", bytes(count.wrapping_sub(1), &tree));
        for bit in [3, 71, items * 8 - 1, honest.len() * 8 - 1] {
            let mut proof = honest.clone();
            proof[bit / 8] ^= 0x80 >> (bit % 8);
            refuse(&format!("bit flip {bit}"), proof);
        }
        if honest.len() > items {
            let end = honest.len() - 32;
            refuse("removed component", honest[..end].to_vec());
            refuse("doubled component", [&honest[..items + 32], &honest[items..]].concat());
            refuse("zero component", [&honest[..end], &[0; 32]].concat());
        }
        if honest.len() > items + 32 {
            let (a, b) = (&honest[items..items + 32], &honest[items + 32..items + 64]);
            refuse("swapped components", [&honest[..items], b, a, &honest[items + 64..]].concat());
        }
        for (at, part) in tree.iter().enumerate() {
            let instead = |new: &[Part]| bytes(count, &[&tree[..at], new, &tree[at + 1..]].concat());
            let before =
                tree[..at].iter().filter(|p| std::mem::discriminant(*p) == std::mem::discriminant(part));
            if before.count() > 0 {
                continue;
            }
            match part {
                Part::Fork => {
                    refuse("removed fork", instead(&[]));
                    refuse("inserted fork", instead(&[Part::Fork, Part::Fork]));
                }
                Part::Hash(hash) => {
                    refuse("sibling left out", instead(&[Part::Empty]));
                    refuse("sibling opened", instead(&[Part::Other(EntryId::from_bytes(*hash))]));
                    refuse(
                        "hash of nothing beside it",
                        instead(&[Part::Fork, Part::Hash(*hash), Part::Hash(sha256(&[b"isoroot/v1/empty"]))]),
                    );
                    refuse("leaf posing as a node", instead(&[Part::Hash(sha256(&[&[0], hash]))]));
                }
                Part::Empty => {
                    refuse("nothing spelled out", instead(&[Part::Hash(sha256(&[b"isoroot/v1/empty"]))]));
                    refuse("nothing divided", instead(&[Part::Fork, Part::Empty, Part::Empty]));
                    refuse("nothing as a member", instead(&[Part::Member]));
                }
                Part::Member => {
                    refuse("leaf not collapsed", instead(&[Part::Fork, Part::Member, Part::Empty]));
                    refuse("leaf spelled out", instead(&[Part::Other(asked[0])]));
                    refuse("leaf by its hash", instead(&[Part::Hash(sha256(&[&[0], asked[0].as_bytes()]))]));
                    refuse("leaf left out", instead(&[Part::Empty]));
                }
                Part::Other(other) => {
                    refuse(
                        "other leaf not collapsed",
                        instead(&[Part::Fork, Part::Other(*other), Part::Empty]),
                    );
                    refuse("other leaf as a member", instead(&[Part::Member]));
                    refuse("other leaf with a flipped bit", instead(&[Part::Other(flipped(other, 255))]));
                    refuse("other leaf elsewhere", instead(&[Part::Other(flipped(other, 0))]));
                }
            }
        }
        let mut grown = map.clone();
        grown.insert_all(vec![id(5_000)]);
        vectors.refused("other root", of, &grown.root().hash, &asked, &honest);
        vectors.refused("top as the root", of, &sha256(&[b"isoroot/v1/empty"]), &asked, &honest);
        let mut more = asked.clone();
        more.push(EntryId::from_bytes([0xff; 32]));
        if !matches!(tree.last(), Some(Part::Empty | Part::Other(_))) {
            vectors.refused("one id more", of, &root, &more, &honest);
        }
        let twice = [asked[0], asked[0]];
        vectors.refused("the same id twice", of, &root, &twice, &honest);
        if let [one] = asked[..] {
            let other = (0..64)
                .map(|number| id(number * 7 + 3))
                .find(|other| *other != one && map.prove(&[*other]).unwrap().to_bytes() != honest);
            if let Some(other) = other {
                vectors.refused("other id", of, &root, &[other], &honest);
            }
            let (right, wrong) = match map.contains(&one) {
                true => ("in", "not in"),
                false => ("not in", "in"),
            };
            let judged = (&root, &asked[..], &honest[..]);
            assert!(vectors.line(("claim", of), judged, Some(right), None));
            assert!(!vectors.line(("opposite claim", of), judged, Some(wrong), None));
        }
    }

    /// Inner nodes that begin with the path on which they stand, as leaves.
    fn inner_nodes(vectors: &mut Vectors) {
        for start in 0..40 {
            let set = Set::These((start * 8..start * 8 + 8).map(id).collect());
            let map = set.map();
            let (zeros, ones): (Vec<_>, Vec<_>) = map.iter().partition(|id| id.as_bytes()[0] < 0x80);
            if zeros.is_empty() || ones.len() < 2 {
                continue;
            }
            let tree = parts(&map.prove(&zeros[..1]).unwrap().to_bytes());
            let Some(Part::Hash(right)) = tree.last() else { continue };
            if right[0] < 0x80 {
                continue;
            }
            let left = match parts(&map.prove(&ones[..1]).unwrap().to_bytes())[1] {
                Part::Hash(left) => Part::Hash(left),
                _ => continue,
            };
            let posed = EntryId::from_bytes(*right);
            let (root, of) = (map.root().hash, format!("set {start}"));
            let other = bytes(8, &[Part::Fork, left, Part::Other(posed)]);
            vectors.refused("inner node as the other leaf", &of, &root, &ones[..1], &other);
            let member = bytes(2, &[Part::Fork, left, Part::Member]);
            vectors.refused("inner node as a member", &of, &root, &[posed], &member);
        }
    }

    fn vectors() -> String {
        let mut vectors = Vectors::default();
        for count in (0..20).chain([31, 32, 33, 64, 100, 255, 256, 257, 1_000]) {
            let set = Set::UpTo(count);
            for member in BTreeSet::from([0, count / 2, count.saturating_sub(1)]) {
                if member < count {
                    vectors.honest(&set, &[id(member)], &format!("{member} of {count}"));
                    let close = flipped(&id(member), 200);
                    vectors.honest(&set, &[close], &format!("close to {member} of {count}"));
                }
            }
            vectors.honest(&set, &[id(count)], &format!("{count} of {count}"));
            let some = [0, 1, 2, count, count + 1, count / 2].map(id);
            vectors.honest(&set, &some, &format!("some of {count}"));
        }
        let deep = |shared: usize| Set::These(vec![id(0), flipped(&id(0), shared), id(1), id(2)]);
        for shared in [24, 31, 64, 255] {
            vectors.honest(&deep(shared), &[id(0)], &format!("one of two that share {shared} bits"));
            let third = flipped(&id(0), shared - 1);
            vectors.honest(&deep(shared), &[third], &format!("none of two that share {shared} bits"));
            let both = [id(0), flipped(&id(0), shared)];
            vectors.honest(&deep(shared), &both, &format!("both of two that share {shared} bits"));
        }
        for count in [1, 2, 3, 5, 8, 20, 64] {
            let set = Set::UpTo(count);
            mutate(&mut vectors, &set, &[id(0)], &format!("0 of {count}"));
            mutate(&mut vectors, &set, &[id(count)], &format!("{count} of {count}"));
            let two = [id(count / 2), id(count + 7)];
            mutate(&mut vectors, &set, &two, &format!("{} and {} of {count}", count / 2, count + 7));
        }
        mutate(&mut vectors, &Set::UpTo(0), &[id(0)], "0 of 0");
        mutate(&mut vectors, &deep(40), &[id(0)], "one of two that share 40 bits");
        inner_nodes(&mut vectors);
        let (root, one) = (Set::UpTo(2).map().root().hash, [id(0)]);
        let hash = |text: &str| Part::Hash(sha256(&[text.as_bytes()]));
        for (mutation, tree) in [
            ("nothing asked", vec![hash("x")]),
            ("nothing asked in a fork", vec![Part::Fork, hash("x"), hash("y")]),
            ("one half twice", vec![Part::Fork, hash("x"), Part::Member]),
            ("one leaf on both sides", vec![Part::Fork, Part::Other(id(1)), Part::Other(id(1))]),
            ("two members for one", vec![Part::Fork, Part::Member, Part::Member]),
            ("deeper than an id", [vec![Part::Fork; 257], vec![Part::Empty; 258]].concat()),
        ] {
            vectors.refused(mutation, "0 of 2", &root, &one, &bytes(2, &tree));
        }
        vectors.refused("no ids", "0 of 2", &root, &[], &Set::UpTo(2).map().prove(&one).unwrap().to_bytes());
        format!("[\n{}\n]\n", vectors.0.join(",\n"))
    }

    #[test]
    fn c5_the_vectors_are_golden() {
        let made = vectors();
        if std::env::var_os("ISOROOT_WRITE_VECTORS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/proofs.json"), made).unwrap();
            return;
        }
        for (made, golden) in made.lines().zip(VECTORS.lines()) {
            assert_eq!(made, golden, "{FINAL}");
        }
        assert_eq!(made.lines().count(), VECTORS.lines().count(), "{FINAL}");
    }
}
