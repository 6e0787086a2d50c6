//! The incoming side of a channel: records gathered, checked, committed, credited, in order.

use std::collections::VecDeque;

use crate::codec::cbor::DecodeError;
use crate::fact::entry::{Entry, entry_id};
use crate::fact::unchecked::EntryError;
use crate::ids::{Cursor, EntryId};
use crate::journal::set::Journal;
use crate::limits::{CREDIT_BYTES, IDS_PER_FRAME, RECORD_BYTES, SIGNATURE_BYTES};
use crate::session::channel::{Channel, ChannelEffect, Phase};
use crate::session::failure::PeerError;
use crate::session::message::ChannelMessage;
use crate::time::Instant;

/// A record that came in parts.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) number: u64,
    pub(super) size: usize,
    pub(super) bytes: Vec<u8>,
}

/// Entries received in one frame that are not durable here yet.
#[derive(Debug)]
pub(super) struct Unsettled {
    sequence: u64,
    bytes: u64,
    /// The peer's numbers; of the admitted ones once they have been checked.
    numbers: Vec<u64>,
}

/// The incoming side of a channel.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) partial: Option<Partial>,
    /// Bundles received; the last one's sequence.
    pub(super) received: u64,
    /// Bundles settled, in the same order.
    pub(super) settled: u64,
    pub(super) unsettled: VecDeque<Unsettled>,
    pub(super) unsettled_bytes: u64,
    /// What the peer said of where it is, and behind which bundle.
    pub(super) upto: VecDeque<(u64, u64)>,
    /// Of that, up to where it is durable here: true once the roots are equal, if not before.
    pub(super) followed: u64,
}

impl Channel {
    /// Whether a message changes nothing.
    pub(super) fn says_nothing(&self, message: &ChannelMessage) -> bool {
        match message {
            ChannelMessage::Want { ids, last } => !last && ids.iter().next().is_none(),
            ChannelMessage::Ask { prefixes } => prefixes.is_empty(),
            ChannelMessage::List { ids, last } => !last && ids.is_empty(),
            ChannelMessage::Refused { ids } => ids.is_empty(),
            ChannelMessage::Upto { number } => *number <= self.upto,
            ChannelMessage::Credit { bytes, upto } => *bytes == 0 && *upto <= self.delivered,
            ChannelMessage::Open { .. }
            | ChannelMessage::Same { .. }
            | ChannelMessage::Differ { .. }
            | ChannelMessage::Close(_)
            | ChannelMessage::Tell { .. }
            | ChannelMessage::Symbols { .. }
            | ChannelMessage::More { .. }
            | ChannelMessage::Entries(_)
            | ChannelMessage::Part { .. }
            | ChannelMessage::Sent
            | ChannelMessage::Root(_)
            | ChannelMessage::AskReceipt { .. }
            | ChannelMessage::Receipt { .. } => false,
        }
    }

    /// Whether a message brings the sync on. What only tells does not, or a peer could tell for ever.
    pub(super) fn is_progress(message: &ChannelMessage) -> bool {
        match message {
            ChannelMessage::Upto { .. }
            | ChannelMessage::Refused { .. }
            | ChannelMessage::AskReceipt { .. }
            | ChannelMessage::Receipt { .. } => false,
            ChannelMessage::Credit { bytes, .. } => *bytes > 0,
            ChannelMessage::Open { .. }
            | ChannelMessage::Same { .. }
            | ChannelMessage::Differ { .. }
            | ChannelMessage::Close(_)
            | ChannelMessage::Ask { .. }
            | ChannelMessage::Tell { .. }
            | ChannelMessage::Symbols { .. }
            | ChannelMessage::More { .. }
            | ChannelMessage::List { .. }
            | ChannelMessage::Want { .. }
            | ChannelMessage::Entries(_)
            | ChannelMessage::Part { .. }
            | ChannelMessage::Sent
            | ChannelMessage::Root(_) => true,
        }
    }

    pub(super) fn part(
        &mut self,
        number: u64,
        size: u64,
        bytes: &[u8],
        journal: &Journal,
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
            self.receive(vec![(partial.number, partial.bytes)], journal, effects)?;
        }
        Ok(())
    }

    pub(super) fn received(
        &mut self,
        entries: Vec<(u64, Vec<u8>)>,
        journal: &Journal,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        if self.incoming.partial.is_some() {
            return Err(PeerError::Breach("another entry before the rest of a long one"));
        }
        self.receive(entries, journal, effects)
    }

    pub(super) fn receive(
        &mut self,
        entries: Vec<(u64, Vec<u8>)>,
        journal: &Journal,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        if matches!(self.phase, Phase::Opening) {
            return Err(self.unexpected("Entries"));
        }
        if entries.iter().any(|(_, record)| record.len() <= SIGNATURE_BYTES) {
            let expected = "body and signature";
            return Err(EntryError::Malformed(DecodeError::Expected { expected, position: 0 }).into());
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
        let (mut numbers, mut records): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        if !self.takes {
            // Not even looked at; but settled in their turn, as the credit for them is.
            let refused: Vec<_> = records.iter().map(|record| entry_id(&self.journal, record)).collect();
            (numbers, records) = (Vec::new(), Vec::new());
            // The peer leaves them out of its view, so they are left out of this one.
            refused.iter().filter_map(|id| journal.number_of(id)).for_each(|number| self.view.refuse(number));
            self.refuse(&refused, effects);
        }
        self.incoming.unsettled.push_back(Unsettled { sequence, bytes, numbers });
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
        self.refuse(&refused, effects);
        effects.push(ChannelEffect::Incoming { sequence, entries });
        Ok(())
    }

    /// Says which entries are not taken in.
    fn refuse(&mut self, refused: &[EntryId], effects: &mut Vec<ChannelEffect>) {
        self.report.refused = self.report.refused.saturating_add(refused.len() as u64);
        for ids in refused.chunks(IDS_PER_FRAME) {
            effects.push(ChannelEffect::Say(ChannelMessage::Refused { ids: ids.to_vec() }));
        }
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
        let peer_at = self.peer.number;
        for (theirs, number) in bundle.numbers.iter().zip(numbers) {
            if *theirs <= peer_at {
                self.view.find(*number);
            }
            self.outgoing.skip(*number);
            self.repeated.count(*number);
            self.round.fruitful |= *number > self.round.head;
        }
        self.reach(effects);
        self.say_credit(bundle.bytes, effects);
    }

    pub(super) fn say_credit(&self, bytes: u64, effects: &mut Vec<ChannelEffect>) {
        let upto = self.durable;
        effects.push(ChannelEffect::Say(ChannelMessage::Credit { bytes, upto }));
    }

    /// Notes how far the peer's store has been followed, as far as it is durable here; whether that is
    /// further than before.
    pub(super) fn reach(&mut self, effects: &mut Vec<ChannelEffect>) -> bool {
        let before = self.durable;
        while let Some((_, number)) =
            self.incoming.upto.pop_front_if(|(after, _)| *after <= self.incoming.settled)
        {
            self.incoming.followed = self.incoming.followed.max(number);
            if self.cursor_counts {
                effects.push(ChannelEffect::Reached(Cursor { number, ..self.peer }));
                if self.all_counts {
                    self.durable = self.durable.max(number);
                }
            }
        }
        self.durable > before
    }
}
