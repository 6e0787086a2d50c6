//! Making proofs from the map.

use crate::error::{Code, Fault};
use crate::ids::EntryId;
use crate::limits::PROOF_IDS;
use crate::merkle::map::MerkleMap;
use crate::merkle::prefix::{Prefix, sort, split};
use crate::merkle::proof::{Proof, Tag};
use crate::merkle::subtree::Node;

/// A subtree of so many ids is proved from its ids. The map keeps the hashes below all larger ones.
const FEW: u64 = 16;

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
        let top = self.node(&Prefix::ALL, &[]);
        let mut proof = Proof { count: top.count, tags: Vec::new(), items: Vec::new() };
        let mut steps = vec![(Prefix::ALL, top, asked.as_slice())];
        while let Some((prefix, node, asked)) = steps.pop() {
            if asked.is_empty() {
                proof.leave_out(node);
            } else if node.count > FEW {
                proof.tags.push(Tag::Fork);
                // So many ids differ in one of their bits: there are halves.
                let Some([zeros, ones]) = prefix.halves() else { continue };
                let (asked_zeros, asked_ones) = split(asked, prefix.bits());
                steps.push((ones, self.node(&ones, &[]), asked_ones));
                steps.push((zeros, self.node(&zeros, &[]), asked_zeros));
            } else {
                let ids = self.ids_under(&prefix, &[], usize::MAX);
                proof.show(&ids, prefix.bits(), asked);
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

impl Proof {
    /// Adds a subtree that nobody asked for.
    fn leave_out(&mut self, node: Node) {
        if node.count == 0 {
            self.tags.push(Tag::Empty);
        } else {
            self.tags.push(Tag::Hash);
            self.items.push(node.hash);
        }
    }

    /// Adds the subtree that begins at `depth` and has these ids, with what was asked for there.
    fn show(&mut self, ids: &[EntryId], depth: u16, asked: &[EntryId]) {
        let mut steps = vec![(ids, depth, asked)];
        while let Some((ids, depth, asked)) = steps.pop() {
            match (ids, asked) {
                (_, []) => self.leave_out(Node::of(ids, depth)),
                ([], _) => self.tags.push(Tag::Empty),
                ([leaf], [id]) if leaf == id => self.tags.push(Tag::Member),
                ([leaf], _) => {
                    self.tags.push(Tag::Other);
                    self.items.push(*leaf.as_bytes());
                }
                _ => {
                    self.tags.push(Tag::Fork);
                    let ((zeros, ones), (asked_zeros, asked_ones)) = (split(ids, depth), split(asked, depth));
                    steps.extend([(ones, depth + 1, asked_ones), (zeros, depth + 1, asked_zeros)]);
                }
            }
        }
    }
}
