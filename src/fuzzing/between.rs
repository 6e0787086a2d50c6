//! Two nodes, and somebody between them who does with their frames what a script says.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use crate::fact::entry::Entry;
use crate::fuzzing::node::{ENTRIES, Node, Out};
use crate::limits::EMPTY_MESSAGES;
use crate::session::message::{ChannelMessage, Message};

/// Things that one script does at most.
const STEPS: usize = 600;
/// Frames that two nodes are given to come to an end, whatever they hold here.
const FRAMES: usize = 4_000;
/// Frames kept to be sent again.
const KEPT: usize = 16;

/// How many entries both have, then each alone; the one that takes more than a frame is number 64.
const CONTENTS: [(usize, core::ops::Range<usize>, core::ops::Range<usize>); 8] = [
    (0, 0..0, 0..0),
    (0, 0..0, 0..9),
    (0, 0..9, 0..0),
    (50, 50..52, 52..55),
    (8, 8..14, 14..19),
    (60, 60..60, 60..60),
    (2, 64..65, 2..4),
    (20, 20..20, 20..45),
];

/// Bytes that say what happens.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<usize> {
        Some(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    /// So many bytes, or those that are left.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?.min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(bytes)
    }
}

/// What one side has been told since a channel was answered: to count what says nothing (docs/PROTOCOL.md).
#[derive(Default)]
struct Said {
    upto: u64,
    durable: u64,
    nothing: u32,
}

/// See the module. The first node dials, the second accepts.
pub(super) struct Between {
    pub(super) nodes: [Node; 2],
    /// The last frames to each side.
    former: [VecDeque<Vec<u8>>; 2],
    /// What was said to each side in each channel that is open there.
    said: [BTreeMap<u32, Said>; 2],
    /// Whether work waits until the script says so.
    idle: bool,
    /// The types of messages that each side took, without an end of the connection.
    pub(super) taken: [[bool; 256]; 2],
}

impl Between {
    /// The first byte of a script says what the two have.
    pub(super) fn new(flags: u8) -> Self {
        let place = usize::from(flags & 7);
        let (shared, mine, theirs) = CONTENTS.get(place).cloned().unwrap_or_default();
        let with = |alone: core::ops::Range<usize>| -> Vec<Entry> {
            let shared = ENTRIES.iter().take(shared);
            shared.chain(ENTRIES.get(alone).unwrap_or_default()).cloned().collect()
        };
        Self {
            nodes: [Node::new(1, with(mine), true), Node::new(2, with(theirs), false)],
            former: Default::default(),
            said: Default::default(),
            idle: flags & 8 != 0,
            taken: [[false; 256]; 2],
        }
    }

    pub(super) fn node(&mut self, end: usize) -> &mut Node {
        let [one, other] = &mut self.nodes;
        if end == 0 { one } else { other }
    }

    /// Does what a script says.
    pub(super) fn run(&mut self, script: &[u8]) {
        let mut script = Script(script);
        for _ in 0..STEPS {
            if self.step(&mut script).is_none() {
                break;
            }
            if !self.idle {
                self.work_off();
            }
        }
    }

