//! A proof as bytes: its one form, and what is wrong with bytes that have another.
//!
//! A proof is the map with everything left out that was not asked for: a tree of [`Tag`]s, and beside it
//! the hashes and ids that some of them carry. docs/PROOFS.md draws it byte by byte.

use crate::crypto::hash::Hash;
use crate::error::{Code, Fault};
use crate::ids::EntryId;
use crate::limits::{PROOF_IDS, PROOF_TAGS};
use crate::merkle::hash;
use crate::merkle::prefix::ID_BITS;

/// The version that proofs begin with.
const VERSION: u8 = 1;

/// A proof that some ids are in a Merkle map and others are not. Whoever trusts the map's root can check
/// it, without the map.
///
/// It is about certain ids, which it does not repeat: they are asked for again when it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// How many ids the map has.
    pub(super) count: u64,
    /// The tree, each fork before its halves, the left half first.
    pub(super) tags: Vec<Tag>,
    /// What the tags of kind `Hash` and `Other` carry, in their order.
    pub(super) items: Vec<Hash>,
}

/// A subtree in a proof. As bits: so many ones as its place in this list, then a zero, which the last one
/// goes without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// One of at least two ids, some of which were asked for there: its two halves follow.
    Fork,
    /// One that nobody asked for, by its hash.
    Hash,
    /// One without ids, asked for or not.
    Empty,
    /// The leaf of the one id that was asked for there.
    Member,
    /// The leaf of an id that is spelled out: that or those asked for there are others, or several.
    Other,
}

/// Why a proof does not hold. The first failure counts: of the bytes, then of the question, then of the
/// tree from left to right, then of the root, then of the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Malformed: of a version that is not known here.
    #[error("the proof has version {0}, this reads version {VERSION}")]
    Version(u8),
    /// Malformed: the bytes end too early.
    #[error("the proof ends too early")]
    Truncated,
    /// Malformed: bytes are left over.
    #[error("{count} bytes are left over behind the proof")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// Malformed: bits behind the last tag are not zero.
    #[error("the bits that fill the last byte of the proof's tree are not zero")]
    Padding,
    /// Malformed: a fork of ids that share all their bits.
    #[error("the proof goes deeper than an id has bits")]
    TooDeep,
    /// Malformed: more than a proof about 10,000 ids can have.
    #[error("the proof's tree has more than {PROOF_TAGS} parts")]
    TooLarge,
    /// Malformed: a fork of fewer than two ids, which a map has as the one leaf or as nothing.
    #[error("the proof has a fork of fewer than two ids")]
    NotCollapsed,
    /// Malformed: a subtree without ids given by its hash.
    #[error("the proof spells out the hash of nothing")]
    EmptySpelledOut,
    /// Malformed: a fork, or the whole, in which nobody can have asked for anything.
    #[error("the proof divides what it gives by hash alone")]
    NothingAsked,
    /// Malformed: the tree has other ids than it counts.
    #[error("the proof counts {count} ids and shows {known}")]
    Count {
        /// The map's ids, as it says.
        count: u64,
        /// Those of the tree, at least.
        known: u64,
    },
    /// Whoever checks it asks for no ids, for too many, or not in strictly ascending order.
    #[error("a proof is checked for 1 to {PROOF_IDS} ids in strictly ascending order")]
    Question,
    /// False: a subtree is opened in which none of these ids would be.
    #[error("the proof is about other ids: it opens a part in which none of these would be")]
    Unasked,
    /// False: the part in which this id would be is given by its hash.
    #[error("the proof leaves out the part in which {0} would be")]
    Unanswered(EntryId),
    /// False: one leaf is to be that of several ids.
    #[error("the proof has one leaf for {0} ids")]
    Ambiguous(usize),
    /// False: the leaf of the one id asked for is spelled out.
    #[error("the proof spells out the leaf of {0}, which was asked for")]
    LeafSpelledOut(EntryId),
    /// False: a leaf stands where its id does not lead.
    #[error("the proof has the leaf of {0} in another's place")]
    Misplaced(EntryId),
    /// False: it belongs to another root.
    #[error("the proof is for another root, {}", EntryId::from_bytes(*found))]
    OtherRoot {
        /// The root that it would hold for.
        found: Hash,
    },
    /// False: it was to show that the id is in, and shows that it is not.
    #[error("the proof shows that it is not in")]
    Absent,
    /// False: it was to show that the id is not in, and shows that it is.
    #[error("the proof shows that it is in")]
    Present,
}

