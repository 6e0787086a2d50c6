//! Two channels of one journal, joined by a link with a delay and a width, and nothing else: no stores, no
//! tasks, no handshake. To test and to measure what reconciling two sets costs.

#[cfg(test)]
pub(crate) mod faults;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use crate::crypto::sign::DeviceKey;
use crate::fact::entry::{Draft, Entry};
use crate::fact::genesis::Genesis;
use crate::fact::statement::Fact;
use crate::fact::summary::{FactSummary, Summary};
use crate::fact::unchecked::UncheckedEntry;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::merkle::subtree::Root;
use crate::session::channel::{Allowed, Channel, ChannelEffect, Opening};
use crate::session::failure::PeerError;
use crate::session::feed::{Fed, Feed, FeedWhat, frames};
use crate::session::message::{ChannelMessage, Message};
use crate::session::report::SyncReport;
use crate::sim::progress::Progress;
use crate::time::Instant;

/// Bytes that may be queued towards a side.
const ROOM: usize = 1 << 20;

/// One side: 0 opens, 1 accepts.
pub type End = usize;

/// Something that one side has to do, each by itself so that it can be timed.
#[derive(Debug)]
enum Work {
    Check(u64, Vec<Vec<u8>>),
    Commit(u64, Vec<Entry>),
    Feed(Feed),
}

#[derive(Debug)]
struct Side {
    key: DeviceKey,
    store: StoreId,
    journal: Journal,
    /// Records of entries that are real. Others have ids alone, and are never sent.
    records: BTreeMap<u64, Vec<u8>>,
    channel: Option<Channel>,
    /// Nothing that the other side sends is taken in.
    refuses: bool,
    work: VecDeque<Work>,
    /// Where this side is in the other's store, as it remembers.
    cursor: Option<Cursor>,
    delivered: u64,
    /// When its way out is free again.
    free: Instant,
    report: Option<SyncReport>,
    error: Option<PeerError>,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who did it.
    pub end: End,
    /// The message that was handled, or `check`, `commit` or `feed`.
    pub what: &'static str,
}

/// What a message kind came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Bytes of them, with their heads.
    pub bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub struct SimPair {
    journal: JournalId,
    sides: [Side; 2],
    /// Frames on their way to each side, with the time of their arrival.
    wire: [VecDeque<(Instant, Vec<u8>)>; 2],
    delay: Duration,
    bytes_per_second: u64,
    now: Instant,
    opened: Instant,
    first_entry: Option<Instant>,
    traffic: BTreeMap<&'static str, Traffic>,
    largest: usize,
    made: u64,
    progress: Progress,
    /// Changes a message on its way, where a test wants that.
    tamper: Option<fn(&mut ChannelMessage)>,
}

impl SimPair {
    /// Two empty journals; frames take `delay` and as long as the link's width makes them.
    pub fn new(delay: Duration, bytes_per_second: u64) -> Self {
        let journal = Genesis::named("pair").journal();
        let side = |end: End| {
            let byte = if end == 0 { 1 } else { 2 };
            let (key, store) = (DeviceKey::from_seed([byte; 32]), StoreId::from_bytes([byte; 16]));
            Side {
                journal: Journal::new(journal, store, key.device()),
                key,
                store,
                records: BTreeMap::new(),
                channel: None,
                refuses: false,
                work: VecDeque::new(),
                cursor: None,
                delivered: 0,
                free: Instant::default(),
                report: None,
                error: None,
            }
        };
        Self {
            journal,
            sides: [side(0), side(1)],
            wire: Default::default(),
            delay,
            bytes_per_second: bytes_per_second.max(1),
            now: Instant::default(),
            opened: Instant::default(),
            first_entry: None,
            traffic: BTreeMap::new(),
            largest: 0,
            made: 0,
            progress: Progress::default(),
            tamper: None,
        }
    }

    /// Has every message changed on its way.
    #[cfg(test)]
    pub(crate) fn tamper_with(&mut self, tamper: Option<fn(&mut ChannelMessage)>) {
        self.tamper = tamper;
        self.progress.switch_off();
    }

    /// From the next opening on this side takes nothing in.
    pub fn refuse_all(&mut self, end: End) {
        self.side(end).refuses = true;
    }

