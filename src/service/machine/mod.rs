//! The sync service: joins journals, connections and peers.
//!
//! # Contract
//! [`handle`](Machine::handle) one input with the time; then [`poll_effect`](Machine::poll_effect)
//! until there is none, carrying each out in order; then [`work`](Machine::work) in slices of a few
//! milliseconds while [`has_work`](Machine::has_work), each followed by its effects; then wait for the
//! next input or for [`poll_deadline`](Machine::poll_deadline), which is an input too. The machine
//! never waits, and knows no clock, no randomness but its seed, no store.

mod connections;
mod journals;

use std::collections::VecDeque;

use litemap::LiteMap;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::crypto::hash::Hash;
use crate::crypto::sign::DeviceKey;
use crate::error::StoreError;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId, StoreId};
use crate::journal::machine::{BundleId, JournalMachine, Ticket};
use crate::journal::set::Journal;
use crate::service::config::Config;
use crate::service::delivery::{Deliveries, Delivery, PeerDelivery};
use crate::service::event::Event;
use crate::service::machine::journals::{Slot, Slots};
use crate::service::peers::{PeerInfo, Peers};
use crate::service::put_aside::PutAside;
use crate::service::receipts::{Asked, Outcome, Receipts};
use crate::service::reopening::Reopenings;
use crate::service::routing::{ConnectionId, Effect, Input};
use crate::session::connection::{ConnectionMachine, Journals};
use crate::session::failure::PeerError;
use crate::session::permission::Permission;
use crate::session::report::SyncReport;
use crate::time::{Instant, Now, WallTime};
use crate::verification::signed_root::SignedRoot;

/// Cursors into peers' stores that are kept in memory.
const CURSORS: usize = 4_096;

/// The other end of a connection.
#[derive(Debug)]
struct Link {
    /// Nothing while the transport is being connected.
    machine: Option<Box<ConnectionMachine>>,
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
    /// The journal's last number at the call: what the sync must be about.
    at: u64,
    /// When somebody patient asked: what may pass by itself is waited for, and a sync that began no earlier.
    patient_since: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    config: Config,
    key: DeviceKey,
    /// Where all its journals are kept.
    store: StoreId,
    rng: ChaCha20Rng,
    running: bool,
    slots: Slots,
    links: LiteMap<ConnectionId, Link>,
    next_connection: ConnectionId,
    peers: Peers,
    waiting: Vec<Waiting>,
    reopenings: Reopenings,
    cursors: LiteMap<(JournalId, DeviceId), Cursor>,
    put_aside: PutAside,
    deliveries: Deliveries,
    receipts: Receipts,
    /// When to look again whether an entry that a journal holds back is due.
    held: LiteMap<JournalId, Instant>,
    effects: VecDeque<Effect>,
}

