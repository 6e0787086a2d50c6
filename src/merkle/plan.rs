//! Hashes lists of ids as subtrees, many nodes at a time.
//!
//! First it is found out which nodes there are, then they are hashed by their height above the leaves:
//! those of one height do not wait for each other, so that a processor can work on several at once.

use super::hash::{EMPTY, LeafMessage, NodeMessage, TOGETHER, hash};
use super::levels::Levels;
use super::prefix::{ID_BITS, bit, common_bits};
use super::subtree::Node;
use crate::crypto::hash::Hash;
use crate::ids::EntryId;

/// Subtrees to be hashed.
#[derive(Default)]
pub(super) struct Plan {
    ids: Vec<EntryId>,
    subtrees: Vec<Subtree>,
    /// The nodes, each as the places of its two halves among the hashes, by height less 1.
    nodes: Levels<[usize; 2]>,
    /// Left halves with the depth at which their right halves part from them, ascending by that.
    open: Vec<(Part, u16)>,
    /// Of the empty subtree, of all ids, of all nodes.
    hashes: Vec<Hash>,
}

struct Subtree {
    /// Where its ids end.
    end: usize,
    /// At which depth it begins.
    depth: u16,
    /// All of it, once it is planned.
    top: Part,
}

/// A part of a subtree: the place of its hash, and its height above the leaves.
#[derive(Clone, Copy)]
struct Part {
    at: usize,
    height: usize,
}

impl Part {
    const EMPTY: Self = Self { at: 0, height: 0 };

    /// The leaf of the id at this place.
    fn leaf(at: usize) -> Self {
        Self { at: at + 1, height: 0 }
    }
}

impl Plan {
    /// Adds the subtree that begins at `depth` and has these ids, which are strictly ascending and
    /// share their first `depth` bits.
    pub(super) fn add(&mut self, ids: impl Iterator<Item = EntryId>, depth: u16) {
        self.ids.extend(ids);
        self.subtrees.push(Subtree { end: self.ids.len(), depth, top: Part::EMPTY });
    }

    /// Hashes all, tells what the subtrees come to in the order in which they were added, and begins
    /// anew.
    pub(super) fn finish(&mut self, mut told: impl FnMut(Node)) {
        self.hash_leaves();
        let mut subtrees = core::mem::take(&mut self.subtrees);
        let mut start = 0;
        for subtree in &mut subtrees {
            subtree.top = self.plan(start, subtree.end, subtree.depth);
            start = subtree.end;
        }
        self.hash_nodes();
        start = 0;
        for Subtree { end, top, .. } in subtrees.drain(..) {
            told(Node { count: (end - start) as u64, hash: self.hash(top.at) });
            start = end;
        }
        self.subtrees = subtrees;
        self.ids.clear();
        self.nodes.clear();
        self.hashes.clear();
    }

    /// What it keeps allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.ids.capacity() * size_of::<EntryId>()
            + self.subtrees.capacity() * size_of::<Subtree>()
            + self.nodes.bytes()
            + self.open.capacity() * size_of::<(Part, u16)>()
            + self.hashes.capacity() * size_of::<Hash>()
    }

    /// Finds out which nodes the subtree with these ids has.
    ///
    /// From the least id to the greatest; the halves to the left of the current one wait on a stack.
    /// That takes at most 256 hashes an id, and no recursion, however many bits the ids share.
    fn plan(&mut self, start: usize, end: usize, depth: u16) -> Part {
        for at in start..end {
            let Some(id) = self.ids.get(at).copied() else { break };
            let parting = self.ids.get(at + 1).filter(|_| at + 1 < end).map(|next| common_bits(&id, next));
            // The largest subtree known so far whose last id is this one, and the depth it begins at.
            let (mut part, mut begin) = (Part::leaf(at), ID_BITS);
            while let Some((left, split)) =
                self.open.pop_if(|(_, split)| parting.is_none_or(|next| *split > next))
            {
                let right = self.lift(part, &id, begin, split + 1);
                part = self.join(left, right);
                begin = split;
            }
            match parting {
                Some(split) => {
                    let left = self.lift(part, &id, begin, split + 1);
                    self.open.push((left, split));
                }
                None => return self.lift(part, &id, begin, depth),
            }
        }
        Part::EMPTY
    }

    fn join(&mut self, left: Part, right: Part) -> Part {
        let below = left.height.max(right.height);
        let node = self.nodes.push(below, [left.at, right.at]);
        Part { at: 1 + self.ids.len() + node, height: below + 1 }
    }

    /// A part which begins at depth `from` and holds `id`, as one that begins at `to`: halves without
    /// ids are put beside it. One id is the same subtree at any depth.
    fn lift(&mut self, mut part: Part, id: &EntryId, from: u16, to: u16) -> Part {
        if part.height > 0 {
            for depth in (to..from).rev() {
                part = match bit(id, depth) {
                    false => self.join(part, Part::EMPTY),
                    true => self.join(Part::EMPTY, part),
                };
            }
        }
        part
    }

    fn hash(&self, at: usize) -> Hash {
        self.hashes.get(at).copied().unwrap_or(EMPTY)
    }

    fn hash_leaves(&mut self) {
        let mut messages = [LeafMessage::new(); TOGETHER];
        self.hashes.push(EMPTY);
        for ids in self.ids.chunks(TOGETHER) {
            for (message, id) in messages.iter_mut().zip(ids) {
                message.set(id);
            }
            self.hashes.extend(messages.iter().zip(ids).map(|(message, _)| message.hash()));
        }
    }

    fn hash_nodes(&mut self) {
        let first = self.hashes.len();
        self.hashes.resize(first + self.nodes.len(), EMPTY);
        let mut messages = [NodeMessage::new(); TOGETHER];
        let mut places = [0; TOGETHER];
        for height in 0..self.nodes.count() {
            let mut nodes = self.nodes.on(height);
            loop {
                let mut few = 0;
                for ((message, place), (at, [left, right])) in
                    messages.iter_mut().zip(&mut places).zip(&mut nodes)
                {
                    if let (Some(left), Some(right)) = (self.hashes.get(left), self.hashes.get(right)) {
                        message.set(left, right);
                    }
                    *place = first + at;
                    few += 1;
                }
                let states = NodeMessage::hash_all(messages.get(..few).unwrap_or_default());
                for (state, place) in states.into_iter().zip(places).take(few) {
                    if let Some(hashed) = self.hashes.get_mut(place) {
                        *hashed = hash(state);
                    }
                }
                if few < TOGETHER {
                    break;
                }
            }
        }
    }
}
