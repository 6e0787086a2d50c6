//! The machine's connections: made, lost, and what they ask for.

use rand_core::Rng;

use crate::error::Fault;
use crate::ids::{Cursor, DeviceId, JournalId};
use crate::journal::machine::BundleId;
use crate::service::event::Event;
use crate::service::machine::journals::{Slot, Slots};
use crate::service::machine::{CURSORS, Link, Machine};
use crate::service::routing::{ConnectionId, Effect};
use crate::session::connection::{ConnectionEffect, ConnectionMachine};
use crate::session::failure::PeerError;
use crate::session::handshake::Dialler;
use crate::time::Now;

impl Machine {
    pub(super) fn dial_due(&mut self, now: Now) {
        if self.running {
            for peer in self.peers.due(now.monotonic) {
                self.dial(peer);
            }
        }
    }

    pub(super) fn dial(&mut self, peer: u64) {
        let Some((address, _)) = self.peers.address(peer) else { return };
        let address = address.to_owned();
        let connection = self.next_connection();
        self.peers.dialling(peer, connection);
        let link = Link { machine: None, peer: Some(peer), name: address.clone(), device: None };
        self.links.insert(connection, link);
        self.effects.push_back(Effect::Dial { connection, address });
    }

    pub(super) fn dialled(
        &mut self,
        connection: ConnectionId,
        canonical: String,
        binding: Vec<u8>,
        now: Now,
    ) {
        let nonce = self.nonce();
        let Some(link) = self.links.get_mut(&connection) else { return };
        let expected = link.peer.and_then(|peer| self.peers.address(peer)?.1);
        let hello = ConnectionMachine::hello(self.key.device(), self.store, nonce, canonical);
        let dialler = Dialler { hello, expected, binding };
        let machine = ConnectionMachine::dial(self.key.clone(), dialler, now.monotonic);
        link.machine = Some(Box::new(machine.with_reply(self.config.reply)));
        self.drain_connection(connection, now);
    }

    pub(super) fn accepted(&mut self, connection: ConnectionId, remote: String, binding: Vec<u8>, now: Now) {
        if !self.accepts() {
            let reason = "this node takes no more connections".into();
            self.effects.push_back(Effect::Close { connection, reason });
            return;
        }
        let (nonce, names) = (self.nonce(), self.config.names.clone());
        let own = (self.key.clone(), self.store);
        let machine = ConnectionMachine::accept_connection(own, nonce, names, binding, now.monotonic);
        let machine = machine.with_reply(self.config.reply);
        let link = Link { machine: Some(Box::new(machine)), peer: None, name: remote, device: None };
        self.links.insert(connection, link);
    }

    pub(super) fn nonce(&mut self) -> [u8; 32] {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        nonce
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId, error: PeerError, now: Now) {
        match self.links.get_mut(&connection).map(|link| &mut link.machine) {
            Some(Some(machine)) => {
                machine.close(error);
                self.drain_connection(connection, now);
            }
            Some(None) => self.closed(connection, error, now),
            None => {}
        }
    }

