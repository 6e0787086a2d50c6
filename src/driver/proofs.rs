//! Proofs about a journal: made in a turn of the command loop, completed with the record from the store.

use crate::driver::error::NodeError;
use crate::driver::facts::load_entry;
use crate::error::StoreError;
use crate::ids::{EntryId, JournalId};
use crate::journal::evidence::Evidence;
use crate::merkle::proof::Proof;
use crate::merkle::subtree::Root;
use crate::platform::traits::Store;

/// A proof about several entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The root that it holds for: that of the journal at the moment when it was made.
    pub root: Root,
    /// For each of the ids asked for, whether its entry is in.
    pub proof: Proof,
}

/// Adds the record to a proof about one entry, if it has a number here and so is in.
pub(crate) async fn load_evidence<S: Store>(
    store: S,
    journal: JournalId,
    id: EntryId,
    number: Option<u64>,
    proof: Proof,
) -> Result<Evidence, NodeError> {
    let record = match number {
        None => None,
        Some(number) => {
            let entry = load_entry(store, journal, number).await?;
            let missing = || StoreError::Damaged(format!("entry {number} is gone"));
            Some(entry.ok_or_else(missing)?.record().to_vec())
        }
    };
    Ok(Evidence::new(journal, id, record, proof))
}
