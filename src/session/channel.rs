//! One journal on one connection: from the opening to equal roots, then live.
//!
//! # Contract
//! Each call takes the journal as it is now and appends what follows to a list of
//! [`ChannelEffect`]s, to be carried out in order. An error ends the channel; one that is the peer's
//! fault ends the connection. A sync runs in rounds: find the difference, send it both ways, compare
//! the roots of both views; until they are equal or nothing new is found. What is appended meanwhile
//! is not part of it and follows live.

use core::time::Duration;
use std::collections::VecDeque;

use crate::fact::entry::Entry;
use crate::fact::unchecked::EntryError;
use crate::ids::{Cursor, EntryId, JournalId};
use crate::journal::set::Journal;
use crate::limits::{CREDIT_BYTES, FRUITLESS_ROUNDS, IDS_PER_FRAME, IDS_PER_ROUND, RECORD_BYTES, REPLY, ROUNDS};
use crate::merkle::subtree::Root;
use crate::reconcile::descent::{Answer, Descent, answer};
use crate::reconcile::view::View;
use crate::session::failure::PeerError;
use crate::session::feed::{Fed, Feed, Next, Outgoing};
use crate::session::message::{ChannelMessage, Plan, Summary};
use crate::time::Instant;

/// What a channel asks for.
#[derive(Debug)]
pub(crate) enum ChannelEffect {
    /// Send this to the peer.
    Say(ChannelMessage),
    /// Check these records; answer with `checked`, in the order of the requests.
    Check { sequence: u64, records: Vec<Vec<u8>> },
    /// Commit these; answer with `settled`, in the order of the requests.
    Incoming { sequence: u64, entries: Vec<Entry> },
    /// Read and send; answer with `fed`.
    Feed(Feed),
    /// Everything that the peer's store has up to this cursor is here.
    Reached(Cursor),
    /// The sync is done: both sides know it.
    Synced(SyncReport),
}

/// What a sync did, as one side saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// Entries sent to the peer during the sync.
    pub entries_sent: u64,
    /// Entries received from it, also those that were here already.
    pub entries_received: u64,
    /// Bytes of their records, sent.
    pub bytes_sent: u64,
    /// Bytes of their records, received.
    pub bytes_received: u64,
    /// Entries that either side refused: the sets are equal except for these.
    pub refused: u64,
    /// Rounds of comparing; 0 if the roots were equal from the start.
    pub rounds: u32,
    /// From the opening of the channel to equal roots.
    pub duration: Duration,
    /// The root that both sides have computed.
    pub root: Root,
}

/// An opening that was asked for by the peer and waits to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) journal: JournalId,
    pub(crate) summary: Summary,
    pub(crate) cursor: Option<Cursor>,
}

#[derive(Debug)]
enum Phase {
    /// The opener waits for the answer.
    Opening,
    /// The opener asks its way down.
    Descending(Descent),
    /// The acceptor answers, and gathers the numbers of what is wanted.
    Answering(Vec<u64>),
    /// Entries travel; at the end both send their roots.
    Exchanging,
    /// The roots were equal: what is new follows by itself.
    Live,
}

/// A record that came in parts.
#[derive(Debug)]
struct Partial {
    number: u64,
    size: usize,
    bytes: Vec<u8>,
}

/// Entries received in one frame that are not durable here yet.
#[derive(Debug)]
struct Unsettled {
    sequence: u64,
    bytes: u64,
    /// The peer's numbers; of the admitted ones once they have been checked.
    numbers: Vec<u64>,
}

/// The incoming side of a channel.
#[derive(Debug, Default)]
struct Incoming {
    partial: Option<Partial>,
    /// Bundles received; the last one's sequence.
    received: u64,
    /// Bundles settled, in the same order.
    settled: u64,
    unsettled: VecDeque<Unsettled>,
    unsettled_bytes: u64,
    /// What the peer said of where it is, and behind which bundle.
    upto: VecDeque<(u64, u64)>,
}

