//! Tests: what must hold before entries are read and sent, each by itself and together (F-90).

use std::cell::Cell;

use crate::crypto::sign::DeviceKey;
use crate::fact::entry::Draft;
use crate::fact::genesis::Genesis;
use crate::fact::statement::Fact;
use crate::fact::summary::Summary;
use crate::ids::{DeviceId, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::limits::{CREDIT_BYTES, QUEUE_FEED_BYTES};
use crate::session::connection::{ConnectionEffect, ConnectionMachine, Journals};
use crate::session::feed::{Fed, Feed};
use crate::session::handshake::Dialler;
use crate::session::message::Message;
use crate::session::permission::Permission;
use crate::time::Instant;

/// One journal, which may be away, and what the peer may do with it; how often that was asked.
struct Place {
    journal: Journal,
    away: bool,
    permission: Permission,
    asked: Cell<u32>,
    looked_up: Cell<u32>,
}

impl Place {
    fn new(byte: u8) -> Self {
        let key = DeviceKey::from_seed([byte; 32]);
        let journal = Journal::new(journal(), StoreId::from_bytes([byte; 16]), key.device());
        let (asked, looked_up) = (Cell::new(0), Cell::new(0));
        Self { journal, away: false, permission: Permission::Write, asked, looked_up }
    }
}

impl Journals for Place {
    fn journal(&self, id: JournalId) -> Option<&Journal> {
        self.looked_up.set(self.looked_up.get() + 1);
        (id == self.journal.id() && !self.away).then_some(&self.journal)
    }

    fn permission(&self, device: &DeviceId, _: JournalId) -> Permission {
        assert_eq!(*device, DeviceKey::from_seed([2; 32]).device(), "the one that proved its key");
        self.asked.set(self.asked.get() + 1);
        self.permission
    }
}

fn journal() -> JournalId {
    Genesis::named("guards").journal()
}

/// What a machine asks for now: frames, and reads.
fn effects(machine: &mut ConnectionMachine) -> (Vec<Vec<u8>>, Vec<Feed>) {
    let (mut frames, mut feeds) = (Vec::new(), Vec::new());
    while let Some(effect) = machine.poll_effect() {
        match effect {
            ConnectionEffect::Send(frame) => {
                frames.push(frame);
            }
            ConnectionEffect::Feed { feed, .. } => feeds.push(feed),
            _ => {}
        }
    }
    (frames, feeds)
}

fn names(frames: &[Vec<u8>]) -> Vec<&'static str> {
    let name = |frame: &Vec<u8>| match Message::decode(frame).unwrap() {
        Message::Channel { message, .. } => message.name(),
        other => other.name(),
    };
    frames.iter().map(name).collect()
}

/// An entry more, and the channel goes on.
fn append(place: &mut Place, machine: &mut ConnectionMachine) -> (Vec<Vec<u8>>, Vec<Feed>) {
    let key = DeviceKey::from_seed([1; 32]);
    let number = place.journal.head();
    let draft = Draft::new(key.device(), &[Fact::new("said", i64::try_from(number).unwrap())]).unwrap();
    let entry = draft.sign(&journal(), &key, &[], number + 1);
    place.journal.absorb(&Summary::of_all(&[entry]));
    go_on(place, machine)
}

fn go_on(place: &Place, machine: &mut ConnectionMachine) -> (Vec<Vec<u8>>, Vec<Feed>) {
    machine.advance(journal(), place, Instant::default());
    effects(machine)
}

/// A live channel, seen from the side that dialled.
fn live(place: &Place) -> ConnectionMachine {
    let (now, keys) = (Instant::default(), [1, 2].map(|byte| DeviceKey::from_seed([byte; 32])));
    let [own, theirs] = keys;
    let hello =
        ConnectionMachine::hello(own.device(), StoreId::from_bytes([1; 16]), [3; 32], "guard:443".into());
    let dialler = Dialler { hello, expected: None, binding: Vec::new() };
    let mut machine = ConnectionMachine::dial(own, dialler, now);
    let mut other = ConnectionMachine::accept_connection(
        (theirs, StoreId::from_bytes([2; 16])),
        [4; 32],
        None,
        Vec::new(),
        now,
    );
    let there = Other(Place::new(2));
    for opened in [false, false, true] {
        if opened {
            machine.open_channel(&place.journal, None, place, now);
        }
        for _ in 0..2 {
            for frame in effects(&mut machine).0 {
                machine.drained(frame.len(), place, now);
                other.handle_frame(&frame, &there, now);
            }
            while let Some(effect) = other.poll_effect() {
                match effect {
                    ConnectionEffect::Send(frame) => machine.handle_frame(&frame, place, now),
                    ConnectionEffect::Asked { channel, opening } => {
                        other.accept(channel, &opening, None, &there, now);
                    }
                    _ => {}
                }
            }
        }
    }
    effects(&mut machine);
    assert!(machine.serves(journal()) && !machine.is_syncing(journal()));
    machine
}

