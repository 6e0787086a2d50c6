//! A journal: the set of its entries, what is known of each in memory, and how it grows.

pub(crate) mod chains;
pub(crate) mod checkpoint;
pub(crate) mod index;
pub(crate) mod machine;
pub(crate) mod number_set;
pub(crate) mod set;
