//! How large a Bloom filter is made, and what share of others it then lets pass.

use crate::fact::bloom::{BloomError, BloomFilter, LEAST_BITS, MOST_BITS};
use crate::fact::bloom_bits::{as_float, rounded};
use crate::limits::{BLOOM_HASHES, SAFE_INTEGER};

const LEAST_RATE: f64 = 1e-5;
const MOST_RATE: f64 = 0.999_99;

impl BloomFilter {
    /// The share of other pairs that a filter for so many pairs at this rate lets pass when they are in, without
    /// making it: bits and hashes are whole numbers, so that it differs a little from the rate asked for.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn expected_rate(expected: u64, rate: f64) -> Result<f64, BloomError> {
        let expected = expected.clamp(1, SAFE_INTEGER);
        let (bits, hashes) = parameters(expected, rate)?;
        Ok(passing(bits, hashes, expected))
    }
}

/// Bits and hashes for so many pairs at this rate: `m = −n ln p / ln² 2`, rounded up and at least 64, and
/// `k = m/n ln 2`, rounded, 1 to 32.
///
/// The logarithm is that of `libm`, whose every step IEEE 754 fixes: platforms' own differ in the last bit.
pub(super) fn parameters(expected: u64, rate: f64) -> Result<(u64, u32), BloomError> {
    use core::f64::consts::LN_2;
    if !(LEAST_RATE..=MOST_RATE).contains(&rate) {
        return Err(BloomError::Rate(rate));
    }
    let bits = rounded(libm::ceil(-as_float(expected) * libm::log(rate) / (LN_2 * LN_2))).max(LEAST_BITS);
    if bits > MOST_BITS {
        return Err(BloomError::TooLarge { bits });
    }
    let hashes = rounded(as_float(bits) / as_float(expected) * LN_2).clamp(1, BLOOM_HASHES.into());
    Ok((bits, u32::try_from(hashes).unwrap_or(BLOOM_HASHES)))
}

/// The share of other pairs that a filter of so many bits lets pass with so many pairs in.
pub(super) fn passing(bits: u64, hashes: u32, count: u64) -> f64 {
    let filled = f64::from(hashes) * as_float(count) / as_float(bits);
    let set = 1.0 - libm::exp(-filled);
    (0..hashes).fold(1.0, |rate, _| rate * set)
}
