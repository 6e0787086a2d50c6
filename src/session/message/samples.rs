//! Tests: one message of each kind and shape, and their bytes, which are kept.

use std::collections::BTreeSet;

use super::bundle::Bundler;
use super::*;
use crate::crypto::sign::DeviceKey;
use crate::fact::entry::{Draft, Entry};
use crate::fact::genesis::Genesis;
use crate::fact::statement::Fact;
use crate::merkle::subtree::Node;
use crate::time::WallTime;
use crate::verification::signed_root::SignedRoot;

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed([seed; 32])
}

fn journal() -> JournalId {
    Genesis::named("notes").journal()
}

fn entry(seed: u8, value: &str, after: &[EntryId], timestamp: u64) -> Entry {
    let draft = Draft::new(key(seed).device(), &[Fact::new("note", value)]).unwrap();
    draft.sign(&journal(), &key(seed), after, timestamp)
}

fn root(count: u64) -> Root {
    Root { count, hash: [0xab; 32] }
}

fn summary(count: u64) -> Summary {
    Summary { at: count, count }
}

/// Chains of two devices, what stands before named in each way, and a record of no usual form.
fn bundle() -> Bundle {
    let first = entry(1, "one", &[], 1_767_225_600_000_000);
    let second = entry(1, "two", &[first.id()], 1_767_225_600_000_017);
    let other = entry(2, "three", &[], 1_767_225_599_000_000);
    let mut both = [second.id(), other.id()];
    both.sort();
    let join = entry(1, "four", &both, 1_767_225_600_000_018);
    let journal = journal();
    let mut bundler = Bundler::new(&journal);
    for (number, entry) in [(3, &first), (4, &second), (6, &other), (7, &join)] {
        assert!(bundler.push(number, entry.record()).is_none());
    }
    assert!(bundler.push(9, &[0x55; 70]).is_none());
    bundler.take().unwrap()
}

