//! The connection's channels: opened, fed with messages, ended.

use crate::crypto::hash::Hash;
use crate::error::Fault;
use crate::ids::{Cursor, JournalId};
use crate::journal::set::Journal;
use crate::limits::{CHANNELS, CONNECTION_CREDIT_BYTES};
use crate::session::channel::{Allowed, Channel, ChannelEffect, Opening};
use crate::session::connection::pace::Rate;
use crate::session::connection::{ConnectionEffect, ConnectionMachine, Journals};
use crate::session::failure::PeerError;
use crate::session::message::{ChannelMessage, Message, Reason};
use crate::session::permission::Permission;
use crate::time::Instant;
use crate::verification::signed_root::SignedRoot;

impl ConnectionMachine {
    pub(super) fn handle_channel(
        &mut self,
        channel: u32,
        message: ChannelMessage,
        journals: &dyn Journals,
        now: Instant,
    ) -> Result<(), PeerError> {
        if let ChannelMessage::Open { journal, summary, root, sketch, cursor } = message {
            return self.asked_to_open(channel, Opening { journal, summary, root, sketch, cursor }, now);
        }
        if let ChannelMessage::Close(reason) = message {
            self.asked.remove(&channel);
            self.end_channel(channel, reason.into(), false);
            return Ok(());
        }
        // A message for a channel that was just closed here is late, not wrong.
        self.with_channel(channel, journals, now, |open, journal, effects| {
            open.handle(message, journal, now, effects)
        })
    }

