//! The peers that a node dials: their addresses, how the last attempts went, when the next is due.

use core::time::Duration;

use litemap::LiteMap;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::error::Fault;
use crate::ids::DeviceId;
use crate::limits::{BACK_OFF, BACK_OFF_MAX, BREACH_BACK_OFF, PEERS};
use crate::session::failure::PeerError;
use crate::time::Instant;

/// How a node stands with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerStatus {
    /// Not connected; the service is stopped or the next attempt is due.
    Idle,
    /// A connection is being made.
    Connecting,
    /// Connected with this device.
    Connected(DeviceId),
    /// Waiting before the next attempt.
    BackingOff,
}

/// A peer as its node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The address that is dialled.
    pub address: String,
    /// The device that must answer there, if it was given.
    pub device: Option<DeviceId>,
    /// How things stand.
    pub status: PeerStatus,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// What the last failure was.
    pub last_error: Option<PeerError>,
    /// How long until the next attempt, while one waits for that.
    pub next_attempt: Option<Duration>,
}

/// How long to wait after so many failures before: doubling to a cap, with full jitter.
pub(crate) fn back_off(failures: u32, rng: &mut ChaCha20Rng) -> Duration {
    let doubled = BACK_OFF.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX));
    let bound = u64::try_from(doubled.min(BACK_OFF_MAX).as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.next_u64() % bound.saturating_add(1))
}

/// Why a peer was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node keeps at most {PEERS} peers")]
pub(crate) struct TooManyPeers;

#[derive(Debug)]
enum State {
    Idle,
    /// Unneeded: it had hung up since there was nothing to sync.
    Waiting {
        until: Instant,
        unneeded: bool,
    },
    Dialling {
        connection: u64,
    },
    Connected {
        connection: u64,
        device: DeviceId,
    },
}

#[derive(Debug)]
struct Peer {
    address: String,
    device: Option<DeviceId>,
    state: State,
    failures: u32,
    last_error: Option<PeerError>,
}

/// See the module. Peers have numbers, which are never used again.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: LiteMap<u64, Peer>,
    next: u64,
}

impl Peers {
    /// Adds a peer; false if this address is there already, which then only learns the device.
    pub(crate) fn add(&mut self, address: String, device: Option<DeviceId>) -> Result<bool, TooManyPeers> {
        if let Some(peer) = self.peers.iter_mut().map(|(_, peer)| peer).find(|peer| peer.address == address) {
            peer.device = device.or(peer.device);
            return Ok(false);
        }
        if self.peers.len() >= PEERS {
            return Err(TooManyPeers);
        }
        let peer = Peer { address, device, state: State::Idle, failures: 0, last_error: None };
        self.peers.insert(self.next, peer);
        self.next = self.next.saturating_add(1);
        Ok(true)
    }

    /// Removes a peer; whether it was there, and its connection if it has one.
    pub(crate) fn remove(&mut self, address: &str) -> Option<Option<u64>> {
        let number = self.find(address)?;
        let peer = self.peers.remove(&number)?;
        Some(match peer.state {
            State::Dialling { connection } | State::Connected { connection, .. } => Some(connection),
            State::Idle | State::Waiting { .. } => None,
        })
    }

    /// The number of the peer with this address.
    pub(crate) fn find(&self, address: &str) -> Option<u64> {
        self.peers.iter().find(|(_, peer)| peer.address == address).map(|(number, _)| *number)
    }

    /// All peers, in the order in which they were added.
    pub(crate) fn list(&self, now: Instant) -> Vec<PeerInfo> {
        let info = |peer: &Peer| PeerInfo {
            address: peer.address.clone(),
            device: peer.device,
            status: match peer.state {
                State::Idle => PeerStatus::Idle,
                State::Waiting { .. } => PeerStatus::BackingOff,
                State::Dialling { .. } => PeerStatus::Connecting,
                State::Connected { device, .. } => PeerStatus::Connected(device),
            },
            failures: peer.failures,
            last_error: peer.last_error.clone(),
            next_attempt: match peer.state {
                State::Waiting { until, .. } => Some(until.since(now)),
                State::Idle | State::Dialling { .. } | State::Connected { .. } => None,
            },
        };
        self.peers.values().map(info).collect()
    }

    /// The address that is dialled, and the device expected there.
    pub(crate) fn address(&self, number: u64) -> Option<(&str, Option<DeviceId>)> {
        self.peers.get(&number).map(|peer| (peer.address.as_str(), peer.device))
    }

    /// The peer's connection, dialled or open.
    pub(crate) fn connection(&self, number: u64) -> Option<u64> {
        match self.peers.get(&number)?.state {
            State::Dialling { connection } | State::Connected { connection, .. } => Some(connection),
            State::Idle | State::Waiting { .. } => None,
        }
    }

    /// A connection is being made.
    pub(crate) fn dialling(&mut self, number: u64, connection: u64) {
        if let Some(peer) = self.peers.get_mut(&number) {
            peer.state = State::Dialling { connection };
        }
    }

    /// The peer is there.
    pub(crate) fn connected(&mut self, number: u64, connection: u64, device: DeviceId) {
        if let Some(peer) = self.peers.get_mut(&number) {
            peer.state = State::Connected { connection, device };
        }
    }