    /// Ends a connection from this side.
    pub(super) fn end_connection(&mut self, connection: ConnectionId, error: &PeerError, now: Now) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        match &mut link.machine {
            Some(machine) => {
                machine.fail(error.clone());
                self.drain_connection(connection, now);
            }
            None => {
                self.closed(connection, error.clone(), now);
            }
        }
    }

    /// A connection is over.
    pub(super) fn closed(&mut self, connection: ConnectionId, error: PeerError, now: Now) {
        let Some(link) = self.links.remove(&connection) else { return };
        if let (None, Some(device), Fault::Peer) = (link.peer, link.device, error.fault()) {
            self.put_aside.put(device, now.monotonic);
        }
        self.effects.push_back(Effect::Close { connection, reason: error.to_string() });
        let ended = self.receipts.end(connection, None, &error);
        self.receipted(ended);
        if let Some(peer) = link.peer {
            self.resolve(peer, None, &Err(error.clone()), now);
            self.reopenings.disconnected(peer);
            // To be stopped is no failure.
            if self.running {
                self.peers.failed(peer, error.clone(), now.monotonic, &mut self.rng);
            }
        }
        self.effects.push_back(Effect::Event(Event::Disconnected { peer: link.name, error }));
    }

    pub(super) fn with_connection(
        &mut self,
        connection: ConnectionId,
        now: Now,
        act: impl FnOnce(&mut ConnectionMachine, &Slots),
    ) {
        if let Some(Link { machine: Some(machine), .. }) = self.links.get_mut(&connection) {
            act(machine, &self.slots);
            self.drain_connection(connection, now);
        }
    }

    /// Carries out what a connection asks for.
    pub(super) fn drain_connection(&mut self, connection: ConnectionId, now: Now) {
        loop {
            let link = self.links.get_mut(&connection);
            let Some(effect) =
                link.and_then(|link| link.machine.as_mut()).and_then(|machine| machine.poll_effect())
            else {
                return;
            };
            self.connection_effect(connection, effect, now);
        }
    }

    pub(super) fn connection_effect(&mut self, connection: ConnectionId, effect: ConnectionEffect, now: Now) {
        let peer = self.links.get(&connection).and_then(|link| link.peer);
        match effect {
            ConnectionEffect::Send(frame) => self.effects.push_back(Effect::Send { connection, frame }),
            ConnectionEffect::Authenticated(device) => {
                self.authenticated(connection, device, now);
            }
            ConnectionEffect::Asked { channel, opening } => {
                self.asked(connection, channel, opening, now);
            }
            ConnectionEffect::Check { channel, sequence, journal, records } => {
                self.effects.push_back(Effect::Check { connection, channel, sequence, journal, records });
            }
            ConnectionEffect::Incoming { channel, sequence, journal, entries } => {
                let bundle = BundleId::Peer { connection, channel, sequence };
                self.with_journal(journal, now, |machine| machine.incoming(bundle, entries));
            }
            ConnectionEffect::Feed { channel, journal, feed } => {
                self.effects.push_back(Effect::Feed { connection, channel, journal, feed });
            }
            ConnectionEffect::Reached { journal, cursor } => {
                if let Some(device) = self.links.get(&connection).and_then(|link| link.device) {
                    self.keep_cursor(journal, device, cursor);
                }
            }
            ConnectionEffect::ReceiptAsked { channel, journal, nonce, previous } => {
                let signed = self.sign_root(journal, nonce, previous, now.wall);
                if let Some(statement) = signed {
                    self.with_connection(connection, now, |machine, journals| {
                        machine.give_receipt(channel, &statement, journals);
                    });
                }
            }
            ConnectionEffect::Receipt { journal, statement } => {
                let device = self.links.get(&connection).and_then(|link| link.device);
                if let Some(outcome) = self.receipts.take(connection, device, journal, *statement) {
                    let error = outcome.1.as_ref().err().cloned();
                    self.receipted(vec![outcome]);
                    if let Some(error) = error {
                        self.end_connection(connection, &error, now);
                    }
                }
            }
            ConnectionEffect::Delivered { journal, number } => {
                let link = self.links.get(&connection);
                let of = link.and_then(|link| Some((link.name.clone(), link.device?)));
                if let Some((peer, device)) = of
                    && self.deliveries.note(journal, device, number)
                {
                    let delivered = Event::Delivered { peer, device, journal, upto: number };
                    self.effects.push_back(Effect::Event(delivered));
                }
            }
            ConnectionEffect::Synced { journal, at, report } => {
                let Some(link) = self.links.get(&connection) else { return };
                let (name, device) = (link.name.clone(), link.device);
                if let Some(peer) = peer {
                    self.peers.succeeded(peer);
                    self.reopenings.succeeded(peer, journal);
                    self.resolve(peer, Some(journal), &Ok((at, report)), now);
                    self.remember(journal, device);
                    // Whoever asked for a sync after writing is answered by one about that.
                    if self.waiting.iter().any(|waiting| waiting.peer == peer && waiting.journal == journal) {
                        self.open_channel(connection, journal, now);
                    }
                }
                self.effects.push_back(Effect::Event(Event::Synced { peer: name, journal, report }));
            }
            ConnectionEffect::Phase { journal, phase } => {
                let Some(peer) = self.links.get(&connection).map(|link| link.name.clone()) else { return };
                self.effects.push_back(Effect::Event(Event::Phase { peer, journal, phase }));
            }
            ConnectionEffect::ChannelEnded { journal, syncing, error } => {
                self.tell_if_failed(connection, journal, syncing, &error);
                self.channel_ended(connection, peer, journal, &error, now);
            }
            ConnectionEffect::Closed(error) => self.closed(connection, error, now),
        }
    }

    /// Tells those who listen that a sync failed. A new one may have taken its place, here or there; and of a
    /// journal that was live the end of its connection says enough.
    pub(super) fn tell_if_failed(
        &mut self,
        connection: ConnectionId,
        journal: JournalId,
        syncing: bool,
        error: &PeerError,
    ) {
        let Some(link) = self.links.get(&connection) else { return };
        let is_open = link.machine.as_ref().is_some_and(|machine| machine.is_open());
        if if is_open { !error.is_cancelled() } else { syncing } {
            let failed = Event::SyncFailed { peer: link.name.clone(), journal, error: error.clone() };
            self.effects.push_back(Effect::Event(failed));
        }
    }

    pub(super) fn channel_ended(
        &mut self,
        connection: ConnectionId,
        peer: Option<u64>,
        journal: JournalId,
        error: &PeerError,
        now: Now,
    ) {
        let ended = self.receipts.end(connection, Some(journal), error);
        self.receipted(ended);
        let Some(peer) = peer else { return };
        let device = self.links.get(&connection).and_then(|link| link.device);
        self.remember(journal, device);
        // Ended in favour of a newer sync, whose end those who wait will hear of.
        let is_open = |link: &Link| link.machine.as_ref().is_some_and(|machine| machine.is_open());
        let goes_on = *error == PeerError::Cancelled && self.links.get(&connection).is_some_and(is_open);
        if !goes_on {
            self.resolve(peer, Some(journal), &Err(error.clone()), now);
        }
        if error.fault() == Fault::Network {
            // A peer that does not answer in one channel is dialled anew, with back-off.
            self.end_connection(connection, error, now);
        } else if !goes_on && self.links.get(&connection).is_some_and(is_open) {
            // The journal alone is tried again: the peer may have room for it later, or this store may.
            self.peers.sync_failed(peer, error);
            self.reopenings.failed(peer, journal, now.monotonic, &mut self.rng);
        }
    }

    pub(super) fn authenticated(&mut self, connection: ConnectionId, device: DeviceId, now: Now) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if link.peer.is_none() && self.put_aside.holds(&device, now.monotonic) {
            return self.end_connection(connection, &PeerError::PutAside, now);
        }
        link.device = Some(device);
        let (peer, name) = (link.peer, link.name.clone());
        self.effects.push_back(Effect::Event(Event::Connected { peer: name, device }));
        if let Some(peer) = peer {
            self.peers.connected(peer, connection, device);
            let pinned = |slot: &Slot| matches!(slot, Slot::Loaded { pinned: true, .. });
            let journals = self.slots.all.iter().filter(|(_, slot)| pinned(slot)).map(|(id, _)| *id);
            for journal in journals.collect::<Vec<_>>() {
                self.open_channel(connection, journal, now);
            }
        }
    }

    pub(super) fn keep_cursor(&mut self, journal: JournalId, device: DeviceId, cursor: Cursor) {
        match self.cursors.get_mut(&(journal, device)) {
            Some(kept) if kept.store == cursor.store => kept.number = kept.number.max(cursor.number),
            Some(kept) => *kept = cursor,
            None => {
                if self.cursors.len() >= CURSORS
                    && let Some(first) = self.cursors.first().map(|(key, _)| *key)
                {
                    self.cursors.remove(&first);
                }
                self.cursors.insert((journal, device), cursor);
            }
        }
    }

    /// Has the cursor into a dialled peer's store kept.
    pub(super) fn remember(&mut self, journal: JournalId, device: Option<DeviceId>) {
        let Some(device) = device else { return };
        if let Some(&cursor) = self.cursors.get(&(journal, device)) {
            self.effects.push_back(Effect::Remember { journal, device, cursor });
        }
    }
}
