//! What two nodes say before anything else, counted as it goes over a WebSocket.

use crate::crypto::sign::DeviceKey;
use crate::ids::{DeviceId, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::session::connection::{ConnectionEffect, ConnectionMachine, Journals};
use crate::session::handshake::Dialler;
use crate::session::permission::Permission;
use crate::sim::pair::{Traffic, frame_head};
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

/// The handshake of a node that dials this address: its frames both ways, with their heads. What the transport
/// itself says before, such as the request of HTTP, is not counted.
pub fn handshake(address: &str) -> Traffic {
    let now = Instant::default();
    let [dialler, acceptor] = [1, 2].map(|byte| DeviceKey::from_seed([byte; 32]));
    let store = |byte| StoreId::from_bytes([byte; StoreId::LEN]);
    let hello = ConnectionMachine::hello(dialler.device(), store(1), [1; 32], address.to_owned());
    let mut ends = [
        ConnectionMachine::dial(dialler, Dialler { hello, expected: None, binding: Vec::new() }, now),
        ConnectionMachine::accept_connection((acceptor, store(2)), [2; 32], None, Vec::new(), now),
    ];
    let mut traffic = Traffic::default();
    let mut end = 0;
    while ends.iter().any(|machine| !machine.is_open()) {
        let [one, other] = &mut ends;
        let (from, to) = if end == 0 { (one, other) } else { (other, one) };
        let before = traffic.frames;
        while let Some(effect) = from.poll_effect() {
            if let ConnectionEffect::Send(frame) = effect {
                traffic.frames += 1;
                traffic.bytes += (frame.len() + frame_head(end, frame.len())) as u64;
                to.handle_frame(&frame, &NoJournals, now);
            }
        }
        if traffic.frames == before {
            break;
        }
        end = 1 - end;
    }
    traffic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f80_a_handshake_is_three_frames_and_takes_few_bytes() {
        let traffic = handshake("hub.example:443");
        // Hello, its answer and the proof: 105, 154 and 67 bytes; the heads of those that dial have a mask.
        assert_eq!(traffic, Traffic { frames: 3, bytes: 105 + 6 + 154 + 4 + 67 + 6 });
        assert!(traffic.bytes <= 420);
    }
}
