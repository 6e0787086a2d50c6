//! Carrying out what the machine asks for: each effect as a task that ends with an input.

use std::pin::pin;
use std::sync::Arc;

use futures::channel::oneshot;
use futures::future::FutureExt;
use futures::select_biased;

use crate::driver::checkpoint;
use crate::driver::command_loop::{CommandLoop, Outside, Waiting, Writer, send};
use crate::driver::connection::{self, Outgoing};
use crate::driver::error::NodeError;
use crate::driver::load::load;
use crate::driver::storage;
use crate::error::{StoreError, TransportError};
use crate::fact::unchecked::UncheckedEntry;
use crate::ids::JournalId;
use crate::limits::{CONNECT, STORE_RETRY};
use crate::platform::send::{BoxFuture, MaybeSend};
use crate::platform::traits::{Connection, DynTransport, Platform, Spawner, Store, Timer};
use crate::service::event::Event;
use crate::service::routing::{ConnectionId, Effect, Input};
use crate::session::connection::Verdicts;
use crate::session::failure::PeerError;

/// Entries that are framed in the loop's own turn.
const FRAMED_AT_ONCE: usize = 16;

impl<P: Platform> CommandLoop<P> {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        let platform = self.platform.clone();
        let store = platform.store().clone();
        let task_failed = || StoreError::Failed("its task failed".into());
        match effect {
            Effect::Send { connection, frame } => {
                if let Some(writer) = self.writers.get(&connection) {
                    drop(writer.outgoing.try_send(Outgoing::Frame(frame)));
                }
            }
            Effect::Close { connection, reason } => {
                if let Some(dial) = self.dials.remove(&connection) {
                    dial.abort();
                }
                // With the writer goes the mark that it is to end.
                if let Some(writer) = self.writers.remove(&connection) {
                    drop(writer.outgoing.try_send(Outgoing::Close(reason)));
                }
            }
            Effect::Dial { connection, address } => self.dial(connection, address),
            Effect::Check { connection, channel, sequence, journal, records } => {
                let check = async move {
                    let verdicts = platform.spawner().compute(move || check(journal, records)).await;
                    Input::Checked { connection, channel, sequence, verdicts }
                };
                let error = PeerError::Store(task_failed());
                self.task("check", check, Input::Disconnected { connection, error });
            }
            Effect::Feed { connection, channel, journal, feed } => {
                let recent = self.recent.read(journal, &feed);
                // A few go at once; to frame many for many peers would hold up everybody else.
                if let Some(sent) = recent.as_ref().filter(|sent| sent.len() <= FRAMED_AT_ONCE) {
                    let (frames, fed) = storage::framed(journal, channel, sent);
                    return self.handle(Outside::Fed { connection, channel, frames, fed });
                }
                let outside = self.outside.clone();
                let failed = Input::FeedFailed { connection, channel, error: task_failed() };
                let feed = Box::pin(async move {
                    // Queued and counted in one turn of the loop, so that nothing overtakes.
                    let read = match recent {
                        Some(sent) => Ok(storage::framed(journal, channel, &sent)),
                        None => storage::feed(store, journal, channel, feed).await,
                    };
                    let fed = match read {
                        Ok((frames, fed)) => Outside::Fed { connection, channel, frames, fed },
                        Err(error) => Outside::Input(Input::FeedFailed { connection, channel, error }),
                    };
                    send(&outside, fed).await;
                });
                let (spawner, panicked) = (self.platform.spawner(), self.report(failed));
                self.work.spawn(spawner, "feed", feed, panicked);
            }
            Effect::Load { journal } => {
                let device = self.machine.device();
                let load =
                    async move { Input::Loaded { journal, loaded: load(&platform, journal, device).await } };
                self.task("load", load, Input::Loaded { journal, loaded: Err(task_failed()) });
            }
            Effect::Unload { journal } => {
                if let Some(follower) = self.followers.remove(&journal) {
                    follower.abort();
                }
                self.recent.forget(journal);
            }
            Effect::Commit { journal, at, entries } => {
                let records = entries.iter().map(|entry| entry.record.clone()).collect();
                self.recent.commit(journal, at, records);
                let commit = storage::commit(store, journal, at, entries);
                self.task("commit", commit, Input::CommitFailed { journal, error: task_failed() });
            }
            Effect::Follow { journal, from } => {
                let outside = self.outside.clone();
                let follow = async move {
                    let mut from = from;
                    loop {
                        let (input, next) = storage::follow(&platform, journal, from).await;
                        let Some(next) = next else { return input };
                        send(&outside, Outside::Input(input)).await;
                        from = next;
                    }
                };
                self.task("follow", follow, Input::CommitFailed { journal, error: task_failed() });
            }
            Effect::Remember { journal, device, cursor } => {
                let remember = storage::remember(store, journal, device, cursor);
                self.work.spawn(self.platform.spawner(), "remember", Box::pin(remember), None);
            }
            Effect::Save { journal, saving } => {
                let savings = match &self.savings {
                    Some(savings) => savings,
                    None => {
                        let (savings, waiting) = async_channel::unbounded();
                        let save = Box::pin(checkpoint::save_all(store, waiting));
                        self.work.spawn(self.platform.spawner(), "checkpoint", save, None);
                        self.savings.insert(savings)
                    }
                };
                // If its task has failed, opening takes longer.
                drop(savings.try_send((journal, saving)));
            }
            Effect::Opened { ticket, opened } => {
                if let Some(Waiting::Open(reply)) = self.waiting.remove(&ticket) {
                    reply.answer(opened.map_err(NodeError::from));
                }
            }
            Effect::Appended { ticket, appended } => {
                if let Some(Waiting::Append(reply)) = self.waiting.remove(&ticket) {
                    reply.answer(appended.map_err(NodeError::from));
                }
            }
            Effect::Imported { ticket, imported } => {
                if let Some(Waiting::Import(reply)) = self.waiting.remove(&ticket) {
                    reply.answer(imported.map_err(NodeError::from));
                }
            }
            Effect::Synced { ticket, synced } => {
                if let Some(Waiting::Sync(reply)) = self.waiting.remove(&ticket) {
                    reply.answer(synced.map_err(NodeError::from));
                }
            }
            Effect::Receipted { ticket, receipt } => {
                if let Some(Waiting::Receipt(reply)) = self.waiting.remove(&ticket) {
                    reply.answer(receipt.map_err(NodeError::from));
                }
            }
            Effect::Event(event) => self.publish(event),
        }
    }

    pub(super) fn dial(&mut self, connection: ConnectionId, address: String) {
        let (platform, outside) = (self.platform.clone(), self.outside.clone());
        let dialled = self.transport(&address);
        let dial = async move {
            let outcome: Result<(String, Connection), PeerError> = async {
                let (transport, canonical) = dialled?;
                let mut connect = transport.connect(&address).fuse();
                let mut limit = pin!(platform.timer().sleep(CONNECT).fuse());
                select_biased! {
                    opened = connect => Ok((canonical, opened?)),
                    () = limit => Err(PeerError::Timeout { waiting_for: "connecting" }),
                }
            }
            .await;
            let outside_says = match outcome {
                Ok((canonical, opened)) => Outside::Connected { connection, canonical, opened },
                Err(error) => Outside::Input(Input::Disconnected { connection, error }),
            };
            send(&outside, outside_says).await;
        };
        let dial: BoxFuture<'static, ()> = Box::pin(dial);
        let (spawner, broken) = (self.platform.spawner(), self.broken(connection));
        let handle = self.connections.spawn(spawner, "connection/dial", dial, broken);
        self.dials.insert(connection, handle);
    }

    /// Tells the machine from now on when somebody appends to a journal's log behind this number.
    pub(super) fn watch_store(&mut self, journal: JournalId, after: u64) {
        let (platform, outside) = (self.platform.clone(), self.outside.clone());
        let store = platform.store().clone();
        let watch = Box::pin(async move {
            let mut after = after;
            while !outside.is_closed() {
                match store.changed(journal, after).await {
                    Ok(head) => {
                        after = head.number;
                        let changed = Input::StoreChanged { journal, head: after };
                        send(&outside, Outside::Input(changed)).await;
                    }
                    // The store may come back, as a browser's does.
                    Err(_) => platform.timer().sleep(STORE_RETRY).await,
                }
            }
        });
        let follower = self.work.spawn(self.platform.spawner(), "store/watch", watch, None);
        if let Some(former) = self.followers.insert(journal, follower) {
            former.abort();
        }
    }

    /// Starts the tasks of a connection; its binding.
    pub(super) fn attach(&mut self, connection: ConnectionId, opened: Connection) -> Vec<u8> {
        let (outgoing, frames) = async_channel::unbounded();
        let (closing, closed) = oneshot::channel();
        let spawner = self.platform.spawner();
        let read = Box::pin(connection::read(connection, opened.receiver, self.outside.clone()));
        let reader = self.connections.spawn(spawner, "connection/read", read, self.broken(connection));
        let (platform, outside) = (self.platform.clone(), self.outside.clone());
        let write = Box::pin(async move {
            let (sender, timer) = (opened.sender, platform.timer());
            connection::write(connection, sender, frames, closed, outside, reader, timer).await;
        });
        self.connections.spawn(spawner, "connection/write", write, self.broken(connection));
        self.dials.remove(&connection);
        self.writers.insert(connection, Writer { outgoing, _closing: closing });
        opened.binding
    }

    /// What happens when a task of a connection panics: the connection is over.
    fn broken(&self, connection: ConnectionId) -> Option<BoxFuture<'static, ()>> {
        let error = TransportError::Broken("its task failed".into()).into();
        self.report(Input::Disconnected { connection, error })
    }

    /// Tells the machine something, for when a task panics.
    fn report(&self, input: Input) -> Option<BoxFuture<'static, ()>> {
        let outside = self.outside.clone();
        Some(Box::pin(async move { send(&outside, Outside::Input(input)).await }))
    }

    /// Runs a task that ends with something for the machine, also when it panics.
    pub(super) fn task(
        &self,
        name: &'static str,
        task: impl Future<Output = Input> + MaybeSend + 'static,
        on_panic: Input,
    ) {
        let outside = self.outside.clone();
        // Boxed twice, so that what follows is compiled once for all tasks.
        let task: BoxFuture<'static, Input> = Box::pin(task);
        let task = Box::pin(async move {
            let input = task.await;
            send(&outside, Outside::Input(input)).await;
        });
        self.work.spawn(self.platform.spawner(), name, task, self.report(on_panic));
    }

    pub(super) fn publish(&mut self, event: Event) {
        trace(&event);
        if let Event::Grew { journal, .. } | Event::Due { journal, .. } = &event {
            self.wake_watchers(*journal);
        }
        self.subscribers.retain_mut(|subscriber| {
            if subscriber.missed > 0 {
                let lagged = Event::Lagged { count: subscriber.missed };
                if subscriber.events.try_send(lagged).is_ok() {
                    subscriber.missed = 0;
                }
            }
            if subscriber.missed > 0 || subscriber.events.try_send(event.clone()).is_err() {
                subscriber.missed = subscriber.missed.saturating_add(1);
            }
            !subscriber.events.is_closed()
        });
    }

    /// The transport that dials an address, and the address in its canonical form.
    pub(super) fn transport(&self, address: &str) -> Result<(Arc<dyn DynTransport>, String), TransportError> {
        let transport = self.platform.transports().iter().find(|transport| transport.handles(address));
        let transport = transport.ok_or_else(|| TransportError::Address {
            address: address.to_owned(),
            reason: "no transport of this node dials it".into(),
        })?;
        Ok((transport.clone(), transport.canonical(address)?))
    }
}

