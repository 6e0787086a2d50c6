//! Channels that ended while their connection goes on: when each journal is to be tried again.

use litemap::LiteMap;

use rand_chacha::ChaCha20Rng;

use crate::ids::JournalId;
use crate::service::peers::back_off;
use crate::time::Instant;

#[derive(Debug)]
struct Attempt {
    failures: u32,
    /// Nothing once it has been made.
    due: Option<Instant>,
}

/// See the module. By the peer's number and the journal.
#[derive(Debug, Default)]
pub(crate) struct Reopenings(LiteMap<(u64, JournalId), Attempt>);

impl Reopenings {
    /// A channel ended: it is tried again after a wait that grows with each failure.
    pub(crate) fn failed(&mut self, peer: u64, journal: JournalId, now: Instant, rng: &mut ChaCha20Rng) {
        let attempt = self.0.entry((peer, journal)).or_insert(Attempt { failures: 0, due: None });
        attempt.due = Some(now.after(back_off(attempt.failures, rng)));
        attempt.failures = attempt.failures.saturating_add(1);
    }

    /// A sync succeeded.
    pub(crate) fn succeeded(&mut self, peer: u64, journal: JournalId) {
        self.0.remove(&(peer, journal));
    }

    /// The connection is gone: the next one opens all channels.
    pub(crate) fn disconnected(&mut self, peer: u64) {
        self.0.retain(|(other, _), _| *other != peer);
    }

    /// What is to be tried now; each is said once.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(u64, JournalId)> {
        let due = |attempt: &mut Attempt| attempt.due.take_if(|due| *due <= now).is_some();
        self.0.iter_mut().filter_map(|(key, attempt)| due(attempt).then_some(*key)).collect()
    }

    /// When the next is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(|attempt| attempt.due).min()
    }
}