/// The other side, which lets everybody do everything.
struct Other(Place);

impl Journals for Other {
    fn journal(&self, id: JournalId) -> Option<&Journal> {
        self.0.journal(id)
    }

    fn permission(&self, _: &DeviceId, _: JournalId) -> Permission {
        Permission::Write
    }
}

#[test]
fn f90_nothing_is_read_or_sent_unless_permission_credit_journal_and_room_are_there() {
    for case in 0..16u8 {
        let [allowed, credit, here, room] = [1, 2, 4, 8].map(|bit| case & bit != 0);
        let (mut place, now) = (Place::new(1), Instant::default());
        let mut machine = live(&place);
        // One entry goes out, and takes all credit, or fills the way out.
        let (_, feeds) = append(&mut place, &mut machine);
        assert_eq!(feeds.len(), 1);
        let bytes = if credit { 100 } else { CREDIT_BYTES };
        let queued = if room { 0 } else { QUEUE_FEED_BYTES };
        machine.fed(0, Fed { entries: 1, bytes }, queued, &place, now);
        let upto = effects(&mut machine).0;
        assert_eq!(names(&upto), ["Upto"]);
        machine.drained(upto.iter().map(Vec::len).sum(), &place, now);

        (place.permission, place.away) =
            (if allowed { Permission::Write } else { Permission::Denied }, !here);
        let (frames, feeds) = append(&mut place, &mut machine);
        let all = allowed && credit && here && room;
        assert_eq!(feeds.len(), usize::from(all), "case {case}: read");
        let said: &[&str] = if allowed { &[] } else { &["Close"] };
        assert_eq!(names(&frames), said, "case {case}: sent");
        if !allowed {
            assert!(!machine.serves(journal()), "case {case}");
            continue;
        }
        // Once all is there it goes on, and nothing was charged for the attempt.
        place.away = false;
        machine.drained(queued, &place, now);
        let mut feeds = [feeds, effects(&mut machine).1].concat();
        if !credit {
            assert!(feeds.is_empty(), "case {case}: without credit");
            let more = crate::session::message::ChannelMessage::Credit { bytes, upto: 0 };
            let more = Message::Channel { channel: 0, message: more }.encode();
            machine.handle_frame(&more, &place, now);
            feeds.extend(effects(&mut machine).1);
        }
        feeds.extend(go_on(&place, &mut machine).1);
        let charged = if credit { bytes } else { 0 };
        assert_eq!(feeds.len(), 1, "case {case}");
        assert_eq!(
            feeds[0].max_bytes as u64,
            (CREDIT_BYTES - charged).min(QUEUE_FEED_BYTES as u64),
            "case {case}"
        );
    }
}

#[test]
fn f90_permission_comes_first_and_for_every_message() {
    let mut place = Place::new(1);
    let mut machine = live(&place);
    let now = Instant::default();
    // Each message, each answer of this side and each read is preceded by the question.
    let said =
        Message::Channel { channel: 0, message: crate::session::message::ChannelMessage::Upto { number: 0 } };
    for step in 0..3 {
        let before = place.asked.get();
        match step {
            0 => machine.handle_frame(&said.encode(), &place, now),
            1 => machine.advance(journal(), &place, now),
            _ => machine.settled(0, 1, &[], &place, now),
        }
        assert!(place.asked.get() > before, "step {step}");
    }
    assert!(machine.may_feed(0, &place));
    place.permission = Permission::Denied;
    assert!(!machine.may_feed(0, &place), "what was read before is not sent");
    let before = place.looked_up.get();
    machine.handle_frame(&said.encode(), &place, now);
    assert_eq!(place.looked_up.get(), before, "the journal is not even looked up");
    assert_eq!(names(&effects(&mut machine).0), ["Close"]);
}
