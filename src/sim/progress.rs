//! Checks two honest channels at each step: that they get on, and that what one believes of the other is so.

use std::collections::BTreeSet;

use crate::crypto::hash::{Hash, plain};
use crate::ids::EntryId;
use crate::journal::set::Journal;
use crate::session::message::{ChannelMessage, Message};

/// Frames that say nothing new, in one direction, before something new must come from either side or be stored.
const FRAMES: u32 = 3;

/// See the module. Each side is named by its place.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// What each side has said in this session.
    said: [BTreeSet<Hash>; 2],
    /// Frames of each side since something was new.
    idle: [u32; 2],
    /// Up to where the entries of each are known to be at the other.
    there: [u64; 2],
    /// One of them lies, or claims entries that nobody can have: then none of it holds.
    off: bool,
}

impl Progress {
    /// From now on nothing is checked.
    #[cfg(test)]
    pub(crate) fn switch_off(&mut self) {
        self.off = true;
    }

    /// Nor where something is measured: it takes time.
    fn is_off(&self) -> bool {
        self.off || !cfg!(test)
    }

    /// A session begins.
    pub(crate) fn begin(&mut self) {
        self.said = Default::default();
        self.idle = [0, 0];
    }

    /// A store has lost entries.
    #[cfg(test)]
    pub(crate) fn forget(&mut self) {
        self.there = [0, 0];
    }

    /// A side has stored something new.
    pub(crate) fn grew(&mut self) {
        self.idle = [0, 0];
    }

    /// I9: a side sends a frame.
    ///
    /// # Panics
    /// When it has sent too many that say nothing new.
    pub(crate) fn sent(&mut self, end: usize, frame: &[u8]) {
        if self.is_off() {
            return;
        }
        let (Some(said), Some(idle)) = (self.said.get_mut(end), self.idle.get_mut(end)) else { return };
        // What gives back bytes answers entries, which come once.
        let settles = matches!(
            Message::decode(frame),
            Ok(Message::Channel { message: ChannelMessage::Credit { bytes: 1.., .. }, .. })
        );
        if said.insert(plain(&[frame])) || settles {
            self.idle = [0, 0];
            return;
        }
        *idle = idle.saturating_add(1);
        assert!(*idle <= FRAMES, "side {end} sends frame after frame and nothing is new");
    }

    /// A side is told that everything up to this number is durable at the other.
    ///
    /// # Panics
    /// When it is not.
    pub(crate) fn delivered(&mut self, end: usize, upto: u64, mine: &Journal, theirs: &Journal) {
        if self.is_off() {
            return;
        }
        let Some(there) = self.there.get_mut(end) else { return };
        let numbers = there.saturating_add(1)..=upto;
        let missing = |number: &u64| !mine.id_of(*number).is_some_and(|id: EntryId| theirs.contains(&id));
        let missing = numbers.into_iter().find(missing);
        assert!(
            missing.is_none(),
            "side {end} takes its entry {missing:?} for durable at the other, up to {upto}"
        );
        *there = upto.max(*there);
    }
}
