//! How the Merkle map takes in ids: it puts them where they belong, then hashes what that changed.
//!
//! A bulk build is an insert into the empty map.

use core::ops::Range;

use super::batch::merged;
use super::hash::{self, NodeMessage};
use super::item::{Item, Member};
use super::levels::Levels;
use super::map::{BUCKET, Below, MerkleMap, Slot, TOP};
use super::plan::Plan;
use super::prefix::bit;
use super::subtree::Node;

/// So many buckets are hashed at a time: enough for the nodes of each height to be many, few enough
/// for all of it to stay near the processor.
const TOGETHER: usize = 32;

/// What an insert works with. The map keeps it: to allocate it each time would take a fifth of the time
/// of a small insert.
#[derive(Default)]
pub(super) struct Growth {
    /// Subtrees to go to: their slots, their depths, what belongs there.
    visits: Vec<(usize, u16, Range<usize>)>,
    /// Buckets that have changed: their slots and depths.
    buckets: Vec<(usize, u16)>,
    /// Forks, each with its left half, by depth.
    forks: Levels<[usize; 2]>,
    plan: Plan,
}

/// Nothing in it outlives an insert.
impl Clone for Growth {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Growth {
    /// Takes in members of which nothing is in yet, in order, each id once, and behind those taken in before. To
    /// be hashed when all are in.
    pub(super) fn take_in<T: Member>(&mut self, map: &mut MerkleMap, members: &[T]) {
        if !members.is_empty() {
            self.visits.push((TOP, 0, 0..members.len()));
        }
        while let Some((at, depth, range)) = self.visits.pop() {
            let Some(slot) = map.slots.get_mut(at) else { continue };
            let new = members.get(range.clone()).unwrap_or_default();
            let (left, is_new) = match &mut slot.below {
                Below::Bucket(bucket) if bucket.len() + new.len() <= BUCKET => {
                    if !new.is_empty() {
                        *bucket = merged(bucket, new);
                    }
                    self.buckets.push((at, depth));
                    if self.buckets.len() == TOGETHER {
                        self.hash_buckets(map);
                    }
                    continue;
                }
                Below::Bucket(bucket) => {
                    let bucket = core::mem::take(bucket);
                    (fork(map, at, depth, &bucket), true)
                }
                Below::Fork(left) => (*left, false),
            };
            // Those of members before may have gone the same way.
            if self.forks.last(depth.into()) != Some([at, left]) {
                self.forks.push(depth.into(), [at, left]);
            }
            let middle = range.start + new.partition_point(|member| !bit(member.id(), depth));
            for (at, range) in [(left + 1, middle..range.end), (left, range.start..middle)] {
                // New halves have not been hashed yet, whether they get any of these or not.
                if is_new || !range.is_empty() {
                    self.visits.push((at, depth + 1, range));
                }
            }
        }
    }

    /// Hashes what has changed, each node once.
    pub(super) fn hash(&mut self, map: &mut MerkleMap) {
        self.hash_buckets(map);
        self.hash_forks(map);
    }

    /// What it keeps allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.visits.capacity() * size_of::<(usize, u16, Range<usize>)>()
            + self.buckets.capacity() * size_of::<(usize, u16)>()
            + self.forks.bytes()
            + self.plan.bytes()
    }

    fn hash_buckets(&mut self, map: &mut MerkleMap) {
        for (at, depth) in &self.buckets {
            self.plan.add(map.bucket(*at).iter().map(|item| item.id), *depth);
        }
        let mut buckets = self.buckets.drain(..);
        self.plan.finish(|node| {
            let slot = buckets.next().and_then(|(at, _)| map.slots.get_mut(at));
            if let Some(slot) = slot {
                slot.node = node;
            }
        });
    }

    /// Hashes the forks, from the deepest to the top.
    fn hash_forks(&mut self, map: &mut MerkleMap) {
        let mut messages = [NodeMessage::new(); hash::TOGETHER];
        let mut joined = [(0, 0); hash::TOGETHER];
        for depth in (0..self.forks.count()).rev() {
            let mut forks = self.forks.on(depth);
            loop {
                let mut few = 0;
                for ((message, joined), (_, [at, left])) in
                    messages.iter_mut().zip(&mut joined).zip(&mut forks)
                {
                    let (left, right) = (map.at(left), map.at(left + 1));
                    message.set(&left.hash, &right.hash);
                    *joined = (at, left.count.saturating_add(right.count));
                    few += 1;
                }
                let states = NodeMessage::hash_all(messages.get(..few).unwrap_or_default());
                for (state, (at, count)) in states.into_iter().zip(joined).take(few) {
                    if let Some(slot) = map.slots.get_mut(at) {
                        slot.node = Node { count, hash: hash::hash(state) };
                    }
                }
                if few < hash::TOGETHER {
                    break;
                }
            }
        }
        self.forks.clear();
    }
}

/// Makes slot `at` a fork with the ids of its bucket divided among two new buckets, which are not
/// hashed yet. Says where the first is.
fn fork(map: &mut MerkleMap, at: usize, depth: u16, bucket: &[Item]) -> usize {
    let left = map.slots.len();
    if map.slots.capacity() < left + 2 {
        // By an eighth: to double would leave up to 12 B an id unused.
        map.slots.reserve_exact(2 + left / 8);
    }
    let (zeros, ones) = bucket.split_at(bucket.partition_point(|item| !bit(&item.id, depth)));
    let new = |items: &[Item]| Slot { node: Node::EMPTY, below: Below::Bucket(items.into()) };
    map.slots.extend([zeros, ones].map(new));
    if let Some(slot) = map.slots.get_mut(at) {
        slot.below = Below::Fork(left);
    }
    left
}
