//! What the handles of a store and its writer share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard};

use futures::channel::oneshot;
use redb::{Database, ReadTransaction, StorageBackend, WriteTransaction};

use super::backend::SharedBackend;
use super::damaged::leave;
use super::file::{self, Journal, LONG_FILE, Opened, guarded, store_error};
use super::lock::LockFile;
use crate::error::StoreError;
use crate::ids::{Cursor, JournalId, StoreId};
use crate::platform::waiters::Waiters;

/// An open store.
pub(super) struct Inner {
    place: Place,
    id: StoreId,
    index: Mutex<Index>,
    /// Nothing once closed. Whoever reads holds it until done, so that it is never closed under them.
    database: RwLock<Option<Database>>,
    /// It is damaged, and only read.
    damaged: bool,
    /// Let go of after the database.
    lock: Mutex<Option<LockFile>>,
    commits: AtomicU64,
}

/// Where a store is.
pub(super) struct Place {
    /// For errors.
    pub(super) path: PathBuf,
    pub(super) backend: SharedBackend,
    /// Take the file for a long one, whatever its length.
    pub(super) long: bool,
}

impl Place {
    /// Whether the file is too long to be walked.
    pub(super) fn is_long(&self) -> Result<bool, StoreError> {
        let len = self.backend.len().map_err(redb::StorageError::from).map_err(store_error)?;
        Ok(self.long || len > LONG_FILE)
    }
}

/// What is kept in memory of each journal.
struct Index {
    journals: BTreeMap<JournalId, Journal>,
    waiters: Waiters,
}

impl Inner {
    pub(super) fn new(place: Place, opened: Opened, lock: Option<LockFile>) -> Self {
        Self {
            place,
            id: opened.store,
            index: Mutex::new(Index { journals: opened.journals, waiters: Waiters::default() }),
            database: RwLock::new(Some(opened.database)),
            damaged: opened.damaged,
            lock: Mutex::new(lock),
            commits: AtomicU64::new(0),
        }
    }

    /// Runs `work` on the index, which no panic leaves half changed.
    fn with_index<T>(&self, work: impl FnOnce(&mut Index) -> T) -> T {
        work(&mut self.index.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn store(&self) -> StoreId {
        self.id
    }

    pub(super) fn cursor(&self, number: u64) -> Cursor {
        Cursor { store: self.id, number }
    }

    /// The journal, if it has entries.
    pub(super) fn journal(&self, id: JournalId) -> Option<Journal> {
        self.with_index(|index| index.journals.get(&id).copied())
    }

    /// All journals that have entries, with the number of each one's last.
    pub(super) fn journals(&self) -> Vec<(JournalId, u64)> {
        self.with_index(|index| index.journals.iter().map(|(id, journal)| (*id, journal.head)).collect())
    }

    pub(super) fn head(&self, id: JournalId) -> Cursor {
        self.cursor(self.journal(id).map_or(0, |journal| journal.head))
    }

    /// The greatest number that stands for a journal in the keys, 0 if there is none.
    pub(super) fn last_journal_no(&self) -> u32 {
        self.with_index(|index| index.journals.values().map(|journal| journal.no).max().unwrap_or_default())
    }

    /// The head if it is beyond `after`, else where it will arrive when it is.
    pub(super) fn watch(&self, id: JournalId, after: u64) -> Result<Cursor, oneshot::Receiver<u64>> {
        self.with_index(|index| {
            let head = index.journals.get(&id).map_or(0, |journal| journal.head);
            if head > after { Ok(self.cursor(head)) } else { Err(index.waiters.wait(id, after)) }
        })
    }

    /// Makes the heads of committed journals known.
    pub(super) fn publish(&self, journals: BTreeMap<JournalId, Journal>) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let told: Vec<_> = self.with_index(|index| {
            let tell = journals.into_iter().flat_map(|(id, journal)| {
                index.journals.insert(id, journal);
                index.waiters.moved(id, journal.head).into_iter().map(move |waiter| (waiter, journal.head))
            });
            tell.collect()
        });
        for (waiter, head) in told {
            // One that has given up meanwhile need not be told.
            let _ = waiter.send(head);
        }
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Reads in one snapshot. Blocks while the disk does.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        guarded(|| {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref().ok_or_else(closed)?;
            work(&file::read_transaction(database)?)
        })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().ok_or_else(closed)?.begin_write().map_err(store_error)
    }

    /// After a failed write: lets reading go on from what the file durably has. redb itself refuses
    /// both from then on.
    pub(super) fn show_last_durable(&self) {
        let mut database = self.lock_database();
        // Closed first, so that what the view rests on stays as it is.
        drop(database.take());
        match guarded(|| file::open_view(&self.place)) {
            Ok(view) => {
                self.with_index(|index| {
                    // Not more than was acknowledged, and of that not what was relaxed and is lost.
                    index.journals.retain(|id, journal| match view.journals.get(id) {
                        Some(durable) => {
                            journal.head = journal.head.min(durable.head);
                            true
                        }
                        None => false,
                    });
                });
                *database = Some(view.database);
            }
            Err(error) => {
                tracing::error!(%error, store = %self.place.path.display(), "the store can't be read any more either");
            }
        }
    }

    /// Closes the file once those who read are done, and lets go of the lock.
    pub(super) fn close(&self) {
        let mut database = self.lock_database().take();
        if self.damaged {
            database.take().into_iter().for_each(|database| leave(database, &self.place.backend));
        }
        let result = guarded(|| database.map_or(Ok(()), |database| database.close().map_err(store_error)));
        if let Err(error) = result {
            // All that was acknowledged is durable already: the next open repairs the rest.
            tracing::warn!(%error, store = %self.place.path.display(), "the store was not closed in good order");
        }
        self.with_index(|index| index.waiters.close());
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn lock_database(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of one who comes after the end.
pub(super) fn closed() -> StoreError {
    StoreError::Failed("the store is closed".into())
}
