//! Deterministic simulation: a seeded executor with virtual time, and a platform and network that live
//! in it. Runs the real drivers and machines; one seed replays one run.

#![allow(clippy::arc_with_non_send_sync, reason = "where there are no threads nothing here is Send")]

#[cfg(all(test, feature = "native"))]
mod byte_cuts;
pub(crate) mod executor;
#[cfg(test)]
mod guards;
pub(crate) mod handshake;
#[cfg(test)]
mod hostile;
pub(crate) mod network;
pub(crate) mod pair;
#[cfg(test)]
mod pair_cuts;
#[cfg(test)]
mod pair_permissions;
#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod patience;
pub(crate) mod platform;
pub(crate) mod progress;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod variants;
#[cfg(test)]
mod wedged;

pub use executor::Simulation;
pub use handshake::handshake;
pub use network::{SimListener, SimNetwork, SimTransport, Verdict};
pub use pair::{End, SimPair, Step, Traffic};
pub use platform::{SimClock, SimEntropy, SimPlatform, SimSpawner, SimTimer};
