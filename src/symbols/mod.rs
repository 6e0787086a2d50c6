//! Coded symbols: what two sets differ in, for some 1.4 cells of 11 bytes a difference, however large the sets.
//!
//! A rateless invertible Bloom lookup table. Each side folds the short ids of its set into an endless row of
//! cells, always the same row for the same set. One side sends the first of them; the other takes its own
//! from them, so that what both have is gone, and solves for the rest. If they are too few, more of the same
//! row are sent: nothing has to be known in advance of how much the sets differ.
//!
//! Source: L. Yang, Y. Gilad, M. Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024. There a
//! cell counts its ids too; here it does not, since who finds an id looks into its own map to see whose it is.
//!
//! No key goes into it: every writer would know a lasting one, and one for each connection would mean to
//! fold all ids anew for each peer. So ids can be ground that hide each other: that makes decoding fail or
//! find what nobody has, and it never ends a sync as equal, since the roots decide.
//!
//! These are the pieces, pure and for whoever measures or reuses them.

pub(crate) mod cell;
pub(crate) mod decoder;
pub(crate) mod digest;
pub(crate) mod estimate;
pub(crate) mod mapping;
pub(crate) mod row;
pub(crate) mod sketch;
#[cfg(test)]
mod statistics;

pub use cell::Cell;
pub use decoder::Decoder;
pub use estimate::{estimate, first_cells, more_cells};
pub use mapping::{Cells, ShortId};
pub use row::Row;
pub use sketch::Sketch;
