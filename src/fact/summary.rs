//! A summary: everything that is known of an entry, but for the values of its facts.

use crate::fact::entry::Entry;
use crate::ids::{AuthorityId, DeviceId, EntryId};

/// What a journal keeps in memory is made from this, whether it comes from an entry or from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary<'a> {
    pub(crate) id: EntryId,
    pub(crate) device: DeviceId,
    /// Hybrid logical clock of the device, in microseconds since 1970, at most 2^53 − 1.
    pub(crate) timestamp: u64,
    /// The device's own latest entries before it, in ascending order; at most 8.
    pub(crate) after: Vec<EntryId>,
    /// Its facts in their order, 1 to 1,000.
    pub(crate) facts: Vec<FactSummary<'a>>,
}

/// A fact without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FactSummary<'a> {
    pub(crate) predicate: &'a str,
    /// Nothing where it is the entry's own device.
    pub(crate) authority: Option<AuthorityId>,
}

impl<'a> Summary<'a> {
    /// Those of entries, in their order.
    pub(crate) fn of_all(entries: &'a [Entry]) -> Vec<Self> {
        entries.iter().map(Entry::summary).collect()
    }
}
