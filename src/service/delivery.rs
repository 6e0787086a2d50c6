//! How far each peer has what is here: known from what it says is durable there.

use litemap::LiteMap;

use crate::ids::{DeviceId, JournalId};

/// Pairs of journal and device that are kept in memory.
const KEPT: usize = 4_096;

/// Where an entry is, as far as one peer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// Not sent to that peer, as far as this node knows.
    Pending,
    /// On its way, or there and not known to be durable.
    Sent,
    /// Durable there: the peer has said so, or has proved it by an equal root.
    Durable,
}

/// How far one peer has a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerDelivery {
    /// Its device.
    pub device: DeviceId,
    /// Everything that is numbered up to this in this store is durable there.
    pub upto: u64,
    /// Own entries of which that is not known.
    pub pending: u64,
}

/// See the module. What is not in it is learnt again with the next sync.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(LiteMap<(JournalId, DeviceId), u64>);

impl Deliveries {
    /// Everything that is numbered up to this is durable at the device; whether that is news.
    pub(crate) fn note(&mut self, journal: JournalId, device: DeviceId, number: u64) -> bool {
        if let Some(known) = self.0.get_mut(&(journal, device)) {
            let news = number > *known;
            *known = number.max(*known);
            return news;
        }
        if self.0.len() >= KEPT
            && let Some(first) = self.0.keys().next().copied()
        {
            self.0.remove(&first);
        }
        self.0.insert((journal, device), number);
        number > 0
    }

    /// The number up to which everything is durable at the device, 0 if nothing is known.
    pub(crate) fn upto(&self, journal: JournalId, device: DeviceId) -> u64 {
        self.0.get(&(journal, device)).copied().unwrap_or_default()
    }

    /// The devices that anything is known of.
    pub(crate) fn devices(&self, journal: JournalId) -> impl Iterator<Item = (DeviceId, u64)> {
        let of =
            move |(key, upto): (&(JournalId, DeviceId), &u64)| (key.0 == journal).then_some((key.1, *upto));
        self.0.iter().filter_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d13_what_is_durable_at_a_peer_never_goes_back_and_memory_is_bounded() {
        let mut deliveries = Deliveries::default();
        let (journal, device) = (JournalId::from_bytes([1; 32]), DeviceId::from_bytes([2; 32]));
        assert!(deliveries.note(journal, device, 5));
        assert!(!deliveries.note(journal, device, 3) && !deliveries.note(journal, device, 5));
        assert_eq!((deliveries.upto(journal, device), deliveries.devices(journal).count()), (5, 1));
        assert_eq!(deliveries.upto(JournalId::from_bytes([9; 32]), device), 0);
        for number in 0..5_000u32 {
            let mut bytes = [0xff; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            deliveries.note(journal, DeviceId::from_bytes(bytes), 1);
        }
        assert_eq!(deliveries.devices(journal).count(), KEPT);
    }
}
