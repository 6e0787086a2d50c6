//! Carrying out what callers ask for, and answering them.

use crate::driver::command::{Command, JournalStatus, Reply, StopReport};
use crate::driver::command_loop::{CommandLoop, Outside, Stopping, Subscriber, Waiting, Watcher, send};
use crate::driver::error::NodeError;
use crate::driver::facts::{load_entry, load_page};
use crate::driver::proofs::{Proved, load_evidence};
use crate::fact::entry::{DraftError, Entry};
use crate::ids::{EntryId, JournalId};
use crate::journal::evidence::Evidence;
use crate::journal::set::Journal;
use crate::limits::{DRAIN, MAILBOX, PAGE_MAX, PEERS};
use crate::platform::send::MaybeSend;
use crate::platform::traits::Platform;
use crate::service::routing::Input;

impl<P: Platform> CommandLoop<P> {
    pub(super) fn command(&mut self, command: Command) {
        let now = self.now();
        // A full mailbox had no room for the word that somebody has given up.
        if self.commands.len().saturating_add(1) >= MAILBOX {
            self.forget_those_gone();
        }
        match command {
            Command::Start { reply } => self.start(reply),
            Command::Stop { reply } => self.stop(reply),
            Command::Close { reply } => self.closing.push(reply),
            Command::IsRunning { reply } => reply.answer(Ok(self.machine.is_running())),
            Command::Open { journal, reply } => {
                let ticket = self.ticket(Waiting::Open(reply));
                self.machine.handle(Input::Open { ticket, journal }, now);
            }
            // Whoever asked has given up before it was taken: then it does not happen.
            Command::Append { reply, .. } if !reply.waits() => {}
            Command::Append { journal, drafts, reply } => {
                let device = self.machine.device();
                if let Some(draft) = drafts.iter().find(|draft| draft.author() != device) {
                    let error = DraftError::Author { author: draft.author(), device };
                    return reply.answer(Err(error.into()));
                }
                let ticket = self.ticket(Waiting::Append(reply));
                self.machine.handle(Input::Append { ticket, journal, drafts }, now);
            }
            Command::Import { reply, .. } if !reply.waits() => {}
            Command::Import { journal, entries, reply } => {
                let ticket = self.ticket(Waiting::Import(reply));
                self.machine.handle(Input::Import { ticket, journal, entries }, now);
            }
            Command::Status { journal, reply } => {
                let status = self.machine.observe(journal, now).map(status);
                reply.answer(status.ok_or(NodeError::NoJournal(journal)));
            }
            Command::Measure { journal, reply } => {
                let measured =
                    self.machine.observe(journal, now).map(|open| (status(open), open.map().depth()));
                reply.answer(measured.ok_or(NodeError::NoJournal(journal)));
            }
            Command::Get { journal, entry, reply } => self.get(journal, entry, reply),
            Command::Contains { journal, entries, reply } => {
                let open = self.machine.journal(journal).ok_or(NodeError::NoJournal(journal));
                reply.answer(open.map(|open| entries.iter().map(|entry| open.contains(entry)).collect()));
            }
            Command::SignRoot { journal, nonce, previous, reply } => {
                let signed = self.machine.sign_root(journal, nonce, previous, now.wall);
                reply.answer(signed.ok_or(NodeError::NoJournal(journal)));
            }
            Command::Prove { journal, entry, reply } => self.prove(journal, entry, reply),
            Command::ProveAll { journal, entries, reply } => {
                reply.answer(self.prove_all(journal, &entries));
            }
            Command::Page { journal, query, after, limit, reply } => {
                let Some(open) = self.machine.observe(journal, now) else {
                    return reply.answer(Err(NodeError::NoJournal(journal)));
                };
                if !(1..=PAGE_MAX).contains(&limit) {
                    return reply.answer(Err(NodeError::Page));
                }
                let (reading, head) = (open.read(&query, after, limit), open.head());
                let store = self.platform.store().clone();
                self.reply_with("page", reply, load_page(store, journal, *query, reading, (head, limit)));
            }
            Command::News { journal, after, reply } => {
                self.watchers.push(Watcher { journal, after, reply });
                self.wake_watchers(journal);
            }
            Command::HeldBack { journal, after, limit, reply } => {
                let held = match self.machine.observe(journal, now) {
                    None => Err(NodeError::NoJournal(journal)),
                    Some(_) if !(1..=PAGE_MAX).contains(&limit) => Err(NodeError::Page),
                    Some(open) => Ok(open.held_entries(after, limit)),
                };
                reply.answer(held);
            }
            Command::AskReceipt { journal, address, previous, reply } => {
                if !self.machine.is_running() {
                    return reply.answer(Err(NodeError::NotStarted));
                }
                let ticket = self.ticket(Waiting::Receipt(reply));
                self.machine.handle(Input::AskReceipt { ticket, journal, address, previous }, now);
            }
            Command::Deliveries { journal, reply } => {
                reply.answer(self.machine.deliveries(journal).ok_or(NodeError::NoJournal(journal)));
            }
            Command::Delivery { journal, entry, device, reply } => {
                reply.answer(Ok(self.machine.delivery(journal, &entry, device)));
            }
            Command::AddPeer { address, device, reply } => {
                let known = self.machine.dials(&address);
                if !known && self.machine.peers(now.monotonic).len() >= PEERS {
                    return reply.answer(Err(NodeError::TooManyPeers));
                }
                if let Err(error) = self.transport(&address).map(drop) {
                    return reply.answer(Err(error.into()));
                }
                self.machine.handle(Input::AddPeer { address, device }, now);
                reply.answer(Ok(!known));
            }
            Command::RemovePeer { address, reply } => {
                let known = self.machine.dials(&address);
                self.machine.handle(Input::RemovePeer { address }, now);
                reply.answer(Ok(known));
            }
            Command::Peers { reply } => reply.answer(Ok(self.machine.peers(now.monotonic))),
            Command::Sync { reply, .. } if !reply.waits() => {}
            Command::Sync { journal, address, patient, reply } => {
                if !self.machine.is_running() {
                    return reply.answer(Err(NodeError::NotStarted));
                }
                if self.machine.journal(journal).is_none() {
                    return reply.answer(Err(NodeError::NoJournal(journal)));
                }
                if !self.machine.dials(&address) {
                    return reply.answer(Err(NodeError::NoPeer));
                }
                let ticket = self.ticket(Waiting::Sync(reply));
                self.machine.handle(Input::Sync { ticket, journal, address, patient }, now);
            }
            Command::Forget => self.forget_those_gone(),
            Command::Accept { connection, reply } => {
                if !self.machine.is_running() {
                    return reply.answer(Err(NodeError::NotStarted));
                }
                let number = self.machine.next_connection();
                let remote = connection.remote.clone();
                let binding = self.attach(number, connection);
                self.machine.handle(Input::Accepted { connection: number, remote, binding }, now);
                reply.answer(Ok(()));
            }
            Command::Subscribe { events, reply } => {
                self.subscribers.push(Subscriber { events, missed: 0 });
                reply.answer(Ok(()));
            }
            Command::Connections { reply } => {
                reply.answer(Ok((self.machine.connections(), self.machine.waiting())));
            }
        }
    }

