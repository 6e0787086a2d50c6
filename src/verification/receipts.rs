//! Chains of receipts: what a device signed for, one after the other.

use crate::codec::cbor::DecodeError;
use crate::error::Code;
use crate::ids::{DeviceId, JournalId};
use crate::verification::signed_root::SignedRoot;

/// Receipts of one chain.
pub const RECEIPTS: usize = 100;

/// Bytes of one receipt in a file, at most.
const RECEIPT_BYTES: usize = 512;

/// Puts a receipt behind others, as in a file: its length as 4 bytes, big-endian, then its bytes.
pub fn append_receipt(receipts: &mut Vec<u8>, receipt: &SignedRoot) {
    let bytes = receipt.to_bytes();
    // Some 250, so it fits.
    receipts.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
    receipts.extend_from_slice(&bytes);
}

/// Reads receipts that stand one behind the other. Neither signatures nor how they follow is checked.
///
/// # Errors
/// When the bytes are no such receipts, or more than a chain may have.
pub fn read_receipts(bytes: &[u8]) -> Result<Vec<SignedRoot>, DecodeError> {
    let mut receipts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let position = bytes.len().saturating_sub(rest.len());
        let malformed = DecodeError::OutOfBounds { what: "length of a receipt", position };
        let (length, behind) = rest.split_first_chunk().ok_or(malformed)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > RECEIPT_BYTES || receipts.len() >= RECEIPTS {
            return Err(malformed);
        }
        let (receipt, behind) = behind.split_at_checked(length).ok_or(malformed)?;
        receipts.push(SignedRoot::from_bytes(receipt)?);
        rest = behind;
    }
    Ok(receipts)
}

impl ReceiptError {
    /// The stable code.
    pub fn code(&self) -> Code {
        Code::new("BAD_RECEIPT")
    }
}

/// Why receipts are no chain of a device's. The first that fails, in this order; for the first receipt of
/// which it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// There is none.
    #[error("no receipt")]
    Empty,
    /// There are more than 100.
    #[error("{0} receipts, of at most {RECEIPTS}")]
    TooMany(usize),
    /// One is about another journal.
    #[error("receipt {index} is about another journal")]
    Journal {
        /// Its place, from 0.
        index: usize,
    },
    /// One is by another device than the one that is trusted here.
    #[error("receipt {index} is by another device")]
    Device {
        /// Its place, from 0.
        index: usize,
    },
    /// One was signed in an epoch that is not the journal's current one.
    #[error("receipt {index} is of another epoch")]
    Epoch {
        /// Its place, from 0.
        index: usize,
    },
    /// One does not name the one before it; or the first names one.
    #[error("receipt {index} does not follow the one before it")]
    Previous {
        /// Its place, from 0.
        index: usize,
    },
    /// One is older, by its own word, than the one before it.
    #[error("receipt {index} is older than the one before it")]
    Time {
        /// Its place, from 0.
        index: usize,
    },
    /// The signature of one is not the device's.
    #[error("the signature of receipt {index} is not the device's")]
    Signature {
        /// Its place, from 0.
        index: usize,
    },
}

