//! The store's file: its tables, how it is made, opened and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError,
};

use super::backend::{Overlay, SharedBackend};
use super::inner::Place;
use super::pages;
use crate::error::StoreError;
use crate::ids::{EntryId, JournalId, StoreId};
use crate::platform::native::entropy::OsEntropy;
use crate::platform::traits::Entropy;

/// The format written, and the highest that is read.
pub(super) const FORMAT: u64 = 1;
/// Bytes of a file from which on it is too long to walk whenever it is opened (1.4 s for each GB).
///
/// A shorter one is: each page's checksum is looked at, so that no damage goes unseen. In a longer
/// one only those of the small tables are, and other damage is seen where it is met: records are told
/// by their hashes. `open_verified` walks it. A crash would have redb walk it too, so its commits also save the map of free pages that
/// the walk would find: 12 kB, and 140 B for each MB of the file.
pub(super) const LONG_FILE: u64 = 128 * 1_048_576;
/// Memory that redb may use for pages, of all journals together.
const CACHE_BYTES: usize = 64 * 1_048_576;
/// Ids in one chunk: with their key they just fit a page of 8 KiB.
pub(super) const CHUNK: u64 = 255;

/// Ids and records by journal number and entry number: 32 bytes of id, then the record.
pub(super) const ENTRIES: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("entries");
/// Ids once more, packed, by journal number and chunk: chunk 0 holds those of the entries 1 to 255.
/// It is written when it is full, as a chunk that grew would be written anew by each append; so the
/// last ids of a journal stand with the entries alone.
pub(super) const IDS: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("ids");
/// Journal number and head by journal id.
pub(super) const JOURNALS: TableDefinition<'static, &[u8; JournalId::LEN], (u32, u64)> =
    TableDefinition::new("journals");
/// Notes by their keys, in UTF-8. As `&str`, redb would panic on a damaged one.
pub(super) const NOTES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("notes");
/// What the file is: its format (u64, big-endian) and the store's id.
const META: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("meta");
const META_FORMAT: &[u8] = b"format";
const META_STORE: &[u8] = b"store";

/// A journal as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Journal {
    /// The number that stands for its id in the keys.
    pub(super) no: u32,
    /// Number of its last entry.
    pub(super) head: u64,
}

/// An open file and what was read from it.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) store: StoreId,
    pub(super) journals: BTreeMap<JournalId, Journal>,
    /// What was found wrong with it was passed over.
    pub(super) damaged: bool,
}

/// The error of a path that cannot be opened.
pub(super) fn open_error(path: &Path, reason: impl ToString) -> StoreError {
    StoreError::Open { path: path.display().to_string(), reason: reason.to_string() }
}

/// What an error of redb means here.
pub(super) fn store_error(error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    let text = error.to_string();
    if let redb::Error::Io(error) = &error {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        return if full.contains(&error.kind()) { StoreError::Full(text) } else { StoreError::Failed(text) };
    }
    let damaged = matches!(
        error,
        redb::Error::Corrupted(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableDoesNotExist(_)
            | redb::Error::UnorderedKey
    );
    if damaged { StoreError::Damaged(text) } else { StoreError::Failed(text) }
}

/// Runs work on a database; a panic counts as damage.
///
/// redb checks what it reads but promises no more than that for a file that something else than
/// redb has changed, and a checksum is looked at only after a crash.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        Err(StoreError::Damaged(format!("the database gave up: {text}")))
    })
}

