//! The sync service: joins journals, connections and peers.
//!
//! # Contract
//! [`handle`](Machine::handle) one input with the time; then [`poll_effect`](Machine::poll_effect)
//! until there is none, carrying each out in order; then [`work`](Machine::work) in slices of a few
//! milliseconds while [`has_work`](Machine::has_work), each followed by its effects; then wait for the
//! next input or for [`poll_deadline`](Machine::poll_deadline), which is an input too. The machine
//! never waits, and knows no clock, no randomness but its seed, no store.

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::crypto::sign::DeviceKey;
use crate::error::{Fault, StoreError};
use crate::ids::{Cursor, DeviceId, JournalId};
use crate::journal::machine::{BundleId, JournalEffect, JournalMachine, Ticket};
use crate::journal::set::Journal;
use crate::service::config::Config;
use crate::service::event::Event;
use crate::service::peers::{PeerInfo, Peers};
use crate::service::routing::{ConnectionId, Effect, Input};
use crate::session::channel::{Opening, SyncReport};
use crate::session::connection::{ConnectionEffect, ConnectionMachine, Journals};
use crate::session::failure::PeerError;
use crate::session::handshake::Dialler;
use crate::time::{Instant, Now};

/// Cursors into peers' stores that are kept in memory.
const CURSORS: usize = 4_096;

/// A journal here.
#[derive(Debug)]
enum Slot {
    /// Being loaded; who waits for it.
    Loading { tickets: Vec<Ticket>, openings: Vec<(ConnectionId, u32, Opening)> },
    /// In memory. Pinned: not to be unloaded.
    Loaded { machine: Box<JournalMachine>, pinned: bool },
}

#[derive(Debug, Default)]
struct Slots(BTreeMap<JournalId, Slot>);

impl Slots {
    fn machine(&mut self, id: JournalId) -> Option<&mut JournalMachine> {
        match self.0.get_mut(&id)? {
            Slot::Loaded { machine, .. } => Some(machine),
            Slot::Loading { .. } => None,
        }
    }
}

impl Journals for Slots {
    fn journal(&self, id: JournalId) -> Option<&Journal> {
        match self.0.get(&id)? {
            Slot::Loaded { machine, .. } => Some(machine.journal()),
            Slot::Loading { .. } => None,
        }
    }
}

/// The other end of a connection.
#[derive(Debug)]
struct Link {
    /// Nothing while the transport is being connected.
    machine: Option<ConnectionMachine>,
    /// The peer's number, of one that was dialled.
    peer: Option<u64>,
    /// Address dialled, or where it came from.
    name: String,
    device: Option<DeviceId>,
}

/// A caller that waits for a sync.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    peer: u64,
    journal: JournalId,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    config: Config,
    key: DeviceKey,
    rng: ChaCha20Rng,
    running: bool,
    slots: Slots,
    links: BTreeMap<ConnectionId, Link>,
    next_connection: ConnectionId,
    peers: Peers,
    waiting: Vec<Waiting>,
    cursors: BTreeMap<(JournalId, DeviceId), Cursor>,
    effects: VecDeque<Effect>,
}

impl Machine {
    /// A stopped service of the device with this key. `seed` is 32 fresh random bytes.
    pub(crate) fn new(config: Config, key: DeviceKey, seed: [u8; 32]) -> Self {
        Self {
            config,
            key,
            rng: ChaCha20Rng::from_seed(seed),
            running: false,
            slots: Slots::default(),
            links: BTreeMap::new(),
            next_connection: 0,
            peers: Peers::default(),
            waiting: Vec::new(),
            cursors: BTreeMap::new(),
            effects: VecDeque::new(),
        }
    }

    /// Whether it runs.
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Its device.
    pub(crate) fn device(&self) -> DeviceId {
        self.key.device()
    }

    /// The peers that it dials.
    pub(crate) fn peers(&self) -> Vec<PeerInfo> {
        self.peers.list()
    }

    /// The journal with this id, if it is in memory.
    pub(crate) fn journal(&self, id: JournalId) -> Option<&Journal> {
        self.slots.journal(id)
    }

