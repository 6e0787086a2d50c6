//! Tests: what befalls a pair: backups that are restored, connections that are cut halfway.

use super::{End, SimPair};
use crate::fact::unchecked::UncheckedEntry;
use crate::ids::{Cursor, StoreId};
use crate::journal::set::Journal;
use crate::session::message::Message;

/// See [`SimPair::backup`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backup {
    head: u64,
    cursor: Option<Cursor>,
}

impl SimPair {
    /// The other side gets what this one has and it lacks, by another way.
    pub(crate) fn hand_over(&mut self, from: End) {
        let id = self.journal;
        let records: Vec<_> = self.side(from).records.values().cloned().collect();
        let checked =
            records.into_iter().map(|record| UncheckedEntry::new(record).check(&id).expect("an entry"));
        let other = self.side(1 - from);
        let lacking: Vec<_> = checked.filter(|entry| !other.journal.contains(&entry.id())).collect();
        other.absorb(&lacking);
    }

    /// What one side would have in a backup that is made now.
    pub(crate) fn backup(&self, end: End) -> Backup {
        let side = self.sides.get(end).expect("an end");
        Backup { head: side.journal.head(), cursor: side.cursor }
    }

    /// The connection breaks, and one side's store is what it was when the backup was made; or a new and empty
    /// one.
    pub(crate) fn restore(&mut self, end: End, backup: Option<Backup>) {
        self.cut();
        self.progress.forget();
        self.made += 1_000;
        let (id, fresh) = (self.journal, StoreId::from_bytes(u128::from(self.made).to_be_bytes()));
        let side = self.side(end);
        side.store = if backup.is_some() { side.store } else { fresh };
        let store = side.store;
        let former = std::mem::replace(&mut side.journal, Journal::new(id, store, side.key.device()));
        let Backup { head, cursor } = backup.unwrap_or(Backup { head: 0, cursor: None });
        let records = std::mem::take(&mut side.records);
        (side.cursor, side.delivered) = (cursor, 0);
        for number in 1..=head {
            match records.get(&number) {
                Some(record) => {
                    let entry = UncheckedEntry::new(record.clone()).check(&id).expect("what was stored");
                    self.side(end).absorb(&[entry]);
                }
                None => self.invent(end, &[former.id_of(number).expect("a number below the last")]),
            }
        }
    }

    /// The connection breaks; of what is on its way to each side so many frames arrive before, and whatever
    /// follows from them is lost.
    pub(crate) fn cut_after(&mut self, arrive: [usize; 2]) {
        for (end, frames) in arrive.into_iter().enumerate() {
            for frame in std::mem::take(&mut self.wire[end]).into_iter().take(frames) {
                if let Ok(Message::Channel { message, .. }) = Message::decode(&frame.1) {
                    self.handle(end, message);
                }
            }
        }
        self.cut();
    }

    /// Frames on their way to each side.
    pub(crate) fn on_the_way(&self) -> [usize; 2] {
        [self.wire[0].len(), self.wire[1].len()]
    }
}