impl Machine {
    /// A stopped service of the device with this key and its store. `seed` is 32 fresh random bytes.
    pub(crate) fn new(config: Config, key: DeviceKey, store: StoreId, seed: [u8; 32]) -> Self {
        Self {
            slots: Slots::new(config.permissions.clone()),
            config,
            key,
            store,
            rng: ChaCha20Rng::from_seed(seed),
            running: false,
            links: LiteMap::new(),
            next_connection: 0,
            peers: Peers::default(),
            waiting: Vec::new(),
            reopenings: Reopenings::default(),
            cursors: LiteMap::new(),
            put_aside: PutAside::default(),
            deliveries: Deliveries::default(),
            receipts: Receipts::default(),
            held: LiteMap::new(),
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
    pub(crate) fn peers(&self, now: Instant) -> Vec<PeerInfo> {
        self.peers.list(now)
    }

    /// Whether it dials this address.
    pub(crate) fn dials(&self, address: &str) -> bool {
        self.peers.find(address).is_some()
    }

    /// Callers that wait for the end of a sync.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The root of a journal that is open here, signed by this device.
    pub(crate) fn sign_root(
        &self,
        id: JournalId,
        nonce: [u8; 32],
        previous: Option<Hash>,
        wall: WallTime,
    ) -> Option<SignedRoot> {
        let root = self.journal(id)?.root();
        Some(SignedRoot::sign(id, &self.key, root, wall, nonce, previous))
    }

    /// The journal with this id, if it is in memory.
    pub(crate) fn journal(&self, id: JournalId) -> Option<&Journal> {
        self.slots.journal(id)
    }

    /// How far each peer has a journal, as far as anything is known.
    pub(crate) fn deliveries(&self, id: JournalId) -> Option<Vec<PeerDelivery>> {
        let (journal, own) = (self.journal(id)?, self.device());
        let pending = |upto: u64| {
            let later = upto.saturating_add(1)..=journal.head();
            later.filter(|number| journal.index().device(*number) == Some(own)).count() as u64
        };
        let delivery = |(device, upto)| PeerDelivery { device, upto, pending: pending(upto) };
        Some(self.deliveries.devices(id).map(delivery).collect())
    }

    /// Where an entry is, as far as a device goes; nothing if it is not here.
    pub(crate) fn delivery(&self, id: JournalId, entry: &EntryId, device: DeviceId) -> Option<Delivery> {
        let number = self.journal(id)?.number_of(entry)?;
        if number <= self.deliveries.upto(id, device) {
            return Some(Delivery::Durable);
        }
        let links = self.links.values().filter(|link| link.device == Some(device));
        let sent = links.filter_map(|link| link.machine.as_ref()).map(|machine| machine.sent(id)).max();
        Some(if sent.is_some_and(|sent| number <= sent) { Delivery::Sent } else { Delivery::Pending })
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

    /// Whether what was read for a channel may still be sent.
    pub(crate) fn may_feed(&self, connection: ConnectionId, channel: u32) -> bool {
        let machine = self.links.get(&connection).and_then(|link| link.machine.as_ref());
        machine.is_some_and(|machine| machine.may_feed(channel, &self.slots))
    }

    /// Whether one more connection may be accepted.
    pub(crate) fn accepts(&self) -> bool {
        self.running && self.links.len() < self.config.connections
    }

    /// See the module.
    pub(crate) fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Start => self.start(now),
            Input::Stop => self.stop(now),
            Input::Open { ticket, journal } => self.open(ticket, journal, now),
            Input::Append { ticket, journal, drafts } => match self.slots.machine(journal) {
                Some(machine) => {
                    machine.append(ticket, drafts);
                    self.drain_journal(journal, now);
                }
                None => {
                    let error = StoreError::Failed("the journal is not open".into());
                    self.effects.push_back(Effect::Appended { ticket, appended: Err(error) });
                }
            },
            Input::Import { ticket, journal, entries } => match self.slots.machine(journal) {
                Some(machine) => {
                    machine.incoming(BundleId::Import(ticket), entries);
                    self.drain_journal(journal, now);
                }
                None => {
                    let error = StoreError::Failed("the journal is not open".into());
                    self.effects.push_back(Effect::Imported { ticket, imported: Err(error) });
                }
            },
            Input::AddPeer { address, device } => {
                // The bound is checked by the caller, who can say so.
                if self.peers.add(address.clone(), device).is_ok() {
                    self.end_if_another(&address, now);
                    self.dial_due(now);
                }
            }
            Input::RemovePeer { address } => self.remove_peer(&address, now),
            Input::Sync { ticket, journal, address, patient } => {
                self.sync((ticket, journal), &address, patient, now);
            }
            Input::Forget { ticket } => {
                self.waiting.retain(|waiting| waiting.ticket != ticket);
                self.receipts.forget(ticket);
            }
            Input::AskReceipt { ticket, journal, address, previous } => {
                self.ask_receipt((ticket, journal), &address, previous, now);
            }
            Input::Loaded { journal, loaded } => self.loaded(journal, loaded, now),
            Input::Committed { journal } => self.with_journal(journal, now, JournalMachine::committed),
            Input::Behind { journal } => self.with_journal(journal, now, JournalMachine::behind),
            Input::CommitFailed { journal, error } => {
                self.with_journal(journal, now, |machine| machine.commit_failed(&error));
            }
            Input::Followed { journal, entries, all } => self.with_journal(journal, now, |machine| {
                machine.followed(&entries);
                if all {
                    machine.up_to_date();
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
                self.with_connection(connection, now, |machine, journals| {
                    machine.feed_failed(channel, error, journals, now.monotonic);
                });
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

    fn remove_peer(&mut self, address: &str, now: Now) {
        let number = self.peers.find(address);
        if let Some(connection) = self.peers.remove(address).flatten() {
            self.end_connection(connection, &PeerError::Cancelled, now);
        }
        if let Some(peer) = number {
            self.resolve(peer, None, &Err(PeerError::Cancelled), now);
        }
    }

    /// Ends the connection to a peer that is another device than is now expected there.
    fn end_if_another(&mut self, address: &str, now: Now) {
        let expected = self.peers.find(address).and_then(|peer| {
            let (connection, expected) = (self.peers.connection(peer)?, self.peers.address(peer)?.1?);
            let found = self.links.get(&connection)?.device?;
            (found != expected).then_some((connection, PeerError::WrongDevice { expected, found }))
        });
        if let Some((connection, error)) = expected {
            self.end_connection(connection, &error, now);
        }
    }

    fn sync(&mut self, (ticket, journal): (Ticket, JournalId), address: &str, patient: bool, now: Now) {
        let Some(peer) = self.peers.find(address).filter(|_| self.running) else {
            self.effects.push_back(Effect::Synced { ticket, synced: Err(PeerError::Cancelled) });
            return;
        };
        let at = self.journal(journal).map_or(0, Journal::head);
        let patient_since = patient.then_some(now.monotonic);
        self.waiting.push(Waiting { ticket, peer, journal, at, patient_since });
        let Some(connection) = self.peers.connection(peer) else {
            return self.dial(peer);
        };
        let link = self.links.get(&connection);
        let machine = link.and_then(|link| link.machine.as_ref()).filter(|machine| machine.is_open());
        // Where a sync is on its way, or about to begin, its end will do, if it is about all that is here.
        if machine.is_some_and(|machine| !machine.is_syncing(journal)) {
            self.open_channel(connection, journal, now);
        }
    }

    fn ask_receipt(
        &mut self,
        (ticket, journal): (Ticket, JournalId),
        address: &str,
        previous: Option<Hash>,
        now: Now,
    ) {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        let connection = self.peers.find(address).and_then(|peer| self.peers.connection(peer));
        let known = connection
            .filter(|connection| self.links.get(connection).is_some_and(|link| link.device.is_some()));
        if known.is_some_and(|connection| self.permission(connection, journal) == Permission::Denied) {
            return self.receipted(vec![(ticket, Err(PeerError::Denied))]);
        }
        let link = connection.and_then(|connection| self.links.get_mut(&connection));
        let machine = link.and_then(|link| link.machine.as_mut());
        let error = match (connection, machine) {
            (Some(connection), Some(machine)) if machine.is_open() => {
                if machine.ask_receipt(journal, nonce, previous) {
                    let until = now.monotonic.after(self.config.reply);
                    self.receipts.ask(Asked { ticket, connection, journal, nonce, previous, until });
                    return self.drain_connection(connection, now);
                }
                PeerError::NotServed
            }
            (_, _) => PeerError::NotConnected,
        };
        self.receipted(vec![(ticket, Err(error))]);
    }

    fn receipted(&mut self, outcomes: Vec<Outcome>) {
        let effects = outcomes.into_iter().map(|(ticket, receipt)| Effect::Receipted { ticket, receipt });
        self.effects.extend(effects);
    }

    /// Answers those who wait for a sync with a peer, of one journal or of all, now that one is done that was
    /// about own entries up to a number, or has failed.
    fn resolve(
        &mut self,
        peer: u64,
        journal: Option<JournalId>,
        outcome: &Result<(u64, SyncReport), PeerError>,
        now: Now,
    ) {
        let is_answered = |waiting: &mut Waiting| {
            let is_meant = waiting.peer == peer && journal.is_none_or(|id| id == waiting.journal);
            is_meant
                && match (outcome, waiting.patient_since) {
                    (Ok((at, _)), None) => waiting.at <= *at,
                    // What the peer had at the call is here only if it was asked since.
                    (Ok((at, report)), Some(since)) => {
                        waiting.at <= *at && since.after(report.duration) <= now.monotonic
                    }
                    (Err(error), since) => since.is_none() || !error.is_passing(),
                }
        };
        let synced = outcome.clone().map(|(_, report)| report);
        for Waiting { ticket, .. } in self.waiting.extract_if(.., is_answered) {
            self.effects.push_back(Effect::Synced { ticket, synced: synced.clone() });
        }
    }

    /// Whether a slice of work waits.
    pub(crate) fn has_work(&self) -> bool {
        self.slots.all.values().any(|slot| match slot {
            Slot::Loaded { machine, .. } => machine.has_work(),
            Slot::Loading { .. } => false,
        })
    }

    /// One slice of work for each journal that has some.
    pub(crate) fn work(&mut self, now: Now) {
        for journal in self.slots.all.keys().copied().collect::<Vec<_>>() {
            self.with_journal(journal, now, |machine| machine.work(now.wall));
        }
    }

    fn timeout(&mut self, now: Now) {
        for connection in self.links.keys().copied().collect::<Vec<_>>() {
            self.with_connection(connection, now, |machine, _| machine.handle_timeout(now.monotonic));
        }
        for (peer, journal) in self.reopenings.due(now.monotonic) {
            if let Some(connection) = self.peers.connection(peer)
                && let Some(Link { machine: Some(machine), .. }) = self.links.get(&connection)
                && !machine.serves(journal)
            {
                self.open_channel(connection, journal, now);
            }
        }
        let overdue = self.receipts.overdue(now.monotonic);
        self.receipted(overdue);
        self.dial_due(now);
        let due = self.held.iter().filter(|(_, at)| **at <= now.monotonic).map(|(journal, _)| *journal);
        for journal in due.collect::<Vec<_>>() {
            self.observe(journal, now);
        }
    }

    /// When the machine wants a [`Input::Timeout`].
    pub(crate) fn poll_deadline(&self) -> Option<Instant> {
        let machines = self.links.values().filter_map(|link| link.machine.as_ref());
        let peers = [self.peers.deadline(), self.reopenings.deadline()];
        let peers = peers.into_iter().flatten().filter(|_| self.running);
        let held = self.held.values().copied().chain(self.receipts.deadline());
        machines.filter_map(|machine| machine.poll_timeout()).chain(peers).chain(held).min()
    }

    /// What is to be done next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }
}
