//! Everything but the one canonical form is refused, and says which rule it broke: bytes that differ
//! from a good record in one thing only, signed anew, so that nothing else can be the reason.

#![cfg(not(target_arch = "wasm32"))]

mod forge;

use forge::{EntryParts, FACTS_AT, FactParts, NULL, SIGNATURE_BYTES, VALUE_AT, check, journal, key};
use isoroot::{DecodeError, EntryError, Genesis, UncheckedEntry};

/// Why a record is malformed, without the place.
#[derive(Debug, PartialEq)]
enum Why {
    Expected(&'static str),
    NotCanonical(&'static str),
    OutOfBounds(&'static str),
    Trailing(usize),
}

use Why::{Expected, NotCanonical, OutOfBounds, Trailing};

/// The rule that a record breaks, and where.
#[track_caller]
fn malformed(record: Vec<u8>) -> (Why, Option<usize>) {
    match check(record) {
        Err(EntryError::Malformed(error)) => match error {
            DecodeError::Expected { expected, position } => (Expected(expected), Some(position)),
            DecodeError::NotCanonical { rule, position } => (NotCanonical(rule), Some(position)),
            DecodeError::OutOfBounds { what, position } => (OutOfBounds(what), Some(position)),
            DecodeError::Trailing { count } => (Trailing(count), None),
        },
        other => panic!("not malformed: {other:?}"),
    }
}

const SHORTEST: Why = NotCanonical("shortest head");
const DEFINITE: Why = NotCanonical("no indefinite lengths");
const NUMBER: Why = NotCanonical("integral numbers as integers, floats in the shortest form, one NaN");
const SIMPLE: Why = NotCanonical("no simple values but null, true, false");
const TAG: Why = NotCanonical("no tags");
const KEYS: Why = NotCanonical("map keys sorted by their encoding, each once");
const INTEGER: Why = Expected("an integer of 64 bits");
const ITEM: Why = Expected("an item");
const UTF8: Why = Expected("a text string in UTF-8");
const DEPTH: Why = OutOfBounds("depth of the value");

#[test]
fn the_forged_twin_is_what_the_crate_writes() {
    let entry = check(EntryParts::valid().record()).unwrap();
    let draft = isoroot::Draft::new(key(1).device(), &entry.facts().unwrap()).unwrap();
    assert_eq!(isoroot::Entry::sign(&journal(), &key(1), &[], 0, &draft), Ok(entry));
}

#[test]
fn c1_a_value_in_another_form_is_refused() {
    let nested = |depth: usize, open: &[u8]| [open.repeat(depth), vec![NULL]].concat();
    let value_of = |len: usize| forge::bytes(&vec![0; len]);
    // What is wrong, the bytes of the value, the rule, and how far into the value it is broken.
    let refused: Vec<(&str, Vec<u8>, Why, usize)> = vec![
        ("23 in two bytes", forge::wide_head(0, 23, 1), SHORTEST, 0),
        ("255 in three", forge::wide_head(0, 255, 2), SHORTEST, 0),
        ("65,535 in five", forge::wide_head(0, 65_535, 4), SHORTEST, 0),
        ("2^32 − 1 in nine", forge::wide_head(0, u32::MAX.into(), 8), SHORTEST, 0),
        ("−24 in two bytes", forge::wide_head(1, 23, 1), SHORTEST, 0),
        ("−256 in three", forge::wide_head(1, 255, 2), SHORTEST, 0),
        ("2^63", forge::uint(1 << 63), INTEGER, 0),
        ("−2^63 − 1", forge::head(1, 1 << 63), INTEGER, 0),
        ("bytes, long head", [forge::wide_head(2, 1, 1), vec![0]].concat(), SHORTEST, 0),
        ("text, long head", [forge::wide_head(3, 1, 2), vec![b'a']].concat(), SHORTEST, 0),
        ("list, long head", [forge::wide_head(4, 1, 1), vec![NULL]].concat(), SHORTEST, 0),
        ("map, long head", [forge::wide_head(5, 0, 4)].concat(), SHORTEST, 0),
        ("bytes in pieces", vec![0x5f, 0x41, 0, 0xff], DEFINITE, 0),
        ("text in pieces", vec![0x7f, 0x61, b'a', 0xff], DEFINITE, 0),
        ("list of no length", vec![0x9f, NULL, 0xff], DEFINITE, 0),
        ("map of no length", vec![0xbf, 0xff], DEFINITE, 0),
        ("a break alone", vec![0xff], DEFINITE, 0),
        ("tag 0 on a text", [vec![0xc0], forge::text("2026-01-01T00:00:00Z")].concat(), TAG, 0),
        ("a bignum", [vec![0xc2], forge::bytes(&[1; 9])].concat(), TAG, 0),
        ("a tag deep inside", vec![0x81, 0xa1, 0x61, b'k', 0xd9, 0xd9, 0xf7, 0x01], TAG, 4),
        ("undefined", vec![0xf7], SIMPLE, 0),
        ("simple value 16", vec![0xf0], SIMPLE, 0),
        ("false in two bytes", vec![0xf8, 0x14], SIMPLE, 0),
        ("simple value 32", vec![0xf8, 0x20], SIMPLE, 0),
        ("a reserved head", vec![0x1c], ITEM, 0),
        ("1.0 as a half", vec![0xf9, 0x3c, 0x00], NUMBER, 0),
        ("1.0 as a double", [vec![0xfb], 1f64.to_be_bytes().to_vec()].concat(), NUMBER, 0),
        ("0.0", vec![0xf9, 0x00, 0x00], NUMBER, 0),
        ("−0.0", vec![0xf9, 0x80, 0x00], NUMBER, 0),
        ("−0.0 as a double", [vec![0xfb], (-0f64).to_be_bytes().to_vec()].concat(), NUMBER, 0),
        (
            "2^53 − 1 as a double",
            [vec![0xfb], 9_007_199_254_740_991f64.to_be_bytes().to_vec()].concat(),
            NUMBER,
            0,
        ),
        ("1.5 as a single", [vec![0xfa], 1.5f32.to_be_bytes().to_vec()].concat(), NUMBER, 0),
        ("1.5 as a double", [vec![0xfb], 1.5f64.to_be_bytes().to_vec()].concat(), NUMBER, 0),
        (
            "2^53 as a double",
            [vec![0xfb], 9_007_199_254_740_992f64.to_be_bytes().to_vec()].concat(),
            NUMBER,
            0,
        ),
        ("infinity as a single", [vec![0xfa], f32::INFINITY.to_be_bytes().to_vec()].concat(), NUMBER, 0),
        ("another NaN", vec![0xf9, 0x7e, 0x01], NUMBER, 0),
        ("a signalling NaN", vec![0xf9, 0x7c, 0x01], NUMBER, 0),
        ("−NaN", vec![0xf9, 0xfe, 0x00], NUMBER, 0),
        ("NaN as a double", [vec![0xfb], f64::NAN.to_be_bytes().to_vec()].concat(), NUMBER, 0),
        ("not UTF-8", vec![0x62, 0xc3, 0x28], UTF8, 0),
        ("a surrogate", vec![0x63, 0xed, 0xa0, 0x80], UTF8, 0),
        ("an overlong character", vec![0x62, 0xc0, 0x80], UTF8, 0),
        ("keys by alphabet, not length", vec![0xa2, 0x62, b'a', b'a', 0, 0x61, b'b', 0], KEYS, 5),
        ("keys the wrong way round", vec![0xa2, 0x61, b'b', 0, 0x61, b'a', 0], KEYS, 4),
        ("a key twice", vec![0xa2, 0x61, b'a', 0, 0x61, b'a', 0], KEYS, 4),
        ("a key that is a number", vec![0xa1, 0x00, 0x00], UTF8, 1),
        ("a key that is bytes", vec![0xa1, 0x41, b'a', 0x00], UTF8, 1),
        ("17 lists", nested(17, &[0x81]), DEPTH, 16),
        ("17 maps", nested(17, &[0xa1, 0x61, b'k']), DEPTH, 48),
        ("an empty list in 16", [vec![0x81; 16], vec![0x80]].concat(), DEPTH, 16),
        ("65,537 bytes", value_of(65_537 - 3), OutOfBounds("size of the value"), 0),
        (
            "65,537 items",
            [forge::head(4, 65_537), vec![0; 65_537]].concat(),
            OutOfBounds("items of the value"),
            0,
        ),
        (
            "65,537 pairs",
            [forge::head(5, 65_537), vec![0; 70_000]].concat(),
            OutOfBounds("pairs of the value"),
            0,
        ),
        ("more items than bytes", vec![0x9a, 0xff, 0xff, 0xff, 0xff], OutOfBounds("items of the value"), 0),
        ("500 items in two bytes", forge::head(4, 500), OutOfBounds("items of the value"), 0),
        ("2^64 − 1 items", forge::head(4, u64::MAX), OutOfBounds("items of the value"), 0),
        ("more bytes than there are", vec![0x5a, 0xff, 0xff, 0xff, 0xff], Expected("a byte string"), 0),
    ];
    for (name, value, why, offset) in refused {
        let record = EntryParts::with_value(value).record();
        let found = malformed(record);
        assert_eq!(found, (why, Some(FACTS_AT + 1 + VALUE_AT + offset)), "{name}");
    }
    // The neighbours of the bounds are accepted.
    for value in [
        nested(16, &[0x81]),
        nested(16, &[0xa1, 0x61, b'k']),
        [vec![0x81; 15], vec![0x80]].concat(),
        value_of(65_536 - 3),
        forge::uint(i64::MAX as u64),
        forge::head(1, i64::MAX as u64),
        [vec![0xfa], 9_007_199_254_740_992f32.to_be_bytes().to_vec()].concat(),
    ] {
        assert!(check(EntryParts::with_value(value).record()).is_ok());
    }
}

#[test]
fn c1_a_fact_in_another_form_is_refused() {
    let valid = FactParts::valid;
    let own = forge::bytes(key(1).device().as_bytes());
    let safe = (1u64 << 53) - 1;
    let parts = OutOfBounds("parts of a fact");
    let predicate = || OutOfBounds("length of the predicate");
    let timestamp = || OutOfBounds("timestamp of the fact");
    let authority = || Expected("32 bytes of an authority");
    let long = |bytes: usize| forge::text(&"x".repeat(bytes));
    let spelled = NotCanonical("an authority that is the device itself is null");
    let refused: Vec<(&str, FactParts, Why)> = vec![
        ("four parts", FactParts { head: forge::head(4, 4), timestamp: vec![], ..valid() }, parts),
        ("six parts", FactParts { head: forge::head(4, 6), ..valid() }, OutOfBounds("parts of a fact")),
        ("a map", FactParts { head: forge::head(5, 5), ..valid() }, Expected("an array")),
        ("parts, long head", FactParts { head: forge::wide_head(4, 5, 1), ..valid() }, SHORTEST),
        ("version 0", FactParts { version: forge::uint(0), ..valid() }, OutOfBounds("version of the fact")),
        ("version 2", FactParts { version: forge::uint(2), ..valid() }, OutOfBounds("version of the fact")),
        (
            "version 1.0",
            FactParts { version: vec![0xf9, 0x3c, 0], ..valid() },
            Expected("an unsigned integer"),
        ),
        ("predicate of 0 bytes", FactParts { predicate: forge::text(""), ..valid() }, predicate()),
        ("predicate of 257 bytes", FactParts { predicate: long(257), ..valid() }, predicate()),
        ("predicate in bytes", FactParts { predicate: forge::bytes(b"p"), ..valid() }, UTF8),
        ("own authority", FactParts { authority: own, ..valid() }, spelled),
        ("authority of 31 bytes", FactParts { authority: forge::bytes(&[7; 31]), ..valid() }, authority()),
        ("authority of 33 bytes", FactParts { authority: forge::bytes(&[7; 33]), ..valid() }, authority()),
        ("authority false", FactParts { authority: vec![0xf4], ..valid() }, Expected("a byte string")),
        ("timestamp 2^53", FactParts { timestamp: forge::uint(safe + 1), ..valid() }, timestamp()),
        ("timestamp −2^53", FactParts { timestamp: forge::head(1, safe), ..valid() }, timestamp()),
        ("timestamp 0.5", FactParts { timestamp: vec![0xf9, 0x38, 0x00], ..valid() }, INTEGER),
        ("timestamp undefined", FactParts { timestamp: vec![0xf7], ..valid() }, SIMPLE),
    ];
    for (name, fact, why) in refused {
        assert_eq!(malformed(EntryParts::with_fact(&fact).record()).0, why, "{name}");
    }
    for fact in [
        FactParts { predicate: long(256), ..valid() },
        FactParts { authority: forge::bytes(key(2).device().as_bytes()), ..valid() },
        FactParts { timestamp: forge::uint(safe), ..valid() },
        FactParts { timestamp: forge::head(1, safe - 1), ..valid() },
    ] {
        assert!(check(EntryParts::with_fact(&fact).record()).is_ok());
    }
}

#[test]
fn c2_an_entry_in_another_form_is_refused() {
    let valid = EntryParts::valid;
    let ids = |bytes: &[u8]| bytes.iter().map(|byte| forge::bytes(&[*byte; 32])).collect::<Vec<_>>();
    let after = |bytes: &[u8]| forge::array(&ids(bytes));
    let facts = |count: usize| forge::array(&vec![FactParts::valid().to_bytes(); count]);
    let order = || NotCanonical("predecessors ascending, each once");
    let predecessors = || OutOfBounds("predecessors");
    let nine: Vec<u8> = (0..9).collect();
    let journal = journal();
    let tag = &journal.as_bytes()[..8];
    let sealed = |payload: Vec<u8>| EntryParts {
        kind: forge::uint(1),
        timestamp: payload,
        facts: forge::bytes(b"ciphertext"),
        ..valid()
    };
    let refused: Vec<(&str, EntryParts, Why)> = vec![
        ("five parts", EntryParts { head: forge::head(4, 5), ..valid() }, OutOfBounds("parts of an entry")),
        ("seven parts", EntryParts { head: forge::head(4, 7), ..valid() }, OutOfBounds("parts of an entry")),
        ("parts, long head", EntryParts { head: forge::wide_head(4, 6, 1), ..valid() }, SHORTEST),
        ("parts of no length", EntryParts { head: vec![0x9f], tail: vec![0xff], ..valid() }, DEFINITE),
        ("a tag in front", EntryParts { head: vec![0xc1, 0x86], ..valid() }, TAG),
        ("version 0", EntryParts { version: forge::uint(0), ..valid() }, OutOfBounds("version of the entry")),
        ("version 2", EntryParts { version: forge::uint(2), ..valid() }, OutOfBounds("version of the entry")),
        ("version, long head", EntryParts { version: forge::wide_head(0, 1, 1), ..valid() }, SHORTEST),
        ("kind 3", EntryParts { kind: forge::uint(3), ..valid() }, OutOfBounds("kind of the entry")),
        ("kind −1", EntryParts { kind: forge::head(1, 0), ..valid() }, Expected("an unsigned integer")),
        (
            "device of 31 bytes",
            EntryParts { device: forge::bytes(&[7; 31]), ..valid() },
            Expected("32 bytes of a device"),
        ),
        (
            "device as text",
            EntryParts { device: forge::text("device"), ..valid() },
            Expected("a byte string"),
        ),
        (
            "epoch of one part",
            EntryParts { epoch: forge::array(&[forge::uint(0)]), ..valid() },
            OutOfBounds("parts of an epoch"),
        ),
        (
            "epoch tag of 9 bytes",
            EntryParts { epoch: forge::array(&[forge::uint(0), forge::bytes(&[7; 9])]), ..valid() },
            Expected("8 bytes of an epoch's id"),
        ),
        (
            "epoch number, long head",
            EntryParts { epoch: forge::array(&[forge::wide_head(0, 0, 4), forge::bytes(tag)]), ..valid() },
            SHORTEST,
        ),
        ("nine predecessors", EntryParts { after: after(&nine), ..valid() }, predecessors()),
        ("predecessors unsorted", EntryParts { after: after(&[1, 3, 2]), ..valid() }, order()),
        ("a predecessor twice", EntryParts { after: after(&[1, 1]), ..valid() }, order()),
        ("predecessors null", EntryParts { after: vec![NULL], ..valid() }, Expected("an array")),
        (
            "predecessor of 31 bytes",
            EntryParts { after: forge::array(&[forge::bytes(&[7; 31])]), ..valid() },
            Expected("32 bytes of an entry's id"),
        ),
        (
            "payload of three",
            EntryParts { payload_head: forge::head(4, 3), ..valid() },
            OutOfBounds("parts of a payload"),
        ),
        (
            "timestamp 2^53",
            EntryParts { timestamp: forge::uint(1 << 53), ..valid() },
            OutOfBounds("timestamp of the entry"),
        ),
        (
            "timestamp −1",
            EntryParts { timestamp: forge::head(1, 0), ..valid() },
            Expected("an unsigned integer"),
        ),
        ("timestamp null", EntryParts { timestamp: vec![NULL], ..valid() }, Expected("an unsigned integer")),
        ("timestamp, long head", EntryParts { timestamp: forge::wide_head(0, 0, 8), ..valid() }, SHORTEST),
        ("no facts", EntryParts { facts: facts(0), ..valid() }, OutOfBounds("facts")),
        ("1,001 facts", EntryParts { facts: facts(1_001), ..valid() }, OutOfBounds("facts")),
        (
            "facts, long head",
            EntryParts {
                facts: [forge::wide_head(4, 1, 1), FactParts::valid().to_bytes()].concat(),
                ..valid()
            },
            SHORTEST,
        ),
        ("facts in a map", EntryParts { facts: vec![0xa0], ..valid() }, Expected("an array")),
        ("a byte behind", EntryParts { tail: vec![0], ..valid() }, Trailing(1)),
        ("an entry behind", EntryParts { tail: valid().body(), ..valid() }, Trailing(valid().body().len())),
        ("sealed, nonce no bytes", sealed(forge::uint(7)), Expected("a byte string")),
        (
            "sealed, a byte behind",
            EntryParts { tail: vec![0], ..sealed(forge::bytes(&[7; 24])) },
            Trailing(1),
        ),
    ];
    for (name, parts, why) in refused {
        assert_eq!(malformed(parts.record()).0, why, "{name}");
    }
    for parts in [
        EntryParts { after: after(&nine[..8]), ..valid() },
        EntryParts { timestamp: forge::uint((1 << 53) - 1), ..valid() },
        EntryParts { facts: facts(1_000), ..valid() },
    ] {
        assert!(check(parts.record()).is_ok());
    }
}

#[test]
fn c2_a_good_form_in_the_wrong_place_is_refused() {
    let valid = EntryParts::valid;
    let other = Genesis::named("other").journal();
    let epoch = |number: u64, tag: &[u8]| forge::array(&[forge::uint(number), forge::bytes(tag)]);
    let foreign = EntryParts { epoch: epoch(0, &other.as_bytes()[..8]), ..valid() };
    let later = EntryParts { epoch: epoch(1, &[7; 8]), ..valid() };
    let reserved = |kind: u64, first: Vec<u8>| EntryParts {
        kind: forge::uint(kind),
        timestamp: first,
        facts: forge::bytes(b"bytes"),
        ..valid()
    };
    let cases = [
        (foreign.record(), EntryError::WrongJournal, false),
        (forge::sign(&other, 1, &foreign.body()), EntryError::WrongJournal, false),
        (later.record(), EntryError::UnknownEpoch(1), true),
        (reserved(1, forge::bytes(&[7; 24])).record(), EntryError::KindNotAdmitted(1), true),
        (reserved(2, forge::uint(9)).record(), EntryError::KindNotAdmitted(2), true),
        // The form is right, the place is right, the signature was made for another or by another.
        (forge::sign(&other, 1, &valid().body()), EntryError::BadSignature, false),
        (forge::sign(&journal(), 2, &valid().body()), EntryError::BadSignature, false),
    ];
    for (record, error, refusal) in cases {
        assert_eq!(check(record), Err(error));
        assert_eq!(error.is_refusal(), refusal, "{error:?}");
    }
}

#[test]
fn c2_a_signature_is_over_the_tag_journal_epoch_and_body() {
    let body = EntryParts::valid().body();
    let message = forge::message(&journal(), &body);
    let signed = |message: &[u8]| {
        let signature = ed25519_zebra::SigningKey::from([1; 32]).sign(message);
        check([body.as_slice(), &signature.to_bytes()].concat())
    };
    assert!(signed(&message).is_ok());
    for (name, other) in [
        ("the body alone", body.clone()),
        ("no tag", message[17..].to_vec()),
        ("no zero byte", [&message[..16], &message[17..]].concat()),
        ("no epoch", [&message[..49], &message[81..]].concat()),
        ("one byte more", [message.as_slice(), &[0]].concat()),
    ] {
        assert_eq!(signed(&other), Err(EntryError::BadSignature), "{name}");
    }
}

#[test]
fn c2_every_flipped_bit_of_a_record_is_refused() {
    let record = EntryParts::valid().record();
    let mut batch = Vec::new();
    for bit in 0..record.len() * 8 {
        let mut flipped = record.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verdict = UncheckedEntry::new(flipped.clone()).check(&journal());
        assert!(verdict.is_err(), "bit {bit}");
        if bit / 8 >= record.len() - SIGNATURE_BYTES {
            assert_eq!(verdict, Err(EntryError::BadSignature), "bit {bit}");
        }
        batch.push(UncheckedEntry::new(flipped));
    }
    assert!(UncheckedEntry::check_all(&journal(), batch).iter().all(Result::is_err));
}

#[test]
fn c2_every_truncation_of_a_record_is_refused_also_if_signed_anew() {
    let record = EntryParts::valid().record();
    let body = &record[..record.len() - SIGNATURE_BYTES];
    for len in 0..record.len() {
        assert!(check(record[..len].to_vec()).is_err(), "{len} bytes");
    }
    for len in 0..body.len() {
        malformed(forge::sign(&journal(), 1, &body[..len]));
    }
    assert_eq!(malformed(record[..63].to_vec()).0, Expected("body and signature"));
}
