//! A store around another: each call goes to the inner one, and what wraps it is told before or after.

/// What a store that wraps another is told of.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "each test file looks at its own part of this")]
pub enum Call<'a> {
    /// Entries are about to be appended.
    Append,
    /// Entries are about to be read in order.
    Read,
    /// So many were read.
    Done(usize),
    /// This note is about to be set.
    SetNote(&'a str),
}

/// Makes a store of a type with a field `store`, the inner one; `async fn told(&self, call: Call<'_>)`, which is
/// waited for; and `fn given`, which makes of the inner one's ids what is given out.
macro_rules! wrapped_store {
    ($name:ty) => {
        impl isoroot::platform::Store for $name {
            fn id(&self) -> isoroot::StoreId {
                self.store.id()
            }

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
                self.told(Call::Append).await;
                self.store.append(journal, at, entries, durability).await
            }

            async fn read(
                &self,
                journal: JournalId,
                from: u64,
                max_bytes: usize,
            ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
                self.told(Call::Read).await;
                let page = self.store.read(journal, from, max_bytes).await?;
                self.told(Call::Done(page.len())).await;
                Ok(page)
            }

            async fn fetch(
                &self,
                journal: JournalId,
                numbers: Vec<u64>,
            ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
                self.store.fetch(journal, numbers).await
            }

            async fn ids(
                &self,
                journal: JournalId,
                from: u64,
                max: usize,
            ) -> Result<Vec<EntryId>, StoreError> {
                self.given(self.store.ids(journal, from, max).await?)
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
                self.told(Call::SetNote(key)).await;
                self.store.set_note(key, expected, value).await
            }

            async fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
                self.store.notes(prefix).await
            }
        }
    };
}

pub(crate) use wrapped_store;
