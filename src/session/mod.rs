//! One connection between two nodes: handshake, channels for journals, entries on their way.

pub(crate) mod channel;
pub(crate) mod connection;
pub(crate) mod failure;
pub(crate) mod feed;
pub(crate) mod handshake;
pub(crate) mod message;
pub(crate) mod permission;
pub(crate) mod phase;
pub(crate) mod report;
