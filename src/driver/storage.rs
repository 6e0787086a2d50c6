//! Journals between store and core: following what others wrote, appending, reading for feeds.

use std::sync::Arc;

use crate::crypto::sign::DeviceKey;
use crate::driver::error::NodeError;
use crate::error::StoreError;
use crate::fact::entry::{Entry, entry_id};
use crate::fact::genesis::Genesis;
use crate::fact::unchecked::UncheckedEntry;
use crate::ids::{Cursor, DeviceId, JournalId, StoreId};
use crate::platform::traits::{
    AppendOutcome, Durability, Entropy, EntropyError, Platform, Spawner, Store, StoredRecord,
};
use crate::service::routing::Input;
use crate::session::feed::{Fed, Feed, FeedWhat, frames};

/// Bytes of one read while a journal is loaded.
pub(crate) const LOAD_BYTES: usize = 4 * 1_048_576;

/// Key of the note that says whose the store is: the seed of the device's secret key (32 bytes), or, where
/// others keep that, a byte 1 and the device's id (33 bytes).
const DEVICE_NOTE: &str = "device";
/// First byte of the second form.
const KEY_ELSEWHERE: u8 = 1;
/// What starts the keys of notes that hold a journal's genesis, or nothing where it is not known.
const JOURNAL_NOTES: &str = "journal/";
/// What starts the keys of notes that hold cursors into peers' stores.
const CURSOR_NOTES: &str = "cursor/";

/// The key of the device that the store belongs to: the one given, else the one kept there, made from fresh
/// entropy if the store is new.
pub(crate) async fn device_key<P: Platform>(
    platform: &P,
    given: Option<DeviceKey>,
) -> Result<DeviceKey, NodeError> {
    let store = platform.store();
    let (key, note) = match given.clone() {
        Some(key) => {
            let note = [&[KEY_ELSEWHERE], key.device().as_bytes().as_slice()].concat();
            (key, note)
        }
        None => {
            let seed = seed(platform)?;
            (DeviceKey::from_seed(seed), seed.to_vec())
        }
    };
    let made = match store.note(DEVICE_NOTE).await? {
        Some(kept) => Err(Some(kept)),
        None => store.set_note(DEVICE_NOTE, None, Some(note)).await?,
    };
    // Kept from before, or another handle of the store was faster.
    let Err(kept) = made else { return Ok(key) };
    let (owner, kept) = owner(&kept.unwrap_or_default())
        .ok_or_else(|| StoreError::Damaged("the device key has another length than 32 bytes".into()))?;
    match given.or(kept) {
        Some(key) if key.device() == owner => Ok(key),
        Some(_) => Err(NodeError::OtherDevice(owner)),
        None => Err(NodeError::KeyNeeded(owner)),
    }
}

/// The device that a store belongs to, and its key if it is kept there.
fn owner(note: &[u8]) -> Option<(DeviceId, Option<DeviceKey>)> {
    match note.split_first() {
        Some((&KEY_ELSEWHERE, device)) if note.len() == 33 => {
            Some((DeviceId::from_bytes(device.try_into().ok()?), None))
        }
        _ => {
            let key = DeviceKey::from_seed(note.try_into().ok()?);
            Some((key.device(), Some(key)))
        }
    }
}

/// Random bytes to seed the machine.
pub(crate) fn seed<P: Platform>(platform: &P) -> Result<[u8; 32], EntropyError> {
    let mut seed = [0; 32];
    platform.entropy().fill(&mut seed)?;
    Ok(seed)
}

/// The journals that were made or opened in the store.
pub(crate) async fn journals<S: Store>(store: &S) -> Result<Vec<JournalId>, StoreError> {
    let notes = store.notes(JOURNAL_NOTES).await?;
    let mut journals = Vec::with_capacity(notes.len());
    for (key, _) in notes {
        let id = key.strip_prefix(JOURNAL_NOTES).and_then(|id| id.parse().ok());
        journals.push(id.ok_or_else(|| StoreError::Damaged("a note of a journal without its id".into()))?);
    }
    Ok(journals)
}

