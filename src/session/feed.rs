//! Entries on their way out: what a channel still has to send, and how entries become frames.

use crate::ids::JournalId;
use crate::journal::number_set::NumberSet;
use crate::limits::{CREDIT_BYTES, FRAME_PAYLOAD_BYTES};
use crate::session::message::bundle::Bundler;
use crate::session::message::{ChannelMessage, Message};

/// Bytes that an entry in a frame may add to its record.
const HEAD_BYTES: usize = 64;

/// What one read of the store should send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FeedWhat {
    /// All entries numbered from `from` to `to`.
    Range { from: u64, to: u64 },
    /// Exactly these.
    Numbers(Vec<u64>),
}

/// One read of the store: what to send, and how many bytes of records at most (but at least one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) what: FeedWhat,
    pub(crate) max_bytes: usize,
}

/// What one read of the store has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fed {
    /// How many entries, from the first asked for on.
    pub(crate) entries: u64,
    /// Bytes of their records.
    pub(crate) bytes: u64,
}

/// A channel's part of the difference that has not been sent.
#[derive(Debug)]
enum Backlog {
    /// All numbered from `next` to `last` but these, ascending; the first `passed` of them lie behind.
    Range {
        next: u64,
        last: u64,
        but: Vec<u64>,
        passed: usize,
    },
    Numbers {
        numbers: Vec<u64>,
        sent: usize,
    },
}

/// How far a channel is in sending its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What to send is not known yet.
    Undecided,
    /// Sending the backlog.
    Backlog,
    /// All sent; waiting until the peer has all of it.
    Unconfirmed,
    /// Nothing is missing there: what is new follows by itself.
    Live,
}

/// What a read of the store is for. It may end when the stage is another already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Backlog,
    Live,
}

/// The outgoing side of a channel: a backlog, then whatever is new, as credit allows.
#[derive(Debug)]
pub(crate) struct Outgoing {
    stage: Stage,
    backlog: Backlog,
    /// Everything up to this number was sent, or was the peer's already, or belongs to the backlog.
    live: u64,
    /// The peer has everything up to this number, once it has read all frames.
    reached: u64,
    /// What the peer was last told of `reached`.
    told: u64,
    /// Numbers beyond `live` of entries that came from the peer.
    skip: NumberSet,
    /// What a read is under way for.
    reading: Option<Reading>,
    /// Bytes that may be sent before more credit comes, less what a read under way may take. Below zero by at
    /// most one entry.
    credit: i64,
    /// Of that, what the read under way was charged.
    charged: i64,
    /// The peer takes nothing: nothing is sent.
    muted: bool,
    /// Bytes sent that the peer has not made durable.
    outstanding: u64,
}

/// What to do after a change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Read and send this.
    Feed(Feed),
    /// Say that the backlog has been sent.
    SaySent,
    /// Say that everything up to this number has been sent or was there.
    SayUpto(u64),
    /// Nothing now.
    Wait,
}

impl Outgoing {
    pub(crate) fn new(at: u64) -> Self {
        Self {
            stage: Stage::Undecided,
            backlog: Backlog::Numbers { numbers: Vec::new(), sent: 0 },
            live: at,
            reached: 0,
            told: 0,
            skip: NumberSet::default(),
            reading: None,
            credit: i64::try_from(CREDIT_BYTES).unwrap_or(i64::MAX),
            charged: 0,
            muted: false,
            outstanding: 0,
        }
    }

    /// Nothing is sent from now on: the peer would not take it.
    pub(crate) fn mute(&mut self) {
        self.muted = true;
    }

    /// Bytes sent that the peer has not made durable.
    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Everything up to this number was sent, or was there.
    pub(crate) fn reached(&self) -> u64 {
        self.reached
    }

    /// A new round begins: nothing is sent until it is known what.
    pub(crate) fn hold(&mut self) {
        self.stage = Stage::Undecided;
    }

    /// The backlog is everything numbered from `next` to `last` but these, ascending, which are there.
    pub(crate) fn send_range(&mut self, next: u64, last: u64, but: Vec<u64>) {
        self.backlog = Backlog::Range { next, last, but, passed: 0 };
        self.stage = Stage::Backlog;
    }

    /// The backlog is these entries.
    pub(crate) fn send_numbers(&mut self, numbers: Vec<u64>) {
        self.backlog = Backlog::Numbers { numbers, sent: 0 };
        self.stage = Stage::Backlog;
    }

    /// There is no backlog: live from here. Both sides know that the peer has everything up to `at`.
    pub(crate) fn go_live(&mut self, at: u64) {
        self.stage = Stage::Live;
        self.told = self.told.max(at);
    }

    /// Whether all of the backlog is durable at the peer.
    pub(crate) fn is_settled(&self) -> bool {
        self.stage == Stage::Live
    }

