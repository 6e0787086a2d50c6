//! Finding the difference between two journals.

pub(crate) mod decoding;
pub(crate) mod descent;
pub(crate) mod view;