    /// The number for the next connection that is accepted.
    pub(crate) fn next_connection(&mut self) -> ConnectionId {
        let connection = self.next_connection;
        self.next_connection = connection.saturating_add(1);
        connection
    }

    /// Connections that are open or being made.
    pub(crate) fn connections(&self) -> usize {
        self.links.len()
    }

    /// Whether one more connection may be accepted.
    pub(crate) fn accepts(&self) -> bool {
        self.running && self.links.len() < self.config.connections
    }

    /// See the module.
    pub(crate) fn handle(&mut self, input: Input, now: Now) {
        let wall = now.wall;
        match input {
            Input::Start => self.start(now),
            Input::Stop => self.stop(now),
            Input::Open { ticket, journal } => self.open(ticket, journal),
            Input::Append { ticket, journal, drafts } => match self.slots.machine(journal) {
                Some(machine) => {
                    machine.append(ticket, drafts, wall);
                    self.drain_journal(journal, now);
                }
                None => {
                    let error = StoreError::Failed("the journal is not open".into());
                    self.effects.push_back(Effect::Appended { ticket, appended: Err(error) });
                }
            },
            Input::AddPeer { address, device } => {
                // The bound is checked by the caller, who can say so.
                if self.peers.add(address, device).is_ok() {
                    self.dial_due(now);
                }
            }
            Input::RemovePeer { address } => self.remove_peer(&address, now),
            Input::Sync { ticket, journal, address } => self.sync(ticket, journal, &address, now),
            Input::Loaded { journal, loaded } => self.loaded(journal, loaded, now),
            Input::Committed { journal } => self.with_journal(journal, now, |machine| machine.committed(wall)),
            Input::Behind { journal } => self.with_journal(journal, now, JournalMachine::behind),
            Input::CommitFailed { journal, error } => {
                self.with_journal(journal, now, |machine| machine.commit_failed(&error, wall));
            }
            Input::Followed { journal, entries, all } => self.with_journal(journal, now, |machine| {
                machine.followed(&entries, wall);
                if all {
                    machine.up_to_date(wall);
                }
            }),
            Input::StoreChanged { journal, head } => {
                self.with_journal(journal, now, |machine| machine.store_changed(head));
            }
            Input::Dialled { connection, canonical, binding } => {
                self.dialled(connection, canonical, binding, now);
            }
            Input::Accepted { connection, remote, binding } => {
                self.accepted(connection, remote, binding, now);
            }
            Input::Frame { connection, frame } => {
                self.with_connection(connection, now, |machine, journals| {
                    machine.handle_frame(&frame, journals, now.monotonic);
                });
            }
            Input::Drained { connection, bytes } => {
                self.with_connection(connection, now, |machine, journals| {
                    machine.drained(bytes, journals, now.monotonic);
                });
            }
            Input::Disconnected { connection, error } => self.disconnected(connection, error, now),
            Input::Checked { connection, channel, sequence, verdicts } => {
                self.with_connection(connection, now, |machine, journals| {
                    machine.checked(channel, sequence, verdicts, journals, now.monotonic);
                });
            }
            Input::Fed { connection, channel, fed, queued } => {
                self.with_connection(connection, now, |machine, journals| {
                    machine.fed(channel, fed, queued, journals, now.monotonic);
                });
            }
            Input::FeedFailed { connection, channel, error } => {
                self.with_connection(connection, now, |machine, _| machine.store_failed(channel, error));
            }
            Input::Timeout => self.timeout(now),
        }
    }

    fn start(&mut self, now: Now) {
        if !self.running {
            self.running = true;
            self.effects.push_back(Effect::Event(Event::Started));
            self.dial_due(now);
        }
    }

    fn stop(&mut self, now: Now) {
        if !self.running {
            return;
        }
        self.running = false;
        for connection in self.links.keys().copied().collect::<Vec<_>>() {
            self.end_connection(connection, &PeerError::Cancelled, now);
        }
        self.peers.rest();
        for Waiting { ticket, .. } in std::mem::take(&mut self.waiting) {
            self.effects.push_back(Effect::Synced { ticket, synced: Err(PeerError::Cancelled) });
        }
        self.effects.push_back(Effect::Event(Event::Stopped));
    }