/// Makes a store at `path`, where nothing is.
///
/// It is made under another name and renamed when complete, so that a crash leaves no half store.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    let fresh = path.with_added_extension("new");
    let failed = |error: io::Error| open_error(path, error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    // The device's key is among the notes.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&fresh).map_err(failed)?;
    let backend = FileBackend::new(file.try_clone().map_err(failed)?).map_err(store_error)?;
    initialize(SharedBackend::new(backend))?;
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::rename(&fresh, path).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Writes the tables of a new store into an empty backend.
pub(super) fn initialize(backend: SharedBackend) -> Result<(), StoreError> {
    let mut store = [0; StoreId::LEN];
    OsEntropy.fill(&mut store).map_err(|error| StoreError::Failed(error.to_string()))?;
    let database = database(backend, false).map_err(store_error)?;
    let mut transaction = database.begin_write().map_err(store_error)?;
    transaction.set_two_phase_commit(true);
    transaction.open_table(ENTRIES).map_err(store_error)?;
    transaction.open_table(IDS).map_err(store_error)?;
    transaction.open_table(JOURNALS).map_err(store_error)?;
    transaction.open_table(NOTES).map_err(store_error)?;
    {
        let mut meta = transaction.open_table(META).map_err(store_error)?;
        meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice()).map_err(store_error)?;
        meta.insert(META_STORE, store.as_slice()).map_err(store_error)?;
    }
    transaction.commit().map_err(store_error)?;
    database.close().map_err(store_error)
}

/// Makes the name of a new file as durable as its content.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere folders can't be opened as files, and need not be.
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Opens the file of the store at `path`.
pub(super) fn backend(path: &Path) -> Result<SharedBackend, StoreError> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|error| open_error(path, error))?;
    Ok(SharedBackend::new(FileBackend::new(file).map_err(store_error)?))
}

pub(super) fn database(backend: impl StorageBackend, verify: bool) -> Result<Database, redb::DatabaseError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(verify);
    builder.create_with_backend(backend)
}

/// Opens the store and reads its journals, after a look at all pages if there are few or with
/// `verify`, else at those of the small tables.
pub(super) fn open(place: &Place, verify: bool) -> Result<Opened, StoreError> {
    let Place { path, backend, .. } = place;
    let verify = verify || !place.is_long()?;
    let failed = |error: redb::DatabaseError| open_failure(error, path);
    if backend.len().map_err(|error| open_error(path, error))? == 0 {
        return Err(open_error(path, "the file is empty, not a store"));
    }
    if !verify {
        pages::verify(backend)?;
    }
    // Looked at first through a view that writes nothing, so that a store that is damaged or of a
    // newer format stays as it is.
    let view = Overlay::new(backend.clone()).map_err(|error| open_error(path, error))?;
    let found = load(database(view, verify).map_err(failed)?, path)?;
    // After a crash redb repairs the file here, to the state that was just found.
    Ok(Opened { database: database(backend.clone(), false).map_err(failed)?, ..found })
}

/// Opens the last durable state of a store that has failed, for reading.
pub(super) fn open_view(place: &Place) -> Result<Opened, StoreError> {
    let Place { path, backend, .. } = place;
    let view = Overlay::new(backend.clone()).map_err(|error| open_error(path, error))?;
    load(database(view, false).map_err(|error| open_failure(error, path))?, path)
}

pub(super) fn open_failure(error: redb::DatabaseError, path: &Path) -> StoreError {
    if matches!(error, redb::DatabaseError::DatabaseAlreadyOpen) {
        // By a program that does not know our lock file, or under another name of the file.
        return StoreError::InUse { path: path.display().to_string(), holder: None };
    }
    match store_error(error) {
        StoreError::Failed(reason) => open_error(path, reason),
        other @ (StoreError::InUse { .. }
        | StoreError::Open { .. }
        | StoreError::TooNew { .. }
        | StoreError::Damaged(_)
        | StoreError::Evicted(_)
        | StoreError::Full(_)) => other,
    }
}

/// Begins to read.
pub(super) fn read_transaction(database: &Database) -> Result<ReadTransaction, StoreError> {
    database.begin_read().map_err(store_error)
}

