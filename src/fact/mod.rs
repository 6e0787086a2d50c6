//! Facts and the signed entries that carry them, journals' beginnings and links to them.

pub(crate) mod bloom;
mod bloom_bits;
mod bloom_size;
pub(crate) mod candidate;
pub(crate) mod entry;
pub(crate) mod genesis;
pub(crate) mod link;
pub(crate) mod statement;
pub(crate) mod summary;
pub(crate) mod unchecked;
pub(crate) mod value;