    /// Ends a connection from this side.
    fn end_connection(&mut self, connection: ConnectionId, error: &PeerError, now: Now) {
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

    fn open(&mut self, ticket: Ticket, journal: JournalId) {
        match self.slots.0.get_mut(&journal) {
            Some(Slot::Loading { tickets, .. }) => tickets.push(ticket),
            Some(Slot::Loaded { pinned, .. }) => {
                *pinned = true;
                self.effects.push_back(Effect::Opened { ticket, opened: Ok(()) });
            }
            None => self.load(journal, vec![ticket], Vec::new()),
        }
    }

    fn load(&mut self, journal: JournalId, tickets: Vec<Ticket>, openings: Vec<(ConnectionId, u32, Opening)>) {
        self.slots.0.insert(journal, Slot::Loading { tickets, openings });
        self.effects.push_back(Effect::Load { journal });
    }

    fn loaded(
        &mut self,
        journal: JournalId,
        loaded: Result<(Journal, Vec<(DeviceId, Cursor)>), StoreError>,
        now: Now,
    ) {
        let Some(Slot::Loading { tickets, openings }) = self.slots.0.remove(&journal) else { return };
        let opened = loaded.map(|(journal_state, cursors)| {
            for (device, cursor) in cursors {
                self.keep_cursor(journal, device, cursor);
            }
            let machine = Box::new(JournalMachine::new(journal_state, self.key.clone()));
            let pinned = !tickets.is_empty();
            self.slots.0.insert(journal, Slot::Loaded { machine, pinned });
            pinned
        });
        for ticket in tickets {
            let opened = opened.clone().map(drop);
            self.effects.push_back(Effect::Opened { ticket, opened });
        }
        for (connection, channel, opening) in openings {
            match &opened {
                Ok(_) => self.accept_opening(connection, channel, &opening, now),
                Err(error) => self.refuse_opening(connection, channel, &error.clone().into(), now),
            }
        }
        if opened == Ok(true) {
            for connection in self.links.keys().copied().collect::<Vec<_>>() {
                self.open_channel(connection, journal, now);
            }
        }
    }

    /// Begins a sync of a journal on a connection that was dialled.
    fn open_channel(&mut self, connection: ConnectionId, journal: JournalId, now: Now) {
        let Some(link) = self.links.get_mut(&connection).filter(|link| link.peer.is_some()) else { return };
        let (Some(machine), Some(device)) = (&mut link.machine, link.device) else { return };
        let cursor = self.cursors.get(&(journal, device)).copied();
        if let Some(state) = self.slots.journal(journal) {
            machine.open_channel(state, cursor, &self.slots, now.monotonic);
            self.drain_connection(connection, now);
        }
    }

    fn asked(&mut self, connection: ConnectionId, channel: u32, opening: Opening, now: Now) {
        let journal = opening.journal;
        if let Some(Slot::Loading { openings, .. }) = self.slots.0.get_mut(&journal) {
            openings.push((connection, channel, opening));
        } else if self.slots.0.contains_key(&journal) {
            self.accept_opening(connection, channel, &opening, now);
        } else if self.config.admission.admits(journal) && self.make_room() {
            self.load(journal, Vec::new(), vec![(connection, channel, opening)]);
        } else {
            self.refuse_opening(connection, channel, &PeerError::NotServed, now);
        }
    }

    fn accept_opening(&mut self, connection: ConnectionId, channel: u32, opening: &Opening, now: Now) {
        let Some(Link { machine: Some(machine), device: Some(device), .. }) = self.links.get_mut(&connection)
        else {
            return;
        };
        let cursor = self.cursors.get(&(opening.journal, *device)).copied();
        machine.accept(channel, opening, cursor, &self.slots, now.monotonic);
        self.drain_connection(connection, now);
    }

    fn refuse_opening(&mut self, connection: ConnectionId, channel: u32, error: &PeerError, now: Now) {
        if let Some(Link { machine: Some(machine), .. }) = self.links.get_mut(&connection) {
            machine.refuse(channel, error);
            self.drain_connection(connection, now);
        }
    }

    /// Unloads a journal that nobody needs if as many are loaded as may be; whether there is room now.
    fn make_room(&mut self) -> bool {
        if self.slots.0.len() < self.config.journals.max(1) {
            return true;
        }
        let serves = |links: &BTreeMap<ConnectionId, Link>, id| {
            links.values().any(|link| link.machine.as_ref().is_some_and(|machine| machine.serves(id)))
        };
        let unneeded = self.slots.0.iter().find_map(|(id, slot)| match slot {
            Slot::Loaded { machine, pinned: false } => {
                (machine.is_idle() && !serves(&self.links, *id)).then_some(*id)
            }
            Slot::Loaded { .. } | Slot::Loading { .. } => None,
        });
        if let Some(journal) = unneeded {
            self.slots.0.remove(&journal);
            self.effects.push_back(Effect::Unload { journal });
        }
        unneeded.is_some()
    }

    fn dial_due(&mut self, now: Now) {
        if self.running {
            for peer in self.peers.due(now.monotonic) {
                self.dial(peer);
            }
        }
    }

    fn dial(&mut self, peer: u64) {
        let Some((address, _)) = self.peers.address(peer) else { return };
        let address = address.to_owned();
        let connection = self.next_connection();
        self.peers.dialling(peer, connection);
        let link = Link { machine: None, peer: Some(peer), name: address.clone(), device: None };
        self.links.insert(connection, link);
        self.effects.push_back(Effect::Dial { connection, address });
    }

    fn dialled(&mut self, connection: ConnectionId, canonical: String, binding: Vec<u8>, now: Now) {
        let nonce = self.nonce();
        let Some(link) = self.links.get_mut(&connection) else { return };
        let expected = link.peer.and_then(|peer| self.peers.address(peer)?.1);
        let hello = ConnectionMachine::hello(self.key.device(), nonce, canonical);
        let dialler = Dialler { hello, expected, binding };
        link.machine = Some(ConnectionMachine::dial(self.key.clone(), dialler, now.monotonic));
        self.drain_connection(connection, now);
    }

    fn accepted(&mut self, connection: ConnectionId, remote: String, binding: Vec<u8>, now: Now) {
        if !self.accepts() {
            let reason = "this node takes no more connections".into();
            self.effects.push_back(Effect::Close { connection, reason });
            return;
        }
        let (nonce, names) = (self.nonce(), self.config.names.clone());
        let machine = ConnectionMachine::accept_connection(self.key.clone(), nonce, names, binding, now.monotonic);
        let link = Link { machine: Some(machine), peer: None, name: remote, device: None };
        self.links.insert(connection, link);
    }

    fn nonce(&mut self) -> [u8; 32] {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        nonce
    }

    fn disconnected(&mut self, connection: ConnectionId, error: PeerError, now: Now) {
        match self.links.get_mut(&connection).map(|link| &mut link.machine) {
            Some(Some(machine)) => {
                machine.close(error);
                self.drain_connection(connection, now);
            }
            Some(None) => self.closed(connection, error, now),
            None => {}
        }
    }

    /// A connection is over.
    fn closed(&mut self, connection: ConnectionId, error: PeerError, now: Now) {
        let Some(link) = self.links.remove(&connection) else { return };
        self.effects.push_back(Effect::Close { connection, reason: error.to_string() });
        if let Some(peer) = link.peer {
            self.resolve(peer, None, &Err(error.clone()));
            self.peers.failed(peer, error.clone(), now.monotonic, &mut self.rng);
            // Whoever asked to be removed is gone by now; whoever is stopped waits for the start.
            if !self.running {
                self.peers.rest();
            }
        }
        self.effects.push_back(Effect::Event(Event::Disconnected { peer: link.name, error }));
    }

    fn remove_peer(&mut self, address: &str, now: Now) {
        let number = self.peers.find(address);
        if let Some(connection) = self.peers.remove(address).flatten() {
            self.end_connection(connection, &PeerError::Cancelled, now);
        }
        if let Some(peer) = number {
            self.resolve(peer, None, &Err(PeerError::Cancelled));
        }
    }

    fn sync(&mut self, ticket: Ticket, journal: JournalId, address: &str, now: Now) {
        let Some(peer) = self.peers.find(address).filter(|_| self.running) else {
            self.effects.push_back(Effect::Synced { ticket, synced: Err(PeerError::Cancelled) });
            return;
        };
        self.waiting.push(Waiting { ticket, peer, journal });
        let Some(connection) = self.peers.connection(peer) else {
            return self.dial(peer);
        };
        let link = self.links.get(&connection);
        let machine = link.and_then(|link| link.machine.as_ref()).filter(|machine| machine.is_open());
        // Where a sync is on its way, or about to begin, its end will do.
        if machine.is_some_and(|machine| !machine.is_syncing(journal)) {
            self.open_channel(connection, journal, now);
        }
    }

    /// Answers those who wait for a sync with a peer, of one journal or of all.
    fn resolve(
        &mut self,
        peer: u64,
        journal: Option<JournalId>,
        synced: &Result<SyncReport, PeerError>,
    ) {
        let is_meant =
            |waiting: &mut Waiting| waiting.peer == peer && journal.is_none_or(|id| id == waiting.journal);
        for Waiting { ticket, .. } in self.waiting.extract_if(.., is_meant) {
            self.effects.push_back(Effect::Synced { ticket, synced: synced.clone() });
        }
    }

    fn with_connection(
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
    fn drain_connection(&mut self, connection: ConnectionId, now: Now) {
        loop {
            let link = self.links.get_mut(&connection);
            let Some(effect) =
                link.and_then(|link| link.machine.as_mut()).and_then(ConnectionMachine::poll_effect)
            else {
                return;
            };
            self.connection_effect(connection, effect, now);
        }
    }

    fn connection_effect(&mut self, connection: ConnectionId, effect: ConnectionEffect, now: Now) {
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
                let bundle = BundleId { connection, channel, sequence };
                self.with_journal(journal, now, |machine| machine.incoming(bundle, entries, now.wall));
            }
            ConnectionEffect::Feed { channel, journal, feed } => {
                self.effects.push_back(Effect::Feed { connection, channel, journal, feed });
            }
            ConnectionEffect::Reached { journal, cursor } => {
                if let Some(device) = self.links.get(&connection).and_then(|link| link.device) {
                    self.keep_cursor(journal, device, cursor);
                }
            }
            ConnectionEffect::Synced { journal, report } => {
                let Some(link) = self.links.get(&connection) else { return };
                let (name, device) = (link.name.clone(), link.device);
                if let Some(peer) = peer {
                    self.peers.succeeded(peer);
                    self.resolve(peer, Some(journal), &Ok(report));
                    self.remember(journal, device);
                }
                self.effects.push_back(Effect::Event(Event::Synced { peer: name, journal, report }));
            }
            ConnectionEffect::ChannelEnded { journal, error } => {
                self.channel_ended(connection, peer, journal, &error, now);
            }
            ConnectionEffect::Closed(error) => self.closed(connection, error, now),
        }
    }

