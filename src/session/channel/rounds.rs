//! Rounds: what can be sent is sent, both roots are compared, and either that was it or a further round begins.

use crate::ids::Cursor;
use crate::journal::set::Journal;
use crate::limits::{FRUITLESS_ROUNDS, ROUNDS};
use crate::merkle::subtree::Root;
use crate::reconcile::descent::Descent;
use crate::session::channel::budget::Budget;
use crate::session::channel::{Channel, ChannelEffect, Phase, Round};
use crate::session::failure::PeerError;
use crate::session::feed::{Fed, Next};
use crate::session::message::ChannelMessage;
use crate::time::Instant;

impl Channel {
    /// Both roots are known and differ: the acceptor is ready for the next round's questions.
    pub(super) fn answer_again(&mut self, journal: &Journal, now: Instant) {
        if !self.opener && matches!(self.phase, Phase::Exchanging) && self.round_is_over() {
            self.next_round(journal, now);
            self.phase = Phase::Answering(Vec::new());
        }
    }

    fn round_is_over(&self) -> bool {
        self.round.mine.is_some() && self.round.theirs.is_some()
    }

    /// A further round finds what the one before did not: in the parts that are left, else by a descent.
    fn next_round(&mut self, journal: &Journal, now: Instant) {
        self.fruitless = if self.round.fruitful { 0 } else { self.fruitless.saturating_add(1) };
        self.round = Round { head: journal.head(), budget: Budget::new(now), ..Round::default() };
        self.report.rounds = self.report.rounds.saturating_add(1);
        self.outgoing.hold();
    }

    /// A read of the store has been sent.
    pub(crate) fn fed(&mut self, fed: Fed) {
        self.outgoing.fed(fed);
        self.round.fruitful |= fed.entries > 0;
        self.report.entries_sent = self.report.entries_sent.saturating_add(fed.entries);
        self.report.bytes_sent = self.report.bytes_sent.saturating_add(fed.bytes);
    }

    /// Goes on with whatever can go on. To be called after every other call, with the room in bytes
    /// that is left towards the peer.
    pub(crate) fn advance(
        &mut self,
        journal: &Journal,
        room: usize,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Option<PeerError> {
        if let Err(error) = self.repeated.check() {
            return Some(error);
        }
        self.send_what_can_be_sent(journal, room, effects);
        if !matches!(self.phase, Phase::Exchanging) {
            return None;
        }
        let theirs_is_here = self.round.sent_after.is_some_and(|last| last <= self.incoming.settled);
        if self.round.mine.is_none() && theirs_is_here && self.outgoing.is_settled() {
            let root = self.view.root(journal);
            self.round.mine = Some(root);
            effects.push(ChannelEffect::Say(ChannelMessage::Root(root)));
        }
        match (self.round.mine, self.round.theirs) {
            (Some(mine), Some(theirs)) if mine == theirs => {
                self.conclude(mine, now, effects);
                self.send_what_can_be_sent(journal, room, effects);
            }
            (Some(_), Some(_)) => {
                if self.fruitless >= FRUITLESS_ROUNDS || self.report.rounds >= ROUNDS {
                    return Some(PeerError::NoProgress);
                }
                if self.opener {
                    self.next_round(journal, now);
                    // Parts in which nothing is found could go on for longer than anybody waits.
                    self.phase = match self.left.take().filter(|_| self.fruitless == 0) {
                        Some(decoding) => Phase::Decoding(decoding),
                        None => Phase::Descending(Descent::new()),
                    };
                    self.ask(journal, effects);
                }
            }
            (None, _) | (_, None) => {}
        }
        None
    }

    fn send_what_can_be_sent(&mut self, journal: &Journal, room: usize, effects: &mut Vec<ChannelEffect>) {
        loop {
            match self.outgoing.next(journal.head(), room) {
                Next::Feed(feed) => effects.push(ChannelEffect::Feed(feed)),
                Next::SaySent => effects.push(ChannelEffect::Say(ChannelMessage::Sent)),
                Next::SayUpto(number) => {
                    effects.push(ChannelEffect::Say(ChannelMessage::Upto { number }));
                }
                Next::Wait => break,
            }
        }
    }

    /// The roots are equal.
    pub(super) fn conclude(&mut self, root: Root, now: Instant, effects: &mut Vec<ChannelEffect>) {
        self.phase = Phase::Live;
        self.outgoing.go_live(self.view.at());
        (self.cursor_counts, self.all_counts) = (true, true);
        self.report.refused = self.report.refused.saturating_add(self.view.refused() as u64);
        self.report.duration = now.since(self.opened);
        self.report.root = root;
        // What the peer has sent live already is here too.
        let number = self.peer.number.max(self.incoming.followed);
        effects.push(ChannelEffect::Reached(Cursor { number, ..self.peer }));
        self.durable = number;
        if number > self.peer.number {
            self.say_credit(0, effects);
        }
        self.say_delivered(self.view.at(), effects);
        effects.push(ChannelEffect::Synced);
    }
}