    pub(super) fn ticket(&mut self, waiting: Waiting) -> u64 {
        self.next_ticket = self.next_ticket.saturating_add(1);
        self.waiting.insert(self.next_ticket, waiting);
        self.next_ticket
    }

    /// Frees what is kept for those who waited for a peer and have given up.
    fn forget_those_gone(&mut self) {
        let is_gone = |waiting: &Waiting| match waiting {
            Waiting::Sync(reply) => !reply.waits(),
            Waiting::Receipt(reply) => !reply.waits(),
            Waiting::Open(_) | Waiting::Append(_) | Waiting::Import(_) => false,
        };
        let gone = self.waiting.iter().filter(|(_, waiting)| is_gone(waiting)).map(|(ticket, _)| *ticket);
        for ticket in gone.collect::<Vec<_>>() {
            self.waiting.remove(&ticket);
            self.machine.handle(Input::Forget { ticket }, self.now());
        }
    }

    pub(super) fn get(&mut self, journal: JournalId, entry: EntryId, reply: Reply<Option<Entry>>) {
        let Some(open) = self.machine.journal(journal) else {
            return reply.answer(Err(NodeError::NoJournal(journal)));
        };
        let Some(number) = open.number_of(&entry) else {
            return reply.answer(Ok(None));
        };
        let load = load_entry(self.platform.store().clone(), journal, number);
        self.reply_with("get", reply, load);
    }

