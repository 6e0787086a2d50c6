//! What the map holds of an entry: its id and a number.

use crate::ids::EntryId;

/// An id, and the number that goes with it; in the order of ids, then of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) id: EntryId,
    pub(crate) number: u64,
}

/// What can become an item: one that is, or an id alone, whose number is 0.
pub(super) trait Member: Copy + Ord {
    fn id(&self) -> &EntryId;
    fn item(&self) -> Item;
}

impl Member for EntryId {
    fn id(&self) -> &EntryId {
        self
    }

    fn item(&self) -> Item {
        Item { id: *self, number: 0 }
    }
}

impl Member for Item {
    fn id(&self) -> &EntryId {
        &self.id
    }

    fn item(&self) -> Item {
        *self
    }
}
