//! Devices that broke the protocol and are turned away for a while, where it is they who connect.

use litemap::LiteMap;

use crate::ids::DeviceId;
use crate::limits::{PUT_ASIDE, TURNED_AWAY};
use crate::time::Instant;

/// Until when which device is turned away. Those that are dialled are left alone by the list of peers.
#[derive(Debug, Default)]
pub(crate) struct PutAside(LiteMap<DeviceId, Instant>);

impl PutAside {
    /// A device broke the protocol. Of too many the one whose time is up first is forgotten.
    pub(crate) fn put(&mut self, device: DeviceId, now: Instant) {
        self.0.insert(device, now.after(TURNED_AWAY));
        if self.0.len() > PUT_ASIDE
            && let Some(first) = self.0.iter().min_by_key(|(_, until)| **until).map(|(device, _)| *device)
        {
            self.0.remove(&first);
        }
    }

    /// Whether a device is turned away now.
    pub(crate) fn holds(&mut self, device: &DeviceId, now: Instant) -> bool {
        let holds = self.0.get(device).is_some_and(|until| *until > now);
        if !holds {
            self.0.remove(device);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn d8_who_is_put_aside_comes_back_and_memory_is_bounded() {
        let device =
            |number: u16| DeviceId::from_bytes(std::array::from_fn(|place| number.to_be_bytes()[place % 2]));
        let (mut aside, now) = (PutAside::default(), Instant::default());
        aside.put(device(1), now);
        let end = now.after(TURNED_AWAY);
        assert!(aside.holds(&device(1), now) && !aside.holds(&device(2), now));
        assert!(!aside.holds(&device(1), end) && aside.0.is_empty(), "its time is up");
        for number in 0..=PUT_ASIDE as u16 {
            aside.put(device(number), now.after(Duration::from_secs(u64::from(number) % 50)));
        }
        assert_eq!(aside.0.len(), PUT_ASIDE);
        assert!(!aside.holds(&device(0), now) && aside.holds(&device(49), now), "the one that is free first");
    }
}
