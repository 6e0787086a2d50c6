//! The sync service as a state machine: peers, connections and journals joined; no tasks, no clock.

pub(crate) mod config;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod machine;
pub(crate) mod peers;
pub(crate) mod put_aside;
pub(crate) mod receipts;
pub(crate) mod reopening;
pub(crate) mod routing;