impl ProofError {
    /// The stable code: `PROOF_MALFORMED` for bytes that are no proof, whatever one asks;
    /// `PROOF_FALSE` for a proof that does not show what it should; `INVALID_QUESTION`.
    pub fn code(&self) -> Code {
        Code::new(match self {
            Self::Version(_)
            | Self::Truncated
            | Self::Trailing { .. }
            | Self::Padding
            | Self::TooDeep
            | Self::TooLarge
            | Self::NotCollapsed
            | Self::EmptySpelledOut
            | Self::NothingAsked
            | Self::Count { .. } => "PROOF_MALFORMED",
            Self::Question => "INVALID_QUESTION",
            Self::Unasked
            | Self::Unanswered(_)
            | Self::Ambiguous(_)
            | Self::LeafSpelledOut(_)
            | Self::Misplaced(_)
            | Self::OtherRoot { .. }
            | Self::Absent
            | Self::Present => "PROOF_FALSE",
        })
    }

    /// Whose fault it is: the caller's question, or else that of whoever gave the proof.
    pub fn fault(&self) -> Fault {
        if *self == Self::Question { Fault::Caller } else { Fault::Peer }
    }
}

impl Proof {
    /// Reads a proof. What can be said without the ids is said now: its form, and that a map of ids can
    /// have such a tree.
    ///
    /// # Errors
    /// Those that [`ProofError`] calls malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        let (version, rest) = bytes.split_first().ok_or(ProofError::Truncated)?;
        if *version != VERSION {
            return Err(ProofError::Version(*version));
        }
        let (count, rest) = rest.split_first_chunk().ok_or(ProofError::Truncated)?;
        let mut bits = Bits { bytes: rest, at: 0 };
        let (tags, known) = bits.tree()?;
        let (items, _) = bits.after()?.as_chunks();
        let carried = tags.iter().filter(|tag| tag.carries()).count();
        let items = items.get(..carried).ok_or(ProofError::Truncated)?;
        let used = bits.at.div_ceil(8).saturating_add(size_of_val(items));
        match rest.len().saturating_sub(used) {
            0 => {}
            count => return Err(ProofError::Trailing { count }),
        }
        let proof = Self { count: u64::from_be_bytes(*count), tags, items: items.to_vec() };
        if proof.hashes().any(|hash| *hash == hash::EMPTY) {
            return Err(ProofError::EmptySpelledOut);
        }
        known.hold(proof.count)?;
        Ok(proof)
    }

    /// Its bytes: version, count, tree, what the tree carries.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.count.to_be_bytes());
        let (mut byte, mut free) = (0_u8, 8_u32);
        for tag in &self.tags {
            for bit in tag.bits() {
                free -= 1;
                byte |= u8::from(*bit) << free;
                if free == 0 {
                    bytes.push(byte);
                    (byte, free) = (0, 8);
                }
            }
        }
        if free < 8 {
            bytes.push(byte);
        }
        bytes.extend_from_slice(self.items.as_flattened());
        bytes
    }

    /// How many ids the map has that it is about. As much to be trusted as the proof: only once that was
    /// checked against a root.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What stands for subtrees that nobody asked for.
    fn hashes(&self) -> impl Iterator<Item = &Hash> {
        let carriers = self.tags.iter().filter(|tag| tag.carries());
        carriers.zip(&self.items).filter(|(tag, _)| **tag == Tag::Hash).map(|(_, hash)| hash)
    }
}

