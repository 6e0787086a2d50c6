//! The stores: the contract, files, locks, failing disks, crashes. Tests are named by rows of the specification.

#![cfg(all(not(target_arch = "wasm32"), feature = "native"))]

mod child;
mod contract;
mod crash;
#[cfg(feature = "smol")]
mod damaged;
mod disk;
mod failure;
mod file;
mod flipped;
mod fork;
mod group;
#[cfg(feature = "smol")]
mod kept;
#[cfg(feature = "smol")]
mod model;
#[cfg(feature = "smol")]
mod node;

use isoroot::platform::{AppendOutcome, Durability, Store, StoredRecord};
use isoroot::{EntryId, JournalId};

/// The journal number `no`.
fn journal(no: u8) -> JournalId {
    JournalId::from_bytes([no; 32])
}

/// The record that the tests put at `number` of a journal: told by journal and number alone.
fn record(journal: JournalId, number: u64) -> StoredRecord {
    let mixed =
        number.wrapping_add(u64::from(journal.as_bytes()[0]) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut id = [number as u8; 32];
    id[..8].copy_from_slice(&mixed.to_be_bytes());
    id[8..16].copy_from_slice(&number.to_be_bytes());
    let len = 20 + (mixed >> 56) as usize;
    StoredRecord { id: EntryId::from_bytes(id), bytes: mixed.to_le_bytes().repeat(len / 8 + 1)[..len].into() }
}

/// The records with these numbers.
fn records(journal: JournalId, numbers: std::ops::RangeInclusive<u64>) -> Vec<StoredRecord> {
    numbers.map(|number| record(journal, number)).collect()
}

/// Appends one record at `at`.
async fn append_one(store: &impl Store, journal: JournalId, at: u64) -> AppendOutcome {
    let entries = records(journal, at + 1..=at + 1);
    store.append(journal, at, entries, Durability::Strict).await.unwrap()
}

/// Reads a journal whole, in small pages, by all ways there are, and compares it with what the tests
/// put there. Returns its head.
async fn verified_head(store: &impl Store, journal: JournalId) -> u64 {
    let head = store.head(journal).await.unwrap().number;
    let mut next = 1;
    while next <= head {
        let page = store.read(journal, next, 4_000).await.unwrap();
        assert!(!page.is_empty(), "entry {next} of {head} is missing");
        for (number, found) in page {
            assert_eq!(number, next);
            assert_eq!(found, record(journal, number));
            next += 1;
        }
    }
    assert_eq!(next, head + 1, "more entries than the head says");
    let ids: Vec<_> = (1..=head).map(|number| record(journal, number).id).collect();
    assert_eq!(store.ids(journal, 1, usize::MAX).await.unwrap(), ids);
    assert_eq!(store.fetch(journal, vec![head + 1]).await.unwrap(), []);
    head
}
