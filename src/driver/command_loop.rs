//! The one task that owns a sync service's state: takes commands and answers, carries out effects.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use futures::future::{AbortHandle, FutureExt};
use futures::select_biased;

use crate::driver::command::{Command, JournalStatus, Reply, StopReport};
use crate::driver::connection::{self, Outgoing};
use crate::driver::error::NodeError;
use crate::driver::facts::{load_entry, load_page, page_numbers};
use crate::driver::storage;
use crate::driver::task_group::TaskGroup;
use crate::error::StoreError;
use crate::fact::unchecked::UncheckedEntry;
use crate::ids::{EntryId, JournalId};
use crate::limits::{CONNECT, DRAIN, PAGE_MAX, PEERS};
use crate::platform::send::{BoxFuture, MaybeSend};
use crate::platform::traits::{Clock, Connection, DynTransport, Platform, Spawner, Store, Timer};
use crate::service::event::Event;
use crate::service::machine::Machine;
use crate::service::routing::{ConnectionId, Effect, Input};
use crate::session::channel::SyncReport;
use crate::session::connection::Verdicts;
use crate::session::failure::PeerError;
use crate::time::{Instant, Now};

/// Answers to effects that wait for the loop; readers of connections are held back beyond.
const INBOX: usize = 256;

/// What tasks tell the loop.
pub(crate) enum Outside {
    /// Something for the machine.
    Input(Input),
    /// A connection that was dialled is open.
    Connected { connection: ConnectionId, canonical: String, opened: Connection },
    /// All tasks of a stop have ended.
    Stopped(StopReport),
}

/// Who waits for the answer to which ticket.
enum Waiting {
    Open(Reply<()>),
    Append(Reply<Vec<(EntryId, u64)>>),
    Sync(Reply<SyncReport>),
}

/// Whether connections are being wound up, and who waits for that.
enum Stopping {
    No,
    Yes { stops: Vec<Reply<StopReport>>, starts: Vec<Reply<()>> },
}

/// A subscriber to events, and how many it has missed since the last.
struct Subscriber {
    events: Sender<Event>,
    missed: u64,
}

/// Someone who waits for a journal to grow beyond a number.
struct Watcher {
    journal: JournalId,
    after: u64,
    reply: Reply<()>,
}

/// See the module.
pub(crate) struct CommandLoop<P: Platform> {
    platform: Arc<P>,
    machine: Machine,
    commands: Receiver<Command>,
    inbox: Receiver<Outside>,
    outside: Sender<Outside>,
    /// Readers, writers and dials.
    connections: TaskGroup,
    /// Everything else.
    work: TaskGroup,
    writers: BTreeMap<ConnectionId, Sender<Outgoing>>,
    readers: BTreeMap<ConnectionId, AbortHandle>,
    /// Tasks that watch the store for what others append.
    followers: BTreeMap<JournalId, AbortHandle>,
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
    watchers: Vec<Watcher>,
    subscribers: Vec<Subscriber>,
    stopping: Stopping,
}

impl<P: Platform> CommandLoop<P> {
    pub(crate) fn new(platform: Arc<P>, machine: Machine, commands: Receiver<Command>) -> Self {
        let (outside, inbox) = async_channel::bounded(INBOX);
        Self {
            platform,
            machine,
            commands,
            inbox,
            outside,
            connections: TaskGroup::default(),
            work: TaskGroup::default(),
            writers: BTreeMap::new(),
            readers: BTreeMap::new(),
            followers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_ticket: 0,
            watchers: Vec::new(),
            subscribers: Vec::new(),
            stopping: Stopping::No,
        }
    }