/// The verdicts on the records of a bundle.
fn check(journal: JournalId, records: Vec<Vec<u8>>) -> Verdicts {
    UncheckedEntry::judge_all(&journal, records.into_iter().map(UncheckedEntry::new).collect())
}

/// Structured events, under stable names.
fn trace(event: &Event) {
    match event {
        Event::Started => tracing::info!(name: "service.started", "sync service started"),
        Event::Stopped => tracing::info!(name: "service.stopped", "sync service stopped"),
        Event::Connected { peer, device } => {
            tracing::info!(name: "peer.connected", %peer, %device, "connected");
        }
        Event::Disconnected { peer, error } => {
            tracing::info!(name: "peer.disconnected", %peer, code = %error.code(), %error, "disconnected");
        }
        Event::Synced { peer, journal, report } => tracing::info!(
            name: "sync.done", %peer, %journal, sent = report.entries_sent, received = report.entries_received,
            root = %report.root, "synced"
        ),
        Event::Phase { peer, journal, phase } => {
            tracing::debug!(name: "sync.phase", %peer, %journal, %phase, "sync goes on");
        }
        Event::SyncFailed { peer, journal, error } => {
            tracing::info!(name: "sync.failed", %peer, %journal, code = %error.code(), %error, "sync failed");
        }
        Event::Grew { journal, head } => tracing::debug!(name: "journal.grew", %journal, head, "grew"),
        Event::Due { journal, entries } => {
            tracing::debug!(name: "journal.due", %journal, entries, "entries that were held back are due");
        }
        Event::Delivered { peer, journal, upto, .. } => {
            tracing::debug!(name: "entries.delivered", %peer, %journal, upto, "durable at the peer");
        }
        Event::Lagged { .. } => {}
    }
}
