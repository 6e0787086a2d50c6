//! Bytes: canonical CBOR, written and read strictly.

pub(crate) mod cbor;
