//! Checks that every store and transport must pass, for those of this crate and for those of others.
//!
//! A check panics with its name and what it found. They need no executor of their own: call them
//! from a test under any.

mod check;
pub mod notes;
pub mod store;
pub mod transport;
