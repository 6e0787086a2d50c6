//! Ed25519 by the rules of ZIP-215, where a single check and a batch agree on every input.
//!
//! Never check these signatures by other rules (RFC 8032's cofactorless equation, WebCrypto): one
//! crafted signature that is valid for some and not for others would divide honest peers for good.
//! Source: <https://zips.z.cash/zip-0215>.

use core::fmt;

use ed25519_zebra::{Signature, SigningKey, VerificationKey, VerificationKeyBytes, batch};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::hash;
use crate::ids::DeviceId;
use crate::limits::SIGNATURE_BYTES;

/// The secret key of a device, from which all that it signs comes. Never printed.
#[derive(Clone, ZeroizeOnDrop)]
pub struct DeviceKey {
    seed: [u8; 32],
    // Holds the seed again, and what is derived from it; it does not wipe itself.
    signing: SigningKey,
    #[zeroize(skip)]
    device: DeviceId,
}

impl DeviceKey {
    /// The key made from 32 secret, uniformly random bytes (the seed of RFC 8032).
    pub fn from_seed(mut seed: [u8; 32]) -> Self {
        let mut signing = SigningKey::from(seed);
        let device = DeviceId::from_bytes(VerificationKeyBytes::from(&signing).into());
        let key = Self { seed, signing, device };
        // Both are copied, not moved.
        signing.zeroize();
        seed.zeroize();
        key
    }

    /// The seed: whoever has it is this device. For the store that keeps it.
    pub fn expose_seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public key, which is the device's name.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Signs `message`; deterministic.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Whether `signature` is `device`'s over `message`.
pub(crate) fn verify(device: &DeviceId, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    VerificationKey::try_from(*device.as_bytes())
        .and_then(|key| key.verify(&Signature::from_bytes(signature), message))
        .is_ok()
}

/// Whether the device's name is a public key at all (ZIP-215: a point, in any encoding).
pub(crate) fn is_key(device: &DeviceId) -> bool {
    VerificationKey::try_from(*device.as_bytes()).is_ok()
}

/// Signatures to be checked together: some three times faster than one by one.
#[derive(Default)]
pub(crate) struct Batch {
    items: Vec<batch::Item>,
    /// Hash over everything queued; the coefficients of the batch equation are drawn from it.
    transcript: hash::Hash,
}

impl Batch {
    /// Queues one signature.
    pub(crate) fn push(&mut self, device: &DeviceId, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) {
        let key = VerificationKeyBytes::from(*device.as_bytes());
        self.items.push(batch::Item::from((key, Signature::from_bytes(signature), message)));
        // The message is bound through its own hash, so that no two batches have one transcript.
        let message = hash::plain(&[message]);
        self.transcript =
            hash::labelled("batch", &[&self.transcript, device.as_bytes(), signature, &message]);
    }

    /// One verdict for each signature, in the order of queueing.
    ///
    /// The random coefficients are derived from the whole batch (Fiat–Shamir), so nobody can choose
    /// signatures to fit them, and no entropy is needed. If the batch as a whole fails, each is
    /// checked alone.
    pub(crate) fn verify(self) -> Vec<bool> {
        let mut verifier = batch::Verifier::new();
        for item in &self.items {
            verifier.queue(item.clone());
        }
        if verifier.verify(ChaCha12Rng::from_seed(self.transcript)).is_ok() {
            return vec![true; self.items.len()];
        }
        self.items.into_iter().map(|item| item.verify_single().is_ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_names_the_forged_one() {
        let keys = [1u8, 2, 3].map(|seed| DeviceKey::from_seed([seed; 32]));
        let mut batch = Batch::default();
        for (place, key) in keys.iter().enumerate() {
            let message = [u8::try_from(place).unwrap(); 40];
            let mut signature = key.sign(&message);
            signature[7] ^= u8::from(place == 1);
            batch.push(&key.device(), &message, &signature);
            assert_eq!(verify(&key.device(), &message, &signature), place != 1);
        }
        assert_eq!(batch.verify(), [true, false, true]);
        assert!(Batch::default().verify().is_empty());
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = DeviceKey::from_seed([0x5A; 32]);
        let text = format!("{key:?}");
        assert!(!text.contains("5a5a5a") && !text.contains("90, 90"), "{text}");
    }
}
