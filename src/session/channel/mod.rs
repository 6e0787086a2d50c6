//! One journal on one connection: from the opening to equal roots, then live.
//!
//! # Contract
//! Each call takes the journal as it is now and appends what follows to a list of
//! [`ChannelEffect`]s, to be carried out in order. An error ends the channel; one that is the peer's
//! fault ends the connection. A sync runs in rounds: find the difference, send it both ways, compare
//! the roots of both views; until they are equal or nothing new is found. What is appended meanwhile
//! is not part of it and follows live.

mod budget;
mod difference;
mod incoming;
mod plan;
mod progress;
mod rounds;

use core::time::Duration;

use crate::crypto::hash::Hash;
use crate::fact::entry::Entry;
use crate::ids::{Cursor, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::limits::EMPTY_MESSAGES;
use crate::merkle::subtree::Root;
use crate::reconcile::decoding::Decoding;
use crate::reconcile::descent::Descent;
use crate::reconcile::view::View;
use crate::session::channel::budget::{Budget, Repeated, Steps};
use crate::session::channel::incoming::Incoming;
use crate::session::channel::plan::{plan, summary};
use crate::session::failure::PeerError;
use crate::session::feed::{Feed, Outgoing};
use crate::session::message::{ChannelMessage, MessageError, Plan, Summary};
use crate::session::phase::SyncPhase;
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
    pub(crate) cursor: Option<u64>,
}

/// What a signature costs, in ids looked at.
const STEPS_PER_SIGNATURE: u64 = 256;

/// What a channel may do as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// There is room to send something long unasked.
    pub(crate) roomy: bool,
    /// What the peer sends is taken in.
    pub(crate) takes: bool,
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
    budget: Budget,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Channel {
    journal: JournalId,
    phase: Phase,
    /// What those who look on were told of that.
    told: Option<SyncPhase>,
    opener: bool,
    /// The peer's store, and its last number at the opening; 0 until that is known.
    peer: Cursor,
    view: View,
    outgoing: Outgoing,
    incoming: Incoming,
    round: Round,
    repeated: Repeated,
    steps: Steps,
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
    /// Whether what the peer sends is taken in, and whether the peer has said that it takes what is sent to it.
    takes: bool,
    taken: bool,
    /// Ids that the peer has refused, each as often as it did.
    refusals: u64,
    /// Messages from the peer that said nothing new. An honest one sends none.
    empty: u32,
    report: SyncReport,
    opened: Instant,
    heard: Instant,
}

impl Channel {
    fn new(journal: &Journal, peer: StoreId, opener: bool, now: Instant) -> Self {
        Self {
            journal: journal.id(),
            phase: Phase::Opening,
            told: None,
            opener,
            peer: Cursor { store: peer, number: 0 },
            view: View::new(journal),
            outgoing: Outgoing::new(journal.head()),
            incoming: Incoming::default(),
            round: Round { head: journal.head(), budget: Budget::new(now), ..Round::default() },
            repeated: Repeated::new(journal.head()),
            steps: Steps::new(u64::MAX),
            left: None,
            fruitless: 0,
            cursor_counts: false,
            all_counts: false,
            durable: 0,
            upto: 0,
            delivered: 0,
            theirs: 0,
            roomy: true,
            takes: true,
            taken: true,
            refusals: 0,
            empty: 0,
            report: SyncReport::new(journal.root()),
            opened: now,
            heard: now,
        }
    }

