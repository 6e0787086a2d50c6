//! SHA-256 (FIPS 180-4) under a label: `H(label, x) = SHA-256("isoroot/v1/" ‖ label ‖ 0x00 ‖ x)`.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// `H(label, parts joined)`. The zero byte ends the label, so that no label is the start of another.
pub(crate) fn labelled(label: &str, parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"isoroot/v1/");
    hasher.update(label);
    hasher.update([0]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// SHA-256 of bytes that come piece by piece, without a label.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that came.
    pub(crate) fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// SHA-256 of the parts joined, without a label.
pub(crate) fn plain(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
