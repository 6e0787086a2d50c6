//! `isoroot check`: says whether a store is sound, and what is wrong with it. It changes nothing.

use std::path::Path;

use crate::cli::args::CheckArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count, quoted};
use crate::driver::check::{JournalReport, check};
use crate::driver::storage;
use crate::ids::JournalId;
use crate::platform::native::RedbStore;

/// A store that may be damaged, open for reading.
pub(super) struct Damaged {
    pub(super) store: RedbStore,
    /// What was found wrong when it was opened.
    pub(super) problems: Vec<String>,
    pub(super) journals: Vec<JournalId>,
}

impl Damaged {
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::no_journal(path));
        }
        let owned = path.to_owned();
        let (store, mut problems) = blocking::unblock(move || RedbStore::open_damaged(&owned)).await?;
        let mut journals: Vec<_> = store.journals().into_iter().map(|(journal, _)| journal).collect();
        match storage::journals(&store).await {
            Ok(noted) => journals.extend(noted),
            Err(error) => problems.push(format!("its notes cannot be read: {error}")),
        }
        journals.sort_unstable();
        journals.dedup();
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
    for journal in &damaged.journals {
        let report = check(&damaged.store, *journal).await?;
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
