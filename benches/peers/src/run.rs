//! The steps that are measured, the same for everybody and on every target.

use std::hint::black_box;

use sha2::{Digest, Sha256};

/// The id of that number: as good as random, and the same everywhere.
fn id(number: u32) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

/// Something that has a root over ids.
pub trait Tree: Sized {
    /// An id as the tree takes it.
    type Id: Clone;

    /// The tree's own form of an id.
    fn id(bytes: [u8; 32]) -> Self::Id;

    /// A tree of these ids, with its root.
    fn build(ids: Vec<Self::Id>) -> Self;

    /// Adds ids and brings the root up to date.
    fn insert(&mut self, ids: Vec<Self::Id>);

    /// The root, which is up to date.
    fn root(&self) -> Vec<u8>;
}

/// A tree that proves what is in it, in bytes.
pub trait Prove: Tree {
    /// A proof that the id is in, which was the `at`-th of those that the tree was built of.
    fn prove(&self, at: usize, id: &Self::Id) -> Vec<u8>;

    /// Whether the proof holds against the root.
    fn check(&self, proof: &[u8], at: usize, id: &Self::Id) -> bool;
}

/// A tree, and what the next step works on.
pub struct Run<T: Tree> {
    tree: Option<T>,
    batches: Vec<Vec<T::Id>>,
    asked: Vec<(usize, T::Id)>,
    proofs: Vec<Vec<u8>>,
}

impl<T: Tree> Default for Run<T> {
    fn default() -> Self {
        Self { tree: None, batches: Vec::new(), asked: Vec::new(), proofs: Vec::new() }
    }
}

impl<T: Tree> Run<T> {
    /// Makes the ids of the numbers from `first` on, cut into batches: for `build` or `insert`.
    pub fn prepare(&mut self, first: u32, count: u32, batch: u32) {
        let batch_from = |from| (from..from + batch).map(|number| T::id(id(number))).collect();
        self.batches = (first..first + count).step_by(batch as usize).map(batch_from).collect();
    }

    /// Builds the tree of the first batch. The one before is dropped by `forget`.
    pub fn build(&mut self) {
        let ids = self.batches.pop().expect("a batch is prepared");
        self.tree = Some(T::build(ids));
    }

    /// Inserts the batches, and has the root after each.
    pub fn insert(&mut self) {
        let tree = self.tree.as_mut().expect("a tree is built");
        for batch in self.batches.drain(..) {
            tree.insert(batch);
        }
    }

    /// Drops the tree.
    pub fn forget(&mut self) {
        self.tree = None;
    }

    /// The root of the tree.
    pub fn root(&self) -> Vec<u8> {
        self.tree.as_ref().map(T::root).unwrap_or_default()
    }
}

impl<T: Prove> Run<T> {
    /// Chooses `count` ids among the first `of`, for `prove` and `check`.
    pub fn ask(&mut self, count: u32, of: u32) {
        // A prime far from any power of two: they lie all over.
        let number = |i: u32| (u64::from(i) * 611_953 % u64::from(of)) as u32;
        self.asked = (0..count).map(number).map(|number| (number as usize, T::id(id(number)))).collect();
        self.proofs = Vec::with_capacity(self.asked.len());
    }

    /// Proves each of those to be in.
    pub fn prove(&mut self) {
        let tree = self.tree.as_ref().expect("a tree is built");
        self.proofs.extend(self.asked.iter().map(|(at, id)| tree.prove(*at, id)));
    }

    /// Checks each of the proofs against the root; how many hold.
    pub fn check(&self) -> usize {
        let tree = self.tree.as_ref().expect("a tree is built");
        let proofs = self.proofs.iter().zip(&self.asked);
        proofs.filter(|(proof, (at, id))| tree.check(black_box(proof), *at, id)).count()
    }

    /// Bytes of all the proofs.
    pub fn proof_bytes(&self) -> usize {
        self.proofs.iter().map(Vec::len).sum()
    }
}
