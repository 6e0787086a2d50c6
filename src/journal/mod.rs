//! A journal: the set of its entries, what is known of each in memory, and how it grows.

pub(crate) mod chains;
pub(crate) mod checkpoint;
pub(crate) mod evidence;
pub(crate) mod file;
pub(crate) mod held;
pub(crate) mod index;
pub(crate) mod machine;
pub(crate) mod number_set;
pub(crate) mod position;
pub(crate) mod query;
pub(crate) mod reading;
pub(crate) mod search;
pub(crate) mod set;
pub(crate) mod timeline;
