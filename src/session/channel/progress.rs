//! How far a channel is, as others see it.

use crate::session::channel::{Channel, Phase};
use crate::session::phase::SyncPhase;

impl Channel {
    /// Whether the peer has not answered the opening yet.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening)
    }

    /// Whether a sync is under way.
    pub(crate) fn is_syncing(&self) -> bool {
        !matches!(self.phase, Phase::Live)
    }

    /// How far the sync is, if that was not told before.
    pub(crate) fn new_phase(&mut self) -> Option<SyncPhase> {
        let phase = match &self.phase {
            Phase::Opening => SyncPhase::Opening,
            Phase::Decoding(_) | Phase::Descending(_) | Phase::Listening(_) | Phase::Answering(_) => {
                SyncPhase::Comparing
            }
            Phase::Exchanging => SyncPhase::Exchanging,
            Phase::Live => SyncPhase::Live,
        };
        (self.told != Some(phase)).then(|| *self.told.insert(phase))
    }
}
