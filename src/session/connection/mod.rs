//! One connection between two nodes, however many journals: handshake, channels, keep-alive.
//!
//! # Contract
//! Put in frames, answers to effects and the passing of time, each with the current instant; after
//! each, take effects with [`poll_effect`](ConnectionMachine::poll_effect) until there are none and
//! carry them out in order. Time must not go back. A machine that has failed stays failed and gives
//! only [`ConnectionEffect::Closed`]. It never reads a clock, draws randomness or touches a store.

mod channels;
mod checks;
mod keep_alive;
mod pace;

use core::time::Duration;
use std::collections::VecDeque;

use litemap::LiteMap;

use crate::crypto::hash::Hash;
use crate::crypto::sign::DeviceKey;
use crate::error::StoreError;
use crate::fact::entry::Entry;
use crate::fact::unchecked::EntryError;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::limits::{CONNECTION_CREDIT_BYTES, HANDSHAKE_FRAME_BYTES, QUEUE_BYTES, QUEUE_FEED_BYTES, REPLY};
use crate::session::channel::{Channel, Opening};
use crate::session::connection::checks::Checks;
use crate::session::connection::pace::Pace;
use crate::session::failure::PeerError;
use crate::session::feed::{Fed, Feed};
use crate::session::handshake::{Acceptor, Dialler};
use crate::session::message::{Hello, Message, MessageError, SUITE, VERSION};
use crate::session::permission::Permission;
use crate::session::phase::SyncPhase;
use crate::session::report::SyncReport;
use crate::time::Instant;
use crate::verification::signed_root::SignedRoot;

/// What the machine asks for.
#[derive(Debug)]
pub(crate) enum ConnectionEffect {
    /// Send this frame; tell with `drained` when the transport has taken it.
    Send(Vec<u8>),
    /// The peer is who it claims to be.
    Authenticated(DeviceId),
    /// The peer opens a channel: answer with `accept` or `refuse`.
    Asked { channel: u32, opening: Opening },
    /// Check these records of the journal; answer with `checked`, in any order. A few at a time.
    Check { channel: u32, sequence: u64, journal: JournalId, records: Vec<Vec<u8>> },
    /// Commit these entries; answer with `settled` or `unsettled`.
    Incoming { channel: u32, sequence: u64, journal: JournalId, entries: Vec<Entry> },
    /// Read and send; answer with `fed` or `feed_failed`.
    Feed { channel: u32, journal: JournalId, feed: Feed },
    /// Everything in the peer's store up to this cursor is here.
    Reached { journal: JournalId, cursor: Cursor },
    /// The peer asks for this node's signature over what it holds: answer with `give_receipt`.
    ReceiptAsked { channel: u32, journal: JournalId, nonce: [u8; 32], previous: Option<Hash> },
    /// A receipt of the peer, not checked yet.
    Receipt { journal: JournalId, statement: Box<SignedRoot> },
    /// Everything numbered up to this here is durable at the peer.
    Delivered { journal: JournalId, number: u64 },
    /// A sync is done: both sides know it. It was about own entries numbered up to `at`.
    Synced { journal: JournalId, at: u64, report: SyncReport },
    /// How far the sync of a journal is now.
    Phase { journal: JournalId, phase: SyncPhase },
    /// A channel ended; whether in the middle of a sync.
    ChannelEnded { journal: JournalId, syncing: bool, error: PeerError },
    /// The connection is over; nothing follows.
    Closed(PeerError),
}

#[derive(Debug)]
enum Phase {
    /// The dialling side waits for the answer to its hello.
    Dialling(Dialler),
    /// The accepting side waits for a hello.
    Accepting { nonce: [u8; 32], names: Option<Vec<String>>, binding: Vec<u8> },
    /// The accepting side waits for the proof.
    Proving(Acceptor),
    /// Both have proved who they are.
    Open,
    /// Over.
    Closed,
}

/// Verdicts on a bundle: the id of each record, and the entry or why it is none.
pub(crate) type Verdicts = Vec<(EntryId, Result<Entry, EntryError>)>;

