//! Tests: each identity in each message that is kept, replaced by each other's, signed anew where whoever does
//! it has the key. It is refused with a type, or does no harm.

use core::ops::Range;
use core::time::Duration;

use super::between::Between;
use super::node::{ENTRIES, journal};
use crate::crypto::sign::DeviceKey;
use crate::fact::genesis::Genesis;
use crate::ids::{DeviceId, StoreId};
use crate::limits::BREACH_BACK_OFF;
use crate::merkle::subtree::Root;
use crate::service::receipts::{Asked, Receipts};
use crate::session::connection::ConnectionMachine;
use crate::session::failure::PeerError;
use crate::session::handshake::{Acceptor, Dialler};
use crate::session::message::{ChannelMessage, Message};
use crate::time::{Instant, WallTime};
use crate::verification::signed_root::SignedRoot;

/// Codes with which a connection may end here.
const CODES: [&str; 8] = [
    "BAD_MESSAGE",
    "UNEXPECTED_MESSAGE",
    "PROTOCOL",
    "BAD_ENTRY",
    "UNAUTHENTICATED",
    "WRONG_DEVICE",
    "REFUSED",
    "UNREACHABLE",
];

fn store(byte: u8) -> StoreId {
    StoreId::from_bytes([byte; 16])
}

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed([seed; 32])
}

/// Every message that is kept, those of a channel in that of number 0.
fn golden() -> Vec<(String, Vec<u8>)> {
    let kept: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(include_str!("../../tests/golden/messages.json")).unwrap();
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let mut messages: Vec<_> =
        kept.into_iter().map(|(name, hex)| (name, bytes(hex.as_str().unwrap()))).collect();
    for (_, frame) in &mut messages {
        if frame[0] >= 16 {
            frame[1] = 0;
        }
    }
    messages
}

/// Where the byte strings of a message stand, without their heads; what is in a signed root too.
fn strings(frame: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 1;
    while at < frame.len() {
        let width = match frame[at] & 31 {
            info @ 24..28 => 1 << (info - 24),
            _ => 0,
        };
        let argument = &frame[at + 1..at + 1 + width];
        let argument = match width {
            0 => usize::from(frame[at] & 31),
            _ => argument.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)),
        };
        let start = at + 1 + width;
        let major = frame[at] >> 5;
        at = if matches!(major, 2 | 3) { start + argument } else { start };
        if major == 2 {
            found.push(start..start + argument);
            // The journal, store and root of an opening; a signed root.
            match argument {
                144 => found.extend([start..start + 32, start + 32..start + 48, start + 48..start + 80]),
                150.. => at = start,
                _ => {}
            }
        }
    }
    found
}

/// The identities of all who are there, and of somebody who is not, of so many bytes.
fn others(length: usize) -> Vec<Vec<u8>> {
    match length {
        4 => vec![vec![1; 4], vec![2; 4], vec![0; 4]],
        16 => vec![vec![1; 16], vec![2; 16], vec![4; 16]],
        32 => {
            let mut all: Vec<_> = [1, 2, 3, 9].map(|seed| key(seed).device().as_bytes().to_vec()).into();
            all.extend([journal(), Genesis::named("other").journal()].map(|id| id.as_bytes().to_vec()));
            all.extend([ENTRIES[0].id().as_bytes().to_vec(), vec![1; 32], vec![4; 32]]);
            all
        }
        64 => {
            let record = ENTRIES[0].record();
            vec![vec![0; 64], record[record.len() - 64..].to_vec(), key(1).sign(b"anything").to_vec()]
        }
        _ => Vec::new(),
    }
}

/// The message comes to one side in some state; then another node comes to that side, and both end equal.
fn comes(name: &str, frame: &[u8], end: usize, state: &str) {
    let mut between = Between::new(3);
    let steps: &[u8] = match state {
        "unknown" => &[9, 0, 0],
        // Hello, HelloAck, Auth, Open.
        "known" => &[9, 0, 0, 0x11, 0x01, 0x11],
        "asked" => &[9, 0, 0, 0x11, 0x01, 0x11, 0x11],
        _ => &[3],
    };
    between.run(steps);
    let before = between.node(end).root();
    let length = u16::try_from(frame.len()).unwrap().to_be_bytes();
    between.run(&[&[if end == 1 { 0x10 } else { 0 }][..], &length, frame].concat());
    let peer = between.node(end).peer;
    assert!(peer.is_none_or(|peer| peer == key(2 - end as u8).device()), "{name}, {state}: {peer:?}");
    if between.node(end).connection.is_none() {
        let error = between.node(end).ended.clone().expect("why it ended");
        assert!(CODES.contains(&error.code().as_str()), "{name}, {state}: {error:?}");
        assert_eq!(between.node(end).root(), before);
    }
    between.succeed_other_than(end);
    between.come_together(BREACH_BACK_OFF + Duration::from_secs(1));
}

#[test]
fn row21_each_identity_in_each_message_replaced_by_each_other_is_refused_or_does_no_harm() {
    let mut cells = 0;
    for (name, frame) in golden() {
        for place in strings(&frame) {
            for other in others(place.len()).into_iter().filter(|other| *other != frame[place.clone()]) {
                let mut swapped = frame.clone();
                swapped[place.clone()].copy_from_slice(&other);
                for (end, state) in
                    [(1, "unknown"), (1, "known"), (1, "asked"), (1, "live"), (0, "unknown"), (0, "asked")]
                {
                    comes(&name, &swapped, end, state);
                    cells += 1;
                }
            }
        }
    }
    assert!(cells > 1_400, "{cells}");
}

