//! Two sets reconciled again and again, by isoroot and by negentropy, and what that costs.

#![expect(clippy::disallowed_methods, reason = "it takes the time")]

pub mod cost;
pub mod ours;
#[cfg(not(target_arch = "wasm32"))]
pub mod theirs;
pub mod timing;
#[cfg(target_arch = "wasm32")]
mod wasm;

/// Bytes that an entry says, as its content.
pub const CONTENT: usize = 32;

/// An id like those of entries.
#[must_use]
pub fn id(number: u64) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(number.to_be_bytes()).into()
}
