//! How a journal grows: own facts and incoming entries are gathered, signed, committed, and only then count.
//!
//! # Contract
//! Put in appends and bundles of checked entries, and the answers to effects; after each, take
//! effects with [`poll_effect`](JournalMachine::poll_effect) until there are none, and call
//! [`work`](JournalMachine::work) while [`has_work`](JournalMachine::has_work). One commit is in
//! flight at a time and takes all that waits. Own facts are signed when their batch forms, after the
//! former's answer, so that predecessors and clock are right. Nothing is in the root, announced or
//! acknowledged before the store has it.

use std::collections::{BTreeMap, VecDeque};

use crate::crypto::sign::DeviceKey;
use crate::error::StoreError;
use crate::fact::entry::{Draft, Entry};
use crate::fact::summary::Summary;
use crate::ids::EntryId;
use crate::journal::checkpoint::Saving;
use crate::journal::set::{Journal, next_timestamp};
use crate::limits::{ABSORB_ENTRIES, COMMIT_ATTEMPTS, COMMIT_BYTES, COMMIT_ENTRIES, SIGN_SLICE};
use crate::time::WallTime;

/// Names a caller that waits for an append.
pub(crate) type Ticket = u64;

/// Names a bundle of incoming entries by whom it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BundleId {
    /// A peer: the connection, its channel, the bundle's place there.
    Peer { connection: u64, channel: u32, sequence: u64 },
    /// A caller that imports.
    Import(Ticket),
}

/// What the machine asks for.
#[derive(Debug)]
pub(crate) enum JournalEffect {
    /// Append these if the head still is `at`; answer with `committed`, `behind` or `commit_failed`.
    Commit { at: u64, entries: Vec<Entry> },
    /// Read everything from this number on; answer with `followed`, at last with `up_to_date`.
    Follow { from: u64 },
    /// An append is durable: the entries with their numbers, in the order given.
    Appended { ticket: Ticket, entries: Vec<(EntryId, u64)> },
    /// An append failed as a whole or in its rest.
    AppendFailed { ticket: Ticket, error: StoreError },
    /// Bundles are durable: the number of each of their entries, also of those that were here before.
    /// All of one commit together, so that all is known before anything is sent on.
    Settled(Vec<(BundleId, Vec<u64>)>),
    /// An imported bundle is durable: how many of its entries were not here before.
    Imported { ticket: Ticket, new: u64 },
    /// A bundle could not be stored.
    Unsettled { bundle: BundleId, error: StoreError },
    /// The journal now reaches this number.
    Grew { head: u64 },
    /// Go on with the checkpoint. It may fail: then opening takes longer.
    Save(Saving),
}

/// Own facts that wait to be signed and committed.
#[derive(Debug)]
struct Append {
    ticket: Ticket,
    drafts: VecDeque<Draft>,
    done: Vec<(EntryId, u64)>,
}

#[derive(Debug)]
struct Bundle {
    id: BundleId,
    entries: Vec<Entry>,
}

/// What one commit carries.
#[derive(Debug, Default)]
struct Batch {
    /// Incoming entries, each once, none present before.
    incoming: Vec<Entry>,
    /// Bundles whose entries are all in the journal once `incoming` is committed.
    bundles: Vec<Bundle>,
    /// Own drafts, with their callers. Kept until the commit, to be signed anew if it is too late.
    drafts: Vec<(Ticket, Draft)>,
    /// The first of `drafts`, signed.
    signed: Vec<Entry>,
    /// Clock and predecessors for the next draft.
    link: Option<(Vec<EntryId>, u64)>,
}

#[derive(Debug)]
enum Flight {
    /// Nothing under way.
    Idle,
    /// A batch is being signed.
    Signing { batch: Batch, attempts: u32 },
    /// A batch is at the store.
    Committing { batch: Batch, attempts: u32 },
    /// Others wrote to the store: their entries are being read. The batch, if any, goes on after.
    Following { batch: Option<Batch>, attempts: u32, heard: u64 },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct JournalMachine {
    journal: Journal,
    key: DeviceKey,
    appends: VecDeque<Append>,
    bundles: VecDeque<Bundle>,
    flight: Flight,
    /// The store's last number as far as it was heard of.
    store_head: u64,
    effects: VecDeque<JournalEffect>,
}

impl JournalMachine {
    /// The machine of a journal that was loaded from the store whole.
    pub(crate) fn new(journal: Journal, key: DeviceKey) -> Self {
        Self {
            journal,
            key,
            appends: VecDeque::new(),
            bundles: VecDeque::new(),
            flight: Flight::Idle,
            store_head: 0,
            effects: VecDeque::new(),
        }
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// See [`Journal::observe`].
    pub(crate) fn observe(&mut self, wall: WallTime) -> u64 {
        self.journal.observe(wall)
    }

    /// Whether nothing waits or is under way.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.flight, Flight::Idle) && self.appends.is_empty() && self.bundles.is_empty()
    }

