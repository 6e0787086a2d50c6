//! Facts and entries: they read back as they were written, the same bytes have the same id, and one
//! entry gets one verdict, alone and in any batch (C1, C2; F-53, F-54).

#![cfg(not(target_arch = "wasm32"))]

mod forge;

use forge::arbitrary::{self, SAFE};
use forge::{EntryParts, FactParts, SIGNATURE_BYTES, check, fact_bytes, journal, key, value_bytes};
use isoroot::{
    AuthorityId, DeviceKey, Draft, DraftError, Entry, EntryError, EntryId, Fact, FactError, Genesis,
    SignError, UncheckedEntry, Value, ValueError, limits,
};
use proptest::prelude::*;

/// An entry of `facts` by the device with seed 1, the first in its journal.
fn entry(facts: &[Fact]) -> Entry {
    Entry::sign(&journal(), &key(1), &[], 0, &draft(facts)).unwrap()
}

fn draft(facts: &[Fact]) -> Draft {
    Draft::new(key(1).device(), facts).unwrap()
}

/// The fact as an entry of `author` tells it: its own authority is not spelled out.
fn normal(fact: &Fact, author: &DeviceKey) -> Fact {
    let own = AuthorityId::from_bytes(*author.device().as_bytes());
    Fact { authority: fact.authority.filter(|authority| *authority != own), ..fact.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn c1_values_and_facts_read_back(fact in arbitrary::fact()) {
        prop_assert_eq!(fact.validate(), Ok(()));
        let read = check(EntryParts { facts: forge::array(&[fact_bytes(&key(1), &fact)]), ..EntryParts::valid() }.record());
        let read = read.unwrap().facts().unwrap();
        prop_assert_eq!(&read, core::slice::from_ref(&fact));
        prop_assert_eq!(value_bytes(&read[0].value), value_bytes(&fact.value), "one form");
    }

    #[test]
    fn c2_entries_read_back(
        facts in proptest::collection::vec(arbitrary::fact(), 1..5),
        after in arbitrary::after(),
        timestamp in prop_oneof![0..=SAFE as u64, Just(SAFE as u64), 0..70_000u64],
        seed in 1..5u8,
        name in "[a-z]{0,4}",
    ) {
        let (journal, key) = (Genesis::named(&name).journal(), key(seed));
        let draft = Draft::new(key.device(), &facts).unwrap();
        let entry = Entry::sign(&journal, &key, &after, timestamp, &draft).unwrap();
        prop_assert!(entry.record().len() <= draft.size() + 512);
        let read = UncheckedEntry::new(entry.record().to_vec()).check(&journal);
        prop_assert_eq!(read.as_ref(), Ok(&entry), "made and read are the same");
        prop_assert_eq!((entry.device(), entry.after(), entry.timestamp()), (key.device(), &after[..], timestamp));
        prop_assert_eq!((entry.fact_count(), draft.fact_count()), (facts.len(), facts.len()));
        prop_assert!(entry.predicates().eq(facts.iter().map(|fact| fact.predicate.as_str())));
        let read = entry.facts().unwrap();
        prop_assert_eq!(&read, &facts.iter().map(|fact| normal(fact, &key)).collect::<Vec<_>>());
        let again = Draft::new(key.device(), &read).unwrap();
        prop_assert_eq!(Entry::sign(&journal, &key, &after, timestamp, &again), Ok(entry));
    }

    /// Bytes with small random changes, rightly signed: what is accepted is what the crate itself
    /// would have written for the same content.
    #[test]
    fn f53_what_is_accepted_encodes_to_the_same_bytes(
        facts in proptest::collection::vec(arbitrary::fact_of("[a-z]{1,3}", arbitrary::small_value()), 1..3),
        after in arbitrary::after(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..3),
    ) {
        let key = key(1);
        let mut entry = Entry::sign(&journal(), &key, &after, 7, &draft(&facts)).unwrap();
        let mut body = entry.record()[..entry.record().len() - SIGNATURE_BYTES].to_vec();
        for (place, byte, change) in changes {
            let place = place.index(body.len());
            match change {
                0 => body[place] = byte,
                1 => body.insert(place, byte),
                _ => drop(body.remove(place)),
            }
        }
        // A change of the device leaves a signature that is not its own: nothing to learn from that.
        if let Ok(read) = check(forge::sign(&journal(), 1, &body)) {
            entry = read;
            let again = Draft::new(entry.device(), &entry.facts().unwrap()).unwrap();
            let again = Entry::sign(&journal(), &key, entry.after(), entry.timestamp(), &again).unwrap();
            prop_assert_eq!(again, entry);
        }
    }

    #[test]
    fn f53_distinct_facts_have_distinct_bytes(
        a in arbitrary::fact_of("[ab]{1,2}", arbitrary::small_value()),
        b in arbitrary::fact_of("[ab]{1,2}", arbitrary::small_value()),
    ) {
        let key = key(1);
        prop_assert_eq!(normal(&a, &key) == normal(&b, &key), fact_bytes(&key, &a) == fact_bytes(&key, &b));
        // The value alone too, so that nothing hides behind the rest.
        prop_assert_eq!(a.value == b.value, value_bytes(&a.value) == value_bytes(&b.value));
    }

    /// Every mix of good and bad entries gets the verdicts that each gets alone.
    #[test]
    fn c2_alone_and_in_a_batch_one_verdict(picks in proptest::collection::vec(0..BATCH_KINDS, 0..12)) {
        let records: Vec<_> = picks.iter().enumerate().map(|(place, kind)| sample(*kind, place)).collect();
        let alone: Vec<_> = records.iter().map(|r| UncheckedEntry::new(r.clone()).check(&journal())).collect();
        let batch = records.into_iter().map(UncheckedEntry::new).collect();
        prop_assert_eq!(UncheckedEntry::check_all(&journal(), batch), alone);
    }
}

/// How many kinds of records [`sample`] knows.
const BATCH_KINDS: u8 = 8;

/// A record that is good, or bad in one of several ways.
fn sample(kind: u8, place: usize) -> Vec<u8> {
    let parts = EntryParts { timestamp: forge::uint(place as u64), ..EntryParts::valid() };
    let mut record = parts.record();
    match kind {
        1 => *record.last_mut().unwrap() ^= 0x40,
        2 => record = forge::sign(&Genesis::named("other").journal(), 1, &parts.body()),
        3 => record = forge::sign(&journal(), 2, &parts.body()),
        4 => record.truncate(record.len() / 2),
        5 => record = EntryParts { kind: forge::uint(1), ..parts }.record(),
        6 => record = small_order(ORDER_EIGHT[place % ORDER_EIGHT.len()], ORDER_EIGHT[0], [0; 32]),
        7 => record = small_order([2; 32], ORDER_EIGHT[0], [0; 32]),
        _ => {}
    }
    record
}

#[test]
fn c1_every_half_float_has_the_form_that_the_rules_give() {
    let value = |bits: u16| {
        let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1_023));
        let size = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 => [f64::INFINITY, f64::NAN][usize::from(fraction != 0.0)],
            _ => (1.0 + fraction / 1_024.0) * 2f64.powi(exponent - 15),
        };
        if sign == 1 { -size } else { size }
    };
    let expected = |bits: u16| match value(bits) {
        float if float.is_nan() => vec![0xf9, 0x7e, 0x00],
        float if float.fract() != 0.0 || float.is_infinite() => {
            [vec![0xf9], bits.to_be_bytes().to_vec()].concat()
        }
        float if float < 0.0 => forge::head(1, (-1.0 - float) as u64),
        float => forge::uint(float as u64),
    };
    for start in (0..=u16::MAX).step_by(4_096) {
        let part = start..=start + 4_095;
        let list = Value::List(part.clone().map(|bits| Value::Float(value(bits))).collect());
        assert_eq!(value_bytes(&list), forge::array(&part.map(expected).collect::<Vec<_>>()));
    }
}

