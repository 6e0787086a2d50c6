//! The bits of a Bloom filter, and what can be told from how many are set.

use crate::fact::bloom::{BloomError, LEAST_BITS, MOST_BITS};

/// Bits, the first of a byte its most significant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bits {
    pub(super) len: u64,
    pub(super) bytes: Vec<u8>,
}

impl Bits {
    /// How many bytes so many bits take.
    pub(super) fn size(len: u64) -> Result<usize, BloomError> {
        if !(LEAST_BITS..=MOST_BITS).contains(&len) {
            return Err(BloomError::Bits(len));
        }
        usize::try_from(len.div_ceil(8)).map_err(|_| BloomError::Bits(len))
    }

    /// So many bits, none of them set.
    pub(super) fn new(len: u64) -> Result<Self, BloomError> {
        Ok(Self { len, bytes: vec![0; Self::size(len)?] })
    }

    /// So many bits, which are these.
    pub(super) fn from_bytes(len: u64, bytes: &[u8]) -> Result<Self, BloomError> {
        let expected = Self::size(len)?;
        if bytes.len() != expected {
            return Err(BloomError::Length { expected, found: bytes.len() });
        }
        let used = u32::try_from(len % 8).unwrap_or_default();
        let spare = if used == 0 { 0 } else { 0xFF >> used };
        if bytes.last().is_some_and(|last| last & spare != 0) {
            return Err(BloomError::Spare);
        }
        Ok(Self { len, bytes: bytes.to_vec() })
    }

    /// Where in which byte a bit is.
    fn place(at: u64) -> (usize, u8) {
        (usize::try_from(at / 8).unwrap_or(usize::MAX), 0x80 >> (at % 8))
    }

    /// Sets a bit. Says whether it was not set before.
    pub(super) fn set(&mut self, at: u64) -> bool {
        let (byte, bit) = Self::place(at);
        let Some(byte) = self.bytes.get_mut(byte) else { return false };
        let is_new = *byte & bit == 0;
        *byte |= bit;
        is_new
    }

    pub(super) fn is_set(&self, at: u64) -> bool {
        let (byte, bit) = Self::place(at);
        self.bytes.get(byte).is_some_and(|byte| byte & bit != 0)
    }

    pub(super) fn unite(&mut self, other: &Self) {
        for (byte, other) in self.bytes.iter_mut().zip(&other.bytes) {
            *byte |= other;
        }
    }

    /// How many pairs with so many places each have most likely set these bits (Swamidass and Baldi, 2007).
    pub(super) fn estimate(&self, hashes: u32) -> u64 {
        let set: u64 = self.bytes.iter().map(|byte| u64::from(byte.count_ones())).sum();
        let len = as_float(self.len);
        rounded(-len / f64::from(hashes) * libm::log(1.0 - as_float(set) / len))
    }
}

/// The numbers here are below 2^53, or their last bits don't matter.
pub(super) fn as_float(value: u64) -> f64 {
    value as f64
}

/// To the nearest integer; what is below 0 or not a number is 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as is meant")]
pub(super) fn rounded(value: f64) -> u64 {
    libm::round(value) as u64
}
