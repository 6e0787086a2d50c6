//! The Merkle map: a set of entry ids, and the root that stands for it.

mod batch;
pub(crate) mod compare;
mod depth;
mod grow;
mod hash;
pub(crate) mod item;
mod levels;
pub(crate) mod map;
mod order;
mod plan;
pub(crate) mod prefix;
pub(crate) mod proof;
pub(crate) mod prove;
pub(crate) mod subtree;
mod verify;
