//! A store whose appends and reads take virtual time, so that what comes meanwhile gathers.

use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{AppendOutcome, Cursor, Durability, Store, StoreError, StoredRecord};
use isoroot::sim::Simulation;
use isoroot::{EntryId, JournalId};

#[derive(Clone)]
pub struct SlowStore {
    pub store: MemoryStore,
    pub world: Simulation,
    pub append: Duration,
    pub read: Duration,
}

type Numbered = Vec<(u64, StoredRecord)>;

impl Store for SlowStore {
    async fn head(&self, journal: JournalId) -> Result<Cursor, StoreError> {
        self.store.head(journal).await
    }

    async fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> Result<AppendOutcome, StoreError> {
        self.world.sleep(self.append).await;
        self.store.append(journal, at, entries, durability).await
    }

    async fn read(&self, journal: JournalId, from: u64, max_bytes: usize) -> Result<Numbered, StoreError> {
        self.world.sleep(self.read).await;
        self.store.read(journal, from, max_bytes).await
    }

    async fn fetch(&self, journal: JournalId, numbers: Vec<u64>) -> Result<Numbered, StoreError> {
        self.store.fetch(journal, numbers).await
    }

    async fn ids(&self, journal: JournalId, from: u64, max: usize) -> Result<Vec<EntryId>, StoreError> {
        self.store.ids(journal, from, max).await
    }

    async fn changed(&self, journal: JournalId, after: u64) -> Result<Cursor, StoreError> {
        self.store.changed(journal, after).await
    }

    async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.note(key).await
    }

    async fn set_note(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<Result<(), Option<Vec<u8>>>, StoreError> {
        self.store.set_note(key, expected, value).await
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.store.notes(prefix).await
    }
}
