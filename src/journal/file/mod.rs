//! A whole journal as one file, written and read in one pass: bytes in and out, no I/O.
//!
//! `docs/FILES.md` draws the bytes. [`writer`] makes them; [`reader`] takes them apart, however they are
//! cut, and holds them to their hash; [`checker`] checks every entry as well, and the root over all.

pub(crate) mod checker;
pub(crate) mod error;
pub(crate) mod header;
pub(crate) mod reader;
pub(crate) mod writer;

/// What a file begins with. The first byte begins no text, so that a file is told from lines of JSON.
const MAGIC: [u8; 8] = *b"\x89isoroot";
/// The version that is written and read here.
const VERSION: u8 = 1;
/// Bytes before the genesis: magic, version, journal, length of the genesis.
const HEAD_BYTES: usize = 45;
/// Bytes of a length.
const LENGTH_BYTES: usize = 4;
/// Bytes of the end behind the length of 0: count, root, hash.
const END_BYTES: usize = 72;
/// Bytes of the end that its hash covers.
const END_HASHED_BYTES: usize = 40;
