//! `isoroot check`: says whether a store is sound, and what is wrong with it. It changes nothing.

use std::path::Path;

use crate::cli::args::CheckArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count, quoted};
use crate::driver::check::{JournalReport, check_listed_as, owner};
use crate::driver::storage;
use crate::ids::JournalId;
use crate::platform::native::RedbStore;

/// A store that may be damaged, open for reading.
pub(super) struct Damaged {
    pub(super) store: RedbStore,
    /// What was found wrong when it was opened.
    pub(super) problems: Vec<String>,
    pub(super) journals: Vec<Listed>,
}

/// A journal, and the id under which the store has it: another one where it is damaged there.
pub(super) struct Listed {
    pub(super) journal: JournalId,
    pub(super) listed_as: JournalId,
}

impl Damaged {
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::no_journal(path));
        }
        let owned = path.to_owned();
        let (store, mut problems) = blocking::unblock(move || RedbStore::open_damaged(&owned)).await?;
        let listed: Vec<_> = store.journals().into_iter().map(|(journal, _)| journal).collect();
        let noted = match storage::journals(&store).await {
            Ok(noted) => noted,
            Err(error) => {
                problems.push(format!("its notes cannot be read: {error}"));
                Vec::new()
            }
        };
        let mut missing: Vec<_> = noted.into_iter().filter(|noted| !listed.contains(noted)).collect();
        let mut journals = Vec::new();
        for listed_as in listed {
            let journal = owner(&store, listed_as, &missing).await.unwrap_or(listed_as);
            if journal != listed_as {
                problems.push(format!("the entries of journal {journal} are listed under {listed_as}"));
                missing.retain(|missing| *missing != journal);
            }
            journals.push(Listed { journal, listed_as });
        }
        journals.extend(missing.into_iter().map(|journal| Listed { journal, listed_as: journal }));
        journals.sort_unstable_by_key(|listed| listed.journal);
        Ok(Self { store, problems, journals })
    }
}

pub(super) async fn run(args: CheckArgs, output: &mut Output) -> Result<Exit, Failure> {
    let damaged = Damaged::open(&args.store.store).await?;
    let checked = show(&damaged, &args.store.store, output).await;
    damaged.store.close().await;
    checked
}

async fn show(damaged: &Damaged, path: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let mut sound = damaged.problems.is_empty();
    for Listed { journal, listed_as } in &damaged.journals {
        let report = check_listed_as(&damaged.store, *journal, *listed_as).await?;
        sound &= report.is_sound();
        output.line(|| record(&report), || text(&report))?;
    }
    let problems = &damaged.problems;
    let record = || {
        Record::event("store")
            .text("store", path.display())
            .json("sound", sound)
            .json("problems", list(problems))
    };
    let text = || {
        let mut text = problems.iter().map(|problem| format!("  {problem}\n")).collect::<String>();
        if !problems.is_empty() {
            text.insert_str(0, "the store:\n");
        }
        text + if sound { "sound" } else { "damaged: `isoroot salvage` saves what is sound" }
    };
    output.line(record, text)?;
    Ok(if sound { Exit::Done } else { Exit::No })
}

fn record(report: &JournalReport) -> Record {
    let problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    let record = Record::event("journal").text("journal", report.journal).json("entries", report.entries);
    let record = record.json("sound", report.sound).text("root", report.root);
    let record = match report.checkpoint {
        Some(number) => record.json("checkpoint", number),
        None => record.json("checkpoint", "null"),
    };
    record.json("problems", list(&problems)).json("unlisted", report.unlisted)
}

fn text(report: &JournalReport) -> String {
    let entries = count(report.entries, "entry", "entries");
    let mut text = if report.is_sound() {
        format!("{}  {entries}, sound, root {}", report.journal, report.root)
    } else {
        format!("{}  {entries}, of which {} sound", report.journal, report.sound)
    };
    for problem in &report.problems {
        text.push_str(&format!("\n  {problem}"));
    }
    if report.unlisted > 0 {
        text.push_str(&format!("\n  and {} more", report.unlisted));
    }
    text
}

/// Texts as a JSON array.
pub(super) fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(","))
}
