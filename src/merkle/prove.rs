//! Making proofs from the map.

use crate::error::{Code, Fault};
use crate::ids::EntryId;
use crate::limits::PROOF_IDS;
use crate::merkle::map::MerkleMap;
use crate::merkle::prefix::{Prefix, sort, split};
use crate::merkle::proof::{Proof, Tag};

/// Why there is no such proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// No ids were asked for.
    #[error("a proof is about at least one id")]
    NoIds,
    /// More ids were asked for than one proof is about.
    #[error("a proof is about at most {PROOF_IDS} ids, not {0}")]
    TooManyIds(usize),
    /// It was to show that the id is in, and it is not.
    #[error("{0} is not in")]
    NotIn(EntryId),
    /// It was to show that the id is not in, and it is.
    #[error("{0} is in")]
    IsIn(EntryId),
}

impl ProveError {
    /// The stable code.
    pub fn code(&self) -> Code {
        Code::new(match self {
            Self::NoIds | Self::TooManyIds(_) => "INVALID_QUESTION",
            Self::NotIn(_) => "NOT_IN",
            Self::IsIn(_) => "IS_IN",
        })
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::Caller
    }
}

impl MerkleMap {
    /// A proof about these ids, which may come in any order and more than once, each in the map or not.
    ///
    /// One id takes about 32 × log2(n) bytes; what the ways to several have in common is there once.
    ///
    /// # Errors
    /// When there are none, or over 10,000 different ones.
    pub fn prove(&self, ids: &[EntryId]) -> Result<Proof, ProveError> {
        let mut asked = ids.to_vec();
        sort(&mut asked);
        asked.dedup();
        match asked.len() {
            0 => return Err(ProveError::NoIds),
            1..=PROOF_IDS => {}
            many => return Err(ProveError::TooManyIds(many)),
        }
        let mut proof = Proof { count: self.root().count, tags: Vec::new(), items: Vec::new() };
        let mut steps = vec![(Prefix::ALL, asked.as_slice())];
        while let Some((prefix, asked)) = steps.pop() {
            if asked.is_empty() {
                let node = self.node(&prefix, &[]);
                if node.count == 0 {
                    proof.tags.push(Tag::Empty);
                } else {
                    proof.tags.push(Tag::Hash);
                    proof.items.push(node.hash);
                }
                continue;
            }
            match (self.ids_under(&prefix, &[], 2).as_slice(), asked) {
                ([], _) => proof.tags.push(Tag::Empty),
                ([leaf], [id]) if leaf == id => proof.tags.push(Tag::Member),
                ([leaf], _) => {
                    proof.tags.push(Tag::Other);
                    proof.items.push(*leaf.as_bytes());
                }
                ([..], _) => {
                    proof.tags.push(Tag::Fork);
                    // Two ids differ in one of 256 bits, so there are halves.
                    if let Some([zeros, ones]) = prefix.halves() {
                        let (asked_zeros, asked_ones) = split(asked, prefix.bits());
                        steps.extend([(ones, asked_ones), (zeros, asked_zeros)]);
                    }
                }
            }
        }
        Ok(proof)
    }

    /// A proof that the id is in.
    ///
    /// # Errors
    /// When it is not.
    pub fn prove_inclusion(&self, id: &EntryId) -> Result<Proof, ProveError> {
        match self.contains(id) {
            true => self.prove(&[*id]),
            false => Err(ProveError::NotIn(*id)),
        }
    }

    /// A proof that the id is not in.
    ///
    /// # Errors
    /// When it is.
    pub fn prove_exclusion(&self, id: &EntryId) -> Result<Proof, ProveError> {
        match self.contains(id) {
            true => Err(ProveError::IsIn(*id)),
            false => self.prove(&[*id]),
        }
    }
}
