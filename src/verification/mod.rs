//! Judging what a peer hands over against the root that it claims: what is proved, what is not, and why.
//!
//! Syncing needs none of this: a sync admits every authentic entry, and equal roots show that it is done.
//! It is for those who are given entries or facts with a claim, such as "these are in the journal whose
//! root everybody knows", and who want to keep nothing that was not proved.
//!
//! *Verified* means proved. [`Verified`] has no other maker than this module.

pub(crate) mod policy;
pub(crate) mod push;
pub(crate) mod receipts;
pub(crate) mod rejection;
pub(crate) mod signed_root;
pub(crate) mod verified;
pub(crate) mod verifier;