/// Checks a chain of receipts, oldest first, for the open journal `journal`, by `device`: whose key is
/// trusted is the caller's to say, never the receipts'.
///
/// # Errors
/// The first rule that is broken.
pub fn check_receipts(
    receipts: &[SignedRoot],
    journal: &JournalId,
    device: &DeviceId,
) -> Result<(), ReceiptError> {
    match receipts.len() {
        0 => return Err(ReceiptError::Empty),
        1..=RECEIPTS => {}
        more => return Err(ReceiptError::TooMany(more)),
    }
    let mut before: Option<&SignedRoot> = None;
    for (index, receipt) in receipts.iter().enumerate() {
        if receipt.journal != *journal {
            return Err(ReceiptError::Journal { index });
        }
        if receipt.device != *device {
            return Err(ReceiptError::Device { index });
        }
        if !receipt.is_of_open_epoch() {
            return Err(ReceiptError::Epoch { index });
        }
        if receipt.previous != before.map(SignedRoot::hash) {
            return Err(ReceiptError::Previous { index });
        }
        if before.is_some_and(|before| receipt.time < before.time) {
            return Err(ReceiptError::Time { index });
        }
        if !receipt.is_authentic() {
            return Err(ReceiptError::Signature { index });
        }
        before = Some(receipt);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sign::DeviceKey;
    use crate::fact::genesis::Genesis;
    use crate::merkle::subtree::Root;
    use crate::time::WallTime;

    fn chain(length: u64) -> (JournalId, DeviceKey, Vec<SignedRoot>) {
        let (journal, key) = (Genesis::named("receipts").journal(), DeviceKey::from_seed([7; 32]));
        let mut chain: Vec<SignedRoot> = Vec::new();
        for number in 0..length {
            let root = Root { count: number, hash: [number as u8; 32] };
            let (time, previous) = (WallTime::from_micros(number), chain.last().map(SignedRoot::hash));
            chain.push(SignedRoot::sign(journal, &key, root, time, [number as u8; 32], previous));
        }
        (journal, key, chain)
    }

    #[test]
    fn f92_a_chain_of_a_hundred_holds_and_one_more_does_not() {
        let (journal, key, receipts) = chain(101);
        let check = |receipts: &[SignedRoot]| check_receipts(receipts, &journal, &key.device());
        assert_eq!(check(&receipts[..1]), Ok(()));
        assert_eq!(check(&receipts[..100]), Ok(()));
        assert_eq!(check(&receipts), Err(ReceiptError::TooMany(101)));
        assert_eq!(check(&[]), Err(ReceiptError::Empty));
    }

    #[test]
    fn f92_receipts_read_back_from_their_bytes() {
        let (_, _, receipts) = chain(5);
        let mut bytes = Vec::new();
        receipts.iter().for_each(|receipt| append_receipt(&mut bytes, receipt));
        assert_eq!(read_receipts(&bytes), Ok(receipts));
        for end in 1..bytes.len() {
            let read = read_receipts(&bytes[..end]);
            assert!(read.is_err() || read.is_ok_and(|read| read.len() < 5), "{end} bytes");
        }
        assert!(read_receipts(&[0xff; 40]).is_err());
        assert_eq!(read_receipts(&[]), Ok(vec![]));
        let (_, _, many) = chain(101);
        bytes.clear();
        many.iter().for_each(|receipt| append_receipt(&mut bytes, receipt));
        assert!(read_receipts(&bytes).is_err());
    }

    #[test]
    fn f92_each_rule_of_receipts_is_broken_by_itself() {
        let (journal, key, receipts) = chain(4);
        let other = DeviceKey::from_seed([8; 32]);
        type Change<'a> = &'a dyn Fn(&mut SignedRoot);
        let check = |receipts: &[SignedRoot]| check_receipts(receipts, &journal, &key.device());
        let with = |change: Change<'_>, key: &DeviceKey| {
            let mut receipts = receipts.clone();
            let receipt = &mut receipts[2];
            change(receipt);
            // Signed anew, so that it is this rule alone that is broken.
            let (time, nonce, previous) = (receipt.time, receipt.nonce, receipt.previous);
            let again = SignedRoot::sign(receipt.journal, key, receipt.root, time, nonce, previous);
            receipt.signature = again.signature;
            receipts.truncate(3);
            receipts
        };
        let elsewhere = Genesis::named("elsewhere").journal();
        assert_eq!(check(&with(&|_| {}, &key)), Ok(()));
        let broken: [(Change<'_>, &DeviceKey, ReceiptError); 7] = [
            (&|receipt| receipt.journal = elsewhere, &key, ReceiptError::Journal { index: 2 }),
            (&|receipt| receipt.device = other.device(), &other, ReceiptError::Device { index: 2 }),
            (&|receipt| receipt.epoch = 1, &key, ReceiptError::Epoch { index: 2 }),
            (&|receipt| receipt.previous = None, &key, ReceiptError::Previous { index: 2 }),
            (&|receipt| receipt.previous = Some([1; 32]), &key, ReceiptError::Previous { index: 2 }),
            (&|receipt| receipt.time = WallTime::from_micros(0), &key, ReceiptError::Time { index: 2 }),
            (&|_| {}, &other, ReceiptError::Signature { index: 2 }),
        ];
        for (change, key, error) in broken {
            assert_eq!(check(&with(change, key)), Err(error));
        }
        assert_eq!(check(&receipts[1..]), Err(ReceiptError::Previous { index: 0 }), "the first is missing");
        let mut empty = receipts.clone();
        empty[0].signature = [0; 64];
        assert_eq!(check(&empty), Err(ReceiptError::Signature { index: 0 }));
    }

    #[test]
    fn f92_two_receipts_that_can_not_both_be_true_are_evidence() {
        let (journal, key, receipts) = chain(3);
        let root = Root { count: 2, hash: [0xee; 32] };
        let lie = SignedRoot::sign(journal, &key, root, WallTime::from_micros(9), [1; 32], None);
        assert!(receipts[2].contradicts(&lie) && lie.contradicts(&receipts[2]));
        assert!(!receipts[1].contradicts(&lie) && !receipts[2].contradicts(&receipts[2]));
    }
}
