//! The 32-byte names of things, their hex form and their order; and the two smaller ids built on them.

use core::fmt;
use core::str::FromStr;

/// A text that is not the hex form of an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The text has another number of characters.
    #[error("an id is written as {expected} hex digits, not {found} characters")]
    Length {
        /// Digits expected.
        expected: usize,
        /// Characters found.
        found: usize,
    },
    /// A character is not a hex digit.
    #[error("character {position} of the id is not a hex digit")]
    Digit {
        /// Zero-based position of the first such character.
        position: usize,
    },
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            /// All bytes as lower-case hex.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            /// The first four bytes: enough to follow an id through a log.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                write_hex(f, self.0.get(..4).unwrap_or_default())?;
                f.write_str("…)")
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Reads exactly the hex digits of the whole id, in either case.
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $len];
                read_hex(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }
    };
}

id!(
    /// Name of a journal: the hash of its [`Genesis`](crate::Genesis).
    JournalId,
    32
);
id!(
    /// Name of an entry: a hash over the journal's id and the whole signed record.
    EntryId,
    32
);
id!(
    /// A device: its Ed25519 public key, compressed (RFC 8032).
    DeviceId,
    32
);
id!(
    /// An authority, an identity that acts through devices: an Ed25519 public key, compressed.
    ///
    /// By default a device is its own authority.
    AuthorityId,
    32
);
id!(
    /// Name of an epoch. That of epoch 0 is the journal's id.
    EpochId,
    32
);
id!(
    /// Name of one store, drawn at random when it is made. With a number it is a cursor.
    StoreId,
    16
);

impl From<DeviceId> for AuthorityId {
    /// The device as its own authority.
    fn from(device: DeviceId) -> Self {
        Self(device.0)
    }
}

impl From<JournalId> for EpochId {
    /// The name of the journal's epoch 0.
    fn from(journal: JournalId) -> Self {
        Self(journal.0)
    }
}

/// Name of a fact: the entry that holds it, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    /// The entry.
    pub entry: EntryId,
    /// Zero-based place among the entry's facts, 0 to 999.
    pub index: u16,
}

impl fmt::Display for FactId {
    /// The entry's hex form, a colon, the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entry, self.index)
    }
}

/// A place in a journal as one store keeps it: all entries numbered up to `number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The store that gave the numbers.
    pub store: StoreId,
    /// Number of the last entry; 0 before the first.
    pub number: u64,
}

/// Writes bytes as lower-case hex.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Fills `bytes` from exactly twice as many hex digits.
fn read_hex(text: &str, bytes: &mut [u8]) -> Result<(), ParseIdError> {
    let expected = bytes.len().saturating_mul(2);
    let found = text.chars().count();
    if found != expected {
        return Err(ParseIdError::Length { expected, found });
    }
    let mut digits = text.chars().enumerate();
    let mut digit = || {
        let (position, c) = digits.next().unwrap_or_default();
        let value = c.to_digit(16).and_then(|d| u8::try_from(d).ok());
        value.ok_or(ParseIdError::Digit { position })
    };
    for byte in bytes {
        *byte = (digit()? << 4) | digit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_form_reads_back_in_either_case() {
        let id = EntryId::from_bytes([0xA5; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "EntryId(a5a5a5a5…)");
    }

    #[test]
    fn text_that_is_no_id_says_why() {
        assert_eq!("a5".parse::<EntryId>(), Err(ParseIdError::Length { expected: 64, found: 2 }));
        let text = format!("{}g", "0".repeat(63));
        assert_eq!(text.parse::<EntryId>(), Err(ParseIdError::Digit { position: 63 }));
        let text = format!("{}é", "0".repeat(62));
        assert!(text.parse::<EntryId>().is_err(), "length is counted in characters");
    }
}
