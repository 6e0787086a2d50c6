//! A node with no world around it: the service's machine over a log in memory, whose effects are carried out
//! one by one, when and in which order it is told.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::LazyLock;

use crate::crypto::sign::DeviceKey;
use crate::error::TransportError;
use crate::fact::entry::{Draft, Entry};
use crate::fact::genesis::Genesis;
use crate::fact::statement::Fact;
use crate::fact::summary::Summary;
use crate::fact::unchecked::UncheckedEntry;
use crate::fact::value::Value;
use crate::ids::{DeviceId, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::limits::{CONNECTION_CREDIT_BYTES, QUEUE_BYTES, RECORD_BYTES};
use crate::merkle::map::MerkleMap;
use crate::merkle::subtree::Root;
use crate::service::config::Config;
use crate::service::event::Event;
use crate::service::machine::Machine;
use crate::service::routing::{ConnectionId, Effect, Input, Loaded};
use crate::session::failure::PeerError;
use crate::session::feed::{Fed, Feed, FeedWhat, frames};
use crate::time::{Instant, Now, WallTime};
use crate::verification::signed_root::SignedRoot;

/// The wall clock at the beginning.
const BEGINNING: u64 = 1_767_225_600_000_000;
/// The address of the accepting side.
pub(super) const ADDRESS: &str = "pipe:there";
/// Effects that one input may have: the frames of a whole row of cells or of all lists, and what goes with them.
const EFFECTS: usize = 64;
/// Bytes that one input may have sent, but for entries: a whole row of cells, a list of all ids.
const ANSWER_BYTES: usize = 262_144;

/// The journal that all of it is about.
pub(super) fn journal() -> JournalId {
    Genesis::named("notes").journal()
}

/// Entries by somebody else: the first 64 small, then one that takes more than a frame.
pub(super) static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let (journal, key) = (journal(), DeviceKey::from_seed([3; 32]));
    let small = (0..64).map(|number| Fact::new("note", number));
    let facts = small.chain([Fact::new("blob", Value::Bytes(vec![7; 65_000]))]);
    let drafts = facts.filter_map(|fact| Draft::new(key.device(), &[fact]).ok());
    drafts.map(|draft| draft.sign(&journal, &key, &[], BEGINNING)).collect()
});

/// Something on its way out.
#[derive(Debug)]
pub(super) enum Out {
    /// A frame.
    Frame(Vec<u8>),
    /// The end of the connection.
    End,
}

/// See the module.
pub(super) struct Node {
    machine: Machine,
    key: DeviceKey,
    store: StoreId,
    /// The entries of its store.
    log: Vec<Entry>,
    /// Effects that take their time: checks, commits, reads.
    work: VecDeque<Effect>,
    /// What it has handed out and nobody took.
    out: VecDeque<Out>,
    /// The connection that lives.
    pub(super) connection: Option<ConnectionId>,
    /// A connection that it wants to be made.
    pub(super) dialling: Option<ConnectionId>,
    now: Now,
    appended: i64,
    /// Why its last connection ended.
    pub(super) ended: Option<PeerError>,
    /// Whom it last took somebody for.
    pub(super) peer: Option<DeviceId>,
    /// What became of the last receipt that it asked for.
    pub(super) receipt: Option<Result<SignedRoot, PeerError>>,
}

impl Node {
    /// A node that runs, with these entries in its store.
    pub(super) fn new(number: u8, log: Vec<Entry>, dials: bool) -> Self {
        let key = DeviceKey::from_seed([number; 32]);
        let now = Now { monotonic: Instant::from_micros(0), wall: WallTime::from_micros(BEGINNING) };
        let store = StoreId::from_bytes([number; 16]);
        let mut node = Self {
            machine: Machine::new(Config::default(), key.clone(), store, [number; 32]),
            key,
            store,
            log,
            work: VecDeque::new(),
            out: VecDeque::new(),
            connection: None,
            dialling: None,
            now,
            appended: 0,
            ended: None,
            peer: None,
            receipt: None,
        };
        node.tell(Input::Open { ticket: 0, journal: journal() });
        node.work_off();
        node.tell(Input::Start);
        if dials {
            node.dial();
        }
        node
    }

    /// Dials from now on.
    pub(super) fn dial(&mut self) {
        self.tell(Input::AddPeer { address: ADDRESS.into(), device: None });
    }

    /// A connection that is accepted now.
    pub(super) fn accept(&mut self) {
        let connection = self.machine.next_connection();
        self.connection = Some(connection);
        self.tell(Input::Accepted { connection, remote: "somebody".into(), binding: Vec::new() });
    }

    /// The connection that it wanted is made.
    pub(super) fn connected(&mut self) {
        if let Some(connection) = self.dialling.take() {
            self.connection = Some(connection);
            self.tell(Input::Dialled { connection, canonical: ADDRESS.into(), binding: Vec::new() });
        }
    }

