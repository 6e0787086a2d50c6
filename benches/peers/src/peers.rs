//! The steps of other people's trees, with as little work of our own as there can be.

use merkle_search_tree::MerkleSearchTree;
use rs_merkle::algorithms::Sha256;
use rs_merkle::{MerkleProof, MerkleTree};

use crate::run::{Prove, Tree};

/// A tree over a list, which grows at its end. The ids go in as they are: no hash for each leaf.
impl Tree for MerkleTree<Sha256> {
    type Id = [u8; 32];

    fn id(bytes: [u8; 32]) -> [u8; 32] {
        bytes
    }

    fn build(ids: Vec<[u8; 32]>) -> Self {
        Self::from_leaves(&ids)
    }

    fn insert(&mut self, mut ids: Vec<[u8; 32]>) {
        self.append(&mut ids).commit();
    }

    fn root(&self) -> Vec<u8> {
        MerkleTree::root(self).map(Vec::from).unwrap_or_default()
    }
}

impl Prove for MerkleTree<Sha256> {
    fn prove(&self, at: usize, _: &[u8; 32]) -> Vec<u8> {
        self.proof(&[at]).to_bytes()
    }

    fn check(&self, proof: &[u8], at: usize, id: &[u8; 32]) -> bool {
        let root = MerkleTree::root(self).expect("it is not empty");
        let proof = MerkleProof::<Sha256>::from_bytes(proof);
        proof.is_ok_and(|proof| proof.verify(root, &[at], &[*id], self.leaves_len()))
    }
}

/// Keys are ids, and each has a number for its value. Hashes by SipHash, 16 bytes each.
pub type SearchTree = MerkleSearchTree<[u8; 32], u64>;

impl Tree for SearchTree {
    type Id = [u8; 32];

    fn id(bytes: [u8; 32]) -> [u8; 32] {
        bytes
    }

    fn build(ids: Vec<[u8; 32]>) -> Self {
        let mut tree = Self::default();
        tree.insert(ids);
        tree
    }

    fn insert(&mut self, ids: Vec<[u8; 32]>) {
        for (id, number) in ids.into_iter().zip(0..) {
            self.upsert(id, &number);
        }
        self.root_hash();
    }

    fn root(&self) -> Vec<u8> {
        self.root_hash_cached().map(|root| root.as_ref().to_vec()).unwrap_or_default()
    }
}