    fn channel_ended(
        &mut self,
        connection: ConnectionId,
        peer: Option<u64>,
        journal: JournalId,
        error: &PeerError,
        now: Now,
    ) {
        let Some(peer) = peer else { return };
        let device = self.links.get(&connection).and_then(|link| link.device);
        self.remember(journal, device);
        // Ended in favour of a newer sync, whose end those who wait will hear of.
        let is_open = |link: &Link| link.machine.as_ref().is_some_and(ConnectionMachine::is_open);
        let goes_on = *error == PeerError::Cancelled && self.links.get(&connection).is_some_and(is_open);
        if !goes_on {
            self.resolve(peer, Some(journal), &Err(error.clone()));
        }
        // A peer that does not answer in one channel is dialled anew, with back-off.
        if error.fault() == Fault::Network {
            self.end_connection(connection, error, now);
        }
    }

    fn authenticated(&mut self, connection: ConnectionId, device: DeviceId, now: Now) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.device = Some(device);
        let (peer, name) = (link.peer, link.name.clone());
        self.effects.push_back(Effect::Event(Event::Connected { peer: name, device }));
        if let Some(peer) = peer {
            self.peers.connected(peer, connection, device);
            let pinned = |slot: &Slot| matches!(slot, Slot::Loaded { pinned: true, .. });
            let journals = self.slots.0.iter().filter(|(_, slot)| pinned(slot)).map(|(id, _)| *id);
            for journal in journals.collect::<Vec<_>>() {
                self.open_channel(connection, journal, now);
            }
        }
    }

    fn keep_cursor(&mut self, journal: JournalId, device: DeviceId, cursor: Cursor) {
        match self.cursors.get_mut(&(journal, device)) {
            Some(kept) if kept.store == cursor.store => kept.number = kept.number.max(cursor.number),
            Some(kept) => *kept = cursor,
            None => {
                if self.cursors.len() >= CURSORS {
                    self.cursors.pop_first();
                }
                self.cursors.insert((journal, device), cursor);
            }
        }
    }

    /// Has the cursor into a dialled peer's store kept.
    fn remember(&mut self, journal: JournalId, device: Option<DeviceId>) {
        let Some(device) = device else { return };
        if let Some(&cursor) = self.cursors.get(&(journal, device)) {
            self.effects.push_back(Effect::Remember { journal, device, cursor });
        }
    }

    fn with_journal(&mut self, journal: JournalId, now: Now, act: impl FnOnce(&mut JournalMachine)) {
        if let Some(machine) = self.slots.machine(journal) {
            act(machine);
            self.drain_journal(journal, now);
        }
    }

    /// Carries out what a journal asks for.
    fn drain_journal(&mut self, journal: JournalId, now: Now) {
        while let Some(effect) = self.slots.machine(journal).and_then(JournalMachine::poll_effect) {
            match effect {
                JournalEffect::Commit { at, entries } => {
                    self.effects.push_back(Effect::Commit { journal, at, entries });
                }
                JournalEffect::Follow { from } => self.effects.push_back(Effect::Follow { journal, from }),
                JournalEffect::Appended { ticket, entries } => {
                    self.effects.push_back(Effect::Appended { ticket, appended: Ok(entries) });
                }
                JournalEffect::AppendFailed { ticket, error } => {
                    self.effects.push_back(Effect::Appended { ticket, appended: Err(error) });
                }
                JournalEffect::Settled { bundle, numbers } => {
                    self.with_connection(bundle.connection, now, |machine, journals| {
                        let (channel, sequence) = (bundle.channel, bundle.sequence);
                        machine.settled(channel, sequence, &numbers, journals, now.monotonic);
                    });
                }
                JournalEffect::Unsettled { bundle, error } => {
                    self.with_connection(bundle.connection, now, |machine, _| {
                        machine.store_failed(bundle.channel, error);
                    });
                }
                JournalEffect::Grew { head } => {
                    self.effects.push_back(Effect::Event(Event::Grew { journal, head }));
                    for connection in self.links.keys().copied().collect::<Vec<_>>() {
                        self.with_connection(connection, now, |machine, journals| {
                            machine.advance(journal, journals, now.monotonic);
                        });
                    }
                }
            }
        }
    }

    /// Whether a slice of work waits.
    pub(crate) fn has_work(&self) -> bool {
        self.slots.0.values().any(|slot| match slot {
            Slot::Loaded { machine, .. } => machine.has_work(),
            Slot::Loading { .. } => false,
        })
    }

    /// One slice of work for each journal that has some.
    pub(crate) fn work(&mut self, now: Now) {
        for journal in self.slots.0.keys().copied().collect::<Vec<_>>() {
            self.with_journal(journal, now, |machine| machine.work(now.wall));
        }
    }

    fn timeout(&mut self, now: Now) {
        for connection in self.links.keys().copied().collect::<Vec<_>>() {
            self.with_connection(connection, now, |machine, _| machine.handle_timeout(now.monotonic));
        }
        self.dial_due(now);
    }

    /// When the machine wants a [`Input::Timeout`].
    pub(crate) fn poll_deadline(&self) -> Option<Instant> {
        let machines = self.links.values().filter_map(|link| link.machine.as_ref());
        let peers = self.peers.deadline().filter(|_| self.running);
        machines.filter_map(ConnectionMachine::poll_timeout).chain(peers).min()
    }

    /// What is to be done next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }
}
