//! A store behind a pointer: what is generic over stores is then compiled once for all kinds.

use core::fmt;
use std::sync::Arc;

use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, JournalId, StoreId};
use crate::platform::send::{BoxFuture, MaybeSend, MaybeSync};
use crate::platform::traits::{AppendOutcome, Durability, Store, StoredRecord};

/// Records with their numbers, or why there are none.
type Records = Result<Vec<(u64, StoredRecord)>, StoreError>;
/// What became of setting a note: see [`Store::set_note`].
type NoteSet = Result<Result<(), Option<Vec<u8>>>, StoreError>;
/// Notes with their keys, or why there are none.
type Notes = Result<Vec<(String, Vec<u8>)>, StoreError>;

/// [`Store`] as an object. Every store is one.
trait DynStore: MaybeSend + MaybeSync {
    fn id(&self) -> StoreId;
    fn head(&self, journal: JournalId) -> BoxFuture<'_, Result<Cursor, StoreError>>;
    fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> BoxFuture<'_, Result<AppendOutcome, StoreError>>;
    fn read(&self, journal: JournalId, from: u64, max_bytes: usize) -> BoxFuture<'_, Records>;
    fn fetch(&self, journal: JournalId, numbers: Vec<u64>) -> BoxFuture<'_, Records>;
    fn ids(
        &self,
        journal: JournalId,
        from: u64,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<EntryId>, StoreError>>;
    fn changed(&self, journal: JournalId, after: u64) -> BoxFuture<'_, Result<Cursor, StoreError>>;
    fn note<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;
    fn set_note<'a>(
        &'a self,
        key: &'a str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> BoxFuture<'a, NoteSet>;
    fn notes<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Notes>;
}

impl<S: Store> DynStore for S {
    fn id(&self) -> StoreId {
        Store::id(self)
    }

    fn head(&self, journal: JournalId) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        Box::pin(Store::head(self, journal))
    }

    fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> BoxFuture<'_, Result<AppendOutcome, StoreError>> {
        Box::pin(Store::append(self, journal, at, entries, durability))
    }

    fn read(&self, journal: JournalId, from: u64, max_bytes: usize) -> BoxFuture<'_, Records> {
        Box::pin(Store::read(self, journal, from, max_bytes))
    }

    fn fetch(&self, journal: JournalId, numbers: Vec<u64>) -> BoxFuture<'_, Records> {
        Box::pin(Store::fetch(self, journal, numbers))
    }

    fn ids(
        &self,
        journal: JournalId,
        from: u64,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<EntryId>, StoreError>> {
        Box::pin(Store::ids(self, journal, from, max))
    }

    fn changed(&self, journal: JournalId, after: u64) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        Box::pin(Store::changed(self, journal, after))
    }

    fn note<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(Store::note(self, key))
    }

    fn set_note<'a>(
        &'a self,
        key: &'a str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> BoxFuture<'a, NoteSet> {
        Box::pin(Store::set_note(self, key, expected, value))
    }

    fn notes<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Notes> {
        Box::pin(Store::notes(self, prefix))
    }
}

/// Any store.
#[derive(Clone)]
pub struct BoxedStore(Arc<dyn DynStore>);

impl BoxedStore {
    /// This store, whatever its kind.
    pub fn new(store: impl Store) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for BoxedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedStore").finish_non_exhaustive()
    }
}

impl Store for BoxedStore {
    fn id(&self) -> StoreId {
        self.0.id()
    }

    fn head(&self, journal: JournalId) -> impl Future<Output = Result<Cursor, StoreError>> + MaybeSend {
        self.0.head(journal)
    }

    fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> impl Future<Output = Result<AppendOutcome, StoreError>> + MaybeSend {
        self.0.append(journal, at, entries, durability)
    }

    fn read(
        &self,
        journal: JournalId,
        from: u64,
        max_bytes: usize,
    ) -> impl Future<Output = Records> + MaybeSend {
        self.0.read(journal, from, max_bytes)
    }

    fn fetch(&self, journal: JournalId, numbers: Vec<u64>) -> impl Future<Output = Records> + MaybeSend {
        self.0.fetch(journal, numbers)
    }

    fn ids(
        &self,
        journal: JournalId,
        from: u64,
        max: usize,
    ) -> impl Future<Output = Result<Vec<EntryId>, StoreError>> + MaybeSend {
        self.0.ids(journal, from, max)
    }

    fn changed(
        &self,
        journal: JournalId,
        after: u64,
    ) -> impl Future<Output = Result<Cursor, StoreError>> + MaybeSend {
        self.0.changed(journal, after)
    }

    async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.note(key).await
    }

    async fn set_note(&self, key: &str, expected: Option<Vec<u8>>, value: Option<Vec<u8>>) -> NoteSet {
        self.0.set_note(key, expected, value).await
    }

    async fn notes(&self, prefix: &str) -> Notes {
        self.0.notes(prefix).await
    }
}
