//! The Merkle map: a set of entry ids, and the root that stands for it.

pub(crate) mod compare;
mod hash;
pub(crate) mod map;
pub(crate) mod prefix;
pub(crate) mod proof;
pub(crate) mod prove;
pub(crate) mod subtree;
mod verify;
