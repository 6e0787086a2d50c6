//! One journal on one connection: from the opening to equal roots, then live.
//!
//! # Contract
//! Each call takes the journal as it is now and appends what follows to a list of
//! [`ChannelEffect`]s, to be carried out in order. An error ends the channel; one that is the peer's
//! fault ends the connection. A sync runs in rounds: find the difference, send it both ways, compare
//! the roots of both views; until they are equal or nothing new is found. What is appended meanwhile
//! is not part of it and follows live.

mod difference;
mod incoming;
mod plan;

use crate::crypto::hash::Hash;
use crate::fact::entry::Entry;
use crate::ids::{Cursor, JournalId};
use crate::journal::set::Journal;
use crate::limits::{EMPTY_MESSAGES, FRUITLESS_ROUNDS, IDS_PER_ROUND, REPLY, ROUNDS};
use crate::merkle::subtree::Root;
use crate::reconcile::decoding::Decoding;
use crate::reconcile::descent::Descent;
use crate::reconcile::view::View;
use crate::session::channel::incoming::Incoming;
use crate::session::channel::plan::{names, plan, summary};
use crate::session::failure::PeerError;
use crate::session::feed::{Fed, Feed, Next, Outgoing};
use crate::session::message::{ChannelMessage, Hint, MessageError, Plan, Summary};
use crate::session::report::SyncReport;
use crate::symbols::mapping::ShortId;
use crate::symbols::sketch::Sketch;
use crate::time::Instant;
use crate::verification::signed_root::SignedRoot;

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
    /// Everything that is numbered up to this here is durable at the peer.
    Delivered(u64),
    /// The peer asks for this node's signature over what it holds.
    ReceiptAsked { nonce: [u8; 32], previous: Option<Hash> },
    /// The peer's, not checked yet.
    Receipt(Box<SignedRoot>),
    /// The sync is done: both sides know it.
    Synced,
}

/// An opening that was asked for by the peer and waits to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) journal: JournalId,
    pub(crate) summary: Summary,
    pub(crate) root: Hash,
    pub(crate) sketch: Sketch,
    pub(crate) cursor: Option<Hint>,
}

#[derive(Debug)]
enum Phase {
    /// The opener waits for the answer.
    Opening,
    /// The opener solves for the difference.
    Decoding(Box<Decoding>),
    /// The opener asks its way down.
    Descending(Descent),
    /// The peer lists what it has.
    Listening(Vec<ShortId>),
    /// This side answers, and gathers the numbers of what is wanted.
    Answering(Vec<u64>),
    /// Entries travel; at the end both send their roots.
    Exchanging,
    /// The roots were equal: what is new follows by itself.
    Live,
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
    /// Cells that the peer asked for, and ids that were walked for them.
    cells: u64,
    walked: u64,
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
    /// Parts of the id space that this side has not looked into yet.
    left: Option<Box<Decoding>>,
    fruitless: u32,
    /// Whether the peer's `Upto` says what is here: it started from a cursor or from equal roots.
    cursor_counts: bool,
    /// Whether it also says that all of it is here: the peer began with its first entry, or the roots were
    /// equal. A cursor is a hint: its store may have been restored, and number others since.
    all_counts: bool,
    /// Everything in the peer's store up to this number is durable here, as the peer was told.
    durable: u64,
    /// What the peer last said that it had sent up to, and what it had made durable.
    upto: u64,
    delivered: u64,
    /// Entries of the peer's journal as it said at the opening.
    theirs: u64,
    /// Whether there is room to send something long unasked.
    roomy: bool,
    /// Messages from the peer that said nothing new. An honest one sends none.
    empty: u32,
    report: SyncReport,
    opened: Instant,
    heard: Instant,
}