    /// Runs until all handles are gone, then winds up.
    pub(crate) async fn run(mut self) {
        let mut sleep: Option<(Instant, Pin<Box<_>>)> = None;
        loop {
            self.carry_out_all();
            let mut busy = self.machine.has_work();
            if busy {
                self.machine.work(self.now());
                self.carry_out_all();
            }
            // One of each in turn, so that neither callers nor connections starve the other.
            if let Ok(outside) = self.inbox.try_recv() {
                self.handle(outside);
                busy = true;
            }
            match self.commands.try_recv() {
                Ok(command) => {
                    self.command(command);
                    busy = true;
                }
                Err(async_channel::TryRecvError::Empty) => {}
                Err(async_channel::TryRecvError::Closed) => break,
            }
            let deadline = self.machine.poll_deadline();
            if deadline.is_some_and(|deadline| deadline <= self.now().monotonic) {
                self.machine.handle(Input::Timeout, self.now());
                busy = true;
            }
            if busy {
                yield_now().await;
                continue;
            }
            self.carry_out_all();
            let deadline = self.machine.poll_deadline();
            if sleep.as_ref().map(|(until, _)| *until) != deadline {
                sleep = deadline.map(|until| {
                    let platform = self.platform.clone();
                    let duration = until.since(self.now().monotonic);
                    (until, Box::pin(async move { platform.timer().sleep(duration).await }))
                });
            }
            let (inbox, commands) = (self.inbox.clone(), self.commands.clone());
            let mut outside = pin!(inbox.recv().fuse());
            let mut command = pin!(commands.recv().fuse());
            let mut timeout = pin!(
                async {
                    match &mut sleep {
                        Some((_, sleep)) => sleep.as_mut().await,
                        None => futures::future::pending().await,
                    }
                }
                .fuse()
            );
            select_biased! {
                outside = outside => if let Ok(outside) = outside { self.handle(outside) },
                command = command => match command {
                    Ok(command) => self.command(command),
                    Err(_) => break,
                },
                () = timeout => {
                    sleep = None;
                    self.machine.handle(Input::Timeout, self.now());
                }
            }
        }
        self.wind_up().await;
    }

    /// The last handle is gone: nothing can be heard any more, what was acknowledged is durable.
    async fn wind_up(mut self) {
        self.machine.handle(Input::Stop, self.now());
        self.carry_out_all();
        for (_, follower) in std::mem::take(&mut self.followers) {
            follower.abort();
        }
        // Tasks that report to the loop must not wait for it.
        self.inbox.close();
        self.connections.drain(self.platform.timer(), DRAIN).await;
        self.work.drain(self.platform.timer(), DRAIN).await;
    }

    fn now(&self) -> Now {
        self.platform.clock().now()
    }

    fn handle(&mut self, outside: Outside) {
        match outside {
            Outside::Input(input) => self.machine.handle(input, self.now()),
            Outside::Connected { connection, canonical, opened } => {
                let binding = self.attach(connection, opened);
                self.machine.handle(Input::Dialled { connection, canonical, binding }, self.now());
            }
            Outside::Stopped(report) => {
                if let Stopping::Yes { stops, starts } = std::mem::replace(&mut self.stopping, Stopping::No) {
                    for reply in stops {
                        answer(reply, Ok(report.clone()));
                    }
                    for reply in starts {
                        self.start(reply);
                    }
                }
            }
        }
    }

    fn start(&mut self, reply: Reply<()>) {
        match &mut self.stopping {
            Stopping::Yes { starts, .. } => starts.push(reply),
            Stopping::No => {
                self.machine.handle(Input::Start, self.now());
                answer(reply, Ok(()));
            }
        }
    }

    fn stop(&mut self, reply: Reply<StopReport>) {
        match &mut self.stopping {
            Stopping::Yes { stops, starts } if starts.is_empty() => stops.push(reply),
            Stopping::Yes { stops, starts } => {
                // Starts that waited for this stop are overtaken by the next: one stop serves both.
                for start in starts.drain(..) {
                    answer(start, Ok(()));
                }
                stops.push(reply);
            }
            Stopping::No if !self.machine.is_running() => answer(reply, Ok(StopReport::default())),
            Stopping::No => {
                self.machine.handle(Input::Stop, self.now());
                self.carry_out_all();
                self.stopping = Stopping::Yes { stops: vec![reply], starts: Vec::new() };
                let (group, platform, outside) =
                    (self.connections.clone(), self.platform.clone(), self.outside.clone());
                let drain = async move {
                    let aborted = group.drain(platform.timer(), DRAIN).await;
                    send(&outside, Outside::Stopped(StopReport { aborted })).await;
                };
                self.work.spawn(self.platform.spawner(), "stop", drain, || {});
            }
        }
    }

