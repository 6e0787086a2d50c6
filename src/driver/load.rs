//! Loads a journal from the store into memory.

use std::sync::Arc;

use crate::driver::checkpoint;
use crate::driver::storage::{LOAD_BYTES, cursors, decode};
use crate::error::StoreError;
use crate::fact::summary::Summary;
use crate::ids::{DeviceId, EntryId, JournalId};
use crate::journal::checkpoint::Saving;
use crate::journal::set::Journal;
use crate::limits::ABSORB_ENTRIES;
use crate::platform::traits::{Platform, Spawner, Store};
use crate::service::routing::Loaded;

/// Loads a journal whole: from its checkpoint and the records behind it, or from the records alone.
pub(crate) async fn load<P: Platform>(
    platform: &Arc<P>,
    id: JournalId,
    device: DeviceId,
) -> Result<Loaded, StoreError> {
    let store = platform.store();
    let head = store.head(id).await?;
    let cursors = cursors(store, id).await?;
    let mut journal = checkpoint::load(platform, id, head, device).await;
    let before = journal.head();
    // With all ids at hand the map of many entries is made at once.
    if head.number.saturating_sub(before) > ABSORB_ENTRIES as u64 {
        match checkpoint::ids(store, id, before.saturating_add(1), head.number).await {
            Ok(ids) => {
                if let Some((journal, savings)) = read_on(platform, journal, ids).await? {
                    return Ok(Loaded { journal, cursors, savings });
                }
                tracing::warn!(name: "ids.wrong", journal = %id, "the ids in the store are not those of its records");
                journal = checkpoint::load(platform, id, head, device).await;
            }
            Err(error) => tracing::debug!(journal = %id, %error, "ids can't be read"),
        }
    }
    let read = read_on(platform, journal, Vec::new()).await?;
    let (journal, savings) =
        read.ok_or_else(|| StoreError::Damaged(format!("journal {id} ends too early")))?;
    Ok(Loaded { journal, cursors, savings })
}

/// Reads the records behind the journal, whose ids these are as far as they go; nothing if the records have others.
async fn read_on<P: Platform>(
    platform: &Arc<P>,
    mut journal: Box<Journal>,
    ids: Vec<EntryId>,
) -> Result<Option<(Box<Journal>, Vec<Saving>)>, StoreError> {
    let (id, before) = (journal.id(), journal.head());
    let foreseen = before.saturating_add(ids.len() as u64);
    let ids = Arc::new(ids);
    if !ids.is_empty() {
        let ids = Arc::clone(&ids);
        let foresee = move || {
            journal.foresee(&ids);
            journal
        };
        journal = platform.spawner().compute(foresee).await;
    }
    let mut savings = Vec::new();
    loop {
        let from = journal.head().saturating_add(1);
        let page = platform.store().read(id, from, LOAD_BYTES).await?;
        if page.is_empty() {
            return Ok((journal.head() >= foreseen).then_some((journal, savings)));
        }
        let ids = Arc::clone(&ids);
        let take_in = move || {
            for some in decode(id, from, page)?.chunks(ABSORB_ENTRIES) {
                let summaries = Summary::of_all(some);
                let place = usize::try_from(journal.head().saturating_sub(before)).unwrap_or(usize::MAX);
                let ids = ids.get(place..).unwrap_or_default();
                let (known, others) = summaries.split_at(ids.len().min(summaries.len()));
                if known.iter().zip(ids).any(|(summary, id)| summary.id != *id) {
                    return Ok(None);
                }
                journal.take_in(known);
                if !others.is_empty() {
                    journal.absorb(others);
                }
                if journal.head() < foreseen {
                    journal.set_aside();
                } else {
                    savings.extend(journal.save(false));
                }
            }
            Ok::<_, StoreError>(Some((journal, savings)))
        };
        let Some(read) = platform.spawner().compute(take_in).await? else { return Ok(None) };
        (journal, savings) = read;
    }
}