/// See the module.
#[derive(Debug)]
pub(crate) struct ConnectionMachine {
    key: DeviceKey,
    /// Who the other side has proved to be.
    device: Option<DeviceId>,
    /// This side's store.
    store: StoreId,
    /// The peer's, once it has proved who it is.
    peer: StoreId,
    dialled: bool,
    phase: Phase,
    channels: LiteMap<u32, Channel>,
    /// Channels that the peer opened and nobody answered yet.
    asked: LiteMap<u32, JournalId>,
    /// The least number that the peer may give to its next channel: none is used again.
    least_channel: u32,
    /// How often the peer has opened channels of late, and how many ids were looked at for it.
    openings: Pace,
    steps: Pace,
    /// Entries of the longest journal that was spoken of.
    longest: u64,
    /// Number of the next channel. Only the dialling side opens channels.
    next_channel: u32,
    checks: Checks,
    /// Bytes handed out to be sent and not drained.
    queued: usize,
    /// Bytes that reads of the store under way may add to that, by channel.
    feeding: LiteMap<u32, usize>,
    /// Whether a channel may have been held back for want of room.
    starved: bool,
    /// How long the peer may take for a sign of progress.
    reply: Duration,
    since: Instant,
    /// When it last served a journal, or was opened.
    used: Instant,
    heard: Instant,
    pinged: Option<Instant>,
    pings: u64,
    effects: VecDeque<ConnectionEffect>,
}

impl ConnectionMachine {
    /// The dialling side: says hello.
    pub(crate) fn dial(key: DeviceKey, dialler: Dialler, now: Instant) -> Self {
        let (hello, store) = (Message::Hello(dialler.hello.clone()), dialler.hello.store);
        let mut machine = Self::new((key, store), Phase::Dialling(dialler), true, now);
        machine.say(&hello);
        machine
    }

    /// The accepting side: waits for a hello. `nonce` is 32 fresh random bytes, `names` the addresses
    /// under which this node may be dialled, if they are known.
    pub(crate) fn accept_connection(
        (key, store): (DeviceKey, StoreId),
        nonce: [u8; 32],
        names: Option<Vec<String>>,
        binding: Vec<u8>,
        now: Instant,
    ) -> Self {
        Self::new((key, store), Phase::Accepting { nonce, names, binding }, false, now)
    }

    fn new((key, store): (DeviceKey, StoreId), phase: Phase, dialled: bool, now: Instant) -> Self {
        Self {
            key,
            device: None,
            store,
            peer: StoreId::from_bytes([0; StoreId::LEN]),
            phase,
            channels: LiteMap::new(),
            asked: LiteMap::new(),
            least_channel: 0,
            dialled,
            openings: Pace::new(now),
            steps: Pace::new(now),
            longest: 0,
            next_channel: 0,
            checks: Checks::default(),
            queued: 0,
            feeding: LiteMap::new(),
            starved: false,
            reply: REPLY,
            since: now,
            used: now,
            heard: now,
            pinged: None,
            pings: 0,
            effects: VecDeque::new(),
        }
    }

    /// The same, and the peer has so long for a sign of progress.
    pub(crate) fn with_reply(self, reply: Duration) -> Self {
        Self { reply, ..self }
    }

    /// The first words of a dialling node.
    pub(crate) fn hello(device: DeviceId, store: StoreId, nonce: [u8; 32], address: String) -> Hello {
        Hello { versions: (VERSION, VERSION), suite: SUITE, nonce, device, store, address }
    }

    /// Whether the peer has proved who it is and the connection is not over.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether a sync of this journal is under way.
    pub(crate) fn is_syncing(&self, journal: JournalId) -> bool {
        self.channels.values().any(|channel| channel.journal() == journal && channel.is_syncing())
    }

    /// Everything of a journal that is numbered up to this here was sent, or was there.
    pub(crate) fn sent(&self, journal: JournalId) -> u64 {
        let channels = self.channels.values().filter(|channel| channel.journal() == journal);
        channels.map(Channel::sent).max().unwrap_or_default()
    }

    /// Whether any channel serves this journal.
    pub(crate) fn serves(&self, journal: JournalId) -> bool {
        self.channels.values().any(|channel| channel.journal() == journal)
            || self.asked.values().any(|asked| *asked == journal)
    }