    /// The connection that lives is lost, and what was on its way out.
    pub(super) fn cut(&mut self) {
        self.out.clear();
        if let Some(connection) = self.connection.take() {
            let error = TransportError::Broken("cut".into()).into();
            self.tell(Input::Disconnected { connection, error });
        }
    }

    /// A frame comes.
    pub(super) fn hear(&mut self, frame: Vec<u8>) {
        if let Some(connection) = self.connection {
            self.tell(Input::Frame { connection, frame });
        }
    }

    /// Writes an entry of its own.
    pub(super) fn append(&mut self) {
        self.appended = self.appended.saturating_add(1);
        let drafts = Draft::new(self.key.device(), &[Fact::new("own", self.appended)]);
        let drafts: Vec<_> = drafts.into_iter().collect();
        self.tell(Input::Append { ticket: 1, journal: journal(), drafts });
    }

    /// Begins a sync, where it dials.
    pub(super) fn sync(&mut self) {
        self.tell(Input::Sync { ticket: 2, journal: journal(), address: ADDRESS.into(), patient: false });
    }

    /// Asks the peer that it dials for a receipt.
    pub(super) fn ask_receipt(&mut self) {
        let (ticket, address, previous) = (3, ADDRESS.into(), None);
        self.tell(Input::AskReceipt { ticket, journal: journal(), address, previous });
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now.monotonic = self.now.monotonic.after(time);
        self.now.wall = self.now.wall.after(time);
        // What is due may make another thing due.
        for _ in 0..4 {
            if self.machine.poll_deadline().is_some_and(|due| due <= self.now.monotonic) {
                self.tell(Input::Timeout);
            }
        }
    }

