//! Checking a proof against a root: all that has to be believed about proofs is on this page.
//!
//! # Why it is sound
//!
//! *What is hashed tells what it is.* A leaf is `SHA-256(0x00 ‖ id)`, a node `SHA-256(0x01 ‖ left ‖
//! right)`, a root `SHA-256(0x02 ‖ count ‖ top)`, nothing the hash of a text that begins with neither.
//! Unless somebody finds a collision, one hash is one message of one kind: an inner node never passes for
//! a leaf, nor a leaf for a root. Ids are hashed again as leaves, so that an inner hash that was ground to
//! look like an id is not the leaf of that id.
//!
//! *The way to an id is its bits.* Nothing in a proof says "left" or "right": the asked ids are divided at
//! each fork by their next bit, and a subtree is where they lead. So the hash that comes out at the top
//! fixes, by the first point, the whole way to each asked id: the forks on it, and that it ends in nothing,
//! in this id's leaf, or in another's. One root thus has one answer for each id, whoever made the root;
//! and for the root of an honest map it is that map's.
//!
//! *Absence is where the way ends.* A map keeps a subtree of one id as that id's leaf, and one of no ids as
//! nothing. So an id whose way ends in nothing is not in, and neither is one whose way ends in the leaf of
//! another id. That other id is given in full and hashed here. A way that ends in a bare hash shows
//! nothing, and is refused.
//!
//! *The count is in the root.* With another count another root comes out.
//!
//! The rest, here and in `Proof::from_bytes`, leaves one form to each proof: a leaf only where its id
//! leads, no part opened that nobody asked for, each leaf in its shorter form.

use crate::crypto::hash::Hash;
use crate::ids::EntryId;
use crate::limits::PROOF_IDS;
use crate::merkle::hash;
use crate::merkle::prefix::{common_bits, split};
use crate::merkle::proof::{Proof, ProofError, Tag};
use crate::merkle::subtree::Root;

/// A fork whose halves are being checked.
struct Open<'a> {
    /// The left half, once it is done.
    left: Option<Hash>,
    /// The asked ids of the right half.
    ones: &'a [EntryId],
}

impl Proof {
    /// For each of these ids, which are 1 to 10,000 in strictly ascending order, whether it is in the map
    /// with this root.
    ///
    /// # Errors
    /// When the proof is not about exactly these ids and this root.
    pub fn verify(&self, root: &Hash, ids: &[EntryId]) -> Result<Vec<bool>, ProofError> {
        let (found, answers) = self.walk(ids)?;
        match found.hash {
            hash if hash == *root => Ok(answers),
            found => Err(ProofError::OtherRoot { found }),
        }
    }

    /// Checks that this id is in the map with this root.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); [`ProofError::Absent`] when the proof shows the opposite.
    pub fn verify_inclusion(&self, root: &Hash, id: &EntryId) -> Result<(), ProofError> {
        match *self.verify(root, &[*id])? {
            [true] => Ok(()),
            _ => Err(ProofError::Absent),
        }
    }

    /// Checks that this id is not in the map with this root.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); [`ProofError::Present`] when the proof shows the opposite.
    pub fn verify_exclusion(&self, root: &Hash, id: &EntryId) -> Result<(), ProofError> {
        match *self.verify(root, &[*id])? {
            [false] => Ok(()),
            _ => Err(ProofError::Present),
        }
    }

    /// The root that the proof would hold for. **It shows nothing by itself**: whoever made the proof
    /// chose it. Compare it with one that you trust.
    ///
    /// # Errors
    /// When the proof is not about exactly these ids, which are in strictly ascending order.
    pub fn claimed_root(&self, ids: &[EntryId]) -> Result<Root, ProofError> {
        self.walk(ids).map(|(root, _)| root)
    }

    /// Hashes the tree from left to right. The forks around the current subtree wait on a stack: their
    /// number is its depth.
    fn walk(&self, ids: &[EntryId]) -> Result<(Root, Vec<bool>), ProofError> {
        if !(1..=PROOF_IDS).contains(&ids.len()) || !ids.is_sorted_by(|a, b| a < b) {
            return Err(ProofError::Question);
        }
        let mut answers = Vec::with_capacity(ids.len());
        let mut items = self.items.iter();
        let mut open: Vec<Open<'_>> = Vec::new();
        // Those asked for in the current subtree. They share its depth in bits.
        let mut asked = ids;
        for tag in &self.tags {
            let depth = u16::try_from(open.len()).map_err(|_| ProofError::TooDeep)?;
            let mut hash = match (tag, asked) {
                (Tag::Fork | Tag::Member | Tag::Other, []) => return Err(ProofError::Unasked),
                (Tag::Fork, _) => {
                    let (zeros, ones) = split(asked, depth);
                    open.push(Open { left: None, ones });
                    asked = zeros;
                    continue;
                }
                (Tag::Hash, []) => *items.next().ok_or(ProofError::Truncated)?,
                (Tag::Hash, [id, ..]) => return Err(ProofError::Unanswered(*id)),
                (Tag::Empty, _) => {
                    answers.extend(asked.iter().map(|_| false));
                    hash::EMPTY
                }
                (Tag::Member, [id]) => {
                    answers.push(true);
                    hash::leaf(id)
                }
                (Tag::Member, several) => return Err(ProofError::Ambiguous(several.len())),
                (Tag::Other, [first, rest @ ..]) => {
                    let leaf = EntryId::from_bytes(*items.next().ok_or(ProofError::Truncated)?);
                    if rest.is_empty() && *first == leaf {
                        return Err(ProofError::LeafSpelledOut(leaf));
                    }
                    if common_bits(first, &leaf) < depth {
                        return Err(ProofError::Misplaced(leaf));
                    }
                    answers.extend(asked.iter().map(|id| *id == leaf));
                    hash::leaf(&leaf)
                }
            };
            // A subtree is done: on to the right half of the nearest fork that waits for its left one.
            loop {
                match open.pop() {
                    None => {
                        let root = Root { count: self.count, hash: hash::root(self.count, &hash) };
                        return Ok((root, answers));
                    }
                    Some(Open { left: None, ones }) => {
                        open.push(Open { left: Some(hash), ones: &[] });
                        asked = ones;
                        break;
                    }
                    Some(Open { left: Some(left), .. }) => hash = hash::node(&left, &hash),
                }
            }
        }
        Err(ProofError::Truncated)
    }
}