    /// A frame arrived.
    pub(crate) fn handle_frame(&mut self, frame: &[u8], journals: &dyn Journals, now: Instant) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.note_use(now);
        self.heard = now;
        self.pinged = None;
        if !self.is_open() && frame.len() > HANDSHAKE_FRAME_BYTES {
            return self.fail(MessageError::TooLargeYet(frame.len()).into());
        }
        let handled = Message::decode(frame)
            .map_err(PeerError::from)
            .and_then(|message| self.handle(message, frame.len(), journals, now));
        if let Err(error) = handled {
            self.fail(error);
        }
    }

    fn handle(
        &mut self,
        message: Message,
        bytes: usize,
        journals: &dyn Journals,
        now: Instant,
    ) -> Result<(), PeerError> {
        let name = message.name();
        let state = match (&self.phase, message) {
            (_, Message::Goaway(reason)) => {
                self.close(reason.into());
                return Ok(());
            }
            (Phase::Accepting { nonce, names, binding }, Message::Hello(hello)) => {
                let own = (&self.key, self.store);
                let (acceptor, ack) = Acceptor::answer(&hello, names.as_deref(), *nonce, binding, own)?;
                self.phase = Phase::Proving(acceptor);
                self.say(&Message::HelloAck(ack));
                return Ok(());
            }
            (Phase::Dialling(dialler), Message::HelloAck(ack)) => {
                let signature = dialler.finish(&ack, &self.key)?;
                self.open((ack.device, ack.store), Some(&Message::Auth { signature }));
                return Ok(());
            }
            (Phase::Proving(acceptor), Message::Auth { signature }) => {
                let device = acceptor.finish(&signature)?;
                let store = acceptor.store;
                self.open((device, store), None);
                return Ok(());
            }
            (Phase::Open, Message::Ping { number }) => {
                self.say(&Message::Pong { number });
                return Ok(());
            }
            (Phase::Open, Message::Pong { .. }) => return Ok(()),
            (Phase::Open, Message::Channel { channel, message }) => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.count_received(bytes);
                }
                return self.handle_channel(channel, message, journals, now);
            }
            (Phase::Dialling(_), _) => "an answer to the hello was expected",
            (Phase::Accepting { .. }, _) => "a hello was expected",
            (Phase::Proving(_), _) => "a proof of identity was expected",
            (Phase::Open | Phase::Closed, _) => "the connection was open",
        };
        Err(PeerError::Unexpected { message: name, state })
    }

    /// Both have proved who they are, with these last words of this side.
    fn open(&mut self, (device, store): (DeviceId, StoreId), proof: Option<&Message>) {
        (self.phase, self.device, self.peer) = (Phase::Open, Some(device), store);
        proof.map(|proof| self.say(proof));
        self.effects.push_back(ConnectionEffect::Authenticated(device));
    }

    /// What the peer may do with a journal: nothing before it has proved who it is.
    pub(super) fn permission(&self, journal: JournalId, journals: &dyn Journals) -> Permission {
        self.device.map_or(Permission::Denied, |device| journals.permission(&device, journal))
    }

    /// The verdicts on a bundle that was given to be checked.
    pub(crate) fn checked(
        &mut self,
        channel: u32,
        sequence: u64,
        verdicts: Verdicts,
        journals: &dyn Journals,
        now: Instant,
    ) {
        self.checks.made(channel, sequence, verdicts);
        while let Some((channel, sequence, verdicts)) = self.checks.take() {
            let checked = self.with_channel(channel, journals, now, |open, _, effects| {
                open.checked(sequence, verdicts, effects)
            });
            if let Err(error) = checked {
                return self.fail(error);
            }
        }
        self.start_checks();
    }

    /// A bundle is durable under these numbers. To be followed by `advance`, once all are told.
    pub(crate) fn settled(
        &mut self,
        channel: u32,
        sequence: u64,
        numbers: &[u64],
        journals: &dyn Journals,
        now: Instant,
    ) {
        let Some(journal) = self.admit(channel, journals) else { return };
        let Some(open) = self.channels.get_mut(&channel) else { return };
        let mut effects = Vec::new();
        open.settled(sequence, numbers, now, &mut effects);
        self.carry_out(channel, journal, effects);
    }

    /// A bundle could not be stored: the channel can't go on.
    pub(crate) fn store_failed(&mut self, channel: u32, error: StoreError) {
        self.end_channel(channel, error.into(), true);
    }

    /// Entries could not be read for a channel: it can't go on.
    pub(crate) fn feed_failed(
        &mut self,
        channel: u32,
        error: StoreError,
        journals: &dyn Journals,
        now: Instant,
    ) {
        self.feeding.remove(&channel);
        self.end_channel(channel, error.into(), true);
        self.feed_the_starved(journals, now);
    }

    /// A read of the store has been framed and queued, `queued` bytes in all.
    pub(crate) fn fed(
        &mut self,
        channel: u32,
        fed: Fed,
        queued: usize,
        journals: &dyn Journals,
        now: Instant,
    ) {
        self.feeding.remove(&channel);
        self.queued = self.queued.saturating_add(queued);
        let result = self.with_channel(channel, journals, now, |open, _, _| {
            open.fed(fed);
            open.count_sent(queued);
            Ok(())
        });
        match result {
            Ok(()) => self.feed_the_starved(journals, now),
            Err(error) => self.fail(error),
        }
    }

    /// The transport has taken so many bytes.
    pub(crate) fn drained(&mut self, bytes: usize, journals: &dyn Journals, now: Instant) {
        self.queued = self.queued.saturating_sub(bytes);
        self.feed_the_starved(journals, now);
    }

    /// Lets channels go on that were held back, now that there is room.
    fn feed_the_starved(&mut self, journals: &dyn Journals, now: Instant) {
        if self.starved && self.room() > 0 {
            self.starved = false;
            self.advance_those(|_| true, journals, now);
        }
    }

    /// A journal has grown: live channels go on.
    pub(crate) fn advance(&mut self, journal: JournalId, journals: &dyn Journals, now: Instant) {
        self.advance_those(|channel| channel.journal() == journal, journals, now);
    }

    fn advance_those(&mut self, which: impl Fn(&Channel) -> bool, journals: &dyn Journals, now: Instant) {
        let channels = self.channels.iter().filter(|(_, channel)| which(channel));
        for number in channels.map(|(number, _)| *number).collect::<Vec<_>>() {
            if let Err(error) = self.with_channel(number, journals, now, |_, _, _| Ok(())) {
                return self.fail(error);
            }
        }
    }

    /// Sends a message; its bytes.
    fn say(&mut self, message: &Message) -> usize {
        if matches!(self.phase, Phase::Closed) {
            return 0;
        }
        let frame = message.encode();
        let bytes = frame.len();
        self.queued = self.queued.saturating_add(bytes);
        self.effects.push_back(ConnectionEffect::Send(frame));
        if self.queued > QUEUE_BYTES {
            self.close(PeerError::SlowReader);
        }
        bytes
    }

    /// Bytes of entries that may be read for the peer now: what it reads and what it commits bound it.
    fn room(&self) -> usize {
        let reserved = self.feeding.values().fold(0usize, |sum, bytes| sum.saturating_add(*bytes));
        let queue = QUEUE_FEED_BYTES.saturating_sub(self.queued).saturating_sub(reserved);
        let sum = |sum: u64, channel: &Channel| sum.saturating_add(channel.outstanding_bytes());
        let outstanding = self.channels.values().fold(reserved as u64, sum);
        let credit = CONNECTION_CREDIT_BYTES.saturating_sub(outstanding);
        queue.min(usize::try_from(credit).unwrap_or(usize::MAX))
    }

    /// Ends the connection and tells the peer why.
    pub(crate) fn fail(&mut self, error: PeerError) {
        if !matches!(self.phase, Phase::Closed) {
            self.say(&Message::Goaway(error.reason()));
            self.close(error);
        }
    }

    /// The connection is over: the transport says so, or the peer did.
    pub(crate) fn close(&mut self, error: PeerError) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.phase = Phase::Closed;
        for (_, channel) in std::mem::take(&mut self.channels) {
            let (journal, syncing, error) = (channel.journal(), channel.is_syncing(), error.clone());
            self.effects.push_back(ConnectionEffect::ChannelEnded { journal, syncing, error });
        }
        self.asked.clear();
        self.checks = Checks::default();
        self.effects.push_back(ConnectionEffect::Closed(error));
    }

    /// What the machine asks for next.
    pub(crate) fn poll_effect(&mut self) -> Option<ConnectionEffect> {
        self.effects.pop_front()
    }
}

/// The journals that are open here, as a connection looks at them.
pub(crate) trait Journals {
    /// The journal with this id, if it is open.
    fn journal(&self, id: JournalId) -> Option<&Journal>;

    /// What this device may do with it, open or not.
    fn permission(&self, device: &DeviceId, id: JournalId) -> Permission;
}