    /// Own facts; each draft becomes one entry, in this order. Answered by `Appended` or `AppendFailed`.
    pub(crate) fn append(&mut self, ticket: Ticket, drafts: Vec<Draft>) {
        self.appends.push_back(Append { ticket, drafts: drafts.into(), done: Vec::new() });
        self.advance();
    }

    /// Incoming entries, checked. Answered by `Settled`, `Imported` or `Unsettled`, in the order of the calls.
    pub(crate) fn incoming(&mut self, id: BundleId, entries: Vec<Entry>) {
        self.bundles.push_back(Bundle { id, entries });
        self.advance();
    }

    /// The commit in flight is durable.
    pub(crate) fn committed(&mut self) {
        let Flight::Committing { batch, .. } = std::mem::replace(&mut self.flight, Flight::Idle) else {
            return;
        };
        let before = self.journal.head();
        let own_from = before.saturating_add(batch.incoming.len() as u64);
        self.absorb(&batch.incoming);
        self.absorb(&batch.signed);
        let own = batch.signed.iter().zip(own_from.saturating_add(1)..);
        for ((ticket, _), (entry, number)) in batch.drafts.iter().zip(own) {
            if let Some(append) = self.appends.iter_mut().find(|append| append.ticket == *ticket) {
                append.done.push((entry.id(), number));
            }
        }
        while self.appends.front().is_some_and(|append| append.drafts.is_empty()) {
            if let Some(Append { ticket, done, .. }) = self.appends.pop_front() {
                self.effects.push_back(JournalEffect::Appended { ticket, entries: done });
            }
        }
        self.settle(batch.bundles, before);
        self.effects.push_back(JournalEffect::Grew { head: self.journal.head() });
        self.advance();
    }

    /// Takes in what the store has.
    fn absorb(&mut self, entries: &[Entry]) {
        for some in entries.chunks(ABSORB_ENTRIES) {
            self.journal.absorb(&Summary::of_all(some));
            self.effects.extend(self.journal.save(false).map(JournalEffect::Save));
        }
    }

    /// What of the checkpoint is to be kept before the journal leaves memory.
    pub(crate) fn close(&mut self) -> Option<Saving> {
        self.journal.save(true)
    }

    /// The commit in flight did not happen: another writer was faster.
    pub(crate) fn behind(&mut self) {
        if let Flight::Committing { batch, attempts } = std::mem::replace(&mut self.flight, Flight::Idle) {
            self.follow(Some(batch), attempts.saturating_add(1));
        }
    }

    /// Another writer appended to the store.
    pub(crate) fn store_changed(&mut self, head: u64) {
        // What is under way ends with the news or with another look.
        self.store_head = self.store_head.max(head);
        self.advance();
    }

    fn follow(&mut self, batch: Option<Batch>, attempts: u32) {
        // News from before the reading is covered by it; what is heard while it goes on asks for another.
        let heard = std::mem::take(&mut self.store_head);
        self.flight = Flight::Following { batch, attempts, heard };
        self.effects.push_back(JournalEffect::Follow { from: self.journal.head().saturating_add(1) });
    }

    /// Entries that another writer appended, in the order of their numbers.
    pub(crate) fn followed(&mut self, entries: &[Entry]) {
        self.absorb(entries);
        if !entries.is_empty() {
            self.effects.push_back(JournalEffect::Grew { head: self.journal.head() });
        }
    }

    /// Everything that others wrote has been read.
    pub(crate) fn up_to_date(&mut self) {
        if let Flight::Following { batch, attempts, .. } = std::mem::replace(&mut self.flight, Flight::Idle) {
            match batch {
                Some(batch) if attempts >= COMMIT_ATTEMPTS => {
                    let error = StoreError::Failed(format!("other writers were faster {attempts} times"));
                    self.fail(batch, &error);
                    self.advance();
                }
                Some(batch) => self.form_again(batch, attempts),
                None => self.advance(),
            }
        }
    }

    /// The commit, or reading what others wrote, failed: whoever waits for it is told.
    pub(crate) fn commit_failed(&mut self, error: &StoreError) {
        match std::mem::replace(&mut self.flight, Flight::Idle) {
            Flight::Committing { batch, .. } | Flight::Following { batch: Some(batch), .. } => {
                self.fail(batch, error);
            }
            Flight::Following { batch: None, heard, .. } => {
                // To be tried again with whatever comes next, not at once.
                self.store_head = self.store_head.max(heard);
                return;
            }
            flight @ (Flight::Idle | Flight::Signing { .. }) => self.flight = flight,
        }
        self.advance();
    }

    fn fail(&mut self, batch: Batch, error: &StoreError) {
        // In the order of the appends, so that the drafts of one stand side by side.
        let mut failed: Vec<Ticket> = batch.drafts.iter().map(|(ticket, _)| *ticket).collect();
        failed.dedup();
        // The rest of an append goes with it: its caller is told once, of the whole.
        self.appends.retain(|append| !failed.contains(&append.ticket));
        for ticket in failed {
            self.effects.push_back(JournalEffect::AppendFailed { ticket, error: error.clone() });
        }
        for bundle in batch.bundles {
            self.effects.push_back(JournalEffect::Unsettled { bundle: bundle.id, error: error.clone() });
        }
    }

