//! `isoroot salvage`: writes what is sound of a store into a new one. The old one stays as it is.

use std::collections::BTreeSet;

use crate::cli::args::SalvageArgs;
use crate::cli::check::{Damaged, Listed, list};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::driver::check::SoundEntries;
use crate::error::StoreError;
use crate::ids::JournalId;
use crate::limits::{COMMIT_BYTES, COMMIT_ENTRIES};
use crate::merkle::map::MerkleMap;
use crate::platform::native::RedbStore;
use crate::platform::traits::{AppendOutcome, Durability, Store, StoredRecord};

/// What starts the keys of the notes that are taken along: whose the store is, its journals, their peers
/// and hubs. Cursors and checkpoints are about the old one.
const NOTES: [&str; 4] = ["device", "journal/", "peers/", "hub/"];

pub(super) async fn run(args: SalvageArgs, output: &mut Output) -> Result<Exit, Failure> {
    if args.to.exists() {
        return Err(Failure::usage(format!("{} is there already: name a new file", args.to.display())));
    }
    let damaged = Damaged::open(&args.store).await?;
    let to = args.to.clone();
    let new = blocking::unblock(move || RedbStore::open(&to)).await?;
    let saved = save(&damaged, &new, output).await;
    new.close().await;
    damaged.store.close().await;
    saved
}

async fn save(damaged: &Damaged, new: &RedbStore, output: &mut Output) -> Result<Exit, Failure> {
    let mut problems = damaged.problems.clone();
    let mut whole = true;
    for prefix in NOTES {
        match damaged.store.notes(prefix).await {
            Ok(notes) => {
                for (key, note) in notes {
                    drop(new.set_note(&key, None, Some(note)).await?);
                }
            }
            Err(error) => problems.push(format!("its notes under {prefix} are lost: {error}")),
        }
    }
    for listed in &damaged.journals {
        let journal = listed.journal;
        let saved = save_journal(damaged, new, listed).await?;
        whole &= saved.lost == 0;
        let record = || {
            let record = Record::event("journal").text("journal", journal).json("saved", saved.entries);
            record.json("lost", saved.lost).text("root", saved.map.root())
        };
        let text = || {
            let saved_entries = count(saved.entries, "entry", "entries");
            format!("{journal}  {saved_entries} saved, {} lost", saved.lost)
        };
        output.line(record, text)?;
    }
    // Of what the store does not even list nobody knows whether it was there.
    let lost = !whole;
    whole &= problems.is_empty();
    let record = || Record::event("store").json("whole", whole).json("problems", list(&problems));
    let text = || {
        let mut text =
            problems.iter().map(|problem| format!("the old store: {problem}\n")).collect::<String>();
        text.push_str(match (whole, lost) {
            (true, _) => "nothing is lost",
            (false, true) => "what is lost here comes back by a sync",
            (false, false) => "all entries found are saved; if others are lost they come back by a sync",
        });
        text
    };
    output.line(record, text)?;
    Ok(if whole { Exit::Done } else { Exit::No })
}

/// What was saved of a journal.
struct Saved {
    entries: u64,
    lost: u64,
    map: MerkleMap,
}

async fn save_journal(damaged: &Damaged, new: &RedbStore, listed: &Listed) -> Result<Saved, Failure> {
    let Listed { journal, listed_as } = *listed;
    let mut sound = SoundEntries::listed_as(damaged.store.clone(), journal, listed_as).await?;
    let mut saved = Saved { entries: 0, lost: 0, map: MerkleMap::new() };
    let (mut batch, mut bytes, mut seen) = (Vec::new(), 0_usize, BTreeSet::new());
    loop {
        let found = sound.next().await;
        let ended = found.is_none();
        match found {
            Some((_, Ok(entry))) if seen.insert(entry.id()) => {
                bytes = bytes.saturating_add(entry.record().len());
                batch.push(StoredRecord { id: entry.id(), bytes: entry.record().into() });
            }
            Some((_, Err(_))) => saved.lost = saved.lost.saturating_add(1),
            // Once is enough.
            // It stood there twice, or there are no more.
            Some((_, Ok(_))) | None => {}
        }
        if ended || batch.len() >= COMMIT_ENTRIES || bytes >= COMMIT_BYTES {
            append(new, journal, &mut saved, std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
        if ended {
            return Ok(saved);
        }
    }
}

async fn append(
    new: &RedbStore,
    journal: JournalId,
    saved: &mut Saved,
    batch: Vec<StoredRecord>,
) -> Result<(), Failure> {
    let count = batch.len() as u64;
    saved.map.insert_all(batch.iter().map(|record| record.id).collect());
    match new.append(journal, saved.entries, batch, Durability::Strict).await? {
        AppendOutcome::Done(_) => saved.entries = saved.entries.saturating_add(count),
        AppendOutcome::Behind(_) => {
            return Err(StoreError::Failed("somebody else writes to the new store".into()).into());
        }
    }
    Ok(())
}
