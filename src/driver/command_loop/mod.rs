//! The one task that owns a sync service's state: takes commands and answers, carries out effects.

mod commands;
mod effects;

use std::pin::{Pin, pin};
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use futures::channel::oneshot;
use futures::future::{AbortHandle, FutureExt};
use futures::select_biased;
use litemap::LiteMap;

use crate::driver::command::{Command, Reply, StopReport};
use crate::driver::connection::Outgoing;
use crate::driver::error::NodeError;
use crate::driver::recent::Recent;
use crate::driver::task_group::TaskGroup;
use crate::ids::{EntryId, JournalId};
use crate::journal::checkpoint::Saving;
use crate::journal::position::Position;
use crate::limits::DRAIN;
use crate::platform::traits::{Clock, Connection, Platform, Timer};
use crate::service::event::Event;
use crate::service::machine::Machine;
use crate::service::routing::{ConnectionId, Input};
use crate::session::feed::Fed;
use crate::session::report::SyncReport;
use crate::time::{Instant, Now};
use crate::verification::signed_root::SignedRoot;

/// Answers to effects that wait for the loop; readers of connections are held back beyond.
const INBOX: usize = 256;

/// What tasks tell the loop.
pub(crate) enum Outside {
    /// Something for the machine.
    Input(Input),
    /// A connection that was dialled is open.
    Connected { connection: ConnectionId, canonical: String, opened: Connection },
    /// Entries were read for a channel, and framed.
    Fed { connection: ConnectionId, channel: u32, frames: Vec<Vec<u8>>, fed: Fed },
    /// All tasks of a stop have ended.
    Stopped(StopReport),
}

/// A connection's way out.
struct Writer {
    outgoing: Sender<Outgoing>,
    /// Held as long as the connection is wanted: without it the writing task winds up.
    _closing: oneshot::Sender<()>,
}

/// Who waits for the answer to which ticket.
enum Waiting {
    Open(Reply<()>),
    Append(Reply<Vec<(EntryId, u64)>>),
    Import(Reply<u64>),
    Sync(Reply<SyncReport>),
    Receipt(Reply<SignedRoot>),
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

/// Someone who waits for something to read in a journal behind a position.
struct Watcher {
    journal: JournalId,
    after: Position,
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
    /// Reading from the store what somebody has asked for.
    answers: TaskGroup,
    /// Everything else.
    work: TaskGroup,
    writers: LiteMap<ConnectionId, Writer>,
    dials: LiteMap<ConnectionId, AbortHandle>,
    /// Tasks that watch the store for what others append.
    followers: LiteMap<JournalId, AbortHandle>,
    /// What was committed last.
    recent: Recent,
    /// Where to put what is to go into checkpoints.
    savings: Option<Sender<(JournalId, Saving)>>,
    /// Who waits until the service has ended.
    closing: Vec<Reply<()>>,
    waiting: LiteMap<u64, Waiting>,
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
            answers: TaskGroup::default(),
            work: TaskGroup::default(),
            writers: LiteMap::new(),
            dials: LiteMap::new(),
            followers: LiteMap::new(),
            recent: Recent::default(),
            savings: None,
            closing: Vec::new(),
            waiting: LiteMap::new(),
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
            if !self.closing.is_empty() {
                break;
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

    /// The last handle is gone, or one has ended it: nothing is heard any more, what was acknowledged is
    /// durable.
    async fn wind_up(mut self) {
        self.commands.close();
        // Whoever still waits is told so at once.
        self.waiting.clear();
        self.watchers.clear();
        self.subscribers.clear();
        self.answers.abort();
        self.machine.handle(Input::Stop, self.now());
        self.machine.close();
        self.carry_out_all();
        // Nothing more comes behind what waits to be saved.
        drop(self.savings.take());
        for (_, follower) in std::mem::take(&mut self.followers) {
            follower.abort();
        }
        // Tasks that report to the loop must not wait for it.
        self.inbox.close();
        self.connections.drain(self.platform.timer(), DRAIN).await;
        self.work.drain(self.platform.timer(), DRAIN).await;
        for reply in self.closing {
            reply.answer(Ok(()));
        }
    }

    fn now(&self) -> Now {
        self.platform.clock().now()
    }

    fn handle(&mut self, outside: Outside) {
        match outside {
            Outside::Input(input) => {
                if let Input::Loaded { journal, loaded: Ok(loaded) } = &input {
                    self.watch_store(*journal, loaded.journal.head());
                }
                if let Input::Committed { journal } = &input {
                    self.recent.committed(*journal);
                }
                if let Input::Behind { journal } | Input::CommitFailed { journal, .. } = &input {
                    self.recent.not_committed(*journal);
                }
                self.machine.handle(input, self.now());
            }
            Outside::Connected { connection, canonical, opened } => {
                // Else it was given up while this was on its way.
                if self.dials.contains_key(&connection) {
                    let binding = self.attach(connection, opened);
                    self.machine.handle(Input::Dialled { connection, canonical, binding }, self.now());
                }
            }
            Outside::Fed { connection, channel, frames, fed } => {
                let wanted = self.machine.may_feed(connection, channel);
                let writer = self.writers.get(&connection).filter(|_| wanted);
                // What goes nowhere never drains either.
                let queued = if wanted { frames.iter().map(Vec::len).sum() } else { 0 };
                for frame in frames {
                    drop(writer.map(|writer| writer.outgoing.try_send(Outgoing::Frame(frame))));
                }
                self.machine.handle(Input::Fed { connection, channel, fed, queued }, self.now());
            }
            Outside::Stopped(report) => {
                if let Stopping::Yes { stops, starts } = std::mem::replace(&mut self.stopping, Stopping::No) {
                    for reply in stops {
                        reply.answer(Ok(report.clone()));
                    }
                    for reply in starts {
                        self.start(reply);
                    }
                }
            }
        }
    }

    fn carry_out_all(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            self.carry_out(effect);
        }
    }

    fn wake_watchers(&mut self, journal: JournalId) {
        let open = self.machine.journal(journal);
        let due = |watcher: &mut Watcher| {
            watcher.journal == journal && open.is_none_or(|open| open.has_news(watcher.after))
        };
        for watcher in self.watchers.extract_if(.., due).collect::<Vec<_>>() {
            let news = open.map(drop).ok_or(NodeError::NoJournal(journal));
            watcher.reply.answer(news);
        }
        // Watchers that gave up are dropped with the next change.
        self.watchers.retain(|watcher| watcher.reply.waits());
    }
}

/// Tells the loop; if it is gone there is nobody left to care.
async fn send(outside: &Sender<Outside>, message: Outside) {
    drop(outside.send(message).await);
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
