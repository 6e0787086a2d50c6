//! The Merkle map.