    /// A sync succeeded: the next failure starts from the shortest wait.
    pub(crate) fn succeeded(&mut self, number: u64) {
        if let Some(peer) = self.peers.get_mut(&number) {
            peer.failures = 0;
            peer.last_error = None;
        }
    }

    /// A sync failed though the connection goes on.
    pub(crate) fn sync_failed(&mut self, number: u64, error: &PeerError) {
        if let Some(peer) = self.peers.get_mut(&number) {
            peer.last_error = Some(error.clone());
        }
    }

    /// The connection ended or could not be made: the next attempt waits, longer each time, with full
    /// jitter; longest after a breach of protocol.
    pub(crate) fn failed(&mut self, number: u64, error: PeerError, now: Instant, rng: &mut ChaCha20Rng) {
        let Some(peer) = self.peers.get_mut(&number) else { return };
        let wait = if error.fault() == Fault::Peer { BREACH_BACK_OFF } else { back_off(peer.failures, rng) };
        peer.failures = peer.failures.saturating_add(1);
        let unneeded = error.is_idle();
        // Why there was nothing to sync says more.
        peer.last_error = peer.last_error.take().filter(|_| unneeded).or(Some(error));
        peer.state = State::Waiting { until: now.after(wait), unneeded };
    }

    /// There is something to do: those that hung up since there was nothing are dialled without a wait.
    pub(crate) fn wake_idle(&mut self) {
        for (_, peer) in self.peers.iter_mut() {
            if matches!(peer.state, State::Waiting { unneeded: true, .. }) {
                peer.state = State::Idle;
            }
        }
    }

    /// Not to be dialled until asked: the service stops.
    pub(crate) fn rest(&mut self) {
        for (_, peer) in self.peers.iter_mut() {
            peer.state = State::Idle;
        }
    }

    /// Peers to be dialled now.
    pub(crate) fn due(&self, now: Instant) -> Vec<u64> {
        let due = |peer: &Peer| match peer.state {
            State::Idle => true,
            State::Waiting { until, .. } => until <= now,
            State::Dialling { .. } | State::Connected { .. } => false,
        };
        self.peers.iter().filter(|(_, peer)| due(peer)).map(|(number, _)| *number).collect()
    }

    /// When the next attempt is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let until = |peer: &Peer| match peer.state {
            State::Waiting { until, .. } => Some(until),
            State::Idle | State::Dialling { .. } | State::Connected { .. } => None,
        };
        self.peers.values().filter_map(until).min()
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    fn unreachable() -> PeerError {
        PeerError::Timeout { waiting_for: "a test" }
    }

    #[test]
    fn b3_waits_grow_to_the_cap_and_differ_between_nodes() {
        let waits = |seed: u8| {
            let mut rng = ChaCha20Rng::from_seed([seed; 32]);
            let mut peers = Peers::default();
            peers.add("a".into(), None).unwrap();
            let now = Instant::from_micros(0);
            let mut wait = |peers: &mut Peers| {
                peers.failed(0, unreachable(), now, &mut rng);
                peers.deadline().unwrap().since(now)
            };
            (0..80).map(|_| wait(&mut peers)).collect::<Vec<_>>()
        };
        let (one, two) = (waits(1), waits(2));
        assert_ne!(one, two);
        for (failures, wait) in one.iter().enumerate() {
            let bound = Duration::from_secs(1 << failures.min(9)).min(BACK_OFF_MAX);
            assert!(*wait <= bound, "{failures}: {wait:?}");
        }
        assert!(one.iter().any(|wait| *wait > BACK_OFF_MAX / 2), "the cap is reached");
    }

    #[test]
    fn b3_a_breach_of_protocol_waits_longer_and_a_success_forgives() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut peers = Peers::default();
        peers.add("a".into(), None).unwrap();
        let now = Instant::from_micros(5);
        peers.failed(0, PeerError::Breach("a test"), now, &mut rng);
        assert_eq!(peers.deadline(), Some(now.after(BREACH_BACK_OFF)));
        let half = BREACH_BACK_OFF / 2;
        assert_eq!(peers.list(now.after(half))[0].next_attempt, Some(half));
        assert!(peers.due(now).is_empty());
        assert_eq!(peers.due(now.after(BREACH_BACK_OFF)), [0]);
        peers.succeeded(0);
        assert_eq!((peers.list(now)[0].failures, &peers.list(now)[0].last_error), (0, &None));
    }

    #[test]
    fn f26_adding_twice_is_one_peer_and_order_is_kept() {
        let mut peers = Peers::default();
        assert_eq!(peers.add("b".into(), None), Ok(true));
        assert_eq!(peers.add("a".into(), None), Ok(true));
        assert_eq!(peers.add("b".into(), None), Ok(false));
        let addresses: Vec<_> = peers.list(Instant::default()).into_iter().map(|peer| peer.address).collect();
        assert_eq!(addresses, ["b", "a"]);
        assert_eq!(peers.remove("c"), None, "not there");
        assert_eq!(peers.remove("b"), Some(None));
        for number in 0..PEERS {
            let added = peers.add(format!("p{number}"), None);
            assert_eq!(added.is_ok(), number + 1 < PEERS);
        }
    }
}