/// Notes that the journal is kept here, with its genesis where it is known.
pub(crate) async fn register<S: Store>(
    store: &S,
    journal: JournalId,
    genesis: Option<Vec<u8>>,
) -> Result<(), StoreError> {
    let key = format!("{JOURNAL_NOTES}{journal}");
    let note = store.note(&key).await?;
    if note.as_ref().is_some_and(|note| !note.is_empty() || genesis.is_none()) {
        return Ok(());
    }
    // If another handle is faster, it has noted the same.
    store.set_note(&key, note, Some(genesis.unwrap_or_default())).await.map(drop)
}

/// The genesis that is kept with the journal; nothing where it is not known.
pub(crate) async fn genesis<S: Store>(store: &S, journal: JournalId) -> Result<Option<Genesis>, StoreError> {
    let Some(note) = store.note(&format!("{JOURNAL_NOTES}{journal}")).await?.filter(|note| !note.is_empty())
    else {
        return Ok(None);
    };
    let genesis = Genesis::from_bytes(&note).ok().filter(|genesis| genesis.journal() == journal);
    genesis.map(Some).ok_or_else(|| StoreError::Damaged(format!("the genesis of journal {journal} is none")))
}

/// Turns what the store returned into entries: numbered from `from` on, each with the bytes of its id.
pub(crate) fn decode(
    journal: JournalId,
    from: u64,
    page: Vec<(u64, StoredRecord)>,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::with_capacity(page.len());
    for ((number, record), expected) in page.into_iter().zip(from..) {
        if number != expected {
            return Err(StoreError::Damaged(format!("entry {number} of journal {journal} follows a gap")));
        }
        entries.push(reload(journal, number, &record)?);
    }
    Ok(entries)
}

/// An entry of the store, its bytes held to its id.
pub(crate) fn reload(journal: JournalId, number: u64, record: &StoredRecord) -> Result<Entry, StoreError> {
    UncheckedEntry::new(record.bytes.to_vec()).reload(&journal, &record.id).map_err(|error| {
        StoreError::Damaged(format!("entry {number} of journal {journal} is not what was stored: {error}"))
    })
}

/// Reads entries for a file: those numbered from `from` to `to`, the first of them. Their bytes are held to
/// their ids.
pub(crate) async fn records<S: Store>(
    store: &S,
    journal: JournalId,
    (from, to): (u64, u64),
    max_bytes: usize,
) -> Result<Vec<StoredRecord>, StoreError> {
    let page = store.read(journal, from, max_bytes).await?;
    let mut records = Vec::with_capacity(page.len());
    for ((number, record), expected) in page.into_iter().zip(from..=to) {
        if number != expected || entry_id(&journal, &record.bytes) != record.id {
            let what = format!("entry {expected} of journal {journal} is not what was stored");
            return Err(StoreError::Damaged(what));
        }
        records.push(record);
    }
    if records.is_empty() {
        return Err(StoreError::Damaged(format!("entry {from} of journal {journal} is missing")));
    }
    Ok(records)
}

/// The places in peers' stores that are remembered.
pub(crate) async fn cursors<S: Store>(
    store: &S,
    journal: JournalId,
) -> Result<Vec<(DeviceId, Cursor)>, StoreError> {
    let prefix = format!("{CURSOR_NOTES}{journal}/");
    let notes = store.notes(&prefix).await?;
    // A cursor is a hint: one that can't be read is as good as none.
    let cursor = |(key, note): (String, Vec<u8>)| {
        let device = key.get(prefix.len()..)?.parse().ok()?;
        let (id, number) = note.split_first_chunk::<16>()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        Some((device, Cursor { store: StoreId::from_bytes(*id), number }))
    };
    Ok(notes.into_iter().filter_map(cursor).collect())
}

/// Keeps a cursor into a peer's store. It may fail: then the next sync takes longer.
pub(crate) async fn remember<S: Store>(store: S, journal: JournalId, device: DeviceId, cursor: Cursor) {
    let key = format!("{CURSOR_NOTES}{journal}/{device}");
    let note = [cursor.store.as_bytes().as_slice(), &cursor.number.to_be_bytes()].concat();
    let kept = async {
        let expected = store.note(&key).await?;
        if expected.as_ref() == Some(&note) {
            return Ok(());
        }
        store.set_note(&key, expected, Some(note)).await.map(drop)
    };
    if let Err(error) = kept.await {
        tracing::warn!(%journal, %error, "cursor not kept");
    }
}