/// Each kind of message, in each of its shapes, under its name.
fn samples() -> Vec<(&'static str, Message)> {
    let address = "hub.example:443".to_owned();
    let (device, store) = (key(1).device(), StoreId::from_bytes([7; 16]));
    let hello = Hello { versions: (1, 1), suite: 0, nonce: [1; 32], device, store, address };
    let (device, store) = (key(2).device(), StoreId::from_bytes([9; 16]));
    let ack = HelloAck { version: 1, suite: 0, nonce: [2; 32], device, store, signature: [3; 64] };
    let reason = Reason::new("NOT_SERVED", "the journal is not served here");
    let prefix = |leading: &[u8]| Prefix::from_leading_bytes(leading).unwrap();
    let ids = |count: u8| (0..count).map(|byte| EntryId::from_bytes([byte; 32])).collect::<Vec<_>>();
    let shorts = |count: u64| (1..=count).map(|id| ShortId(id << 32 | 5)).collect::<Vec<_>>();
    let mut leading = Leading::new(4);
    shorts(3).into_iter().for_each(|id| leading.push(id));
    let open = |cursor| ChannelMessage::Open {
        journal: journal(),
        summary: summary(1_000),
        root: [0xab; 32],
        sketch: Sketch::of(&ids(9)),
        cursor,
    };
    let differ = |plan| ChannelMessage::Differ { summary: summary(3), plan, takes: true };
    let mut children = Box::new([Node::EMPTY; 16]);
    for (node, byte) in children.iter_mut().zip(0..) {
        // Every other one has entries.
        if byte % 2 == 1 {
            *node = Node { count: u64::from(byte) * 100, hash: [byte; 32] };
        }
    }
    let cells = crate::symbols::row::Row::of(shorts(5), 3).cells().to_vec();
    let time = WallTime::from_micros(1_767_225_600_000_000);
    let statement = SignedRoot::sign(journal(), &key(2), root(3), time, [4; 32], None).to_bytes();
    let in_channel = |(name, message)| (name, Message::Channel { channel: 5, message });
    let mut samples = vec![
        ("hello", Message::Hello(hello)),
        ("hello-ack", Message::HelloAck(ack)),
        ("auth", Message::Auth { signature: [6; 64] }),
        ("ping", Message::Ping { number: 1 }),
        ("pong", Message::Pong { number: 300 }),
        ("goaway", Message::Goaway(reason.clone())),
    ];
    let messages = [
        ("open", open(Some(990))),
        ("open-without-cursor", open(None)),
        ("same", ChannelMessage::Same { at: 3, takes: true }),
        ("same-nothing-taken", ChannelMessage::Same { at: 3, takes: false }),
        ("differ-feed", differ(Plan::Feed { opener_after: 12, acceptor_after: 0 })),
        ("differ-descend", differ(Plan::Descend)),
        ("differ-symbols", differ(Plan::Symbols { difference: 100, coming: 162, cells: cells.clone() })),
        (
            "differ-symbols-to-be-asked",
            differ(Plan::Symbols { difference: 90_000, coming: 0, cells: vec![] }),
        ),
        ("differ-acceptor-lists", differ(Plan::AcceptorLists)),
        ("differ-opener-lists", differ(Plan::OpenerLists)),
        ("close", ChannelMessage::Close(reason)),
        ("ask", ChannelMessage::Ask { prefixes: vec![Prefix::ALL.child(3).unwrap(), prefix(&[0x81])] }),
        ("tell-children", ChannelMessage::Tell { answers: vec![Answer::Children(children)] }),
        ("tell-ids", ChannelMessage::Tell { answers: vec![Answer::Ids(ids(2)), Answer::Ids(vec![])] }),
        ("want", ChannelMessage::Want { ids: leading, last: true }),
        ("want-nothing", ChannelMessage::Want { ids: Leading::new(2), last: false }),
        ("entries", ChannelMessage::Entries(bundle())),
        ("entries-none", ChannelMessage::Entries(Bundle::default())),
        ("part", ChannelMessage::Part { number: 4, size: 100_000, bytes: vec![1; 20] }),
        ("upto", ChannelMessage::Upto { number: 1_000 }),
        ("sent", ChannelMessage::Sent),
        ("root", ChannelMessage::Root(root(3))),
        ("refused", ChannelMessage::Refused { ids: ids(1) }),
        ("credit", ChannelMessage::Credit { bytes: 70_000, upto: 12 }),
        (
            "symbols",
            ChannelMessage::Symbols { prefix: Prefix::ALL, from: 0, cells: cells.clone(), last: true },
        ),
        ("symbols-of-a-part", {
            let prefix = Prefix::new([0x80; 32].map(|_| 0), 3).unwrap();
            ChannelMessage::Symbols { prefix, from: 35, cells, last: false }
        }),
        ("more", ChannelMessage::More { prefix: Prefix::ALL, from: 162, count: 64 }),
        ("list", ChannelMessage::List { ids: shorts(2), last: true }),
        ("ask-receipt", ChannelMessage::AskReceipt { nonce: [4; 32], previous: Some([8; 32]) }),
        ("ask-first-receipt", ChannelMessage::AskReceipt { nonce: [4; 32], previous: None }),
        ("receipt", ChannelMessage::Receipt { statement }),
    ];
    samples.extend(messages.into_iter().map(in_channel));
    samples
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn d6_the_bytes_of_every_message_are_as_they_are_kept() {
    let lines: Vec<_> = samples()
        .iter()
        .map(|(name, message)| format!("  \"{name}\": \"{}\"", hex(&message.encode())))
        .collect();
    let now = format!("{{\n{}\n}}\n", lines.join(",\n"));
    let kept = include_str!("../../../tests/golden/messages.json");
    assert!(
        now == kept,
        "the wire is another: a change of it needs a new version (docs/PROTOCOL.md), and then this in \
         tests/golden/messages.json, and in fuzz/corpus/frame the bytes of each under its name:\n{now}"
    );
}

#[test]
fn d6_every_type_has_a_sample() {
    let types: BTreeSet<u8> = samples().iter().map(|(_, message)| message.encode()[0]).collect();
    let known: BTreeSet<u8> = (0..=255)
        .filter(|kind| !matches!(Message::decode(&[*kind]), Err(MessageError::UnknownType(_))))
        .collect();
    assert_eq!(types, known);
}

#[test]
fn d6_every_message_reads_back_and_every_other_form_of_it_is_another_message_or_none() {
    for (name, message) in samples() {
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes).as_ref(), Ok(&message), "{name}");
        for end in 0..bytes.len() {
            assert!(Message::decode(&bytes[..end]).is_err(), "{name}, {end} bytes of it");
        }
        let trailing = [bytes.as_slice(), &[0]].concat();
        assert!(Message::decode(&trailing).is_err(), "{name} and a byte more");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Message::decode(&flipped) {
                assert_eq!(hex(&other.encode()), hex(&flipped), "{name}, bit {bit}");
            }
        }
    }
}

/// Where byte strings stand in items of CBOR: the head, and how long what follows it is.
fn strings(bytes: &[u8]) -> Vec<(usize, usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let width = match bytes[at] & 31 {
            info @ 24..28 => 1 << (info - 24),
            _ => 0,
        };
        let argument =
            bytes[at + 1..at + 1 + width].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let length = if width == 0 { usize::from(bytes[at] & 31) } else { argument };
        let (major, head) = (bytes[at] >> 5, 1 + width);
        if major == 2 {
            found.push((at, head, length));
        }
        at += head + if matches!(major, 2 | 3) { length } else { 0 };
    }
    found
}