    /// Opens a channel with a peer of this store; `cursor` is where this node is in it, if it remembers.
    pub(crate) fn open(
        journal: &Journal,
        peer: StoreId,
        cursor: Option<Cursor>,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Self {
        let open = ChannelMessage::Open {
            journal: journal.id(),
            summary: summary(journal),
            root: journal.root().hash,
            sketch: journal.sketch(),
            cursor: number_in(peer, cursor),
        };
        effects.push(ChannelEffect::Say(open));
        Self::new(journal, peer, true, now)
    }

    /// Answers an opening of a peer of this store; `cursor` is where this node is in it, if it remembers.
    /// With no room towards the peer nothing long is sent unasked. An opener from which nothing is taken is
    /// told so.
    pub(crate) fn accept(
        journal: &Journal,
        opening: &Opening,
        (peer, cursor): (StoreId, Option<Cursor>),
        allowed: Allowed,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Self {
        let Allowed { roomy, takes } = allowed;
        let mut channel = Self { roomy, takes, ..Self::new(journal, peer, false, now) };
        let theirs = &opening.summary;
        channel.peer.number = theirs.at;
        channel.theirs = theirs.count;
        let (mine, root) = (summary(journal), journal.root());
        if (Root { count: theirs.count, hash: opening.root }) == root {
            effects.push(ChannelEffect::Say(ChannelMessage::Same { at: mine.at, takes }));
            channel.conclude(root, now, effects);
            return channel;
        }
        let plan = plan(journal, opening, number_in(peer, cursor), allowed);
        effects.push(ChannelEffect::Say(ChannelMessage::Differ { summary: mine, plan: plan.clone(), takes }));
        drop(channel.begin(journal, plan, effects));
        channel
    }

    /// How many ids may be looked at for the peer now.
    pub(crate) fn set_steps(&mut self, steps: u64) {
        self.steps = Steps::new(steps);
    }

    /// How many were, since that was set.
    pub(crate) fn take_steps(&mut self) -> u64 {
        self.steps.take()
    }

    /// Whether what the peer sends is taken in from now on.
    pub(crate) fn set_takes(&mut self, takes: bool) {
        self.takes = takes;
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

    /// When the peer must have said something, if it has `reply` for that, and what is waited for.
    pub(crate) fn deadline(&self, reply: Duration) -> Option<(Instant, &'static str)> {
        let waiting_for = match &self.phase {
            Phase::Opening => "waiting for the answer to an opening",
            Phase::Decoding(_) => "waiting for coded symbols",
            Phase::Listening(_) => "waiting for a list of entries",
            Phase::Descending(_) => "waiting for an answer about the Merkle map",
            Phase::Answering(_) => "waiting for a question or a want",
            Phase::Exchanging => "waiting for entries, credit or the root",
            Phase::Live => return None,
        };
        let answer = self.heard.after(reply);
        let comparing = !matches!(self.phase, Phase::Opening | Phase::Exchanging);
        let round = comparing.then(|| self.round.budget.deadline());
        // What is not durable here is waiting for this side, not for the peer.
        let answer = Some(answer).filter(|_| self.incoming.unsettled.is_empty());
        Some((answer.into_iter().chain(round).min()?, waiting_for))
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
        // What says nothing is no sign of progress either.
        if self.says_nothing(&message) {
            self.empty = self.empty.saturating_add(1);
            if self.empty > EMPTY_MESSAGES {
                return Err(PeerError::Breach("message after message that says nothing new"));
            }
        } else if Self::is_progress(&message) {
            self.heard = now;
        }
        match message {
            ChannelMessage::Same { at, takes } if matches!(self.phase, Phase::Opening) => {
                self.set_taken(takes);
                self.peer.number = at;
                self.conclude(self.report.root, now, effects);
            }
            ChannelMessage::Differ { summary, plan, takes } if matches!(self.phase, Phase::Opening) => {
                self.set_taken(takes);
                self.peer.number = summary.at;
                self.theirs = summary.count;
                if matches!(plan, Plan::Feed { opener_after, .. } if opener_after > self.view.at()) {
                    return Err(PeerError::Breach("a plan from beyond the journal's end"));
                }
                self.begin(journal, plan, effects)?;
            }
            ChannelMessage::Ask { prefixes } => self.asked(&prefixes, journal, now, effects)?,
            ChannelMessage::Tell { answers } => self.told(answers, journal, effects)?,
            ChannelMessage::Symbols { prefix, from, cells, last } => {
                self.symbols((prefix, from), cells, last, journal, effects)?;
            }
            ChannelMessage::More { prefix, from, count } => {
                self.more(&prefix, (from, count), journal, now, effects)?;
            }
            ChannelMessage::List { ids, last } => self.listed(ids, last, journal, effects)?,
            ChannelMessage::Want { ids, last } => self.wanted(&ids, last, journal, now)?,
            ChannelMessage::Entries(bundle) => {
                let entries = bundle.expand(&self.journal)?;
                self.received(entries, journal, effects)?;
            }
            ChannelMessage::Part { number, size, bytes } => {
                self.part(number, size, &bytes, journal, effects)?
            }
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
                self.refusals = self.refusals.saturating_add(ids.len() as u64);
                if self.refusals > self.report.entries_sent {
                    return Err(PeerError::Breach("more is refused than was sent"));
                }
            }
            ChannelMessage::Credit { bytes, upto } => {
                if !self.outgoing.credited(bytes) || upto > journal.head() {
                    return Err(PeerError::Breach("credit for more than was sent"));
                }
                if upto > self.delivered {
                    self.delivered = upto;
                    self.say_delivered(upto, effects);
                }
            }
            ChannelMessage::AskReceipt { nonce, previous } if !matches!(self.phase, Phase::Opening) => {
                self.steps.charge(STEPS_PER_SIGNATURE)?;
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

    /// Everything numbered up to this is durable at the peer, short of the first entry that it refused.
    fn say_delivered(&self, upto: u64, effects: &mut Vec<ChannelEffect>) {
        let before = self.view.first_refused().map_or(upto, |first| first.saturating_sub(1));
        effects.push(ChannelEffect::Delivered(upto.min(before)));
    }

    /// Whether the peer takes what is sent to it: if not, nothing is.
    fn set_taken(&mut self, taken: bool) {
        self.taken = taken;
        if !taken {
            self.outgoing.mute();
        }
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
}

/// Where a cursor is in this store, if it is into this one: another store has other numbers.
fn number_in(store: StoreId, cursor: Option<Cursor>) -> Option<u64> {
    cursor.filter(|cursor| cursor.store == store).map(|cursor| cursor.number)
}
