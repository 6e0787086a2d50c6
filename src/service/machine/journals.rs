//! The machine's journals: loaded, unloaded, opened by peers, and what they ask for.

use std::sync::Arc;

use litemap::LiteMap;

use crate::error::StoreError;
use crate::ids::{DeviceId, JournalId};
use crate::journal::machine::{BundleId, JournalEffect, JournalMachine, Ticket};
use crate::journal::set::Journal;
use crate::limits::DUE_CHECK;
use crate::service::event::Event;
use crate::service::machine::{Link, Machine};
use crate::service::routing::{ConnectionId, Effect, Loaded};
use crate::session::channel::Opening;
use crate::session::connection::Journals;
use crate::session::failure::PeerError;
use crate::session::permission::{Permission, PermissionPolicy};
use crate::time::Now;

/// A journal here.
#[derive(Debug)]
pub(super) enum Slot {
    /// Being loaded; who waits for it.
    Loading { tickets: Vec<Ticket>, openings: Vec<(ConnectionId, u32, Opening)> },
    /// In memory. Pinned: not to be unloaded.
    Loaded { machine: Box<JournalMachine>, pinned: bool },
}

/// The journals here, and who may do what with which.
#[derive(Debug)]
pub(super) struct Slots {
    pub(super) all: LiteMap<JournalId, Slot>,
    permissions: Arc<dyn PermissionPolicy>,
}

impl Slots {
    /// No journal yet.
    pub(super) fn new(permissions: Arc<dyn PermissionPolicy>) -> Self {
        Self { all: LiteMap::new(), permissions }
    }

    pub(super) fn machine(&mut self, id: JournalId) -> Option<&mut JournalMachine> {
        match self.all.get_mut(&id)? {
            Slot::Loaded { machine, .. } => Some(machine),
            Slot::Loading { .. } => None,
        }
    }
}

impl Journals for Slots {
    fn journal(&self, id: JournalId) -> Option<&Journal> {
        match self.all.get(&id)? {
            Slot::Loaded { machine, .. } => Some(machine.journal()),
            Slot::Loading { .. } => None,
        }
    }

    fn permission(&self, device: &DeviceId, id: JournalId) -> Permission {
        self.permissions.permission(device, &id)
    }
}

impl Machine {
    pub(super) fn open(&mut self, ticket: Ticket, journal: JournalId, now: Now) {
        match self.slots.all.get_mut(&journal) {
            Some(Slot::Loading { tickets, .. }) => tickets.push(ticket),
            Some(Slot::Loaded { pinned, .. }) => {
                let was_pinned = std::mem::replace(pinned, true);
                self.effects.push_back(Effect::Opened { ticket, opened: Ok(()) });
                if !was_pinned {
                    self.open_channels(journal, now);
                }
            }
            None => self.load(journal, vec![ticket], Vec::new()),
        }
    }

    pub(super) fn load(
        &mut self,
        journal: JournalId,
        tickets: Vec<Ticket>,
        openings: Vec<(ConnectionId, u32, Opening)>,
    ) {
        self.slots.all.insert(journal, Slot::Loading { tickets, openings });
        self.effects.push_back(Effect::Load { journal });
    }

