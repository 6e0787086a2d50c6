//! A store in one file, for all journals of a process: redb under a writer that commits in groups.

mod backend;
mod batch;
mod damaged;
mod file;
mod inner;
mod lock;
mod pages;
mod reader;
mod request;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use async_channel::{Receiver, Sender};
use redb::{ReadTransaction, StorageBackend};

use self::backend::SharedBackend;
use self::file::{Journal, Opened, guarded, open_error};
use self::inner::{Inner, Place, closed};
use self::lock::LockFile;
use self::request::{Append, Asked, Request, SetNote};
use self::writer::Writer;
use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, JournalId, StoreId};
use crate::platform::traits::{AppendOutcome, Durability, Store, StoredRecord};

/// Requests that wait for the writer; a caller beyond it waits to be let in.
const WAITING: usize = 1_024;

/// A store in one file, with all journals of a process.
///
/// It belongs to one process at a time, which holds `PATH.lock`; clones are handles on one store.
/// A thread named `isoroot-store` does all the writing: appends that come while it flushes to disk
/// are gathered into one transaction. Reading runs on the pool of the `blocking` crate.
///
/// [`Durability::Strict`] resolves after the disk has flushed. [`Durability::Relaxed`] resolves when
/// this process has it, so that a kill of the process may lose it too, and is made durable within
/// 200 ms or 1 MiB.
///
/// After a failed write every later one fails until the file was opened again. Reading goes on from
/// what is durable.
///
/// Dropping the last handle finishes what waits, closes the file and blocks meanwhile; in async code
/// call [`close`](Self::close) first.
#[derive(Clone)]
pub struct RedbStore {
    handle: Arc<Handle>,
}

struct Handle {
    inner: Arc<Inner>,
    requests: Sender<Request>,
    /// Closes when the writer has ended.
    ended: Receiver<()>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl RedbStore {
    /// Opens the store at `path`; makes one if nothing is there. Blocks.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when it is open already, [`StoreError::TooNew`] when a newer version
    /// wrote it, [`StoreError::Open`] when it can't be opened or is no store,
    /// [`StoreError::Damaged`] when it contradicts itself. The file is unchanged then.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        if exists(path)? {
            return Self::open_existing(path);
        }
        let lock = LockFile::take(path)?;
        // It may have been made while we came for the lock.
        if !exists(path)? {
            file::create(path)?;
        }
        Self::open_locked(path, lock, false)
    }

    /// Opens the store at `path`, which must be there. Blocks.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`StoreError::Open`] when nothing is there.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_present(path.as_ref(), false)
    }

    /// Opens the store at `path`, which must be there, after a look at the checksum of each page also
    /// when the file is longer than 128 MiB: 1.4 s for each GB. Shorter ones are always looked at.
    /// Blocks.
    ///
    /// # Errors
    /// Those of [`open_existing`](Self::open_existing).
    pub fn open_verified(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_present(path.as_ref(), true)
    }

    /// A store in another place than a file: for tests that make disks fail. With `long` it is
    /// treated like one in a long file. Blocks.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    #[doc(hidden)]
    pub fn with_backend(backend: impl StorageBackend, long: bool) -> Result<Self, StoreError> {
        let path = Path::new("(a test's backend)");
        let backend = SharedBackend::new(backend);
        guarded(|| {
            if backend.len().map_err(|error| open_error(path, error))? == 0 {
                file::initialize(backend.clone())?;
            }
            Self::start(Place { path: path.to_owned(), backend, long }, None, false)
        })
    }

    /// Opens the store at `path` for reading what of it is sound, however much it contradicts itself; what
    /// was found wrong with it. Nothing is wrong with a sound one, which opens so too. The file is not
    /// changed. Every write fails with [`StoreError::Damaged`]. Blocks, and looks at each page.
    ///
    /// What is read is not checked: hold each record to its id, as
    /// [`SoundEntries`](crate::SoundEntries) does.
    ///
    /// # Errors
    /// Those of [`open_existing`](Self::open_existing), when nothing of it can be read.
    pub fn open_damaged(path: impl AsRef<Path>) -> Result<(Self, Vec<String>), StoreError> {
        let path = path.as_ref();
        if !exists(path)? {
            return Err(open_error(path, "no such store"));
        }
        let lock = LockFile::take(path)?;
        let place = Place { path: path.to_owned(), backend: file::backend(path)?, long: false };
        let (opened, problems) = damaged::open(&place)?;
        let refused = StoreError::Damaged("it is open for reading only".into());
        Ok((Self::over(place, opened, Some(lock), Some(refused))?, problems))
    }

    fn open_present(path: &Path, verify: bool) -> Result<Self, StoreError> {
        if !exists(path)? {
            return Err(open_error(path, "no such store"));
        }
        Self::open_locked(path, LockFile::take(path)?, verify)
    }

    fn open_locked(path: &Path, lock: LockFile, verify: bool) -> Result<Self, StoreError> {
        guarded(|| {
            let place = Place { path: path.to_owned(), backend: file::backend(path)?, long: false };
            Self::start(place, Some(lock), verify)
        })
    }

    fn start(place: Place, lock: Option<LockFile>, verify: bool) -> Result<Self, StoreError> {
        let opened = file::open(&place, verify)?;
        Self::over(place, opened, lock, None)
    }

    /// A store over an open file. It refuses all writes with `refused`, if that is given.
    fn over(
        place: Place,
        opened: Opened,
        lock: Option<LockFile>,
        refused: Option<StoreError>,
    ) -> Result<Self, StoreError> {
        let inner = Arc::new(Inner::new(place, opened, lock));
        let (requests, waiting) = async_channel::bounded(WAITING);
        let (running, ended) = async_channel::bounded(1);
        let writer = Writer::new(inner.clone(), waiting, refused);
        let writer = thread::Builder::new().name("isoroot-store".into()).spawn(move || {
            writer.run();
            drop(running);
        });
        let failed = |error| StoreError::Failed(format!("no thread to write: {error}"));
        let writer = writer.map_err(failed)?;
        Ok(Self { handle: Arc::new(Handle { inner, requests, ended, writer: Mutex::new(Some(writer)) }) })
    }

    /// The store's id, drawn when it was made.
    pub fn id(&self) -> StoreId {
        self.handle.inner.store()
    }

    /// The journals that have entries here, and how many each.
    pub fn journals(&self) -> Vec<(JournalId, u64)> {
        self.handle.inner.journals()
    }

    /// Transactions committed since it was opened, for diagnosis: fewer than appends when those came
    /// together.
    pub fn commits(&self) -> u64 {
        self.handle.inner.commits()
    }

    /// Finishes what waits, makes relaxed appends durable, closes the file and lets go of the lock.
    /// Other handles get errors from then on.
    pub async fn close(&self) {
        self.handle.requests.close();
        // An error is what a closed channel gives, and all that this one ever gives.
        let _ = self.handle.ended.recv().await;
    }

    /// Reads one journal on the pool. A journal without entries is answered at once.
    async fn read_journal<T: Send + 'static>(
        &self,
        journal: JournalId,
        work: impl FnOnce(&ReadTransaction, Journal) -> Result<Vec<T>, StoreError> + Send + 'static,
    ) -> Result<Vec<T>, StoreError> {
        // Taken before the snapshot, so that the snapshot has at least what is asked of it.
        let Some(journal) = self.handle.inner.journal(journal) else { return Ok(Vec::new()) };
        self.read_snapshot(move |transaction| work(transaction, journal)).await
    }

    async fn read_snapshot<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.handle.inner.clone();
        blocking::unblock(move || inner.read(work)).await
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        self.handle.requests.send(request).await.map_err(|_| closed())
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("path", &self.handle.inner.place().path).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.requests.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may be in a task that the writer's own answer has ended: it can't wait for
        // itself.
        if let Some(writer) = writer.filter(|writer| writer.thread().id() != thread::current().id()) {
            // It does not panic; and had it, its requests would have been answered with errors.
            let _ = writer.join();
        }
    }
}