/// Whom the accepting side takes a dialling one for, which claims to be `claimed` and signs with `signer`.
fn taken_for(claimed: DeviceId, signer: &DeviceKey) -> Result<DeviceId, PeerError> {
    let hello = ConnectionMachine::hello(claimed, store(1), [5; 32], "hub:1".into());
    let (acceptor, ack) = Acceptor::answer(&hello, None, [6; 32], &[], (&key(2), store(2)))?;
    let dialler = Dialler { hello, expected: None, binding: Vec::new() };
    acceptor.finish(&dialler.finish(&ack, signer)?)
}

#[test]
fn row21_nobody_is_taken_for_another_whoever_they_claim_to_be() {
    for claimed in [1, 2, 3, 9] {
        for signer in [1, 2, 3, 9] {
            let found = taken_for(key(claimed).device(), &key(signer));
            let due =
                if claimed == signer { Ok(key(claimed).device()) } else { Err(PeerError::Unauthenticated) };
            assert_eq!(found, due, "{claimed} by {signer}");
            // And the other way round: the accepting side.
            let hello = ConnectionMachine::hello(key(1).device(), store(1), [5; 32], "hub:1".into());
            let (_, mut ack) =
                Acceptor::answer(&hello, None, [6; 32], &[], (&key(signer), store(2))).unwrap();
            ack.device = key(claimed).device();
            let dialler = Dialler { hello, expected: None, binding: Vec::new() };
            assert_eq!(dialler.finish(&ack, &key(1)).is_ok(), claimed == signer, "{claimed} by {signer}");
        }
    }
}

#[test]
fn row21_a_receipt_is_taken_only_from_who_was_asked_and_for_what_was_asked() {
    let time = WallTime::from_micros(1_767_225_600_000_000);
    let mut taken = 0;
    for signer in [2, 3, 9] {
        for claimed in [2, 3, 9] {
            for journal in [journal(), Genesis::named("other").journal()] {
                for (right_nonce, previous) in
                    [(true, None), (true, Some([8; 32])), (false, None), (false, Some([8; 32]))]
                {
                    let mut between = Between::new(3);
                    between.run(&[3]);
                    between.node(0).ask_receipt();
                    let asked = between.node(0).waiting().find_map(|frame| match Message::decode(frame) {
                        Ok(Message::Channel {
                            message: ChannelMessage::AskReceipt { nonce, .. }, ..
                        }) => Some(nonce),
                        _ => None,
                    });
                    let nonce = if right_nonce { asked.expect("it asks") } else { [7; 32] };
                    let root = Root { count: 1, hash: [1; 32] };
                    let mut root = SignedRoot::sign(journal, &key(signer), root, time, nonce, previous);
                    root.device = key(claimed).device();
                    let message = ChannelMessage::Receipt { statement: root.to_bytes() };
                    between.node(0).hear(Message::Channel { channel: 0, message }.encode());
                    let what = format!("by {signer} as {claimed}, nonce {right_nonce}, {previous:?}");
                    let of_the_asked = signer == 2
                        && claimed == 2
                        && journal == super::node::journal()
                        && previous.is_none();
                    match &between.node(0).receipt {
                        None => assert!(!right_nonce, "{what}"),
                        Some(Ok(_)) => {
                            assert!(right_nonce && of_the_asked, "{what}");
                            taken += 1;
                        }
                        Some(Err(error)) => {
                            assert!(right_nonce && !of_the_asked, "{what}: {error}");
                            assert_eq!(error.code().as_str(), "PROTOCOL", "{what}");
                        }
                    }
                }
            }
        }
    }
    assert_eq!(taken, 1);
}

#[test]
fn f83_a_receipt_by_another_connection_is_neither_taken_nor_lost() {
    let time = WallTime::from_micros(1_767_225_600_000_000);
    let root = Root { count: 1, hash: [1; 32] };
    let statement = SignedRoot::sign(journal(), &key(2), root, time, [7; 32], None);
    let mut receipts = Receipts::default();
    let (journal, until) = (journal(), Instant::default());
    let asked = Asked { ticket: 5, connection: 1, journal, nonce: [7; 32], previous: None, until };
    receipts.ask(asked);
    let device = Some(key(2).device());
    assert_eq!(receipts.take(2, device, journal, statement.clone()), None, "of another connection");
    assert_eq!(receipts.end(2, None, &PeerError::Cancelled), [], "that has ended");
    assert_eq!(receipts.take(1, device, journal, statement.clone()), Some((5, Ok(statement))));
}

#[test]
fn row21_an_entry_under_anothers_device_or_signature_is_refused() {
    let (_, frame) = golden().into_iter().find(|(name, _)| name == "entries").unwrap();
    let all = strings(&frame);
    let devices: Vec<_> = all.iter().filter(|place| place.len() == 32).take(2).cloned().collect();
    let rests: Vec<_> = all.iter().filter(|place| place.len() > 70).cloned().collect();
    let mut swapped = Vec::new();
    for device in &devices {
        for other in others(32).into_iter().filter(|other| *other != frame[device.clone()]) {
            let mut frame = frame.clone();
            frame[device.clone()].copy_from_slice(&other);
            swapped.push(frame);
        }
    }
    for one in &rests {
        for other in rests.iter().filter(|other| *other != one) {
            let mut moved = frame.clone();
            moved[one.end - 64..one.end].copy_from_slice(&frame[other.end - 64..other.end]);
            swapped.push(moved);
        }
    }
    assert!(swapped.len() > 20);
    for frame in swapped {
        let mut between = Between::new(3);
        between.run(&[3]);
        let before = between.node(1).root();
        between.node(1).hear(frame);
        between.node(1).work_off();
        assert!(between.node(1).connection.is_none());
        assert_eq!(between.node(1).ended.as_ref().unwrap().code().as_str(), "BAD_ENTRY");
        assert_eq!(between.node(1).root(), before);
    }
}
