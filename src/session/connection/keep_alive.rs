//! The connection's deadlines: handshake, signs of life, silent channels.

use crate::limits::{DEAD, HANDSHAKE, IDLE, PING};
use crate::session::channel::Channel;
use crate::session::connection::{ConnectionMachine, Phase};
use crate::session::failure::PeerError;
use crate::session::message::Message;
use crate::time::Instant;

impl ConnectionMachine {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let alive = match &self.phase {
            Phase::Closed => return None,
            Phase::Dialling(_) | Phase::Accepting { .. } | Phase::Proving(_) => {
                return Some(self.since.after(HANDSHAKE));
            }
            Phase::Open if self.pinged.is_some() => self.heard.after(DEAD),
            Phase::Open => self.heard.after(PING),
        };
        let deadline = |channel: &Channel| Some(channel.deadline(self.reply)?.0);
        let channels = self.channels.values().filter_map(deadline);
        let idle = self.may_be_idle().then(|| self.used.after(IDLE));
        channels.chain([alive]).chain(idle).min()
    }

    /// Whether nothing is served that it was accepted for.
    fn may_be_idle(&self) -> bool {
        !self.dialled && self.channels.is_empty() && self.asked.is_empty()
    }

    /// Notes that it serves a journal now, if it does.
    pub(super) fn note_use(&mut self, now: Instant) {
        if !self.may_be_idle() {
            self.used = now;
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.note_use(now);
        match &self.phase {
            Phase::Closed => {}
            Phase::Dialling(_) | Phase::Accepting { .. } | Phase::Proving(_) => {
                if self.since.after(HANDSHAKE) <= now {
                    self.fail(PeerError::Timeout { waiting_for: "waiting for the handshake" });
                }
            }
            Phase::Open if self.heard.after(DEAD) <= now => {
                self.fail(PeerError::Timeout { waiting_for: "waiting for a sign of life" });
            }
            Phase::Open if self.may_be_idle() && self.used.after(IDLE) <= now => self.fail(PeerError::Idle),
            Phase::Open => {
                if self.pinged.is_none() && self.heard.after(PING) <= now {
                    self.pinged = Some(now);
                    self.pings = self.pings.saturating_add(1);
                    let number = self.pings;
                    self.say(&Message::Ping { number });
                }
                self.end_silent_channels(now);
            }
        }
    }

    pub(super) fn end_silent_channels(&mut self, now: Instant) {
        let silent = self.channels.iter().filter_map(|(number, channel)| {
            let (deadline, waiting_for) = channel.deadline(self.reply)?;
            (deadline <= now).then_some((*number, waiting_for))
        });
        for (number, waiting_for) in silent.collect::<Vec<_>>() {
            self.end_channel(number, PeerError::Timeout { waiting_for }, true);
        }
    }
}
