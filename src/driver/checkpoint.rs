//! Checkpoints between store and core: loading a journal from one, and going on with it in the background.

use std::sync::Arc;

use async_channel::Receiver;

use crate::error::StoreError;
use crate::ids::{Cursor, DeviceId, EntryId, JournalId};
use crate::journal::checkpoint::head::Head;
use crate::journal::checkpoint::unsaved::{Unsaved, kept};
use crate::journal::checkpoint::{
    CheckpointError, LoadedFrom, Saving, chunk, chunk_end, chunk_key, chunk_keys, head_key,
};
use crate::journal::set::Journal;
use crate::platform::traits::{Platform, Spawner, Store};

/// Ids that are read at once: 2 MiB.
const IDS: usize = 65_536;

/// Why a journal is not loaded from its checkpoint.
enum Unusable {
    /// There is none.
    Missing,
    /// It is wrong; this is the note of its head.
    Wrong(CheckpointError, Vec<u8>),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Unusable {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The journal up to where its checkpoint reaches, or empty: then all is read from the records.
pub(crate) async fn load<P: Platform>(
    platform: &Arc<P>,
    id: JournalId,
    at: Cursor,
    device: DeviceId,
) -> Box<Journal> {
    let unusable = match restore(platform, id, at, device).await {
        Ok(journal) => return journal,
        Err(unusable) => unusable,
    };
    let mut journal = Box::new(Journal::new(id, at.store, device));
    match unusable {
        Unusable::Missing => {}
        Unusable::Wrong(error @ CheckpointError::Newer(_), _) => {
            tracing::debug!(journal = %id, %error, "checkpoint left alone");
            journal.gather(Unsaved::none(), LoadedFrom::Records);
        }
        Unusable::Wrong(error, note) => {
            tracing::warn!(
                name: "checkpoint.wrong", journal = %id, %error,
                "the checkpoint does not agree with the store: the journal is read from its records"
            );
            journal.gather(Unsaved::anew(note), LoadedFrom::RecordsAgain);
        }
        Unusable::Store(error) => {
            tracing::warn!(
                name: "checkpoint.unreadable", journal = %id, code = %error.code(), %error,
                "the checkpoint can't be read: the journal is read from its records"
            );
            journal.gather(Unsaved::none(), LoadedFrom::RecordsAgain);
        }
    }
    journal
}

async fn restore<P: Platform>(
    platform: &Arc<P>,
    id: JournalId,
    at: Cursor,
    device: DeviceId,
) -> Result<Box<Journal>, Unusable> {
    let store = platform.store();
    let note = store.note(&head_key(id)).await?.ok_or(Unusable::Missing)?;
    let wrong = |error| Unusable::Wrong(error, note.clone());
    let head = Head::read(id, &note).map_err(wrong)?;
    if head.number() > at.number {
        return Err(wrong(CheckpointError::Beyond { reaches: head.number(), head: at.number }));
    }
    let (mut chunks, mut strays) = (Vec::with_capacity(head.ends.len()), Vec::new());
    for (key, chunk) in store.notes(&chunk_keys(id)).await? {
        match chunk_end(id, &key) {
            Some(end) if head.ends.binary_search(&end).is_ok() => chunks.push((end, chunk)),
            // Left by a writer that was cut off.
            Some(end) => strays.push(end),
            None => {}
        }
    }
    if let Some(end) = head.ends.iter().find(|end| !chunks.iter().any(|(found, _)| found == *end)) {
        return Err(wrong(CheckpointError::Chunk(*end)));
    }
    let kept = kept(chunks.iter().map(|(end, chunk)| (*end, chunk.as_slice())));
    let ids = Arc::new(ids(store, id, 1, head.number()).await?);
    let foresee = {
        let ids = Arc::clone(&ids);
        move || {
            let mut journal = Box::new(Journal::new(id, at.store, device));
            journal.gather(Unsaved::none(), LoadedFrom::Records);
            journal.foresee(&ids);
            journal
        }
    };
    let mut journal = platform.spawner().compute(foresee).await;
    let (root, number) = (head.root, head.number());
    let mut unsaved = Some(Unsaved::behind(head, note.clone(), kept, strays));
    for (place, (end, chunk)) in chunks.into_iter().enumerate() {
        if let Some(unsaved) = unsaved.take_if(|_| place == kept) {
            journal.gather(unsaved, LoadedFrom::Checkpoint { number });
        }
        let ids = Arc::clone(&ids);
        let absorb = move || {
            let first = journal.head().saturating_add(1);
            let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let some = ids.get(place(first - 1)..place(end));
            let some = some.filter(|_| chunk::extent(&chunk) == Ok((first, end)));
            let some = some.ok_or(CheckpointError::Chunk(end))?;
            let id_of = |number| journal.id_of(number);
            let summaries = chunk::read(id, &chunk, some, id_of, |id| journal.number_of(id))?;
            journal.take_in(&summaries);
            Ok(journal)
        };
        journal = platform.spawner().compute(absorb).await.map_err(wrong)?;
    }
    if journal.root() != root {
        return Err(wrong(CheckpointError::Root));
    }
    if let Some(unsaved) = unsaved {
        journal.gather(unsaved, LoadedFrom::Checkpoint { number });
    }
    Ok(journal)
}

/// The ids of the entries with these numbers, as the store has them.
pub(crate) async fn ids<S: Store>(
    store: &S,
    journal: JournalId,
    from: u64,
    to: u64,
) -> Result<Vec<EntryId>, StoreError> {
    let mut ids = Vec::new();
    let count = usize::try_from(to.saturating_add(1).saturating_sub(from)).unwrap_or(usize::MAX);
    while ids.len() < count {
        let more = store.ids(journal, from.saturating_add(ids.len() as u64), IDS).await?;
        if more.is_empty() {
            return Err(StoreError::Damaged(format!("the ids of journal {journal} end before {to}")));
        }
        ids.extend(more);
    }
    // A store gives as many as it has at hand.
    ids.truncate(count);
    Ok(ids)
}

/// Writes what is to go into checkpoints, in this order, until nothing more can come.
pub(crate) async fn save_all<S: Store>(store: S, savings: Receiver<(JournalId, Saving)>) {
    while let Ok((journal, saving)) = savings.recv().await {
        match save(&store, journal, saving).await {
            Ok(true) => {}
            // Another handle of the store goes on with it, or an earlier part was not kept.
            Ok(false) => tracing::debug!(%journal, "checkpoint left to others"),
            Err(error) => {
                tracing::warn!(
                    name: "checkpoint.not_kept", %journal, code = %error.code(), %error, "checkpoint not kept"
                );
            }
        }
    }
}

/// Writes chunks and the head over them; false if the head is not what it was thought to be.
async fn save<S: Store>(store: &S, journal: JournalId, saving: Saving) -> Result<bool, StoreError> {
    let Saving { chunks, replaces, anew, head, unnamed } = saving;
    let key = head_key(journal);
    if store.note(&key).await? != replaces {
        return Ok(false);
    }
    if anew {
        for (wrong, note) in store.notes(&chunk_keys(journal)).await? {
            // If somebody else was faster, it is gone.
            drop(store.set_note(&wrong, Some(note), None).await?);
        }
    }
    let mut named = Vec::with_capacity(chunks.len());
    for (end, chunk) in chunks {
        let key = chunk_key(journal, end);
        // One that is there was left by a writer that was cut off.
        let left = store.note(&key).await?;
        if store.set_note(&key, left, Some(chunk)).await?.is_err() {
            return Ok(false);
        }
        named.push(end);
    }
    if store.set_note(&key, replaces, Some(head)).await?.is_err() {
        return Ok(false);
    }
    // From here on no head names these: who would have finds that another has gone on with the checkpoint.
    for end in unnamed {
        let key = chunk_key(journal, end);
        if !named.contains(&end)
            && let Some(note) = store.note(&key).await?
        {
            drop(store.set_note(&key, Some(note), None).await?);
        }
    }
    Ok(true)
}