/// The store's id, once the format is known to be ours.
pub(super) fn meta(transaction: &ReadTransaction, path: &Path) -> Result<StoreId, StoreError> {
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Err(open_error(path, "a database, but not a store")),
        Err(error) => return Err(store_error(error)),
    };
    let format = meta.get(META_FORMAT).map_err(store_error)?;
    let format = format.and_then(|format| format.value().try_into().ok());
    let format = format
        .map(u64::from_be_bytes)
        .ok_or_else(|| StoreError::Damaged("it does not say its format".into()))?;
    if format > FORMAT {
        return Err(StoreError::TooNew { found: format, known: FORMAT });
    }
    let store = meta.get(META_STORE).map_err(store_error)?;
    let store = store.and_then(|store| <[u8; StoreId::LEN]>::try_from(store.value()).ok());
    store.map(StoreId::from_bytes).ok_or_else(|| StoreError::Damaged("it has no id".into()))
}

/// Reads what is kept in memory, and checks that each journal's head, ids and entries agree.
pub(super) fn load(database: Database, path: &Path) -> Result<Opened, StoreError> {
    let transaction = read_transaction(&database)?;
    let store = meta(&transaction, path)?;
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let ids = transaction.open_table(IDS).map_err(store_error)?;
    let mut journals = BTreeMap::new();
    let mut owners = BTreeMap::new();
    for row in transaction.open_table(JOURNALS).map_err(store_error)?.iter().map_err(store_error)? {
        let (id, journal) = row.map_err(store_error)?;
        let id = JournalId::from_bytes(*id.value());
        let (no, head) = journal.value();
        let damaged = |what: String| StoreError::Damaged(format!("journal {id}: {what}"));
        if let Some(other) = owners.insert(no, id) {
            return Err(damaged(format!("it shares its entries with {other}")));
        }
        let last = entries.range((no, 0)..=(no, u64::MAX)).map_err(store_error)?.next_back();
        let last = last.transpose().map_err(store_error)?.map_or(0, |(key, _)| key.value().1);
        if last != head {
            return Err(damaged(format!("its head is {head}, its last entry {last}")));
        }
        if let Some(chunk) = (head / CHUNK).checked_sub(1) {
            let chunk = ids.get((no, chunk)).map_err(store_error)?;
            let chunk = chunk.ok_or_else(|| damaged("its last ids are missing".into()))?;
            packed(chunk.value())?;
        }
        journals.insert(id, Journal { no, head });
    }
    if let Some(no) = unlisted(&transaction, &owners.into_keys().collect())?.first() {
        let what = format!("the entries of journal number {no} are there, the journal is not");
        return Err(StoreError::Damaged(what));
    }
    drop((entries, ids, transaction));
    Ok(Opened { database, store, journals, damaged: false })
}

/// The numbers of journals that have entries and are not `listed`, ascending.
pub(super) fn unlisted(
    transaction: &ReadTransaction,
    listed: &BTreeSet<u32>,
) -> Result<Vec<u32>, StoreError> {
    let entries = transaction.open_table(ENTRIES).map_err(store_error)?;
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(row) = entries.range((from, 0)..).map_err(store_error)?.next() {
        let no = row.map_err(store_error)?.0.value().0;
        if no < from {
            return Err(StoreError::Damaged("the entries are not in order".into()));
        }
        if !listed.contains(&no) {
            found.push(no);
        }
        let Some(next) = no.checked_add(1) else { break };
        from = next;
    }
    Ok(found)
}

/// Id and record in a row of [`ENTRIES`].
pub(super) fn entry(row: &[u8]) -> Result<(EntryId, &[u8]), StoreError> {
    let (id, record) = row
        .split_first_chunk()
        .ok_or_else(|| StoreError::Damaged(format!("the row of an entry has {} bytes", row.len())))?;
    Ok((EntryId::from_bytes(*id), record))
}

/// The ids in a row of [`IDS`].
pub(super) fn packed(row: &[u8]) -> Result<&[[u8; EntryId::LEN]], StoreError> {
    let (ids, rest) = row.as_chunks();
    if ids.len() as u64 != CHUNK || !rest.is_empty() {
        return Err(StoreError::Damaged(format!("a chunk of ids has {} bytes", row.len())));
    }
    Ok(ids)
}