impl Channel {
    fn new(journal: &Journal, opener: bool, now: Instant) -> Self {
        Self {
            journal: journal.id(),
            phase: Phase::Opening,
            opener,
            peer: None,
            view: View::new(journal),
            outgoing: Outgoing::new(journal.head()),
            incoming: Incoming::default(),
            round: Round { head: journal.head(), ..Round::default() },
            left: None,
            fruitless: 0,
            cursor_counts: false,
            all_counts: false,
            durable: 0,
            upto: 0,
            delivered: 0,
            theirs: 0,
            roomy: true,
            empty: 0,
            report: SyncReport::new(journal.root()),
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
        let open = ChannelMessage::Open {
            journal: journal.id(),
            summary: summary(journal),
            root: journal.root().hash,
            sketch: journal.sketch(),
            cursor: cursor.map(Hint::from),
        };
        effects.push(ChannelEffect::Say(open));
        // Where an answer that leaves the store out places this side.
        Self { peer: cursor, ..Self::new(journal, true, now) }
    }

    /// Answers an opening; `cursor` is where this node is in the opener's store, if it remembers. With no
    /// room towards the peer nothing long is sent unasked.
    pub(crate) fn accept(
        journal: &Journal,
        opening: &Opening,
        cursor: Option<Cursor>,
        roomy: bool,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Self {
        let mut channel = Self { roomy, ..Self::new(journal, false, now) };
        let theirs = &opening.summary;
        channel.peer = Some(Cursor { store: theirs.store, number: theirs.at });
        channel.theirs = theirs.count;
        let (mine, root) = (summary(journal), journal.root());
        if (Root { count: theirs.count, hash: opening.root }) == root {
            let known = opening.cursor.is_some_and(|cursor| names(cursor, mine.store));
            let store = (!known).then_some(mine.store);
            effects.push(ChannelEffect::Say(ChannelMessage::Same { store, at: mine.at }));
            channel.conclude(root, now, effects);
            return channel;
        }
        let plan = plan(journal, opening, cursor, roomy);
        effects.push(ChannelEffect::Say(ChannelMessage::Differ { summary: mine, plan: plan.clone() }));
        drop(channel.begin(journal, plan, effects));
        channel
    }

    /// Whether there is room to send something long unasked.
    pub(crate) fn set_roomy(&mut self, roomy: bool) {
        self.roomy = roomy;
    }

    /// A frame of the channel was sent.
    pub(crate) fn count_sent(&mut self, bytes: usize) {
        self.report.wire_sent = self.report.wire_sent.saturating_add(bytes as u64);
    }

    /// A frame of the channel was received.
    pub(crate) fn count_received(&mut self, bytes: usize) {
        self.report.wire_received = self.report.wire_received.saturating_add(bytes as u64);
    }

    /// Bytes of entries received that are not durable here.
    pub(crate) fn unsettled_bytes(&self) -> u64 {
        let partial = self.incoming.partial.as_ref().map_or(0, |partial| partial.bytes.len());
        self.incoming.unsettled_bytes.saturating_add(partial as u64)
    }

    /// Bytes of entries sent that are not durable at the peer.
    pub(crate) fn outstanding_bytes(&self) -> u64 {
        self.outgoing.outstanding()
    }

    /// Everything that is numbered up to this here was sent, or was there.
    pub(crate) fn sent(&self) -> u64 {
        self.outgoing.reached()
    }

    /// Own entries numbered up to this are part of the sync.
    pub(crate) fn at(&self) -> u64 {
        self.view.at()
    }

    /// What the sync has done so far; final once it is done.
    pub(crate) fn report(&self) -> SyncReport {
        self.report
    }

    pub(crate) fn journal(&self) -> JournalId {
        self.journal
    }

    /// Whether the peer has not answered the opening yet.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening)
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
            Phase::Decoding(_) => "waiting for coded symbols",
            Phase::Listening(_) => "waiting for a list of entries",
            Phase::Descending(_) => "waiting for an answer about the Merkle map",
            Phase::Answering(_) => "waiting for a question or a want",
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
        let name = message.name();
        if self.says_nothing(&message) {
            self.empty = self.empty.saturating_add(1);
            if self.empty > EMPTY_MESSAGES {
                return Err(PeerError::Breach("message after message that says nothing new"));
            }
            // Nor does it count as a sign of progress.
        } else {
            self.heard = now;
        }
        match message {
            ChannelMessage::Same { store, at } if matches!(self.phase, Phase::Opening) => {
                let store = store.or(self.peer.map(|peer| peer.store));
                let store = store.ok_or(PeerError::Breach("the store is left out and was not named"))?;
                self.peer = Some(Cursor { store, number: at });
                self.conclude(self.report.root, now, effects);
            }
            ChannelMessage::Differ { summary, plan } if matches!(self.phase, Phase::Opening) => {
                self.peer = Some(Cursor { store: summary.store, number: summary.at });
                self.theirs = summary.count;
                if matches!(plan, Plan::Feed { opener_after, .. } if opener_after > self.view.at()) {
                    return Err(PeerError::Breach("a plan from beyond the journal's end"));
                }
                self.begin(journal, plan, effects)?;
            }
            ChannelMessage::Ask { prefixes } => self.asked(&prefixes, journal, effects)?,
            ChannelMessage::Tell { answers } => self.told(answers, journal, effects)?,
            ChannelMessage::Symbols { prefix, from, cells, last } => {
                self.symbols((prefix, from), cells, last, journal, effects)?;
            }
            ChannelMessage::More { prefix, from, count } => {
                self.more(&prefix, (from, count), journal, effects)?;
            }
            ChannelMessage::List { ids, last } => self.listed(ids, last, journal, effects)?,
            ChannelMessage::Want { ids, last } => self.wanted(&ids, last, journal)?,
            ChannelMessage::Entries(bundle) => {
                let entries = bundle.expand(&self.journal)?;
                self.received(entries, effects)?;
            }
            ChannelMessage::Part { number, size, bytes } => self.part(number, size, &bytes, effects)?,
            ChannelMessage::Upto { number } => {
                self.upto = self.upto.max(number);
                let after = self.incoming.received;
                self.incoming.upto.pop_back_if(|(last, _)| *last == after);
                self.incoming.upto.push_back((after, number));
                if self.reach(effects) {
                    self.say_credit(0, effects);
                }
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
                if self.view.refused() > IDS_PER_ROUND {
                    return Err(PeerError::Breach("more is refused than one round may hold"));
                }
            }
            ChannelMessage::Credit { bytes, upto } => {
                if !self.outgoing.credited(bytes) || upto > journal.head() {
                    return Err(PeerError::Breach("credit for more than was sent"));
                }
                if upto > self.delivered {
                    self.delivered = upto;
                    effects.push(ChannelEffect::Delivered(upto));
                }
            }
            ChannelMessage::AskReceipt { nonce, previous } if !matches!(self.phase, Phase::Opening) => {
                effects.push(ChannelEffect::ReceiptAsked { nonce, previous });
            }
            ChannelMessage::Receipt { statement } if !matches!(self.phase, Phase::Opening) => {
                let statement = SignedRoot::from_bytes(&statement).map_err(MessageError::from)?;
                effects.push(ChannelEffect::Receipt(Box::new(statement)));
            }
            ChannelMessage::Close(reason) => return Err(reason.into()),
            ChannelMessage::Open { .. }
            | ChannelMessage::Same { .. }
            | ChannelMessage::Differ { .. }
            | ChannelMessage::Sent
            | ChannelMessage::AskReceipt { .. }
            | ChannelMessage::Receipt { .. }
            | ChannelMessage::Root(_) => return Err(self.unexpected(name)),
        }
        Ok(())
    }

    fn unexpected(&self, message: &'static str) -> PeerError {
        let state = match &self.phase {
            Phase::Opening => "the channel was being opened",
            Phase::Decoding(_) => "coded symbols were expected",
            Phase::Listening(_) => "lists were expected",
            Phase::Descending(_) => "the difference was being asked for",
            Phase::Answering(_) => "questions were expected",
            Phase::Exchanging => "entries were on their way",
            Phase::Live => "the channel was live",
        };
        PeerError::Unexpected { message, state }
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

    /// A further round finds what the one before did not: in the parts that are left, else by a descent.
    fn next_round(&mut self, journal: &Journal) {
        self.fruitless = if self.round.fruitful { 0 } else { self.fruitless.saturating_add(1) };
        self.round = Round { head: journal.head(), ..Round::default() };
        self.report.rounds = self.report.rounds.saturating_add(1);
        self.outgoing.hold();
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
        self.send_what_can_be_sent(journal, room, effects);
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
            (Some(mine), Some(theirs)) if mine == theirs => {
                self.conclude(mine, now, effects);
                self.send_what_can_be_sent(journal, room, effects);
            }
            (Some(_), Some(_)) => {
                if self.fruitless >= FRUITLESS_ROUNDS || self.report.rounds >= ROUNDS {
                    return Some(PeerError::NoProgress);
                }
                if self.opener {
                    self.next_round(journal);
                    self.phase = match self.left.take() {
                        Some(decoding) => Phase::Decoding(decoding),
                        None => Phase::Descending(Descent::new()),
                    };
                    self.ask(journal, effects);
                }
            }
            (None, _) | (_, None) => {}
        }
        None
    }

    fn send_what_can_be_sent(&mut self, journal: &Journal, room: usize, effects: &mut Vec<ChannelEffect>) {
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
    }

    /// The roots are equal.
    fn conclude(&mut self, root: Root, now: Instant, effects: &mut Vec<ChannelEffect>) {
        self.phase = Phase::Live;
        self.outgoing.go_live(self.view.at());
        (self.cursor_counts, self.all_counts) = (true, true);
        self.report.refused = self.report.refused.saturating_add(self.view.refused() as u64);
        self.report.duration = now.since(self.opened);
        self.report.root = root;
        if let Some(peer) = self.peer {
            // What the peer has sent live already is here too.
            let number = peer.number.max(self.incoming.followed);
            effects.push(ChannelEffect::Reached(Cursor { number, ..peer }));
            self.durable = number;
            if number > peer.number {
                self.say_credit(0, effects);
            }
        }
        effects.push(ChannelEffect::Delivered(self.view.at()));
        effects.push(ChannelEffect::Synced);
    }
}
