//! Roots that a device has signed: what the signature binds, their bytes, and those that contradict each other.

#![cfg(not(target_arch = "wasm32"))]

mod forge;

use forge::{SIGNATURE_BYTES, journal, key};
use isoroot::{MerkleMap, Root, SignedRoot, UncheckedEntry, WallTime};

/// The root of entries that nobody has seen.
fn root_of(entries: std::ops::Range<u8>) -> Root {
    let ids = entries.map(|entry| UncheckedEntry::new(vec![entry]).id(&journal()));
    MerkleMap::from_ids(ids.collect()).root()
}

#[test]
fn f70_a_signed_root_binds_everything_that_it_says() {
    let root = root_of(0..20);
    let signed = SignedRoot::sign(
        journal(),
        &key(1),
        root,
        WallTime::from_micros(1_000_000_000),
        [7; 32],
        Some([6; 32]),
    );
    assert!(signed.is_authentic());
    let bytes = signed.to_bytes();
    assert_eq!(SignedRoot::from_bytes(&bytes).as_ref(), Ok(&signed));
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let read = SignedRoot::from_bytes(&bytes);
        assert!(!read.is_ok_and(|read| read.is_authentic()), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(!SignedRoot::from_bytes(&bytes[..len]).is_ok_and(|read| read.is_authentic()), "{len} bytes");
    }
    assert!(SignedRoot::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    // The signature of an entry is none of a root, even over the same bytes.
    let body = &bytes[..bytes.len() - SIGNATURE_BYTES];
    assert_ne!(forge::sign(&journal(), 1, body), bytes);
}

#[test]
fn f70_the_worked_example_of_a_signed_root_is_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/VERIFICATION.md");
    let text = std::fs::read_to_string(path).unwrap();
    let block = text.split("```hex signed-root\n").nth(1).unwrap().split("```").next().unwrap();
    let mut bytes = Vec::new();
    for line in block.lines() {
        let hex = line.split('#').next().unwrap();
        bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    let signed = SignedRoot::sign(journal(), &key(1), Root::EMPTY, WallTime::from_micros(0), [2; 32], None);
    assert_eq!(signed.to_bytes(), bytes, "a new form gets a new version, see docs/VERIFICATION.md");
}

#[test]
fn f92_two_roots_of_one_size_contradict_each_other_and_nothing_else_does() {
    let (root, other) = (root_of(0..20), root_of(100..120));
    assert_eq!(root.count, other.count);
    let say = |seed: u8, root: Root, nonce: u8| {
        SignedRoot::sign(journal(), &key(seed), root, WallTime::from_micros(1), [nonce; 32], None)
    };
    let said = say(1, root, 1);
    assert!(said.contradicts(&say(1, other, 2)) && say(1, other, 1).contradicts(&said));
    // The journal grew, for an asker that used one nonce twice; another device; the same again.
    for harmless in [said.clone(), say(1, root, 2), say(1, Root::EMPTY, 1), say(2, other, 1)] {
        assert!(!said.contradicts(&harmless));
    }
    let mut forged = say(1, other, 1);
    forged.signature[0] ^= 1;
    assert!(!said.contradicts(&forged) && !forged.contradicts(&said));
    let next =
        SignedRoot::sign(journal(), &key(1), root, WallTime::from_micros(2), [2; 32], Some(said.hash()));
    assert_eq!(SignedRoot::from_bytes(&next.to_bytes()).unwrap().previous, Some(said.hash()));
}
