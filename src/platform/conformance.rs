//! Checks that every store and transport must pass.