    pub(super) fn loaded(&mut self, journal: JournalId, loaded: Result<Loaded, StoreError>, now: Now) {
        let Some(Slot::Loading { tickets, openings }) = self.slots.all.remove(&journal) else { return };
        let opened = loaded.map(|Loaded { journal: loaded, cursors, savings }| {
            for (device, cursor) in cursors {
                self.keep_cursor(journal, device, cursor);
            }
            self.effects.extend(savings.into_iter().map(|saving| Effect::Save { journal, saving }));
            let mut state = loaded.with_ahead(self.config.ahead);
            // What is due was so before: nobody has seen it held back.
            state.observe(now.wall);
            let machine = Box::new(JournalMachine::new(state, self.key.clone()));
            let pinned = !tickets.is_empty();
            self.slots.all.insert(journal, Slot::Loaded { machine, pinned });
            pinned
        });
        self.observe(journal, now);
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
            self.open_channels(journal, now);
        }
    }

    /// Begins a sync of a journal on all connections that were dialled, and makes those that were not needed.
    fn open_channels(&mut self, journal: JournalId, now: Now) {
        self.peers.wake_idle();
        self.dial_due(now);
        for connection in self.links.keys().copied().collect::<Vec<_>>() {
            self.open_channel(connection, journal, now);
        }
    }

    /// What the peer at the other end may do with a journal: nothing as long as it is not known.
    pub(super) fn permission(&self, connection: ConnectionId, journal: JournalId) -> Permission {
        let device = self.links.get(&connection).and_then(|link| link.device);
        device.map_or(Permission::Denied, |device| self.slots.permission(&device, journal))
    }

    /// Begins a sync of a journal on a connection that was dialled.
    pub(super) fn open_channel(&mut self, connection: ConnectionId, journal: JournalId, now: Now) {
        let Some(link) = self.links.get_mut(&connection).filter(|link| link.peer.is_some()) else { return };
        let (Some(machine), Some(device)) = (&mut link.machine, link.device) else { return };
        if self.slots.permission(&device, journal) == Permission::Denied {
            // Nothing is said. The policy may change its mind.
            let peer = link.peer;
            self.tell_if_failed(connection, journal, false, &PeerError::Denied);
            return self.channel_ended(connection, peer, journal, &PeerError::Denied, now);
        }
        let cursor = self.cursors.get(&(journal, device)).copied();
        if let Some(state) = self.slots.journal(journal) {
            machine.open_channel(state, cursor, &self.slots, now.monotonic);
            self.drain_connection(connection, now);
        }
    }

    pub(super) fn asked(&mut self, connection: ConnectionId, channel: u32, opening: Opening, now: Now) {
        let journal = opening.journal;
        // Before anything that tells whether the journal is here.
        if self.permission(connection, journal) == Permission::Denied {
            self.refuse_opening(connection, channel, &PeerError::Denied, now);
        } else if let Some(Slot::Loading { openings, .. }) = self.slots.all.get_mut(&journal) {
            openings.push((connection, channel, opening));
        } else if self.slots.all.contains_key(&journal) {
            self.accept_opening(connection, channel, &opening, now);
        } else if self.config.admission.admits(journal) && self.make_room() {
            self.load(journal, Vec::new(), vec![(connection, channel, opening)]);
        } else {
            self.refuse_opening(connection, channel, &PeerError::NotServed, now);
        }
    }

    pub(super) fn accept_opening(
        &mut self,
        connection: ConnectionId,
        channel: u32,
        opening: &Opening,
        now: Now,
    ) {
        let Some(Link { machine: Some(machine), device: Some(device), .. }) = self.links.get_mut(&connection)
        else {
            return;
        };
        let cursor = self.cursors.get(&(opening.journal, *device)).copied();
        machine.accept(channel, opening, cursor, &self.slots, now.monotonic);
        self.drain_connection(connection, now);
    }

    pub(super) fn refuse_opening(
        &mut self,
        connection: ConnectionId,
        channel: u32,
        error: &PeerError,
        now: Now,
    ) {
        if let Some(Link { machine: Some(machine), .. }) = self.links.get_mut(&connection) {
            machine.refuse(channel, error);
            self.drain_connection(connection, now);
        }
    }

    /// Unloads a journal that nobody needs if as many are loaded as may be; whether there is room now.
    pub(super) fn make_room(&mut self) -> bool {
        if self.slots.all.len() < self.config.journals.max(1) {
            return true;
        }
        let serves = |links: &LiteMap<ConnectionId, Link>, id| {
            links.values().any(|link| link.machine.as_ref().is_some_and(|machine| machine.serves(id)))
        };
        let unneeded = self.slots.all.iter().find_map(|(id, slot)| match slot {
            Slot::Loaded { machine, pinned: false } => {
                (machine.is_idle() && !serves(&self.links, *id)).then_some(*id)
            }
            Slot::Loaded { .. } | Slot::Loading { .. } => None,
        });
        if let Some(journal) = unneeded {
            self.save(journal);
            self.slots.all.remove(&journal);
            self.held.remove(&journal);
            self.effects.push_back(Effect::Unload { journal });
        }
        unneeded.is_some()
    }

    /// Has the checkpoints of all journals kept, before the service ends.
    pub(crate) fn close(&mut self) {
        for journal in self.slots.all.keys().copied().collect::<Vec<_>>() {
            self.save(journal);
        }
    }

    /// Has the checkpoint of a journal kept that is about to leave memory.
    fn save(&mut self, journal: JournalId) {
        if let Some(saving) = self.slots.machine(journal).and_then(JournalMachine::close) {
            self.effects.push_back(Effect::Save { journal, saving });
        }
    }

    pub(super) fn with_journal(
        &mut self,
        journal: JournalId,
        now: Now,
        act: impl FnOnce(&mut JournalMachine),
    ) {
        if let Some(machine) = self.slots.machine(journal) {
            act(machine);
            self.drain_journal(journal, now);
        }
    }

    /// Carries out what a journal asks for.
    pub(super) fn drain_journal(&mut self, journal: JournalId, now: Now) {
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
                JournalEffect::Settled(bundles) => self.settled(journal, bundles, now),
                JournalEffect::Imported { ticket, new } => {
                    self.effects.push_back(Effect::Imported { ticket, imported: Ok(new) });
                }
                JournalEffect::Unsettled { bundle: BundleId::Peer { connection, channel, .. }, error } => {
                    self.with_connection(connection, now, |machine, _| machine.store_failed(channel, error));
                }
                JournalEffect::Unsettled { bundle: BundleId::Import(ticket), error } => {
                    self.effects.push_back(Effect::Imported { ticket, imported: Err(error) });
                }
                JournalEffect::Save(saving) => self.effects.push_back(Effect::Save { journal, saving }),
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
        self.observe(journal, now);
    }

    /// Shows what a journal has held back and is due now; the journal, if it is in memory.
    pub(crate) fn observe(&mut self, journal: JournalId, now: Now) -> Option<&Journal> {
        let machine = self.slots.machine(journal)?;
        let entries = machine.observe(now.wall);
        if entries > 0 {
            self.effects.push_back(Effect::Event(Event::Due { journal, entries }));
        }
        match machine.journal().next_due() {
            Some(due) => {
                // A clock that jumps meanwhile is seen at the next look.
                let wait = due.since(now.wall).min(DUE_CHECK);
                self.held.insert(journal, now.monotonic.after(wait));
            }
            None => {
                self.held.remove(&journal);
            }
        }
        self.slots.journal(journal)
    }

    /// Tells connections which of their bundles are durable; then lets their channels go on, once it is
    /// known of all entries where they came from, so that none is sent back there.
    fn settled(&mut self, journal: JournalId, bundles: Vec<(BundleId, Vec<u64>)>, now: Now) {
        let mut connections = Vec::new();
        for (bundle, numbers) in bundles {
            let BundleId::Peer { connection, channel, sequence } = bundle else { continue };
            if let Some(Link { machine: Some(machine), .. }) = self.links.get_mut(&connection) {
                machine.settled(channel, sequence, &numbers, &self.slots, now.monotonic);
                if !connections.contains(&connection) {
                    connections.push(connection);
                }
            }
        }
        for connection in connections {
            self.with_connection(connection, now, |machine, journals| {
                machine.advance(journal, journals, now.monotonic);
            });
        }
    }
}