    fn ticket(&mut self, waiting: Waiting) -> u64 {
        self.next_ticket = self.next_ticket.saturating_add(1);
        self.waiting.insert(self.next_ticket, waiting);
        self.next_ticket
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Start { reply } => self.start(reply),
            Command::Stop { reply } => self.stop(reply),
            Command::IsRunning { reply } => answer(reply, Ok(self.machine.is_running())),
            Command::Open { journal, reply } => {
                let ticket = self.ticket(Waiting::Open(reply));
                self.machine.handle(Input::Open { ticket, journal }, now);
            }
            Command::Append { journal, drafts, reply } => {
                let ticket = self.ticket(Waiting::Append(reply));
                self.machine.handle(Input::Append { ticket, journal, drafts }, now);
            }
            Command::Status { journal, reply } => answer(reply, self.status(journal)),
            Command::Get { journal, entry, reply } => self.get(journal, entry, reply),
            Command::Page { journal, filter, after, limit, reply } => {
                let Some(open) = self.machine.journal(journal) else {
                    return answer(reply, Err(NodeError::NoJournal(journal)));
                };
                if !(1..=PAGE_MAX).contains(&limit) {
                    return answer(reply, Err(NodeError::Page));
                }
                let numbers = page_numbers(open, &filter, after, limit);
                let page = load_page(self.platform.store().clone(), journal, numbers, filter);
                self.reply_with("page", reply, page);
            }
            Command::Grown { journal, after, reply } => {
                self.watchers.push(Watcher { journal, after, reply });
                self.wake_watchers(journal);
            }
            Command::AddPeer { address, device, reply } => {
                let peers = self.machine.peers();
                let known = peers.iter().any(|peer| peer.address == address);
                if !known && peers.len() >= PEERS {
                    return answer(reply, Err(NodeError::TooManyPeers));
                }
                if let Err(error) = self.transport(&address).map(drop) {
                    return answer(reply, Err(error.into()));
                }
                self.machine.handle(Input::AddPeer { address, device }, now);
                answer(reply, Ok(!known));
            }
            Command::RemovePeer { address, reply } => {
                let known = self.machine.peers().iter().any(|peer| peer.address == address);
                self.machine.handle(Input::RemovePeer { address }, now);
                answer(reply, Ok(known));
            }
            Command::Peers { reply } => answer(reply, Ok(self.machine.peers())),
            Command::Sync { journal, address, reply } => {
                if !self.machine.is_running() {
                    return answer(reply, Err(NodeError::NotStarted));
                }
                if self.machine.journal(journal).is_none() {
                    return answer(reply, Err(NodeError::NoJournal(journal)));
                }
                if !self.machine.peers().iter().any(|peer| peer.address == address) {
                    return answer(reply, Err(NodeError::NoPeer));
                }
                let ticket = self.ticket(Waiting::Sync(reply));
                self.machine.handle(Input::Sync { ticket, journal, address }, now);
            }
            Command::Accept { connection, reply } => {
                if !self.machine.is_running() {
                    return answer(reply, Err(NodeError::NotStarted));
                }
                let number = self.machine.next_connection();
                let remote = connection.remote.clone();
                let binding = self.attach(number, connection);
                self.machine.handle(Input::Accepted { connection: number, remote, binding }, now);
                answer(reply, Ok(()));
            }
            Command::Subscribe { events, reply } => {
                self.subscribers.push(Subscriber { events, missed: 0 });
                answer(reply, Ok(()));
            }
            Command::Connections { reply } => answer(reply, Ok(self.machine.connections())),
        }
    }

    fn status(&self, journal: JournalId) -> Result<JournalStatus, NodeError> {
        let open = self.machine.journal(journal).ok_or(NodeError::NoJournal(journal))?;
        Ok(JournalStatus {
            root: open.root(),
            facts: open.index().facts(),
            predicates: open.index().predicates() as u64,
            cursor: open.cursor(),
        })
    }

    fn get(&mut self, journal: JournalId, entry: EntryId, reply: Reply<Option<crate::Entry>>) {
        let Some(open) = self.machine.journal(journal) else {
            return answer(reply, Err(NodeError::NoJournal(journal)));
        };
        let Some(number) = open.number_of(&entry) else {
            return answer(reply, Ok(None));
        };
        let load = load_entry(self.platform.store().clone(), journal, number);
        self.reply_with("get", reply, load);
    }

    /// Answers a caller from a task. If the task panics the caller sees a closed node.
    fn reply_with<T: MaybeSend + 'static>(
        &self,
        name: &'static str,
        reply: Reply<T>,
        task: impl Future<Output = Result<T, NodeError>> + MaybeSend + 'static,
    ) {
        let task = async move { answer(reply, task.await) };
        self.work.spawn(self.platform.spawner(), name, task, || {});
    }

    /// The transport that dials an address, and the address in its canonical form.
    fn transport(&self, address: &str) -> Result<(Arc<dyn DynTransport>, String), crate::TransportError> {
        let transport = self.platform.transports().iter().find(|transport| transport.handles(address));
        let transport = transport.ok_or_else(|| crate::TransportError::Address {
            address: address.to_owned(),
            reason: "no transport of this node dials it".into(),
        })?;
        Ok((transport.clone(), transport.canonical(address)?))
    }

    /// Starts the tasks of a connection; its binding.
    fn attach(&mut self, connection: ConnectionId, opened: Connection) -> Vec<u8> {
        let (writer, outgoing) = async_channel::unbounded();
        let (spawner, outside) = (self.platform.spawner(), &self.outside);
        let platform = self.platform.clone();
        let write = {
            let outside = outside.clone();
            async move {
                connection::write(connection, opened.sender, outgoing, outside, platform.timer()).await;
            }
        };
        let read = connection::read(connection, opened.receiver, outside.clone());
        self.connections.spawn(spawner, "connection/write", write, self.broken(connection));
        let reader = self.connections.spawn(spawner, "connection/read", read, self.broken(connection));
        self.writers.insert(connection, writer);
        self.readers.insert(connection, reader);
        opened.binding
    }

    /// What happens when a task of a connection panics: the connection is over.
    fn broken(&self, connection: ConnectionId) -> impl FnOnce() + MaybeSend + 'static {
        let outside = self.outside.clone();
        let error = crate::TransportError::Broken("its task failed".into()).into();
        move || {
            // Where the inbox is full the silence of the connection will be noticed.
            drop(outside.try_send(Outside::Input(Input::Disconnected { connection, error })));
        }
    }

    fn carry_out_all(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            self.carry_out(effect);
        }
    }

    /// Runs a task that ends with something for the machine, also when it panics.
    fn task(
        &self,
        name: &'static str,
        task: impl Future<Output = Input> + MaybeSend + 'static,
        on_panic: Input,
    ) {
        let (outside, panicked) = (self.outside.clone(), self.outside.clone());
        let task = async move {
            let input = task.await;
            send(&outside, Outside::Input(input)).await;
        };
        let report = move || drop(panicked.try_send(Outside::Input(on_panic)));
        self.work.spawn(self.platform.spawner(), name, task, report);
    }

    fn carry_out(&mut self, effect: Effect) {
        let platform = self.platform.clone();
        let store = platform.store().clone();
        let task_failed = || StoreError::Failed("its task failed".into());
        match effect {
            Effect::Send { connection, frame } => {
                if let Some(writer) = self.writers.get(&connection) {
                    drop(writer.try_send(Outgoing::Frame(frame)));
                }
            }
            Effect::Close { connection, reason } => {
                if let Some(reader) = self.readers.remove(&connection) {
                    reader.abort();
                }
                if let Some(writer) = self.writers.remove(&connection) {
                    drop(writer.try_send(Outgoing::Close(reason)));
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
                let writer = self.writers.get(&connection).cloned();
                let feed = async move {
                    match storage::feed(store, journal, channel, feed).await {
                        Ok((frames, fed)) => {
                            let queued = frames.iter().map(Vec::len).sum();
                            for frame in frames {
                                if let Some(writer) = &writer {
                                    drop(writer.try_send(Outgoing::Frame(frame)));
                                }
                            }
                            Input::Fed { connection, channel, fed, queued }
                        }
                        Err(error) => Input::FeedFailed { connection, channel, error },
                    }
                };
                let error = task_failed();
                self.task("feed", feed, Input::FeedFailed { connection, channel, error });
            }
            Effect::Load { journal } => {
                let device = self.machine.device();
                let load = async move {
                    Input::Loaded { journal, loaded: storage::load(&platform, journal, device).await }
                };
                self.task("load", load, Input::Loaded { journal, loaded: Err(task_failed()) });
                self.watch_store(journal);
            }
            Effect::Unload { journal } => {
                if let Some(follower) = self.followers.remove(&journal) {
                    follower.abort();
                }
            }
            Effect::Commit { journal, at, entries } => {
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
                self.work.spawn(self.platform.spawner(), "remember", remember, || {});
            }
            Effect::Opened { ticket, opened } => {
                if let Some(Waiting::Open(reply)) = self.waiting.remove(&ticket) {
                    answer(reply, opened.map_err(NodeError::from));
                }
            }
            Effect::Appended { ticket, appended } => {
                if let Some(Waiting::Append(reply)) = self.waiting.remove(&ticket) {
                    answer(reply, appended.map_err(NodeError::from));
                }
            }
            Effect::Synced { ticket, synced } => {
                if let Some(Waiting::Sync(reply)) = self.waiting.remove(&ticket) {
                    answer(reply, synced.map_err(NodeError::from));
                }
            }
            Effect::Event(event) => self.publish(event),
        }
    }

    fn dial(&mut self, connection: ConnectionId, address: String) {
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
        let handle =
            self.connections.spawn(self.platform.spawner(), "connection/dial", dial, self.broken(connection));
        // Ended with the connection, as its reader will be.
        self.readers.insert(connection, handle);
    }

    /// Tells the machine when somebody else appends to a journal's log.
    fn watch_store(&mut self, journal: JournalId) {
        let (store, outside) = (self.platform.store().clone(), self.outside.clone());
        let watch = async move {
            let mut after = match store.head(journal).await {
                Ok(head) => head.number,
                Err(_) => return,
            };
            while let Ok(head) = store.changed(journal, after).await {
                after = head.number;
                send(&outside, Outside::Input(Input::StoreChanged { journal, head: after })).await;
                if outside.is_closed() {
                    return;
                }
            }
        };
        let follower = self.work.spawn(self.platform.spawner(), "store/watch", watch, || {});
        if let Some(former) = self.followers.insert(journal, follower) {
            former.abort();
        }
    }

    fn wake_watchers(&mut self, journal: JournalId) {
        let head = self.machine.journal(journal).map(crate::journal::set::Journal::head);
        let due = |watcher: &mut Watcher| {
            watcher.journal == journal && head.is_none_or(|head| head > watcher.after)
        };
        for watcher in self.watchers.extract_if(.., due).collect::<Vec<_>>() {
            let grown = head.map(drop).ok_or(NodeError::NoJournal(journal));
            answer(watcher.reply, grown);
        }
        // Watchers that gave up are dropped with the next change.
        self.watchers.retain(|watcher| !watcher.reply.is_canceled());
    }

    fn publish(&mut self, event: Event) {
        trace(&event);
        if let Event::Grew { journal, .. } = &event {
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
}

/// Gives an answer; whoever asked may have given up.
fn answer<T>(reply: Reply<T>, result: Result<T, NodeError>) {
    drop(reply.send(result));
}

/// Tells the loop; if it is gone there is nobody left to care.
async fn send(outside: &Sender<Outside>, message: Outside) {
    drop(outside.send(message).await);
}

/// The verdicts on the records of a bundle.
fn check(journal: JournalId, records: Vec<Vec<u8>>) -> Verdicts {
    UncheckedEntry::judge_all(&journal, records.into_iter().map(UncheckedEntry::new).collect())
}

/// Lets other tasks run.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
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
        Event::Grew { journal, head } => tracing::debug!(name: "journal.grew", %journal, head, "grew"),
        Event::Lagged { .. } => {}
    }
}

