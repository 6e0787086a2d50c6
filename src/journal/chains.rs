//! The chain of each device's entries: its ends, and what it names that has not been seen here.
//!
//! Entries of one device may come in any order; what is said here depends on the set alone. Gaps and
//! forks are reported and block nothing: a gap is filled by a later sync, a fork comes from two stores
//! with one key or a restored backup, and ends with the next entry that names both ends.

use std::collections::{BTreeMap, BinaryHeap};

use crate::fact::summary::Summary;
use crate::ids::{DeviceId, EntryId};

/// One device's chain.
#[derive(Debug, Default)]
struct Chain {
    /// Entries that no other of the device names as coming before it, with their timestamps.
    ends: BTreeMap<EntryId, u64>,
    /// Entries that are named, and are not here, with the timestamp of the last that named them.
    missing: BTreeMap<EntryId, u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    by_device: BTreeMap<DeviceId, Chain>,
    missing: u64,
    forked: u64,
}

impl Chains {
    /// Takes in an entry that is new here; `is_here` says of an id whether its entry is.
    pub(crate) fn insert(&mut self, entry: &Summary<'_>, is_here: impl Fn(&EntryId) -> bool) {
        let chain = self.by_device.entry(entry.device).or_default();
        let (missing, forked) = (chain.missing.len(), chain.ends.len() > 1);
        let mut named_before = chain.missing.remove(&entry.id).is_some();
        for before in &entry.after {
            // An entry can't name itself, nor be named before it is made, but a liar's bytes may try.
            named_before |= *before == entry.id;
            if chain.ends.remove(before).is_none() && !is_here(before) {
                chain.missing.insert(*before, entry.timestamp);
            }
        }
        if !named_before {
            chain.ends.insert(entry.id, entry.timestamp);
        }
        self.missing = self.missing.saturating_add(chain.missing.len() as u64).saturating_sub(missing as u64);
        let is_forked = chain.ends.len() > 1;
        self.forked = self.forked.saturating_add(u64::from(is_forked)).saturating_sub(u64::from(forked));
    }

    /// The ends of a device's chain, the latest first.
    pub(crate) fn ends(&self, device: &DeviceId) -> Vec<EntryId> {
        let ends = self.by_device.get(device).map(|chain| &chain.ends);
        let ends: BinaryHeap<_> =
            ends.into_iter().flatten().map(|(id, timestamp)| (*timestamp, *id)).collect();
        ends.into_sorted_vec().into_iter().rev().map(|(_, id)| id).collect()
    }

    /// Devices that have written.
    pub(crate) fn devices(&self) -> usize {
        self.by_device.len()
    }

    /// Entries that others of their device name and that are not here.
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// Devices whose chain has more than one end.
    pub(crate) fn forked(&self) -> u64 {
        self.forked
    }
}