/// What is known of the current round.
#[derive(Debug, Default)]
struct Round {
    /// The peer has sent its part; it ended with this bundle.
    sent_after: Option<u64>,
    mine: Option<Root>,
    theirs: Option<Root>,
    /// Whether entries came that were not here, or were sent.
    fruitful: bool,
    /// The journal's last number when the round began.
    head: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Channel {
    journal: JournalId,
    phase: Phase,
    opener: bool,
    /// The peer's store and last number at the opening, once known.
    peer: Option<Cursor>,
    view: View,
    outgoing: Outgoing,
    incoming: Incoming,
    round: Round,
    fruitless: u32,
    /// Whether the peer's `Upto` says what is here: it started from a cursor or from equal roots.
    cursor_counts: bool,
    report: SyncReport,
    opened: Instant,
    heard: Instant,
}

impl Channel {
    fn new(journal: &Journal, opener: bool, now: Instant) -> Self {
        let report = SyncReport {
            entries_sent: 0,
            entries_received: 0,
            bytes_sent: 0,
            bytes_received: 0,
            refused: 0,
            rounds: 0,
            duration: Duration::ZERO,
            root: journal.root(),
        };
        Self {
            journal: journal.id(),
            phase: Phase::Opening,
            opener,
            peer: None,
            view: View::new(journal),
            outgoing: Outgoing::new(journal.head()),
            incoming: Incoming::default(),
            round: Round { head: journal.head(), ..Round::default() },
            fruitless: 0,
            cursor_counts: false,
            report,
            opened: now,
            heard: now,
        }
    }