/// Appends a batch; what the journal's machine is to be told.
pub(crate) async fn commit<S: Store>(store: S, journal: JournalId, at: u64, entries: Vec<Entry>) -> Input {
    let records = entries.into_iter().map(|entry| StoredRecord { id: entry.id, bytes: entry.record });
    match store.append(journal, at, records.collect(), Durability::Strict).await {
        Ok(AppendOutcome::Done(_)) => Input::Committed { journal },
        Ok(AppendOutcome::Behind(_)) => Input::Behind { journal },
        Err(error) => Input::CommitFailed { journal, error },
    }
}

/// Reads one page of what others wrote; the next page's first number if there may be more.
pub(crate) async fn follow<P: Platform>(
    platform: &Arc<P>,
    journal: JournalId,
    from: u64,
) -> (Input, Option<u64>) {
    let page = match platform.store().read(journal, from, LOAD_BYTES).await {
        Ok(page) => page,
        Err(error) => return (Input::CommitFailed { journal, error }, None),
    };
    let next = (!page.is_empty()).then(|| from.saturating_add(page.len() as u64));
    match platform.spawner().compute(move || decode(journal, from, page)).await {
        Ok(entries) => (Input::Followed { journal, entries, all: next.is_none() }, next),
        Err(error) => (Input::CommitFailed { journal, error }, None),
    }
}

/// Entries that are read at once while their sizes are not known: 8 MiB at the most.
const FETCH: usize = 8;
/// Entries that are read at once where those before were small.
const FETCH_MAX: usize = 64;

/// The first of these entries, until they take so many bytes.
pub(crate) async fn fetch_some<S: Store>(
    store: &S,
    journal: JournalId,
    numbers: &[u64],
    max_bytes: usize,
) -> Result<Vec<(u64, StoredRecord)>, StoreError> {
    let mut found = Vec::new();
    let (mut bytes, mut size, mut rest) = (0usize, FETCH, numbers);
    while !rest.is_empty() && bytes < max_bytes {
        let some;
        (some, rest) = rest.split_at(size.min(rest.len()));
        let records = store.fetch(journal, some.to_vec()).await?;
        if records.len() != some.len() {
            return Err(StoreError::Damaged(format!("entries of journal {journal} are missing")));
        }
        bytes = records.iter().fold(bytes, |sum, (_, record)| sum.saturating_add(record.bytes.len()));
        found.extend(records);
        let average = bytes.div_ceil(found.len().max(1)).max(1);
        size = (max_bytes.saturating_sub(bytes) / average).clamp(1, FETCH_MAX);
    }
    Ok(found)
}

/// Reads and frames entries for a channel.
pub(crate) async fn feed<S: Store>(
    store: S,
    journal: JournalId,
    channel: u32,
    feed: Feed,
) -> Result<(Vec<Vec<u8>>, Fed), StoreError> {
    let mut room = feed.max_bytes;
    let records = match feed.what {
        FeedWhat::Range { from, to } => {
            let mut page = store.read(journal, from, feed.max_bytes).await?;
            page.retain(|(number, _)| *number <= to);
            page
        }
        FeedWhat::Numbers(numbers) => fetch_some(&store, journal, &numbers, feed.max_bytes).await?,
    };
    // As many as fit, and one in any case.
    let mut sent: Vec<(u64, Arc<[u8]>)> = Vec::with_capacity(records.len());
    for (number, record) in records {
        if record.bytes.len() > room && !sent.is_empty() {
            break;
        }
        room = room.saturating_sub(record.bytes.len());
        sent.push((number, record.bytes));
    }
    if sent.is_empty() {
        return Err(StoreError::Damaged(format!("entries of journal {journal} are missing")));
    }
    Ok(framed(journal, channel, &sent))
}

/// Frames entries for a channel.
pub(crate) fn framed(journal: JournalId, channel: u32, sent: &[(u64, Arc<[u8]>)]) -> (Vec<Vec<u8>>, Fed) {
    let bytes = sent.iter().fold(0u64, |sum, (_, record)| sum.saturating_add(record.len() as u64));
    let fed = Fed { entries: sent.len() as u64, bytes };
    let sent = sent.iter().map(|(number, record)| (*number, record.to_vec())).collect();
    (frames(channel, &journal, sent), fed)
}
