//! What a journal comes to in numbers, some of which take work to find out.

use crate::driver::command::{Command, JournalStatus};
use crate::driver::error::NodeError;
use crate::driver::facts::ask;
use crate::driver::node::SyncNode;
use crate::fact::bloom::BloomFilter;

/// The rate of a filter that statistics tell of.
const RATE: f64 = 0.01;

/// A journal in numbers, all of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// What is always at hand: root, entries, facts, predicates, authorities, devices, gaps, forks.
    pub status: JournalStatus,
    /// The depth of the deepest leaf of the Merkle map, 0 to 256; see [`MerkleMap::depth`](crate::MerkleMap::depth).
    pub depth: u16,
    /// Bytes of all records, as signed. What the store takes on disk is more.
    pub bytes: u64,
    /// The share of other pairs of predicate and value that a Bloom filter over all facts, made for 1 %, is
    /// expected to let pass; nothing if that filter would be larger than filters are.
    pub bloom_rate: Option<f64>,
}

/// See [`SyncNode::statistics`].
pub(crate) async fn statistics(node: &SyncNode) -> Result<Statistics, NodeError> {
    let (journal, files) = (node.journal(), node.service().files());
    let measured = ask(node.service().commands(), |reply| Command::Measure { journal, reply });
    let (status, depth) = measured.await?;
    let (mut bytes, mut next, last) = (0u64, 1, status.cursor.number);
    while next <= last {
        for record in files.records(journal, (next, last)).await? {
            bytes = bytes.saturating_add(record.bytes.len() as u64);
            next = next.saturating_add(1);
        }
    }
    let bloom_rate = BloomFilter::expected_rate(status.facts, RATE).ok();
    Ok(Statistics { status, depth, bytes, bloom_rate })
}
