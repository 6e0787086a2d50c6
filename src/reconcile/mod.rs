//! Finding the difference between two journals.

pub(crate) mod descent;
pub(crate) mod symbols;
pub(crate) mod view;
