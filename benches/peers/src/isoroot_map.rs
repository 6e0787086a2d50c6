//! The steps of this project's own map.

use std::hint::black_box;

use isoroot::{EntryId, MerkleMap, Proof};

use crate::run::{Prove, Tree};

impl Tree for MerkleMap {
    type Id = EntryId;

    fn id(bytes: [u8; 32]) -> EntryId {
        EntryId::from_bytes(bytes)
    }

    fn build(ids: Vec<EntryId>) -> Self {
        let map = Self::from_ids(ids);
        black_box(map.root());
        map
    }

    fn insert(&mut self, ids: Vec<EntryId>) {
        self.insert_all(ids);
        black_box(MerkleMap::root(self));
    }

    fn root(&self) -> Vec<u8> {
        MerkleMap::root(self).hash.to_vec()
    }
}

impl Prove for MerkleMap {
    fn prove(&self, _: usize, id: &EntryId) -> Vec<u8> {
        self.prove_inclusion(id).expect("it is in").to_bytes()
    }

    fn check(&self, proof: &[u8], _: usize, id: &EntryId) -> bool {
        let root = MerkleMap::root(self).hash;
        Proof::from_bytes(proof).is_ok_and(|proof| proof.verify_inclusion(&root, id).is_ok())
    }
}
