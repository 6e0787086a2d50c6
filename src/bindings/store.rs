//! Any store under one type, so that the driver is compiled once.

use crate::bindings::custom::JsStore;
use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, JournalId};
use crate::platform::memory::MemoryStore;
use crate::platform::traits::{AppendOutcome, Durability, Store, StoredRecord};
use crate::platform::web::IndexedDbStore;

/// Where a node's journal is kept.
#[derive(Clone, Debug)]
pub(super) enum PageStore {
    /// In memory, as long as the node lives.
    Memory(MemoryStore),
    /// In IndexedDB.
    IndexedDb(IndexedDbStore),
    /// By the application.
    Custom(JsStore),
}

impl Store for PageStore {
    async fn head(&self, journal: JournalId) -> Result<Cursor, StoreError> {
        match self {
            Self::Memory(store) => store.head(journal).await,
            Self::IndexedDb(store) => store.head(journal).await,
            Self::Custom(store) => store.head(journal).await,
        }
    }

    async fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> Result<AppendOutcome, StoreError> {
        match self {
            Self::Memory(store) => store.append(journal, at, entries, durability).await,
            Self::IndexedDb(store) => store.append(journal, at, entries, durability).await,
            Self::Custom(store) => store.append(journal, at, entries, durability).await,
        }
    }

    async fn read(
        &self,
        journal: JournalId,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        match self {
            Self::Memory(store) => store.read(journal, from, max_bytes).await,
            Self::IndexedDb(store) => store.read(journal, from, max_bytes).await,
            Self::Custom(store) => store.read(journal, from, max_bytes).await,
        }
    }

    async fn fetch(
        &self,
        journal: JournalId,
        numbers: Vec<u64>,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        match self {
            Self::Memory(store) => store.fetch(journal, numbers).await,
            Self::IndexedDb(store) => store.fetch(journal, numbers).await,
            Self::Custom(store) => store.fetch(journal, numbers).await,
        }
    }

    async fn ids(&self, journal: JournalId, from: u64, max: usize) -> Result<Vec<EntryId>, StoreError> {
        match self {
            Self::Memory(store) => store.ids(journal, from, max).await,
            Self::IndexedDb(store) => store.ids(journal, from, max).await,
            Self::Custom(store) => store.ids(journal, from, max).await,
        }
    }

    async fn changed(&self, journal: JournalId, after: u64) -> Result<Cursor, StoreError> {
        match self {
            Self::Memory(store) => store.changed(journal, after).await,
            Self::IndexedDb(store) => store.changed(journal, after).await,
            Self::Custom(store) => store.changed(journal, after).await,
        }
    }

    async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Memory(store) => store.note(key).await,
            Self::IndexedDb(store) => store.note(key).await,
            Self::Custom(store) => store.note(key).await,
        }
    }

    async fn set_note(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<Result<(), Option<Vec<u8>>>, StoreError> {
        match self {
            Self::Memory(store) => store.set_note(key, expected, value).await,
            Self::IndexedDb(store) => store.set_note(key, expected, value).await,
            Self::Custom(store) => store.set_note(key, expected, value).await,
        }
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        match self {
            Self::Memory(store) => store.notes(prefix).await,
            Self::IndexedDb(store) => store.notes(prefix).await,
            Self::Custom(store) => store.notes(prefix).await,
        }
    }
}
