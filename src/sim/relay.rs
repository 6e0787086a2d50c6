//! Tests: somebody in between who forwards any frame anywhere, as often as they like, and has a key of their
//! own. No connection opens whose two ends disagree (F-24 of the fault model; D7).

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::crypto::sign::DeviceKey;
use crate::ids::{DeviceId, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::session::connection::{ConnectionEffect, ConnectionMachine, Journals};
use crate::session::handshake::Dialler;
use crate::session::message::Message;
use crate::session::permission::Permission;
use crate::time::Instant;

struct NoJournals;

impl Journals for NoJournals {
    fn journal(&self, _: JournalId) -> Option<&Journal> {
        None
    }

    fn permission(&self, _: &DeviceId, _: JournalId) -> Permission {
        Permission::Write
    }
}

/// One end of a connection of an honest node.
struct End {
    owner: usize,
    /// What it dialled; nothing of the side that is dialled.
    dialled: Option<String>,
    machine: ConnectionMachine,
    /// Everything that it has heard and said, in order.
    transcript: Vec<Vec<u8>>,
    opened_with: Option<DeviceId>,
}

fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    rng.next_u64() as usize % bound
}

fn name(node: usize) -> String {
    format!("node-{node}.example:443")
}

fn store(node: usize) -> StoreId {
    StoreId::from_bytes([node as u8; 16])
}

impl End {
    fn new(owner: usize, key: DeviceKey, dials: Option<usize>, rng: &mut ChaCha8Rng) -> Self {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let (now, dialled) = (Instant::default(), dials.map(name));
        let store = store(owner);
        let machine = match &dialled {
            Some(address) => {
                let hello = ConnectionMachine::hello(key.device(), store, nonce, address.clone());
                ConnectionMachine::dial(key, Dialler { hello, expected: None, binding: vec![] }, now)
            }
            None => {
                let names = Some(vec![name(owner)]);
                ConnectionMachine::accept_connection((key, store), nonce, names, vec![], now)
            }
        };
        Self { owner, dialled, machine, transcript: Vec::new(), opened_with: None }
    }

    /// What it says now.
    fn said(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                ConnectionEffect::Send(frame) => frames.push(frame),
                ConnectionEffect::Authenticated(device) => self.opened_with = Some(device),
                _ => {}
            }
        }
        self.transcript.extend(frames.iter().cloned());
        frames
    }
}

/// A frame that the one in between makes of another: with fields of its own or of others, signed anew where it
/// has the key.
fn forged(frame: &[u8], pool: &[Vec<u8>], mallory: &DeviceKey, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let other = Message::decode(&pool[below(rng, pool.len())]);
    match (Message::decode(frame), other) {
        (Ok(Message::Hello(mut hello)), other) => {
            match below(rng, 5) {
                0 => hello.device = mallory.device(),
                3 => hello.store = store(below(rng, 4)),
                1 => hello.address = name(below(rng, 3)),
                2 => hello.versions.1 += 1,
                _ => {
                    if let Ok(Message::Hello(other)) = other {
                        hello.nonce = other.nonce;
                    }
                }
            }
            Message::Hello(hello).encode()
        }
        (Ok(Message::HelloAck(mut ack)), other) => {
            match (below(rng, 4), other) {
                (0, Ok(Message::HelloAck(other))) => ack.nonce = other.nonce,
                (1, Ok(Message::HelloAck(other))) => ack.signature = other.signature,
                (2, _) => ack.store = store(below(rng, 4)),
                _ => ack.device = mallory.device(),
            }
            Message::HelloAck(ack).encode()
        }
        (Ok(Message::Auth { .. }), Ok(Message::HelloAck(ack))) => {
            Message::Auth { signature: ack.signature }.encode()
        }
        _ => frame.to_vec(),
    }
}

fn script(seed: u64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rng = &mut rng;
    let keys: Vec<_> = (1..=3).map(|byte| DeviceKey::from_seed([byte; 32])).collect();
    let mallory = DeviceKey::from_seed([9; 32]);
    let mut ends = Vec::new();
    for _ in 0..2 + below(rng, 3) {
        let owner = below(rng, 3);
        ends.push(End::new(owner, keys[owner].clone(), Some(below(rng, 3)), rng));
    }
    for _ in 0..2 + below(rng, 3) {
        let owner = below(rng, 3);
        ends.push(End::new(owner, keys[owner].clone(), None, rng));
    }
    // One that Mallory dials with, as any other: its frames may be forwarded too.
    let mut pool = End::new(3, mallory.clone(), Some(below(rng, 3)), rng).said();
    for end in &mut ends {
        pool.extend(end.said());
    }
    for _ in 0..8 + below(rng, 40) {
        // Mostly what is new, or nothing would ever open.
        let recent = pool.len().saturating_sub(1 + below(rng, 4));
        let frame = if below(rng, 3) > 0 { &pool[recent] } else { &pool[below(rng, pool.len())] };
        let frame = if below(rng, 3) == 0 { forged(frame, &pool, &mallory, rng) } else { frame.clone() };
        let to = below(rng, ends.len());
        let end = &mut ends[to];
        end.transcript.push(frame.clone());
        end.machine.handle_frame(&frame, &NoJournals, Instant::default());
        pool.extend(end.said());
    }
    let mut opened = 0;
    for end in &ends {
        let Some(peer) = end.opened_with.filter(|peer| *peer != mallory.device()) else { continue };
        opened += 1;
        let owner = keys.iter().position(|key| key.device() == peer).expect("a device that is there");
        // Its peer has an end that went through the very same handshake, and the address is the right one.
        let length = if end.dialled.is_some() { 2 } else { 3 };
        let shared = &end.transcript[..length];
        let other = ends.iter().find(|other| {
            other.owner == owner
                && other.dialled.is_some() != end.dialled.is_some()
                && other.transcript.len() >= length
                && other.transcript[..length] == *shared
        });
        let other = other.unwrap_or_else(|| panic!("seed {seed}: an end has opened that has no other"));
        let (dialler, acceptor) = if end.dialled.is_some() { (end, other) } else { (other, end) };
        assert_eq!(dialler.dialled, Some(name(acceptor.owner)), "seed {seed}: dialled another address");
    }
    opened
}

#[test]
fn d7_no_connection_opens_whose_two_ends_disagree() {
    let full = std::env::var_os("ISOROOT_TEST_FULL").is_some();
    let scripts = if full { 100_000 } else { 8_000 };
    let opened: usize = (0..scripts).map(script).sum();
    assert!(
        opened > scripts as usize / 50,
        "{opened} ends have opened in {scripts} scripts: too few to show much"
    );
}