    /// An entry that came from the peer has this number here.
    pub(crate) fn skip(&mut self, number: u64) {
        if number > self.live && !self.muted {
            self.skip.insert(number);
        }
    }

    /// The peer made bytes durable; false if it gives back more than it was sent.
    pub(crate) fn credited(&mut self, bytes: u64) -> bool {
        let (Some(outstanding), Ok(more)) = (self.outstanding.checked_sub(bytes), i64::try_from(bytes))
        else {
            return false;
        };
        self.outstanding = outstanding;
        self.credit = self.credit.saturating_add(more);
        true
    }

    /// A read is done.
    pub(crate) fn fed(&mut self, fed: Fed) {
        self.outstanding = self.outstanding.saturating_add(fed.bytes);
        let taken = i64::try_from(fed.bytes).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_add(self.charged).saturating_sub(taken);
        self.charged = 0;
        match (self.reading.take(), &mut self.backlog) {
            (Some(Reading::Backlog), Backlog::Range { next, .. }) => {
                *next = next.saturating_add(fed.entries);
                self.reached = next.saturating_sub(1);
            }
            (Some(Reading::Backlog), Backlog::Numbers { sent, .. }) => {
                *sent = sent.saturating_add(usize::try_from(fed.entries).unwrap_or(usize::MAX));
            }
            (Some(Reading::Live), _) => self.live = self.live.saturating_add(fed.entries),
            (None, _) => {}
        }
    }

    /// What to do now, with the journal reaching `head` and room for `room` bytes towards the peer.
    pub(crate) fn next(&mut self, head: u64, room: usize) -> Next {
        if self.reading.is_some() {
            return Next::Wait;
        }
        if self.stage == Stage::Unconfirmed && self.outstanding == 0 {
            self.stage = Stage::Live;
        }
        if self.muted && self.stage == Stage::Live {
            return Next::Wait;
        }
        if self.stage == Stage::Live {
            while let Some(end) = self.skip.run_from(self.live.saturating_add(1)) {
                self.live = end;
            }
            self.skip.remove_up_to(self.live);
            self.reached = self.live;
        }
        if let Backlog::Range { next, but, passed, .. } = &mut self.backlog {
            while but.get(*passed).is_some_and(|number| *number <= *next) {
                *next = next.saturating_add(u64::from(but.get(*passed) == Some(next)));
                *passed = passed.saturating_add(1);
                self.reached = self.reached.max(next.saturating_sub(1));
            }
        }
        if self.reached > self.told {
            self.told = self.reached;
            return Next::SayUpto(self.reached);
        }
        match (&self.backlog, self.stage) {
            (Backlog::Range { next, last, but, passed }, Stage::Backlog) if next <= last => {
                let to = but.get(*passed).map_or(*last, |number| number.saturating_sub(1).min(*last));
                let what = FeedWhat::Range { from: *next, to };
                self.read(Reading::Backlog, what, room)
            }
            (Backlog::Numbers { numbers, sent }, Stage::Backlog) if *sent < numbers.len() => {
                // A record takes at least some hundred bytes, so this fills any room.
                let some = numbers.iter().skip(*sent).take(room.max(1).div_ceil(100).min(4_096));
                let what = FeedWhat::Numbers(some.copied().collect());
                self.read(Reading::Backlog, what, room)
            }
            (_, Stage::Backlog) => {
                self.backlog = Backlog::Numbers { numbers: Vec::new(), sent: 0 };
                self.stage = Stage::Unconfirmed;
                Next::SaySent
            }
            (_, Stage::Live) if self.live < head => {
                let from = self.live.saturating_add(1);
                let to = self.skip.first().map_or(head, |skipped| head.min(skipped.saturating_sub(1)));
                self.read(Reading::Live, FeedWhat::Range { from, to }, room)
            }
            (_, Stage::Undecided | Stage::Unconfirmed | Stage::Live) => Next::Wait,
        }
    }

    fn read(&mut self, reading: Reading, what: FeedWhat, room: usize) -> Next {
        // Credit comes before the read, and what it may take is charged before it is made.
        let credit = usize::try_from(self.credit).unwrap_or(0);
        let max_bytes = credit.min(room);
        if max_bytes == 0 {
            return Next::Wait;
        }
        self.reading = Some(reading);
        self.charged = i64::try_from(max_bytes).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_sub(self.charged);
        Next::Feed(Feed { what, max_bytes })
    }
}