/// Whether something is at `path` that may be a store.
fn exists(path: &Path) -> Result<bool, StoreError> {
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(true),
        Ok(_) => Err(open_error(path, "it is not a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(open_error(path, error)),
    }
}

impl Store for RedbStore {
    fn id(&self) -> StoreId {
        self.handle.inner.store()
    }

    async fn head(&self, journal: JournalId) -> Result<Cursor, StoreError> {
        Ok(self.handle.inner.head(journal))
    }

    /// Once the future was polled the append may happen, also if it is dropped.
    async fn append(
        &self,
        journal: JournalId,
        at: u64,
        entries: Vec<StoredRecord>,
        durability: Durability,
    ) -> Result<AppendOutcome, StoreError> {
        if entries.is_empty() {
            return Ok(AppendOutcome::Done(self.handle.inner.head(journal)));
        }
        let (asked, answer) = Asked::new(Append { journal, at, entries, durability });
        self.send(Request::Append(asked)).await?;
        answer.await.map_err(|_| closed())?
    }

    async fn read(
        &self,
        journal: JournalId,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        self.read_journal(journal, move |transaction, journal| {
            reader::read(transaction, journal, from, max_bytes)
        })
        .await
    }

    async fn fetch(
        &self,
        journal: JournalId,
        numbers: Vec<u64>,
    ) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
        self.read_journal(journal, move |transaction, journal| reader::fetch(transaction, journal, &numbers))
            .await
    }

    async fn ids(&self, journal: JournalId, from: u64, max: usize) -> Result<Vec<EntryId>, StoreError> {
        self.read_journal(journal, move |transaction, journal| reader::ids(transaction, journal, from, max))
            .await
    }

    async fn changed(&self, journal: JournalId, after: u64) -> Result<Cursor, StoreError> {
        match self.handle.inner.watch(journal, after) {
            Ok(head) => Ok(head),
            Err(moved) => moved.await.map(|head| self.handle.inner.cursor(head)).map_err(|_| closed()),
        }
    }

    async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_owned();
        self.read_snapshot(move |transaction| reader::note(transaction, &key)).await
    }

    async fn set_note(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<Result<(), Option<Vec<u8>>>, StoreError> {
        let (asked, answer) = Asked::new(SetNote { key: key.to_owned(), expected, value });
        self.send(Request::Note(asked)).await?;
        answer.await.map_err(|_| closed())?
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let prefix = prefix.to_owned();
        self.read_snapshot(move |transaction| reader::notes(transaction, &prefix)).await
    }
}