impl Tag {
    /// All, by how many ones they begin with.
    const ALL: [Self; 5] = [Self::Fork, Self::Hash, Self::Empty, Self::Member, Self::Other];

    /// Whether 32 bytes belong to it: a hash or an id.
    fn carries(self) -> bool {
        matches!(self, Self::Hash | Self::Other)
    }

    fn bits(self) -> &'static [bool] {
        match self {
            Self::Fork => &[false],
            Self::Hash => &[true, false],
            Self::Empty => &[true, true, false],
            Self::Member => &[true, true, true, false],
            Self::Other => &[true, true, true, true],
        }
    }
}

/// What a subtree's tags say of its ids.
#[derive(Clone, Copy)]
struct Known {
    /// How many there are at least.
    least: u64,
    /// Whether there are no more.
    exact: bool,
    /// Whether one may have been asked for.
    asked: bool,
}

impl Known {
    /// The fork of these halves.
    fn beside(self, right: Self) -> Result<Self, ProofError> {
        let least = self.least.saturating_add(right.least);
        let exact = self.exact && right.exact;
        if exact && least < 2 {
            return Err(ProofError::NotCollapsed);
        }
        if !self.asked && !right.asked {
            return Err(ProofError::NothingAsked);
        }
        // A hash beside nothing stands for two ids, or the fork would be its leaf.
        Ok(Self { least: least.max(2), exact, asked: true })
    }

    /// Fails unless a map of so many ids can look like this.
    fn hold(self, count: u64) -> Result<(), ProofError> {
        if !self.asked {
            return Err(ProofError::NothingAsked);
        }
        if count < self.least || (self.exact && count > self.least) {
            return Err(ProofError::Count { count, known: self.least });
        }
        Ok(())
    }
}

/// Bits, the most significant of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn bit(&mut self) -> Result<bool, ProofError> {
        let byte = self.bytes.get(self.at / 8).ok_or(ProofError::Truncated)?;
        let bit = byte << (self.at % 8) & 0x80 != 0;
        self.at += 1;
        Ok(bit)
    }

    fn tag(&mut self) -> Result<Tag, ProofError> {
        for tag in Tag::ALL.into_iter().take(4) {
            if !self.bit()? {
                return Ok(tag);
            }
        }
        Ok(Tag::Other)
    }

    /// The tags of a whole tree, and what they say of its ids.
    fn tree(&mut self) -> Result<(Vec<Tag>, Known), ProofError> {
        let mut tags = Vec::new();
        // The forks around the next subtree, each with its left half once that is known.
        let mut open: Vec<Option<Known>> = Vec::new();
        loop {
            let tag = self.tag()?;
            if tags.len() == PROOF_TAGS {
                return Err(ProofError::TooLarge);
            }
            tags.push(tag);
            let mut known = match tag {
                Tag::Fork if open.len() == usize::from(ID_BITS) => return Err(ProofError::TooDeep),
                Tag::Fork => {
                    open.push(None);
                    continue;
                }
                Tag::Hash => Known { least: 1, exact: false, asked: false },
                Tag::Empty => Known { least: 0, exact: true, asked: true },
                Tag::Member | Tag::Other => Known { least: 1, exact: true, asked: true },
            };
            loop {
                match open.pop() {
                    None => return Ok((tags, known)),
                    Some(None) => {
                        open.push(Some(known));
                        break;
                    }
                    Some(Some(left)) => known = left.beside(known)?,
                }
            }
        }
    }

    /// The bytes behind the one with the last bit read, the rest of which is zero.
    fn after(&mut self) -> Result<&'a [u8], ProofError> {
        let end = self.at.div_ceil(8);
        let mut padding = Bits { bytes: self.bytes, at: self.at };
        while padding.at < end.saturating_mul(8) {
            if padding.bit()? {
                return Err(ProofError::Padding);
            }
        }
        Ok(self.bytes.get(end..).unwrap_or_default())
    }
}