    /// Opens a channel; `cursor` is where this node is in the peer's store, if it remembers.
    pub(crate) fn open(
        journal: &Journal,
        cursor: Option<Cursor>,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Self {
        let summary = summary(journal);
        let open = ChannelMessage::Open { journal: journal.id(), summary, cursor };
        effects.push(ChannelEffect::Say(open));
        Self::new(journal, true, now)
    }

    /// Answers an opening; `cursor` is where this node is in the opener's store, if it remembers.
    pub(crate) fn accept(
        journal: &Journal,
        opening: &Opening,
        cursor: Option<Cursor>,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Self {
        let mut channel = Self::new(journal, false, now);
        let theirs = &opening.summary;
        channel.peer = Some(Cursor { store: theirs.store, number: theirs.at });
        let mine = summary(journal);
        if mine.root == theirs.root {
            let same = ChannelMessage::Same { store: mine.store, at: mine.at };
            effects.push(ChannelEffect::Say(same));
            channel.conclude(mine.root, now, effects);
            return channel;
        }
        let plan = plan(&mine, theirs, opening.cursor, cursor);
        effects.push(ChannelEffect::Say(ChannelMessage::Differ { summary: mine, plan }));
        channel.begin(journal, plan);
        channel
    }

    fn begin(&mut self, journal: &Journal, plan: Plan) {
        self.report.rounds = self.report.rounds.saturating_add(1);
        self.phase = match plan {
            Plan::Feed { opener_after, acceptor_after } => {
                let after = if self.opener { opener_after } else { acceptor_after };
                self.outgoing.send_range(after.saturating_add(1), self.view.at().min(journal.head()));
                self.cursor_counts = true;
                Phase::Exchanging
            }
            Plan::Descend if self.opener => Phase::Descending(Descent::new()),
            Plan::Descend => Phase::Answering(Vec::new()),
        };
    }

    pub(crate) fn journal(&self) -> JournalId {
        self.journal
    }

    /// Whether a sync is under way.
    pub(crate) fn is_syncing(&self) -> bool {
        !matches!(self.phase, Phase::Live)
    }

    /// When the peer must have said something, and what is waited for.
    pub(crate) fn deadline(&self) -> Option<(Instant, &'static str)> {
        let waiting_for = match &self.phase {
            // What is not durable here is waiting for this side, not for the peer.
            _ if !self.incoming.unsettled.is_empty() => return None,
            Phase::Opening => "waiting for the answer to an opening",
            Phase::Descending(_) => "waiting for an answer about the Merkle map",
            Phase::Answering(_) => "waiting for a question about the Merkle map",
            Phase::Exchanging => "waiting for entries, credit or the root",
            Phase::Live => return None,
        };
        Some((self.heard.after(REPLY), waiting_for))
    }

    /// A message from the peer.
    pub(crate) fn handle(
        &mut self,
        message: ChannelMessage,
        journal: &Journal,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        self.heard = now;
        let name = message.name();
        match message {
            ChannelMessage::Same { store, at } if matches!(self.phase, Phase::Opening) => {
                self.peer = Some(Cursor { store, number: at });
                self.conclude(self.report.root, now, effects);
            }
            ChannelMessage::Differ { summary, plan } if matches!(self.phase, Phase::Opening) => {
                self.peer = Some(Cursor { store: summary.store, number: summary.at });
                if matches!(plan, Plan::Feed { opener_after, .. } if opener_after > self.view.at()) {
                    return Err(PeerError::Breach("a plan from beyond the journal's end"));
                }
                self.begin(journal, plan);
                self.ask(journal, effects);
            }
            ChannelMessage::Ask { prefixes } => {
                self.answer_again(journal);
                let Phase::Answering(_) = &self.phase else { return Err(self.unexpected(name)) };
                let without = self.view.excluded(journal);
                let answers = prefixes.iter().map(|prefix| answer(journal.map(), without, prefix)).collect();
                effects.push(ChannelEffect::Say(ChannelMessage::Tell { answers }));
            }
            ChannelMessage::Tell { answers } => self.told(answers, journal, effects)?,
            ChannelMessage::Want { ids, last } => self.wanted(&ids, last, journal)?,
            ChannelMessage::Entries { entries } => self.received(entries, effects)?,
            ChannelMessage::Part { number, size, bytes } => self.part(number, size, &bytes, effects)?,
            ChannelMessage::Upto { number } => {
                let after = self.incoming.received;
                self.incoming.upto.pop_back_if(|(last, _)| *last == after);
                self.incoming.upto.push_back((after, number));
                self.reach(effects);
            }
            ChannelMessage::Sent if self.round.sent_after.is_none() && self.is_syncing() => {
                self.round.sent_after = Some(self.incoming.received);
            }
            ChannelMessage::Root(root) if self.round.theirs.is_none() && self.is_syncing() => {
                self.round.theirs = Some(root);
            }
            ChannelMessage::Refused { ids } => {
                for number in ids.iter().filter_map(|id| journal.number_of(id)) {
                    self.view.refuse(number);
                }
            }
            ChannelMessage::Credit { bytes } => {
                if !self.outgoing.credited(bytes) {
                    return Err(PeerError::Breach("credit for more than was sent"));
                }
            }
            ChannelMessage::Close(reason) => return Err(reason.into()),
            ChannelMessage::Open { .. }
            | ChannelMessage::Same { .. }
            | ChannelMessage::Differ { .. }
            | ChannelMessage::Sent
            | ChannelMessage::Root(_) => return Err(self.unexpected(name)),
        }
        Ok(())
    }

    fn unexpected(&self, message: &'static str) -> PeerError {
        let state = match &self.phase {
            Phase::Opening => "the channel was being opened",
            Phase::Descending(_) => "the difference was being asked for",
            Phase::Answering(_) => "questions were expected",
            Phase::Exchanging => "entries were on their way",
            Phase::Live => "the channel was live",
        };
        PeerError::Unexpected { message, state }
    }

    /// The opener's next question; or, when all is known, what it wants and what it will send.
    fn ask(&mut self, journal: &Journal, effects: &mut Vec<ChannelEffect>) {
        let Phase::Descending(descent) = &mut self.phase else { return };
        if let Some(prefixes) = descent.next_ask() {
            effects.push(ChannelEffect::Say(ChannelMessage::Ask { prefixes }));
            return;
        }
        let Phase::Descending(descent) = std::mem::replace(&mut self.phase, Phase::Exchanging) else { return };
        let (need, give) = descent.into_difference();
        let mut want = Vec::with_capacity(need.len());
        for id in need {
            // It may have come by another way since.
            match journal.number_of(&id) {
                Some(number) => {
                    self.view.find(number);
                    self.round.fruitful = true;
                }
                None => want.push(id),
            }
        }
        self.say_want(&want, effects);
        let mut give: Vec<u64> = give.iter().filter_map(|id| journal.number_of(id)).collect();
        give.sort_unstable();
        self.outgoing.send_numbers(give);
    }

    fn say_want(&self, want: &[EntryId], effects: &mut Vec<ChannelEffect>) {
        let mut chunks = want.chunks(IDS_PER_FRAME).peekable();
        if chunks.peek().is_none() {
            effects.push(ChannelEffect::Say(ChannelMessage::Want { ids: Vec::new(), last: true }));
        }
        while let Some(ids) = chunks.next() {
            let (ids, last) = (ids.to_vec(), chunks.peek().is_none());
            effects.push(ChannelEffect::Say(ChannelMessage::Want { ids, last }));
        }
    }

    fn told(
        &mut self,
        answers: Vec<Answer>,
        journal: &Journal,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        match &mut self.phase {
            Phase::Descending(descent) => {
                descent.tell(answers, journal.map(), self.view.excluded(journal))?;
            }
            Phase::Opening | Phase::Answering(_) | Phase::Exchanging | Phase::Live => {
                return Err(self.unexpected("Tell"));
            }
        }
        self.ask(journal, effects);
        Ok(())
    }

    fn wanted(&mut self, ids: &[EntryId], last: bool, journal: &Journal) -> Result<(), PeerError> {
        self.answer_again(journal);
        let Phase::Answering(numbers) = &mut self.phase else { return Err(self.unexpected("Want")) };
        numbers.extend(ids.iter().filter_map(|id| journal.number_of(id)));
        if numbers.len() > 2 * IDS_PER_ROUND {
            return Err(PeerError::Breach("more is wanted than one round may hold"));
        }
        if last {
            let mut numbers = std::mem::take(numbers);
            numbers.sort_unstable();
            numbers.dedup();
            numbers.retain(|number| self.view.contains(*number));
            self.phase = Phase::Exchanging;
            self.outgoing.send_numbers(numbers);
        }
        Ok(())
    }

    /// Both roots are known and differ: the acceptor is ready for the next round's questions.
    fn answer_again(&mut self, journal: &Journal) {
        if !self.opener && matches!(self.phase, Phase::Exchanging) && self.round_is_over() {
            self.next_round(journal);
            self.phase = Phase::Answering(Vec::new());
        }
    }

    fn round_is_over(&self) -> bool {
        self.round.mine.is_some() && self.round.theirs.is_some()
    }

    fn next_round(&mut self, journal: &Journal) {
        self.fruitless = if self.round.fruitful { 0 } else { self.fruitless.saturating_add(1) };
        self.round = Round { head: journal.head(), ..Round::default() };
        self.report.rounds = self.report.rounds.saturating_add(1);
        self.outgoing.hold();
    }

    fn part(
        &mut self,
        number: u64,
        size: u64,
        bytes: &[u8],
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let partial = self.incoming.partial.get_or_insert(Partial { number, size, bytes: Vec::new() });
        let is_next = partial.number == number && partial.size == size && !bytes.is_empty();
        let length = partial.bytes.len().saturating_add(bytes.len());
        if !is_next || length > size {
            return Err(PeerError::Breach("parts of an entry that do not fit each other"));
        }
        partial.bytes.extend_from_slice(bytes);
        if length == size
            && let Some(partial) = self.incoming.partial.take()
        {
            self.receive(vec![(partial.number, partial.bytes)], effects)?;
        }
        Ok(())
    }

    fn received(
        &mut self,
        entries: Vec<(u64, Vec<u8>)>,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        if self.incoming.partial.is_some() {
            return Err(PeerError::Breach("another entry before the rest of a long one"));
        }
        self.receive(entries, effects)
    }

    fn receive(
        &mut self,
        entries: Vec<(u64, Vec<u8>)>,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        if matches!(self.phase, Phase::Opening) {
            return Err(self.unexpected("Entries"));
        }
        let bytes = entries.iter().fold(0u64, |sum, (_, record)| sum.saturating_add(record.len() as u64));
        let incoming = &mut self.incoming;
        incoming.unsettled_bytes = incoming.unsettled_bytes.saturating_add(bytes);
        if incoming.unsettled_bytes > CREDIT_BYTES.saturating_add(RECORD_BYTES as u64) || entries.is_empty() {
            return Err(PeerError::Breach("entries beyond the credit granted, or none in a frame"));
        }
        incoming.received = incoming.received.saturating_add(1);
        let sequence = incoming.received;
        self.report.entries_received = self.report.entries_received.saturating_add(entries.len() as u64);
        self.report.bytes_received = self.report.bytes_received.saturating_add(bytes);
        let (numbers, records) = entries.into_iter().unzip();
        incoming.unsettled.push_back(Unsettled { sequence, bytes, numbers });
        effects.push(ChannelEffect::Check { sequence, records });
        Ok(())
    }

    /// The verdicts on a bundle.
    pub(crate) fn checked(
        &mut self,
        sequence: u64,
        verdicts: Vec<(EntryId, Result<Entry, EntryError>)>,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        let bundle = self.incoming.unsettled.iter_mut().find(|bundle| bundle.sequence == sequence);
        let Some(bundle) = bundle else { return Ok(()) };
        let numbers = std::mem::take(&mut bundle.numbers);
        let mut entries = Vec::with_capacity(verdicts.len());
        let mut refused = Vec::new();
        for ((id, verdict), number) in verdicts.into_iter().zip(numbers) {
            match verdict {
                Ok(entry) => {
                    bundle.numbers.push(number);
                    entries.push(entry);
                }
                Err(error) if error.is_refusal() => refused.push(id),
                Err(error) => return Err(error.into()),
            }
        }
        self.report.refused = self.report.refused.saturating_add(refused.len() as u64);
        for ids in refused.chunks(IDS_PER_FRAME) {
            effects.push(ChannelEffect::Say(ChannelMessage::Refused { ids: ids.to_vec() }));
        }
        effects.push(ChannelEffect::Incoming { sequence, entries });
        Ok(())
    }

    /// A bundle is durable; `numbers` are those of its admitted entries.
    pub(crate) fn settled(
        &mut self,
        sequence: u64,
        numbers: &[u64],
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) {
        let Some(bundle) = self.incoming.unsettled.pop_front() else { return };
        debug_assert_eq!(bundle.sequence, sequence);
        self.heard = now;
        self.incoming.settled = bundle.sequence;
        self.incoming.unsettled_bytes = self.incoming.unsettled_bytes.saturating_sub(bundle.bytes);
        let peer_at = self.peer.map_or(0, |peer| peer.number);
        for (theirs, number) in bundle.numbers.iter().zip(numbers) {
            if *theirs <= peer_at {
                self.view.find(*number);
            }
            self.outgoing.skip(*number);
            self.round.fruitful |= *number > self.round.head;
        }
        effects.push(ChannelEffect::Say(ChannelMessage::Credit { bytes: bundle.bytes }));
        self.reach(effects);
    }

    /// Notes how far the peer's store has been followed, as far as it is durable here.
    fn reach(&mut self, effects: &mut Vec<ChannelEffect>) {
        while let Some((_, number)) =
            self.incoming.upto.pop_front_if(|(after, _)| *after <= self.incoming.settled)
        {
            if let Some(peer) = self.peer.filter(|_| self.cursor_counts) {
                effects.push(ChannelEffect::Reached(Cursor { number, ..peer }));
            }
        }
    }

    /// A read of the store has been sent.
    pub(crate) fn fed(&mut self, fed: Fed) {
        self.outgoing.fed(fed);
        self.round.fruitful |= fed.entries > 0;
        self.report.entries_sent = self.report.entries_sent.saturating_add(fed.entries);
        self.report.bytes_sent = self.report.bytes_sent.saturating_add(fed.bytes);
    }

    /// Goes on with whatever can go on. To be called after every other call, with the room in bytes
    /// that is left towards the peer.
    pub(crate) fn advance(
        &mut self,
        journal: &Journal,
        room: usize,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Option<PeerError> {
        loop {
            match self.outgoing.next(journal.head(), room) {
                Next::Feed(feed) => effects.push(ChannelEffect::Feed(feed)),
                Next::SaySent => effects.push(ChannelEffect::Say(ChannelMessage::Sent)),
                Next::SayUpto(number) => {
                    effects.push(ChannelEffect::Say(ChannelMessage::Upto { number }));
                }
                Next::Wait => break,
            }
        }
        if !matches!(self.phase, Phase::Exchanging) {
            return None;
        }
        let theirs_is_here = self.round.sent_after.is_some_and(|last| last <= self.incoming.settled);
        if self.round.mine.is_none() && theirs_is_here && self.outgoing.is_settled() {
            let root = self.view.root(journal);
            self.round.mine = Some(root);
            effects.push(ChannelEffect::Say(ChannelMessage::Root(root)));
        }
        match (self.round.mine, self.round.theirs) {
            (Some(mine), Some(theirs)) if mine == theirs => self.conclude(mine, now, effects),
            (Some(_), Some(_)) => {
                if self.fruitless >= FRUITLESS_ROUNDS || self.report.rounds >= ROUNDS {
                    return Some(PeerError::NoProgress);
                }
                if self.opener {
                    self.next_round(journal);
                    self.phase = Phase::Descending(Descent::new());
                    self.ask(journal, effects);
                }
            }
            (None, _) | (_, None) => {}
        }
        None
    }

    /// The roots are equal.
    fn conclude(&mut self, root: Root, now: Instant, effects: &mut Vec<ChannelEffect>) {
        self.phase = Phase::Live;
        self.outgoing.go_live();
        self.cursor_counts = true;
        self.report.refused = self.report.refused.saturating_add(self.view.refused() as u64);
        self.report.duration = now.since(self.opened);
        self.report.root = root;
        if let Some(peer) = self.peer {
            effects.push(ChannelEffect::Reached(peer));
        }
        effects.push(ChannelEffect::Synced(self.report));
    }
}

/// A journal as it is now.
fn summary(journal: &Journal) -> Summary {
    Summary { store: journal.store(), at: journal.head(), root: journal.root() }
}

/// How the acceptor wants the difference found. The opener's cursor points into this side's store,
/// this side's into the opener's; both are hints, the roots decide in the end.
fn plan(
    mine: &Summary,
    theirs: &Summary,
    theirs_cursor: Option<Cursor>,
    my_cursor: Option<Cursor>,
) -> Plan {
    if theirs.root.count == 0 || mine.root.count == 0 {
        let after = |side: &Summary, other: &Summary| if other.root.count == 0 { 0 } else { side.at };
        return Plan::Feed { opener_after: after(theirs, mine), acceptor_after: after(mine, theirs) };
    }
    let within = |cursor: Cursor, side: &Summary| cursor.store == side.store && cursor.number <= side.at;
    if let (Some(theirs_cursor), Some(my_cursor)) = (theirs_cursor, my_cursor)
        && within(theirs_cursor, mine)
        && within(my_cursor, theirs)
    {
        let tails = mine.at.saturating_sub(theirs_cursor.number).saturating_add(
            theirs.at.saturating_sub(my_cursor.number),
        );
        // A tail that is much longer than the difference would send again what is there.
        if tails <= mine.root.count.abs_diff(theirs.root.count).saturating_mul(4).saturating_add(64) {
            return Plan::Feed {
                opener_after: my_cursor.number,
                acceptor_after: theirs_cursor.number,
            };
        }
    }
    Plan::Descend
}