    /// How long until something is due.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        self.machine.poll_deadline().map(|due| due.since(self.now.monotonic))
    }

    /// The next of what goes out.
    pub(super) fn take(&mut self) -> Option<Out> {
        let next = self.out.pop_front();
        if let (Some(Out::Frame(frame)), Some(connection)) = (&next, self.connection) {
            self.tell(Input::Drained { connection, bytes: frame.len() });
        }
        next
    }

    pub(super) fn root(&self) -> Root {
        self.machine.journal(journal()).map_or(MerkleMap::new().root(), Journal::root)
    }

    pub(super) fn log(&self) -> &[Entry] {
        &self.log
    }

    /// The frames that it has handed out and nobody took.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &[u8]> {
        self.out
            .iter()
            .filter_map(|out| if let Out::Frame(frame) = out { Some(frame.as_slice()) } else { None })
    }

    /// What it has handed out and nobody took, in bytes.
    fn queued(&self) -> usize {
        self.waiting().map(<[u8]>::len).sum()
    }

    fn tell(&mut self, input: Input) {
        // Queued frames of entries are made by reads, and bounded by credit.
        let is_read = matches!(input, Input::Fed { .. });
        let before = self.queued();
        self.machine.handle(input, self.now);
        let mut effects = 0usize;
        loop {
            while let Some(effect) = self.machine.poll_effect() {
                effects = effects.saturating_add(1);
                self.carry_out(effect);
            }
            if !self.machine.has_work() {
                break;
            }
            self.machine.work(self.now);
        }
        let sent = self.queued().saturating_sub(before);
        assert!(effects <= EFFECTS, "{effects} effects of one input");
        assert!(is_read || sent <= ANSWER_BYTES, "{sent} bytes in answer to one input");
        assert!(self.queued() <= QUEUE_BYTES.saturating_add(ANSWER_BYTES), "{} bytes queued", self.queued());
        let unsettled: usize = self.work.iter().map(bytes_of).sum();
        let most = usize::try_from(CONNECTION_CREDIT_BYTES).unwrap_or(usize::MAX).saturating_mul(2);
        assert!(
            unsettled <= most.saturating_add(RECORD_BYTES),
            "{unsettled} bytes are being checked and stored"
        );
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dial { connection, .. } => self.dialling = Some(connection),
            Effect::Send { connection, frame } => {
                if self.connection == Some(connection) {
                    self.out.push_back(Out::Frame(frame));
                }
            }
            Effect::Close { connection, .. } => {
                if self.connection == Some(connection) {
                    self.connection = None;
                    self.out.push_back(Out::End);
                }
                self.dialling.take_if(|dialling| *dialling == connection);
            }
            Effect::Check { .. }
            | Effect::Feed { .. }
            | Effect::Commit { .. }
            | Effect::Load { .. }
            | Effect::Follow { .. } => self.work.push_back(effect),
            Effect::Event(Event::Disconnected { error, .. }) => self.ended = Some(error),
            Effect::Event(Event::Connected { device, .. }) => self.peer = Some(device),
            Effect::Receipted { receipt, .. } => self.receipt = Some(receipt),
            Effect::Event(_)
            | Effect::Unload { .. }
            | Effect::Remember { .. }
            | Effect::Save { .. }
            | Effect::Opened { .. }
            | Effect::Appended { .. }
            | Effect::Imported { .. }
            | Effect::Synced { .. } => {}
        }
    }

    /// Does all work there is; whether there was any.
    pub(super) fn work_off(&mut self) -> bool {
        let mut some = false;
        while self.work_on(0) {
            some = true;
        }
        some
    }

    /// Does one piece of work, the one at this place or the last; whether there is any.
    pub(super) fn work_on(&mut self, place: usize) -> bool {
        let place = place.min(self.work.len().saturating_sub(1));
        let Some(effect) = self.work.remove(place) else { return false };
        let journal = journal();
        match effect {
            Effect::Load { .. } => {
                let mut state = Journal::new(journal, self.store, self.key.device());
                state.absorb(&Summary::of_all(&self.log));
                let loaded = Loaded { journal: Box::new(state), cursors: Vec::new(), savings: Vec::new() };
                self.tell(Input::Loaded { journal, loaded: Ok(loaded) });
            }
            Effect::Check { connection, channel, sequence, records, .. } => {
                let records = records.into_iter().map(UncheckedEntry::new).collect();
                let verdicts = UncheckedEntry::judge_all(&journal, records);
                self.tell(Input::Checked { connection, channel, sequence, verdicts });
            }
            Effect::Commit { at, entries, .. } => {
                assert!(at == self.log.len() as u64, "a commit that would leave a gap");
                // One by one, not as the machine has them checked.
                let check = |entry: &Entry| UncheckedEntry::new(entry.record().to_vec()).check(&journal);
                let authentic = entries.iter().all(|entry| check(entry).as_ref() == Ok(entry));
                assert!(authentic, "an entry that is not authentic");
                let is_new = |entry: &Entry| !self.log.iter().any(|other| other.id() == entry.id());
                assert!(entries.iter().all(is_new), "an entry twice");
                self.log.extend(entries);
                self.tell(Input::Committed { journal });
                let ids = self.log.iter().map(Entry::id).collect();
                assert!(self.root() == MerkleMap::from_ids(ids).root(), "the root is of what is stored");
            }
            Effect::Feed { connection, channel, feed, .. } => self.feed(connection, channel, feed),
            Effect::Follow { .. } => self.tell(Input::Followed { journal, entries: Vec::new(), all: true }),
            Effect::Dial { .. }
            | Effect::Send { .. }
            | Effect::Close { .. }
            | Effect::Unload { .. }
            | Effect::Remember { .. }
            | Effect::Save { .. }
            | Effect::Opened { .. }
            | Effect::Appended { .. }
            | Effect::Imported { .. }
            | Effect::Synced { .. }
            | Effect::Receipted { .. }
            | Effect::Event(_) => {}
        }
        true
    }

    /// Reads, frames and hands out, as a driver does.
    fn feed(&mut self, connection: ConnectionId, channel: u32, feed: Feed) {
        let numbers: Vec<u64> = match feed.what {
            FeedWhat::Range { from, to } => (from..=to).collect(),
            FeedWhat::Numbers(numbers) => numbers,
        };
        let (mut some, mut bytes) = (Vec::new(), 0usize);
        for number in numbers {
            let place = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
            let entry = self.log.get(place);
            assert!(entry.is_some(), "entry {number} is read, of {}", self.log.len());
            let Some(entry) = entry else { return };
            let length = entry.record().len();
            if !some.is_empty() && bytes.saturating_add(length) > feed.max_bytes {
                break;
            }
            bytes = bytes.saturating_add(length);
            some.push((number, entry.record().to_vec()));
        }
        let fed = Fed { entries: some.len() as u64, bytes: bytes as u64 };
        let frames = frames(channel, &journal(), some);
        let queued = frames.iter().map(Vec::len).sum();
        if self.connection == Some(connection) {
            self.out.extend(frames.into_iter().map(Out::Frame));
        }
        self.tell(Input::Fed { connection, channel, fed, queued });
    }
}

/// Bytes of entries that wait to be checked or stored.
fn bytes_of(work: &Effect) -> usize {
    match work {
        Effect::Check { records, .. } => records.iter().map(Vec::len).sum(),
        Effect::Commit { entries, .. } => entries.iter().map(|entry| entry.record().len()).sum(),
        Effect::Dial { .. }
        | Effect::Send { .. }
        | Effect::Close { .. }
        | Effect::Feed { .. }
        | Effect::Load { .. }
        | Effect::Unload { .. }
        | Effect::Follow { .. }
        | Effect::Remember { .. }
        | Effect::Save { .. }
        | Effect::Opened { .. }
        | Effect::Appended { .. }
        | Effect::Imported { .. }
        | Effect::Synced { .. }
        | Effect::Receipted { .. }
        | Effect::Event(_) => 0,
    }
}