    /// The proof is made now, so that it is of one moment with whether the entry is here.
    fn prove(&mut self, journal: JournalId, entry: EntryId, reply: Reply<Evidence>) {
        let proved = self.prove_all(journal, &[entry]);
        let number = self.machine.journal(journal).and_then(|open| open.number_of(&entry));
        match proved {
            Ok(Proved { proof, .. }) => {
                let load = load_evidence(self.platform.store().clone(), journal, entry, number, proof);
                self.reply_with("prove", reply, load);
            }
            Err(error) => reply.answer(Err(error)),
        }
    }

    fn prove_all(&self, journal: JournalId, entries: &[EntryId]) -> Result<Proved, NodeError> {
        let open = self.machine.journal(journal).ok_or(NodeError::NoJournal(journal))?;
        Ok(Proved { root: open.root(), proof: open.map().prove(entries)? })
    }

    /// Answers a caller from a task. If the task panics the caller sees a closed node.
    pub(super) fn reply_with<T: MaybeSend + 'static>(
        &self,
        name: &'static str,
        reply: Reply<T>,
        task: impl Future<Output = Result<T, NodeError>> + MaybeSend + 'static,
    ) {
        let task = Box::pin(async move { reply.answer(task.await) });
        self.answers.spawn(self.platform.spawner(), name, task, None);
    }

    pub(super) fn start(&mut self, reply: Reply<()>) {
        match &mut self.stopping {
            Stopping::Yes { starts, .. } => starts.push(reply),
            Stopping::No => {
                self.machine.handle(Input::Start, self.now());
                reply.answer(Ok(()));
            }
        }
    }

    pub(super) fn stop(&mut self, reply: Reply<StopReport>) {
        match &mut self.stopping {
            Stopping::Yes { stops, starts } if starts.is_empty() => stops.push(reply),
            Stopping::Yes { stops, starts } => {
                // Starts that waited for this stop are overtaken by the next: one stop serves both.
                for start in starts.drain(..) {
                    start.answer(Ok(()));
                }
                stops.push(reply);
            }
            Stopping::No if !self.machine.is_running() => reply.answer(Ok(StopReport::default())),
            Stopping::No => {
                self.machine.handle(Input::Stop, self.now());
                self.carry_out_all();
                self.stopping = Stopping::Yes { stops: vec![reply], starts: Vec::new() };
                let (group, platform, outside) =
                    (self.connections.clone(), self.platform.clone(), self.outside.clone());
                let drain = Box::pin(async move {
                    let aborted = group.drain(platform.timer(), DRAIN).await;
                    send(&outside, Outside::Stopped(StopReport { aborted })).await;
                });
                self.work.spawn(self.platform.spawner(), "stop", drain, None);
            }
        }
    }
}

fn status(open: &Journal) -> JournalStatus {
    JournalStatus {
        root: open.root(),
        facts: open.index().facts(),
        predicates: open.index().predicates(),
        authorities: open.index().authorities(),
        devices: open.chains().devices() as u64,
        held_back: open.held_back(),
        missing: open.chains().missing(),
        forked: open.chains().forked(),
        cursor: open.cursor(),
        position: open.position(),
        loaded_from: open.loaded_from(),
    }
}
