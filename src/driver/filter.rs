//! A Bloom filter over the facts of a journal.

use crate::driver::error::NodeError;
use crate::driver::node::SyncNode;
use crate::error::StoreError;
use crate::fact::bloom::{BloomError, BloomFilter};
use crate::journal::query::Query;
use crate::limits::PAGE;

/// See [`SyncNode::bloom_for`]; without a number it is made for as many as there are.
pub(crate) async fn bloom(
    node: &SyncNode,
    rate: f64,
    expected: Option<u64>,
) -> Result<BloomFilter, NodeError> {
    let status = node.status().await?;
    let made = BloomFilter::new(expected.unwrap_or(status.facts), rate);
    let mut filter = made.map_err(|error| {
        if let BloomError::TooLarge { bits } = error {
            NodeError::FilterTooLarge { bits }
        } else {
            NodeError::FilterRate
        }
    })?;
    let mut after = None;
    loop {
        let page = node.page(Query::all(), after, PAGE).await?;
        for record in page.facts {
            let put = filter.insert(&record.fact.predicate, &record.fact.value);
            put.map_err(|error| StoreError::Damaged(error.to_string()))?;
        }
        // It ends also where others write faster than it reads; a page may end within an entry.
        if !page.more || page.next.number() > status.cursor.number {
            return Ok(filter);
        }
        after = Some(page.next);
    }
}