    pub(super) fn asked_to_open(
        &mut self,
        channel: u32,
        opening: Opening,
        now: Instant,
    ) -> Result<(), PeerError> {
        if self.dialled {
            return Err(PeerError::Breach("the side that was dialled opens a channel"));
        }
        if channel < self.least_channel {
            return Err(PeerError::Breach("a channel is opened under a number that was used before"));
        }
        let used_up = PeerError::Breach("all channel numbers of this connection are used up");
        self.least_channel = channel.checked_add(1).ok_or(used_up)?;
        if self.openings.left(Rate::OPENINGS, now) == 0 {
            self.say_in(channel, ChannelMessage::Close(PeerError::TooOften.reason()));
            return Ok(());
        }
        self.openings.spend(1);
        // A new opening for the same journal is a new sync: it takes the place of the old.
        self.replace(opening.journal);
        let asked = self.asked.iter().filter(|(_, journal)| **journal == opening.journal);
        for number in asked.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.refuse(number, &PeerError::Cancelled);
        }
        if self.channels.len().saturating_add(self.asked.len()) >= CHANNELS {
            let reason = Reason::new("CHANNELS", "too many channels on one connection");
            self.say_in(channel, ChannelMessage::Close(reason));
            return Ok(());
        }
        self.asked.insert(channel, opening.journal);
        self.effects.push_back(ConnectionEffect::Asked { channel, opening });
        Ok(())
    }

    /// Ends the channels of a journal in favour of a new one.
    pub(super) fn replace(&mut self, journal: JournalId) {
        let old = self.channels.iter().filter(|(_, channel)| channel.journal() == journal);
        for number in old.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.end_channel(number, PeerError::Cancelled, true);
        }
    }

    /// Opens a channel: a sync of this journal begins.
    pub(crate) fn open_channel(
        &mut self,
        journal: &Journal,
        cursor: Option<Cursor>,
        journals: &dyn Journals,
        now: Instant,
    ) {
        if !self.is_open() {
            return;
        }
        self.replace(journal.id());
        let number = self.next_channel;
        let Some(next) = number.checked_add(1) else {
            return self.fail(PeerError::Breach("all channel numbers of this connection are used up"));
        };
        self.next_channel = next;
        let mut effects = Vec::new();
        let channel = Channel::open(journal, self.peer, cursor, now, &mut effects);
        self.channels.insert(number, channel);
        self.carry_out(number, journal.id(), effects);
        self.advance(journal.id(), journals, now);
    }

    /// The peer's opening is admitted.
    pub(crate) fn accept(
        &mut self,
        channel: u32,
        opening: &Opening,
        cursor: Option<Cursor>,
        journals: &dyn Journals,
        now: Instant,
    ) {
        // Loading the journal took time: the policy may have changed its mind.
        let permission = self.permission(opening.journal, journals);
        if permission == Permission::Denied {
            return self.refuse(channel, &PeerError::Denied);
        }
        let Some(journal) = journals.journal(opening.journal) else { return };
        if self.asked.remove(&channel).is_none() || !self.is_open() {
            return;
        }
        let mut effects = Vec::new();
        let allowed = Allowed { roomy: self.room() > 0, takes: permission == Permission::Write };
        let open = Channel::accept(journal, opening, (self.peer, cursor), allowed, now, &mut effects);
        self.channels.insert(channel, open);
        self.carry_out(channel, journal.id(), effects);
        self.advance(journal.id(), journals, now);
    }

    /// Asks the peer to sign for what it holds of a journal; false if no channel serves that.
    pub(crate) fn ask_receipt(
        &mut self,
        journal: JournalId,
        nonce: [u8; 32],
        previous: Option<Hash>,
    ) -> bool {
        let open = |channel: &Channel| channel.journal() == journal && !channel.is_opening();
        let channel = self.channels.iter().find(|(_, channel)| open(channel)).map(|(number, _)| *number);
        if let Some(number) = channel {
            self.say_in(number, ChannelMessage::AskReceipt { nonce, previous });
        }
        channel.is_some()
    }

    /// Gives the peer the receipt that it asked for in this channel.
    pub(crate) fn give_receipt(&mut self, channel: u32, statement: &SignedRoot, journals: &dyn Journals) {
        if self.admit(channel, journals).is_some() {
            self.say_in(channel, ChannelMessage::Receipt { statement: statement.to_bytes() });
        }
    }

    /// The peer's opening is not admitted.
    pub(crate) fn refuse(&mut self, channel: u32, error: &PeerError) {
        if self.asked.remove(&channel).is_some() {
            self.say_in(channel, ChannelMessage::Close(error.reason()));
        }
    }

    /// The journal of a channel, if the peer may still read it; else the channel ends, with nothing said but
    /// that.
    pub(super) fn admit(&mut self, number: u32, journals: &dyn Journals) -> Option<JournalId> {
        let id = self.channels.get(&number)?.journal();
        let permission = self.permission(id, journals);
        if permission == Permission::Denied {
            self.end_channel(number, PeerError::Denied, true);
            return None;
        }
        self.channels.get_mut(&number)?.set_takes(permission == Permission::Write);
        Some(id)
    }

    /// Whether what was read for a channel may still be sent.
    pub(crate) fn may_feed(&self, channel: u32, journals: &dyn Journals) -> bool {
        let journal = self.channels.get(&channel).map(Channel::journal);
        journal.is_some_and(|journal| self.permission(journal, journals) > Permission::Denied)
    }

    /// Lets one channel do something, then go on, and carries out what follows.
    pub(super) fn with_channel(
        &mut self,
        number: u32,
        journals: &dyn Journals,
        now: Instant,
        act: impl FnOnce(&mut Channel, &Journal, &mut Vec<ChannelEffect>) -> Result<(), PeerError>,
    ) -> Result<(), PeerError> {
        // In this order: may the peer at all; has it credit, which the channel charges before it reads; is
        // the journal here; does the transport take more. Who is refused by one, costs nothing of the next.
        let Some(id) = self.admit(number, journals) else { return Ok(()) };
        let room = self.room();
        self.starved |= room == 0;
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        channel.set_roomy(room > 0);
        let Some(journal) = journals.journal(id) else { return Ok(()) };
        let mut effects = Vec::new();
        self.longest = self.longest.max(journal.head());
        channel.set_steps(self.steps.left(Rate::of_steps(self.longest), now));
        let acted = act(channel, journal, &mut effects);
        self.steps.spend(channel.take_steps());
        let ended = match acted {
            Ok(()) => channel.advance(journal, room, now, &mut effects),
            Err(error) => Some(error),
        };
        // What is the peer's fault ends the connection, with all its channels.
        if let Some(error) = ended.as_ref().filter(|error| error.fault() == Fault::Peer) {
            return Err(error.clone());
        }
        self.carry_out(number, id, effects);
        if let Some(error) = ended {
            self.end_channel(number, error, true);
        }
        // An honest peer goes beyond its credit by less than an entry on each of a few channels.
        let unsettled = self.channels.values().map(Channel::unsettled_bytes);
        let unsettled = unsettled.fold(0u64, |sum, bytes| sum.saturating_add(bytes));
        if unsettled > CONNECTION_CREDIT_BYTES.saturating_mul(2) {
            return Err(PeerError::Breach("entries beyond the credit of the connection"));
        }
        Ok(())
    }

    pub(super) fn carry_out(&mut self, channel: u32, journal: JournalId, effects: Vec<ChannelEffect>) {
        let phase = self.channels.get_mut(&channel).and_then(Channel::new_phase);
        self.effects.extend(phase.map(|phase| ConnectionEffect::Phase { journal, phase }));
        for effect in effects {
            match effect {
                ChannelEffect::Say(message) => self.say_in(channel, message),
                ChannelEffect::Check { sequence, records } => {
                    self.checks.push(ConnectionEffect::Check { channel, sequence, journal, records });
                    self.start_checks();
                }
                ChannelEffect::Incoming { sequence, entries } => {
                    self.effects.push_back(ConnectionEffect::Incoming { channel, sequence, journal, entries })
                }
                ChannelEffect::Feed(feed) => {
                    self.feeding.insert(channel, feed.max_bytes);
                    self.effects.push_back(ConnectionEffect::Feed { channel, journal, feed });
                }
                ChannelEffect::Reached(cursor) => {
                    self.effects.push_back(ConnectionEffect::Reached { journal, cursor });
                }
                ChannelEffect::ReceiptAsked { nonce, previous } => {
                    let asked = ConnectionEffect::ReceiptAsked { channel, journal, nonce, previous };
                    self.effects.push_back(asked);
                }
                ChannelEffect::Receipt(statement) => {
                    self.effects.push_back(ConnectionEffect::Receipt { journal, statement });
                }
                ChannelEffect::Delivered(number) => {
                    self.effects.push_back(ConnectionEffect::Delivered { journal, number });
                }
                // Everything that was said before is counted by now.
                ChannelEffect::Synced => {
                    let synced = self.channels.get(&channel);
                    let effect = |channel: &Channel| {
                        let (at, report) = (channel.at(), channel.report());
                        ConnectionEffect::Synced { journal, at, report }
                    };
                    self.effects.extend(synced.map(effect));
                }
            }
        }
    }

    /// Has as many bundles checked as may be at once.
    pub(super) fn start_checks(&mut self) {
        while let Some(check) = self.checks.start() {
            self.effects.push_back(check);
        }
    }

    pub(super) fn end_channel(&mut self, number: u32, error: PeerError, tell: bool) {
        if let Some(channel) = self.channels.remove(&number) {
            self.checks.forget(number);
            if tell {
                self.say_in(number, ChannelMessage::Close(error.reason()));
            }
            let (journal, syncing) = (channel.journal(), channel.is_syncing());
            self.effects.push_back(ConnectionEffect::ChannelEnded { journal, syncing, error });
        }
    }

    pub(super) fn say_in(&mut self, channel: u32, message: ChannelMessage) {
        let sent = self.say(&Message::Channel { channel, message });
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.count_sent(sent);
        }
    }
}
