//! Cryptography: a thin layer over libraries, with this project's domain tags.

pub(crate) mod hash;
pub(crate) mod sign;