#[test]
fn c1_a_number_has_one_form() {
    let same = [
        (Value::Integer(1), Value::Float(1.0)),
        (Value::Integer(0), Value::Float(-0.0)),
        (Value::Integer(SAFE), Value::Float(SAFE as f64)),
        (Value::Integer(-SAFE), Value::Float(-SAFE as f64)),
        (Value::from(-0.0), Value::from(0i64)),
        (Value::Float(f64::NAN), Value::Float(f64::from_bits(0xfff0_0000_0000_0001))),
    ];
    for (a, b) in same {
        assert_eq!(value_bytes(&a), value_bytes(&b));
        assert_eq!(a, b);
    }
    let (integer, float) = (Value::Integer(SAFE + 1), Value::Float((SAFE + 1) as f64));
    assert_ne!(value_bytes(&integer), value_bytes(&float), "beyond ±(2^53 − 1) an integer is no float");
    assert_ne!(integer, float);
}

#[test]
fn c1_bounds_of_a_fact() {
    let fact = |predicate: usize| Fact::new("x".repeat(predicate), Value::Null);
    assert_eq!(fact(256).validate(), Ok(()));
    assert_eq!(fact(257).validate(), Err(FactError::Predicate { bytes: 257 }));
    assert_eq!(fact(0).validate(), Err(FactError::Predicate { bytes: 0 }));
    // Bytes count, not characters.
    assert_eq!(Fact::new("é".repeat(129), Value::Null).validate(), Err(FactError::Predicate { bytes: 258 }));

    let value = |bytes: usize| Fact::new("p", vec![0u8; bytes]).validate();
    assert_eq!(value(65_536 - 3), Ok(()));
    assert_eq!(value(65_536 - 2), Err(FactError::Value(ValueError::Size { bytes: 65_537 })));

    let nested = |depth: usize| {
        let lists = (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let maps = (0..depth).fold(Value::Null, |inner, _| Value::Map([("k".into(), inner)].into()));
        [lists, maps].map(|value| Fact::new("p", value).validate())
    };
    assert_eq!(nested(16), [Ok(()), Ok(())]);
    assert_eq!(nested(17), [Err(FactError::Value(ValueError::Depth)); 2]);

    let timestamp = |ms: i64| Fact { timestamp: Some(ms), ..fact(1) }.validate();
    assert_eq!([timestamp(SAFE), timestamp(-SAFE)], [Ok(()), Ok(())]);
    for ms in [SAFE + 1, -SAFE - 1, i64::MAX, i64::MIN] {
        assert_eq!(timestamp(ms), Err(FactError::Timestamp(ms)));
    }
}

#[test]
fn c2_bounds_of_an_entry() {
    let author = key(1).device();
    let draft_of = |facts: &[Fact]| Draft::new(author, facts).map(|draft| draft.fact_count());
    let fact = Fact::new("p", 1i64);
    assert_eq!(draft_of(&[]), Err(DraftError::Count(0)));
    assert_eq!(draft_of(&vec![fact.clone(); 1_000]), Ok(1_000));
    assert_eq!(draft_of(&vec![fact.clone(); 1_001]), Err(DraftError::Count(1_001)));
    let bad = Fact::new("", 1i64);
    let error = FactError::Predicate { bytes: 0 };
    assert_eq!(draft_of(&[fact.clone(), bad]), Err(DraftError::Fact { index: 1, error }));

    // The largest draft makes a record within bounds, whatever else the entry holds.
    let large = |bytes: usize| Fact::new("p", vec![0u8; bytes]);
    let room = limits::RECORD_BYTES - 512 - 15 * (65_533 + 9) - 1;
    let mut facts = vec![large(65_533); 15];
    facts.push(large(room - 9));
    let largest = Draft::new(author, &facts).unwrap();
    assert_eq!(largest.size(), limits::RECORD_BYTES - 512);
    let after: Vec<_> = (0..8).map(|byte| EntryId::from_bytes([byte; 32])).collect();
    let entry = Entry::sign(&journal(), &key(1), &after, SAFE as u64, &largest).unwrap();
    assert!(check(entry.record().to_vec()).is_ok());
    facts[15] = large(room - 8);
    assert_eq!(draft_of(&facts), Err(DraftError::Size { bytes: limits::RECORD_BYTES - 511 }));
}

#[test]
fn c2_signing_says_what_is_out_of_bounds() {
    let sign = |after: &[EntryId], timestamp| {
        Entry::sign(&journal(), &key(1), after, timestamp, &draft(&[Fact::new("p", 1i64)]))
            .map(|e| e.fact_count())
    };
    let ids: Vec<_> = (0..9).map(|byte| EntryId::from_bytes([byte; 32])).collect();
    assert_eq!(sign(&ids[..8], SAFE as u64), Ok(1));
    assert_eq!(sign(&ids, 0), Err(SignError::AfterCount(9)));
    assert_eq!(sign(&[ids[0], ids[2], ids[1]], 0), Err(SignError::AfterOrder { index: 2 }));
    assert_eq!(sign(&[ids[1], ids[1]], 0), Err(SignError::AfterOrder { index: 1 }));
    assert_eq!(sign(&[], 1 << 53), Err(SignError::Timestamp(1 << 53)));
    let others = Draft::new(key(2).device(), &[Fact::new("p", 1i64)]).unwrap();
    let error = SignError::Author { draft: key(2).device(), key: key(1).device() };
    assert_eq!(Entry::sign(&journal(), &key(1), &[], 0, &others), Err(error));
}

#[test]
fn c2_a_record_of_one_mebibyte_is_accepted_and_no_byte_more() {
    let record = |last: usize| {
        let fact = |bytes: usize| FactParts::with_value(forge::bytes(&vec![7; bytes])).to_bytes();
        let mut facts = vec![fact(65_533); 15];
        facts.push(fact(last));
        EntryParts { facts: forge::array(&facts), ..EntryParts::valid() }.record()
    };
    let spare = limits::RECORD_BYTES - record(60_000).len();
    let full = record(60_000 + spare);
    assert_eq!(full.len(), 1_048_576);
    assert_eq!(check(full).unwrap().facts().unwrap().len(), 16);
    let over = record(60_000 + spare + 1);
    assert_eq!(check(over), Err(EntryError::TooLarge { bytes: 1_048_577 }));
}

#[test]
fn f54_the_same_bytes_have_the_same_id_and_the_same_statement_of_two_devices_has_two() {
    let facts = [Fact::new("room/7", "booked"), Fact::new("room/8", Value::Null)];
    let one = entry(&facts);
    let here = UncheckedEntry::new(one.record().to_vec());
    let there = UncheckedEntry::new(one.record().to_vec()).check(&journal()).unwrap();
    assert_eq!((one.id(), one.id()), (here.id(&journal()), there.id()));
    assert_eq!(entry(&facts).id(), one.id(), "made again of the same parts");

    let draft = Draft::new(key(2).device(), &facts).unwrap();
    let two = Entry::sign(&journal(), &key(2), &[], 0, &draft).unwrap();
    assert_eq!(two.facts(), one.facts());
    assert_ne!(two.id(), one.id());

    let elsewhere = Genesis::open([9; 32]).journal();
    let other =
        Entry::sign(&elsewhere, &key(1), &[], 0, &Draft::new(key(1).device(), &facts).unwrap()).unwrap();
    assert_ne!(other.id(), one.id(), "the journal is part of the id");
    assert_ne!(here.id(&elsewhere), here.id(&journal()));

    let later = Entry::sign(&journal(), &key(1), &[one.id()], 1, &self::draft(&facts)).unwrap();
    assert_ne!(later.id(), one.id(), "said again, it is another entry");
}

/// All encodings of the eight points of small order: the canonical ones, then those that ZIP-215
/// accepts too (y not reduced, or the sign of an x that is 0).
const ORDER_EIGHT: [[u8; 32]; 14] = [
    point("0100000000000000000000000000000000000000000000000000000000000000"),
    point("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    point("0000000000000000000000000000000000000000000000000000000000000080"),
    point("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    point("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    point("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    point("0000000000000000000000000000000000000000000000000000000000000000"),
    point("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    point("0100000000000000000000000000000000000000000000000000000000000080"),
    point("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    point("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    point("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    point("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    point("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

const fn point(hex: &str) -> [u8; 32] {
    let (hex, mut bytes, mut place) = (hex.as_bytes(), [0; 32], 0);
    while place < 64 {
        let digit = if hex[place] < b'a' { hex[place] - b'0' } else { hex[place] - b'a' + 10 };
        bytes[place / 2] = bytes[place / 2] << 4 | digit;
        place += 1;
    }
    bytes
}

/// A record with this key as its device, and a signature of these two halves.
fn small_order(device: [u8; 32], r: [u8; 32], s: [u8; 32]) -> Vec<u8> {
    let parts = EntryParts { device: forge::bytes(&device), ..EntryParts::valid() };
    [parts.body(), r.to_vec(), s.to_vec()].concat()
}

#[test]
fn c2_zip_215_small_order_points_pass_in_all_their_encodings() {
    let mut batch = Vec::new();
    for device in ORDER_EIGHT {
        for r in ORDER_EIGHT {
            let record = small_order(device, r, [0; 32]);
            assert!(check(record.clone()).is_ok(), "{device:x?} {r:x?}");
            batch.push(UncheckedEntry::new(record));
        }
    }
    assert!(UncheckedEntry::check_all(&journal(), batch).iter().all(Result::is_ok));
}

#[test]
fn c2_zip_215_what_is_no_point_or_no_scalar_is_refused() {
    let identity = ORDER_EIGHT[0];
    // y = 2 is on no point of the curve.
    let no_point = point("0200000000000000000000000000000000000000000000000000000000000000");
    // The order of the group, in place of 0: the same number, another S.
    let order = point("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let one = point("0100000000000000000000000000000000000000000000000000000000000000");
    for (device, r, s) in [
        (no_point, identity, [0; 32]),
        (identity, no_point, [0; 32]),
        (identity, identity, order),
        (identity, identity, one),
    ] {
        assert_eq!(check(small_order(device, r, s)), Err(EntryError::BadSignature));
    }
}