/// Entries as frames for one channel: as many to a frame as fit, the large ones in parts.
pub(crate) fn frames(channel: u32, journal: &JournalId, entries: Vec<(u64, Vec<u8>)>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut bundler = Bundler::new(journal);
    let mut put = |message| frames.push(Message::Channel { channel, message }.encode());
    for (number, record) in entries {
        let size = record.len() as u64;
        let full = if record.len() > FRAME_PAYLOAD_BYTES - HEAD_BYTES {
            bundler.take()
        } else {
            bundler.push(number, &record)
        };
        if let Some(bundle) = full {
            put(ChannelMessage::Entries(bundle));
        }
        if record.len() > FRAME_PAYLOAD_BYTES - HEAD_BYTES {
            for part in record.chunks(FRAME_PAYLOAD_BYTES) {
                put(ChannelMessage::Part { number, size, bytes: part.to_vec() });
            }
        }
    }
    if let Some(bundle) = bundler.take() {
        put(ChannelMessage::Entries(bundle));
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FRAME_BYTES;

    #[test]
    fn d6_entries_of_any_size_come_in_frames_of_bounded_size() {
        let sizes = [65, 200, 59_000, 1_000, 65_000, 1_048_576, 70];
        let entries: Vec<_> = sizes.iter().zip(1..).map(|(size, number)| (number, vec![9; *size])).collect();
        let journal = JournalId::from_bytes([1; 32]);
        let mut found = Vec::new();
        for frame in frames(7, &journal, entries.clone()) {
            assert!(frame.len() <= FRAME_BYTES);
            let Ok(Message::Channel { channel: 7, message }) = Message::decode(&frame) else { panic!() };
            match message {
                ChannelMessage::Entries(bundle) => found.extend(bundle.expand(&journal).unwrap()),
                ChannelMessage::Part { number, size, bytes } => match found.last_mut() {
                    Some((last, record)) if *last == number => {
                        record.extend(bytes);
                        assert!(record.len() as u64 <= size);
                    }
                    _ => found.push((number, bytes)),
                },
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(found, entries);
    }

    #[test]
    fn f81_a_range_is_sent_but_for_what_is_there() {
        let mut outgoing = Outgoing::new(10);
        outgoing.send_range(1, 10, vec![1, 2, 5, 10]);
        let mut sent = Vec::new();
        loop {
            match outgoing.next(10, usize::MAX) {
                Next::Feed(Feed { what: FeedWhat::Range { from, to }, .. }) => {
                    // One at a time, as from a store whose pages are small.
                    assert!(from <= to);
                    sent.push(from);
                    outgoing.fed(Fed { entries: 1, bytes: 1 });
                }
                Next::SayUpto(upto) => sent.push(100 + upto),
                Next::SaySent => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(sent, [102, 3, 103, 4, 105, 6, 106, 7, 107, 8, 108, 9, 110]);
    }

    #[test]
    fn d5_credit_bounds_what_is_on_its_way() {
        let mut outgoing = Outgoing::new(10);
        outgoing.send_range(1, 10, Vec::new());
        let Next::Feed(feed) = outgoing.next(10, usize::MAX) else { panic!() };
        assert_eq!(feed.max_bytes as u64, CREDIT_BYTES);
        assert_eq!(outgoing.credit, 0, "charged before it is read and sent, whatever becomes of it");
        assert_eq!(outgoing.next(10, usize::MAX), Next::Wait, "one read at a time");
        outgoing.fed(Fed { entries: 4, bytes: CREDIT_BYTES + 5 });
        assert_eq!(outgoing.next(10, usize::MAX), Next::SayUpto(4));
        assert_eq!(outgoing.next(10, usize::MAX), Next::Wait, "no credit");
        assert!(!outgoing.credited(CREDIT_BYTES + 6), "more than was sent");
        assert!(outgoing.credited(105));
        let Next::Feed(feed) = outgoing.next(10, usize::MAX) else { panic!() };
        assert_eq!(feed, Feed { what: FeedWhat::Range { from: 5, to: 10 }, max_bytes: 100 });
        outgoing.fed(Fed { entries: 6, bytes: 90 });
        assert_eq!(outgoing.next(10, usize::MAX), Next::SayUpto(10));
        assert_eq!(outgoing.next(10, usize::MAX), Next::SaySent);
        assert!(!outgoing.is_settled());
        assert!(outgoing.credited(CREDIT_BYTES - 10));
        outgoing.skip(12);
        let Next::Feed(feed) = outgoing.next(13, 500) else { panic!() };
        assert_eq!(feed.what, FeedWhat::Range { from: 11, to: 11 }, "12 came from the peer");
        assert!(outgoing.is_settled());
        outgoing.fed(Fed { entries: 1, bytes: 1 });
        assert_eq!(outgoing.next(13, 500), Next::SayUpto(12));
        let Next::Feed(feed) = outgoing.next(13, 500) else { panic!() };
        assert_eq!(feed.what, FeedWhat::Range { from: 13, to: 13 });
    }
}