    /// From the next opening on this side takes in what is sent to it.
    pub fn take_all(&mut self, end: End) {
        self.side(end).refuses = false;
    }

    fn side(&mut self, end: End) -> &mut Side {
        let [one, other] = &mut self.sides;
        if end == 0 { one } else { other }
    }

    /// Both have entries with these ids. Nothing else is known of them, so they can't be sent.
    pub fn share(&mut self, ids: &[EntryId]) {
        for end in [0, 1] {
            self.invent(end, ids);
        }
    }

    /// One side alone has entries with these ids, which can't be sent: so the two never get on.
    #[cfg(test)]
    pub(crate) fn claim(&mut self, end: End, ids: &[EntryId]) {
        self.progress.switch_off();
        self.invent(end, ids);
    }

    /// One side has entries with these ids, which can't be sent.
    fn invent(&mut self, end: End, ids: &[EntryId]) {
        let summary = |id: &EntryId| Summary {
            id: *id,
            device: DeviceId::from_bytes([9; 32]),
            timestamp: 1,
            after: Vec::new(),
            facts: vec![FactSummary { predicate: "shared", authority: None }],
        };
        let summaries: Vec<_> = ids.iter().map(summary).collect();
        self.side(end).journal.absorb(&summaries);
    }

    /// One side's store is lost and made anew: with the same entries, which come in the opposite order.
    #[cfg(test)]
    pub(crate) fn make_anew(&mut self, end: End) {
        let journal = self.journal;
        let side = self.side(end);
        let numbers = (1..=side.journal.head()).rev();
        let ids: Vec<_> = numbers.clone().filter_map(|number| side.journal.id_of(number)).collect();
        let records = std::mem::take(&mut side.records);
        let known = |(new, old): (u64, u64)| Some((new, records.get(&old)?.clone()));
        side.records = (1..).zip(numbers).filter_map(known).collect();
        side.store = StoreId::from_bytes(side.store.as_bytes().map(|byte| byte + 2));
        side.journal = Journal::new(journal, side.store, side.key.device());
        self.invent(end, &ids);
    }

    /// One side appends so many entries, each of a fact of `size` bytes of text; the other hears of it if it
    /// is connected.
    pub fn append(&mut self, end: End, count: usize, size: usize) {
        let journal = self.journal;
        let mut entries = Vec::with_capacity(count);
        let first = self.made;
        self.made = self.made.saturating_add(count as u64);
        let side = self.side(end);
        let mut after = Vec::new();
        for number in first..first.saturating_add(count as u64) {
            let text = format!("{number:0size$}");
            let Ok(draft) = Draft::new(side.key.device(), &[Fact::new("made", text)]) else { continue };
            let entry = draft.sign(&journal, &side.key, &after, number.saturating_add(2));
            after = vec![entry.id()];
            entries.push(entry);
        }
        side.absorb(&entries);
        self.go_on(end, |_, _, _, _| Ok(()));
    }

    /// The opening side opens a channel, from the cursor that it remembers if it is to.
    pub fn open(&mut self, with_cursor: bool) {
        let now = self.now;
        (self.opened, self.first_entry, self.traffic) = (now, None, BTreeMap::new());
        self.progress.begin();
        let peer = self.side(1).store;
        let side = self.side(0);
        let mut effects = Vec::new();
        let cursor = side.cursor.filter(|_| with_cursor);
        side.report = None;
        let mut channel = Channel::open(&side.journal, peer, cursor, now, &mut effects);
        channel.set_takes(!side.refuses);
        side.channel = Some(channel);
        if !with_cursor {
            self.side(1).cursor = None;
        }
        self.side(1).report = None;
        self.carry_out(0, effects);
    }

    /// The connection breaks: what is on its way is lost.
    pub fn cut(&mut self) {
        for end in [0, 1] {
            let side = self.side(end);
            side.channel = None;
            side.work.clear();
        }
        self.wire = Default::default();
    }