    /// Whether a slice of signing waits.
    pub(crate) fn has_work(&self) -> bool {
        matches!(self.flight, Flight::Signing { .. })
    }

    /// Signs some of the forming batch, a few milliseconds' worth.
    pub(crate) fn work(&mut self, wall: WallTime) {
        let Flight::Signing { batch, .. } = &mut self.flight else { return };
        let end = batch.signed.len().saturating_add(SIGN_SLICE);
        let slice = batch.drafts.iter().take(end).skip(batch.signed.len());
        let mut signed = Vec::with_capacity(SIGN_SLICE);
        for (_, draft) in slice {
            let (after, timestamp) = batch.link.take().unwrap_or_else(|| self.journal.next_link(wall));
            let entry = draft.sign(&self.journal.id(), &self.key, &after, timestamp);
            batch.link = Some((vec![entry.id()], next_timestamp(timestamp, wall)));
            signed.push(entry);
        }
        batch.signed.append(&mut signed);
        self.commit_if_signed();
    }

    /// Forms and sends the next batch if nothing is under way.
    fn advance(&mut self) {
        if !matches!(self.flight, Flight::Idle) {
            return;
        }
        let mut batch = Batch::default();
        let mut room = Room::new();
        let mut seen = BTreeMap::new();
        while let Some(bundle) = self.bundles.pop_front_if(|_| room.is_left()) {
            for entry in &bundle.entries {
                if !self.journal.contains(&entry.id()) && seen.insert(entry.id(), 0u64).is_none() {
                    room.take(entry.record().len());
                    batch.incoming.push(entry.clone());
                }
            }
            batch.bundles.push(bundle);
        }
        'full: for append in &mut self.appends {
            while !append.drafts.is_empty() {
                if !room.is_left() {
                    break 'full;
                }
                if let Some(draft) = append.drafts.pop_front() {
                    room.take(draft.size());
                    batch.drafts.push((append.ticket, draft));
                }
            }
        }
        self.send(batch, 0);
    }

    /// A batch that came too late, without what others have written since.
    fn form_again(&mut self, mut batch: Batch, attempts: u32) {
        batch.incoming.retain(|entry| !self.journal.contains(&entry.id()));
        batch.signed.clear();
        batch.link = None;
        self.send(batch, attempts);
    }

    fn send(&mut self, batch: Batch, attempts: u32) {
        if batch.incoming.is_empty() && batch.drafts.is_empty() {
            // Nothing new in them: they are settled as they are.
            self.settle(batch.bundles, self.journal.head());
            if !self.bundles.is_empty() || self.appends.iter().any(|append| !append.drafts.is_empty()) {
                self.advance();
            } else if self.store_head > self.journal.head() {
                self.follow(None, 0);
            }
            return;
        }
        self.flight = Flight::Signing { batch, attempts };
        self.commit_if_signed();
    }

    fn commit_if_signed(&mut self) {
        self.flight = match std::mem::replace(&mut self.flight, Flight::Idle) {
            Flight::Signing { batch, attempts } if batch.signed.len() == batch.drafts.len() => {
                let entries = batch.incoming.iter().chain(&batch.signed).cloned().collect();
                self.effects.push_back(JournalEffect::Commit { at: self.journal.head(), entries });
                Flight::Committing { batch, attempts }
            }
            flight @ (Flight::Idle
            | Flight::Signing { .. }
            | Flight::Committing { .. }
            | Flight::Following { .. }) => flight,
        };
    }

    /// Tells the senders of bundles which numbers their entries have; those of this commit are beyond
    /// `before`.
    fn settle(&mut self, bundles: Vec<Bundle>, before: u64) {
        let mut settled: Vec<(BundleId, Vec<u64>)> = Vec::new();
        for bundle in bundles {
            let numbers = bundle.entries.iter().filter_map(|entry| self.journal.number_of(&entry.id()));
            if let BundleId::Import(ticket) = bundle.id {
                let new = numbers.filter(|number| *number > before).count() as u64;
                self.effects.push_back(JournalEffect::Imported { ticket, new });
            } else {
                settled.push((bundle.id, numbers.collect()));
            }
        }
        if !settled.is_empty() {
            self.effects.push_back(JournalEffect::Settled(settled));
        }
    }

    /// What the machine asks for next.
    pub(crate) fn poll_effect(&mut self) -> Option<JournalEffect> {
        self.effects.pop_front()
    }
}

/// What a batch may still take.
struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    fn new() -> Self {
        Self { entries: COMMIT_ENTRIES, bytes: COMMIT_BYTES }
    }

    fn is_left(&self) -> bool {
        self.entries > 0 && self.bytes > 0
    }

    fn take(&mut self, bytes: usize) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