/// The same items, with the byte string at this place of another length.
fn with_length(bytes: &[u8], (at, head, length): (usize, usize, usize), other: usize) -> Vec<u8> {
    let mut content = bytes[at + head..at + head + length].to_vec();
    content.resize(other, 0x33);
    let mut w = crate::codec::cbor::Writer::new();
    w.canonical(&bytes[..at]).bytes(&content).canonical(&bytes[at + head + length..]);
    w.into_bytes()
}

#[test]
fn row19_no_key_signature_hash_nonce_or_id_is_taken_at_another_length() {
    let mut refused = 0;
    for (name, message) in samples() {
        let bytes = message.encode();
        // The type is no item.
        for (at, head, length) in strings(&bytes[1..]) {
            // What has no fixed length: a child without entries, cells, ids, records, parts, signed roots.
            let is_fixed = [16, 32, 64, 128].contains(&length)
                && !["symbols", "list", "want"].iter().any(|kind| name.starts_with(kind));
            if !is_fixed {
                continue;
            }
            for other in (0..=length + 1).filter(|other| *other != length) {
                let items = with_length(&bytes[1..], (at, head, length), other);
                let frame = [&bytes[..1], &items].concat();
                assert!(Message::decode(&frame).is_err(), "{name}: {other} bytes of {length} at {at}");
                refused += 1;
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
    // What is in a signed root.
    let time = WallTime::from_micros(1_767_225_600_000_000);
    let statement = SignedRoot::sign(journal(), &key(2), root(3), time, [4; 32], Some([8; 32])).to_bytes();
    let (body, signature) = statement.split_at(statement.len() - SIGNATURE_BYTES);
    let parts = strings(body);
    assert!(parts.len() >= 5, "{parts:?}");
    for length in (0..=SIGNATURE_BYTES + 1).filter(|length| *length != SIGNATURE_BYTES) {
        let mut other = signature.to_vec();
        other.resize(length, 0);
        assert!(SignedRoot::from_bytes(&[body, &other].concat()).is_err(), "{length}");
    }
    for place in parts {
        for other in (0..=place.2 + 1).filter(|other| *other != place.2) {
            let other = with_length(&statement, place, other);
            assert!(SignedRoot::from_bytes(&other).is_err(), "{place:?}");
        }
    }
    // The signature of an entry has no head: whatever is there in its place is no entry.
    let record = entry(1, "one", &[], 1_767_225_600_000_000).record().to_vec();
    let (body, signature) = record.split_at(record.len() - SIGNATURE_BYTES);
    for length in (0..=SIGNATURE_BYTES + 1).filter(|length| *length != SIGNATURE_BYTES) {
        let mut other = signature.to_vec();
        other.resize(length, 0);
        let record = [body, &other].concat();
        let checked = crate::fact::unchecked::UncheckedEntry::new(record).check(&journal());
        assert!(checked.is_err(), "a signature of {length} bytes");
    }
}

#[test]
fn d6_a_bundle_expands_to_the_records_that_it_was_made_of() {
    let first = entry(1, "one", &[], 1_767_225_600_000_000);
    let records = bundle().expand(&journal()).unwrap();
    assert_eq!(records.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4, 6, 7, 9]);
    assert_eq!(records[0].1, first.record());
    let join = crate::fact::unchecked::UncheckedEntry::new(records[3].1.clone()).check(&journal()).unwrap();
    assert_eq!(join.after().len(), 2);
    assert_eq!(records[4].1, vec![0x55; 70]);
    // Elsewhere the same bytes are other records, which nobody has signed.
    let elsewhere = bundle().expand(&Genesis::named("elsewhere").journal()).unwrap();
    assert_ne!(elsewhere[0].1, records[0].1);
}

#[test]
fn d5_a_bundle_of_small_entries_takes_less_than_they_do() {
    let mut after = Vec::new();
    let (mut records, mut frames) = (0, 0);
    let journal = journal();
    let mut bundler = Bundler::new(&journal);
    for number in 1..=2_000 {
        let entry = entry(1, "a line of a log, of some length", &after, 1_767_225_600_000_000 + number * 250);
        after = vec![entry.id()];
        records += entry.record().len();
        if let Some(bundle) = bundler.push(number, entry.record()) {
            let frame = Message::Channel { channel: 0, message: ChannelMessage::Entries(bundle) }.encode();
            assert!(frame.len() <= crate::limits::FRAME_BYTES);
            frames += frame.len();
        }
    }
    let last = bundler.take().unwrap();
    frames += Message::Channel { channel: 0, message: ChannelMessage::Entries(last) }.encode().len();
    assert!(frames * 100 < records * 60, "{frames} bytes for records of {records}");
}
