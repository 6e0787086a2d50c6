//! Checks of bundles: a few at the same time, their verdicts in the order in which the bundles came.

use std::collections::VecDeque;

use crate::limits::CHECKS;
use crate::session::connection::{ConnectionEffect, Verdicts};

/// A bundle that is being checked, and what came of that.
#[derive(Debug)]
struct UnderWay {
    channel: u32,
    sequence: u64,
    verdicts: Option<Verdicts>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Those that wait for one under way.
    waiting: VecDeque<ConnectionEffect>,
    /// In the order in which they came.
    under_way: VecDeque<UnderWay>,
}

impl Checks {
    /// One more is to be made.
    pub(super) fn push(&mut self, check: ConnectionEffect) {
        self.waiting.push_back(check);
    }

    /// The next one to be made now.
    pub(super) fn start(&mut self) -> Option<ConnectionEffect> {
        if self.under_way.len() >= CHECKS {
            return None;
        }
        let check = self.waiting.pop_front()?;
        if let ConnectionEffect::Check { channel, sequence, .. } = &check {
            self.under_way.push_back(UnderWay { channel: *channel, sequence: *sequence, verdicts: None });
        }
        Some(check)
    }

    /// One has been made.
    pub(super) fn made(&mut self, channel: u32, sequence: u64, verdicts: Verdicts) {
        let is_it = |check: &&mut UnderWay| check.channel == channel && check.sequence == sequence;
        if let Some(check) = self.under_way.iter_mut().find(is_it) {
            check.verdicts = Some(verdicts);
        }
    }

    /// The first one, if it has been made: its channel, sequence and verdicts.
    pub(super) fn take(&mut self) -> Option<(u32, u64, Verdicts)> {
        let verdicts = self.under_way.front_mut()?.verdicts.take()?;
        self.under_way.pop_front().map(|check| (check.channel, check.sequence, verdicts))
    }

    /// Of what a channel still wanted checked nothing is of interest, and it takes memory.
    pub(super) fn forget(&mut self, channel: u32) {
        self.waiting
            .retain(|check| !matches!(check, ConnectionEffect::Check { channel: of, .. } if *of == channel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EntryId, JournalId};

    fn check(sequence: u64) -> ConnectionEffect {
        let journal = JournalId::from_bytes([1; 32]);
        let channel = u32::try_from(sequence % 2).unwrap();
        ConnectionEffect::Check { channel, sequence, journal, records: Vec::new() }
    }

    fn verdict(sequence: u64) -> Verdicts {
        let error = crate::fact::unchecked::EntryError::BadSignature;
        vec![(EntryId::from_bytes([sequence as u8; 32]), Err(error))]
    }

    #[test]
    fn d5_a_few_bundles_are_checked_at_once_and_told_in_their_order() {
        // In whatever order they are done.
        for first_done in 0..CHECKS as u64 {
            let mut checks = Checks::default();
            (0..10).for_each(|sequence| checks.push(check(sequence)));
            let mut started = std::iter::from_fn(|| checks.start()).count() as u64;
            assert_eq!(started, CHECKS as u64);
            let (mut told, mut done) = (Vec::new(), 0);
            while done < 10 {
                let place = (first_done..started).chain(0..first_done).find(|sequence| *sequence >= done);
                // One out of turn, then those before it.
                let mut order: Vec<_> = (done..started).collect();
                let out_of_turn = place.unwrap_or(done).clamp(done, started - 1) - done;
                let last = order.remove(usize::try_from(out_of_turn).unwrap());
                order.insert(0, last);
                for sequence in order {
                    checks.made(u32::try_from(sequence % 2).unwrap(), sequence, verdict(sequence));
                    while let Some((channel, sequence, verdicts)) = checks.take() {
                        assert_eq!((u64::from(channel), verdicts), (sequence % 2, verdict(sequence)));
                        told.push(sequence);
                    }
                }
                done = started;
                started += std::iter::from_fn(|| checks.start()).count() as u64;
            }
            assert_eq!(told, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn d8_what_an_ended_channel_wanted_checked_is_forgotten_but_for_what_is_under_way() {
        let mut checks = Checks::default();
        (0..10).for_each(|sequence| checks.push(check(sequence)));
        assert!(checks.start().is_some() && checks.start().is_some());
        checks.forget(1);
        checks.made(1, 1, verdict(1));
        assert!(checks.take().is_none(), "the one before it is not done");
        checks.made(0, 0, verdict(0));
        let told: Vec<_> = std::iter::from_fn(|| checks.take()).map(|(_, sequence, _)| sequence).collect();
        assert_eq!(told, [0, 1]);
        let rest = std::iter::from_fn(|| checks.start());
        let rest = rest.map(|check| matches!(check, ConnectionEffect::Check { channel: 0, .. }));
        assert_eq!(rest.collect::<Vec<_>>(), vec![true; CHECKS]);
    }
}