    /// One thing; nothing at the end of the script.
    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let what = script.byte()?;
        let to = usize::from(what >> 4 & 1);
        match what & 15 {
            0 => self.deliver(to, script.bytes()?.to_vec()),
            1 => drop(self.pass(to, Some)),
            2 => drop(self.pass(to, |_| None)),
            3 => self.settle(),
            4 => {
                let (place, change) = (script.number()?, script.byte()?);
                self.pass(to, |mut frame| {
                    let place = place.checked_rem(frame.len())?;
                    *frame.get_mut(place)? ^= change.max(1);
                    Some(frame)
                });
            }
            5 => {
                let length = script.number()?;
                self.pass(to, |mut frame| {
                    frame.truncate(length.checked_rem(frame.len())?);
                    Some(frame)
                });
            }
            6 => {
                // The next but one comes before the next.
                let held = self.next_from(1 - to);
                self.pass(to, Some);
                if let Some(Out::Frame(frame)) = held {
                    self.deliver(to, frame);
                }
            }
            7 => {
                let back = usize::from(script.byte()?);
                let former = self.former.get(usize::from(back & 16 != 0) ^ to)?;
                let place = former.len().saturating_sub(1 + (back & 15));
                let frame = former.get(place).cloned();
                if let Some(frame) = frame {
                    self.deliver(to, frame);
                }
            }
            8 => {
                // A piece of it is another.
                let (place, piece) = (script.number()?, script.bytes()?);
                self.pass(to, |mut frame| {
                    let from = place.checked_rem(frame.len())?;
                    let end = from.saturating_add(piece.len()).min(frame.len());
                    frame.splice(from..end, piece.iter().copied());
                    Some(frame)
                });
            }
            9 => {
                let time = Duration::from_millis(100 * script.number()? as u64);
                self.nodes.iter_mut().for_each(|node| node.pass(time));
            }
            10 => {
                let place = usize::from(script.byte()?);
                self.node(to).work_on(place);
            }
            11 => self.node(to).append(),
            12 => self.node(0).sync(),
            13 => self.cut(),
            14 => self.node(0).ask_receipt(),
            _ => self.idle = !self.idle,
        }
        self.connect();
        Some(())
    }

    /// What a side says next.
    fn next_from(&mut self, end: usize) -> Option<Out> {
        let next = self.node(end).take();
        if let (Some(Out::Frame(frame)), Some(said)) = (&next, self.said.get_mut(end)) {
            said.retain(|channel, _| !is_close(frame, *channel));
        }
        next
    }

    /// Passes on what comes next for a side, changed; whether there was anything.
    fn pass(&mut self, to: usize, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> bool {
        match self.next_from(1 - to) {
            Some(Out::Frame(frame)) => {
                if let Some(frame) = change(frame) {
                    self.deliver(to, frame);
                }
                true
            }
            Some(Out::End) => {
                self.end(to);
                true
            }
            None => false,
        }
    }

    fn end(&mut self, to: usize) {
        self.node(to).cut();
        self.said = Default::default();
    }

    fn deliver(&mut self, to: usize, frame: Vec<u8>) {
        if let Some(former) = self.former.get_mut(to) {
            former.push_back(frame.clone());
            if former.len() > KEPT {
                former.pop_front();
            }
        }
        let message = Message::decode(&frame);
        let kind = frame.first().copied();
        let was_connected = self.node(to).connection.is_some();
        let before = self.node(to).waiting().count();
        self.node(to).hear(frame);
        let is_connected = self.node(to).connection.is_some();
        let (Ok(message), Some(kind)) = (message, kind) else {
            assert!(!is_connected || !was_connected, "what is no message ends the connection");
            return;
        };
        let goodbye = matches!(message, Message::Goaway(_));
        if was_connected && (is_connected || goodbye) {
            let taken = self.taken.get_mut(to).and_then(|taken| taken.get_mut(usize::from(kind)));
            if let Some(taken) = taken {
                *taken = true;
            }
        }
        let answers = self.node(to).waiting().skip(before);
        let answered = answers.into_iter().any(|frame| matches!(frame.first(), Some(17 | 18)));
        if is_connected {
            self.count(to, &message, answered);
        } else if let Some(said) = self.said.get_mut(to) {
            said.clear();
        }
    }

    /// Counts what says nothing, by the words of the protocol, in channels that are answered.
    fn count(&mut self, to: usize, message: &Message, answered: bool) {
        let (Some(said), Some(node)) = (self.said.get_mut(to), self.nodes.get(to)) else { return };
        let Message::Channel { channel, message } = message else { return };
        let nothing = match message {
            ChannelMessage::Open { .. } => {
                if to == 1 && answered {
                    said.clear();
                    said.insert(*channel, Said::default());
                }
                return;
            }
            ChannelMessage::Same { .. } | ChannelMessage::Differ { .. } => {
                if to == 0 {
                    said.insert(*channel, Said::default());
                }
                return;
            }
            ChannelMessage::Close(_) => {
                said.remove(channel);
                return;
            }
            ChannelMessage::Want { ids, last } => !last && ids.iter().next().is_none(),
            ChannelMessage::Ask { prefixes } => prefixes.is_empty(),
            ChannelMessage::List { ids, last } => !last && ids.is_empty(),
            ChannelMessage::Refused { ids } => ids.is_empty(),
            ChannelMessage::Upto { number } => said.get(channel).is_some_and(|said| *number <= said.upto),
            ChannelMessage::Credit { bytes, upto } => {
                *bytes == 0 && said.get(channel).is_some_and(|said| *upto <= said.durable)
            }
            ChannelMessage::Tell { .. }
            | ChannelMessage::Symbols { .. }
            | ChannelMessage::More { .. }
            | ChannelMessage::Entries(_)
            | ChannelMessage::Part { .. }
            | ChannelMessage::Sent
            | ChannelMessage::Root(_)
            | ChannelMessage::AskReceipt { .. }
            | ChannelMessage::Receipt { .. } => false,
        };
        if node.waiting().any(|frame| is_close(frame, *channel)) {
            said.remove(channel);
        }
        let Some(said) = said.get_mut(channel) else { return };
        if let ChannelMessage::Upto { number } = message {
            said.upto = said.upto.max(*number);
        }
        if let ChannelMessage::Credit { upto, .. } = message {
            said.durable = said.durable.max(*upto);
        }
        if nothing {
            said.nothing = said.nothing.saturating_add(1);
            assert!(said.nothing <= EMPTY_MESSAGES, "message after message that says nothing is put up with");
        }
    }

    /// Both do what they have to do.
    fn work_off(&mut self) -> bool {
        let worked = [0, 1].map(|end| self.node(end).work_off());
        worked.contains(&true)
    }

    /// Makes the connection that the dialling side wants.
    fn connect(&mut self) {
        if self.node(0).dialling.is_some() {
            self.node(1).cut();
            self.said = Default::default();
            self.former = Default::default();
            self.node(1).accept();
            self.node(0).connected();
        }
    }

    /// The connection is lost.
    fn cut(&mut self) {
        self.nodes.iter_mut().for_each(Node::cut);
        self.said = Default::default();
    }

    /// Whatever goes on goes on to its end, unhindered.
    fn settle(&mut self) {
        for _ in 0..FRAMES {
            self.connect();
            let worked = self.work_off();
            let passed = [0, 1].map(|to| self.pass(to, Some));
            if !worked && !passed.contains(&true) && self.node(0).dialling.is_none() {
                return;
            }
        }
        let ended = false;
        assert!(ended, "more than {FRAMES} frames without an end");
    }

    /// Another node stands in the place of the one that is not meant: with a store and a device of its own.
    pub(super) fn succeed_other_than(&mut self, end: usize) {
        self.cut();
        let log = ENTRIES.iter().skip(30).take(12).cloned().collect();
        *self.node(1 - end) = Node::new(4, log, end == 1);
    }

    /// He who was between is gone: both connect anew, when they are ready to, and end with equal roots.
    pub(super) fn come_together(&mut self, most: Duration) {
        self.cut();
        let mut waited = Duration::ZERO;
        loop {
            self.settle();
            let [one, other] = &self.nodes;
            if one.connection.is_some() && one.root() == other.root() {
                break;
            }
            let due = self.nodes.iter().filter_map(Node::idle_for).min().unwrap_or(most);
            let time = due.max(Duration::from_millis(1));
            waited = waited.saturating_add(time);
            assert!(waited <= most, "no equal roots after {waited:?}: {:?} {:?}", one.ended, other.ended);
            self.nodes.iter_mut().for_each(|node| node.pass(time));
        }
        let [one, other] = &self.nodes;
        let sorted = |node: &Node| {
            let mut ids: Vec<_> = node.log().iter().map(Entry::id).collect();
            ids.sort();
            ids
        };
        assert!(sorted(one) == sorted(other), "equal roots are of equal sets");
    }
}

/// Whether a frame ends this channel.
fn is_close(frame: &[u8], channel: u32) -> bool {
    frame.first() == Some(&19)
        && matches!(
            Message::decode(frame),
            Ok(Message::Channel { channel: closed, message: ChannelMessage::Close(_) }) if closed == channel
        )
}
