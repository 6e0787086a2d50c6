//! Entries that are in the set and in the root, and not shown yet.

use crate::ids::{DeviceId, EntryId};
use crate::time::WallTime;

/// Why an entry is held back from queries and watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeldBack {
    /// Its timestamp is too far ahead of the local clock: it is shown from `due` on, by that clock.
    Ahead {
        /// When.
        due: WallTime,
    },
}

/// An entry that is held back. [`SyncNode::get`](crate::SyncNode) reads it all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldEntry {
    /// Its name.
    pub id: EntryId,
    /// Its number in this store.
    pub number: u64,
    /// The device that signed it.
    pub device: DeviceId,
    /// Its timestamp, in microseconds since 1970.
    pub timestamp: u64,
    /// Why it is held back.
    pub reason: HeldBack,
}