    /// The next thing that happens; nothing if nothing is left to do.
    pub fn step(&mut self) -> Option<Step> {
        for end in [0, 1] {
            if let Some(work) = self.side(end).work.pop_front() {
                return Some(Step { end, what: self.work(end, work) });
            }
        }
        let [to_opener, to_acceptor] = &self.wire;
        let at = |frames: &VecDeque<(Instant, Vec<u8>)>| frames.front().map(|(at, _)| *at);
        let end = match (at(to_opener), at(to_acceptor)) {
            (None, None) => return None,
            (Some(_), None) => 0,
            (None, Some(_)) => 1,
            (Some(one), Some(other)) => usize::from(other < one),
        };
        let (at, frame) = self.wire.get_mut(end)?.pop_front()?;
        self.now = self.now.max(at);
        let Ok(Message::Channel { message, .. }) = Message::decode(&frame) else { return None };
        Some(Step { end, what: self.handle(end, message) })
    }

    /// Steps until nothing is left to do.
    pub fn run(&mut self) {
        while self.step().is_some() {}
    }

    fn handle(&mut self, end: End, mut message: ChannelMessage) -> &'static str {
        if let Some(tamper) = self.tamper {
            tamper(&mut message);
        }
        let what = message.name();
        if let ChannelMessage::Open { journal, summary, root, sketch, cursor } = message {
            let (now, opening) = (self.now, Opening { journal, summary, root, sketch, cursor });
            let store = self.side(1 - end.min(1)).store;
            let side = self.side(end);
            let mut effects = Vec::new();
            let (peer, allowed) = ((store, side.cursor), Allowed { roomy: true, takes: !side.refuses });
            let channel = Channel::accept(&side.journal, &opening, peer, allowed, now, &mut effects);
            side.channel = Some(channel);
            self.carry_out(end, effects);
            self.go_on(end, |_, _, _, _| Ok(()));
        } else {
            self.go_on(end, |channel, journal, now, effects| channel.handle(message, journal, now, effects));
        }
        what
    }

    fn work(&mut self, end: End, work: Work) -> &'static str {
        let journal = self.journal;
        match work {
            Work::Check(sequence, records) => {
                let records = records.into_iter().map(UncheckedEntry::new).collect();
                let verdicts = UncheckedEntry::judge_all(&journal, records);
                self.go_on(end, |channel, _, _, effects| channel.checked(sequence, verdicts, effects));
                "check"
            }
            Work::Commit(sequence, entries) => {
                let side = self.side(end);
                let new: Vec<_> =
                    entries.iter().filter(|entry| !side.journal.contains(&entry.id())).cloned().collect();
                side.absorb(&new);
                if !new.is_empty() {
                    self.progress.grew();
                }
                let side = self.side(end);
                let numbers = entries.iter().filter_map(|entry| side.journal.number_of(&entry.id()));
                let numbers: Vec<_> = numbers.collect();
                self.go_on(end, |channel, _, now, effects| {
                    channel.settled(sequence, &numbers, now, effects);
                    Ok(())
                });
                "commit"
            }
            Work::Feed(feed) => {
                let records = &self.side(end).records;
                let numbers: Vec<u64> = match feed.what {
                    FeedWhat::Range { from, to } => {
                        records.range(from..=to).map(|(number, _)| *number).collect()
                    }
                    FeedWhat::Numbers(numbers) => numbers,
                };
                let (mut some, mut bytes) = (Vec::new(), 0);
                for number in numbers {
                    let Some(record) = records.get(&number) else { continue };
                    if bytes > 0 && bytes + record.len() > feed.max_bytes {
                        break;
                    }
                    bytes += record.len();
                    some.push((number, record.clone()));
                }
                let fed = Fed { entries: some.len() as u64, bytes: bytes as u64 };
                for frame in frames(0, &journal, some) {
                    self.send(end, frame);
                }
                self.go_on(end, |channel, _, _, _| {
                    channel.fed(fed);
                    Ok(())
                });
                "feed"
            }
        }
    }

    /// Lets a side's channel do something and go on.
    fn go_on(
        &mut self,
        end: End,
        act: impl FnOnce(&mut Channel, &Journal, Instant, &mut Vec<ChannelEffect>) -> Result<(), PeerError>,
    ) {
        let now = self.now;
        let side = self.side(end);
        let Some(channel) = &mut side.channel else { return };
        let mut effects = Vec::new();
        let acted = act(channel, &side.journal, now, &mut effects);
        let ended = acted.err().or_else(|| channel.advance(&side.journal, ROOM, now, &mut effects));
        if let Some(error) = ended {
            side.error = Some(error);
            return self.cut();
        }
        self.carry_out(end, effects);
    }

    fn carry_out(&mut self, end: End, effects: Vec<ChannelEffect>) {
        for effect in effects {
            let side = self.side(end);
            match effect {
                ChannelEffect::Say(message) => {
                    self.send(end, Message::Channel { channel: 0, message }.encode());
                }
                ChannelEffect::Check { sequence, records } => {
                    side.work.push_back(Work::Check(sequence, records));
                }
                ChannelEffect::Incoming { sequence, entries } => {
                    side.work.push_back(Work::Commit(sequence, entries));
                }
                ChannelEffect::Feed(feed) => side.work.push_back(Work::Feed(feed)),
                ChannelEffect::Reached(cursor) => side.cursor = Some(cursor),
                ChannelEffect::Delivered(number) => {
                    side.delivered = side.delivered.max(number);
                    let [one, other] = &self.sides;
                    let (mine, theirs) = if end == 0 { (one, other) } else { (other, one) };
                    self.progress.delivered(end, number, &mine.journal, &theirs.journal);
                }
                ChannelEffect::ReceiptAsked { .. } | ChannelEffect::Receipt(_) => {}
                ChannelEffect::Synced => side.report = side.channel.as_ref().map(Channel::report),
            }
        }
    }

    fn send(&mut self, end: End, frame: Vec<u8>) {
        self.progress.sent(end, &frame);
        let bytes = frame.len() + frame_head(end, frame.len());
        let name = match Message::decode(&frame) {
            Ok(Message::Channel { message, .. }) => message.name(),
            Ok(other) => other.name(),
            Err(_) => "bad",
        };
        self.largest = self.largest.max(frame.len());
        let traffic = self.traffic.entry(name).or_default();
        traffic.frames += 1;
        traffic.bytes += bytes as u64;
        let micros = (bytes as u64).saturating_mul(1_000_000) / self.bytes_per_second;
        let start = self.side(end).free.max(self.now);
        if matches!(name, "Entries" | "Part") && self.first_entry.is_none() {
            self.first_entry = Some(start);
        }
        let sent = start.after(Duration::from_micros(micros));
        self.side(end).free = sent;
        let arrives = sent.after(self.delay);
        if let Some(wire) = self.wire.get_mut(1 - end.min(1)) {
            wire.push_back((arrives, frame));
        }
    }

    /// The root of one side's journal.
    pub fn root(&self, end: End) -> Root {
        let [one, other] = &self.sides;
        if end == 0 { one.journal.root() } else { other.journal.root() }
    }

    /// What one side's last sync did, if it has ended with equal roots.
    pub fn report(&self, end: End) -> Option<SyncReport> {
        self.sides.get(end)?.report
    }

    /// Why one side has ended the connection, if it has.
    pub fn error(&self, end: End) -> Option<&PeerError> {
        self.sides.get(end)?.error.as_ref()
    }

    /// Everything numbered up to this on one side is durable on the other, as it knows.
    pub fn delivered(&self, end: End) -> u64 {
        self.sides.get(end).map_or(0, |side| side.delivered)
    }

    /// The number of one side's last entry.
    pub fn head(&self, end: End) -> u64 {
        self.sides.get(end).map_or(0, |side| side.journal.head())
    }

    /// What was sent since the opening, by kind of message.
    pub fn traffic(&self) -> &BTreeMap<&'static str, Traffic> {
        &self.traffic
    }

    /// Bytes of the longest frame that was sent.
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// From the opening to the first frame of entries that either side sent.
    pub fn until_first_entry(&self) -> Option<Duration> {
        self.first_entry.map(|first| first.since(self.opened))
    }

    /// From the opening until now.
    pub fn elapsed(&self) -> Duration {
        self.now.since(self.opened)
    }
}

/// Bytes of a WebSocket frame's head (RFC 6455 §5.2): the opener's has a mask.
pub(super) fn frame_head(end: End, bytes: usize) -> usize {
    2 + if bytes < 126 { 0 } else { 2 } + if end == 0 { 4 } else { 0 }
}

impl Side {
    fn absorb(&mut self, entries: &[Entry]) {
        let first = self.journal.head();
        self.journal.absorb(&Summary::of_all(entries));
        for (number, entry) in (first.saturating_add(1)..).zip(entries) {
            self.records.insert(number, entry.record().to_vec());
        }
    }
}
