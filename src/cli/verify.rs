//! `isoroot verify`: checks evidence against a root, without a store.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::cli::args::VerifyArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::log;
use crate::cli::output::{Output, Record};
use crate::cli::receipts;
use crate::crypto::hash::Hash;
use crate::error::StoreError;
use crate::fact::entry::Entry;
use crate::ids::EntryId;
use crate::journal::evidence::{Evidence, Verdict};
use crate::limits::EVIDENCE_BYTES;

pub(super) fn run(args: &VerifyArgs, output: &mut Output) -> Result<Exit, Failure> {
    match (&args.receipt, &args.root) {
        (Some(device), _) => receipts::verify(args, device, output),
        (None, Some(root)) => evidence(args, root, output),
        (None, None) => Err(Failure::usage("say against which root, or whose receipts these are")),
    }
}

fn evidence(args: &VerifyArgs, root: &Hash, output: &mut Output) -> Result<Exit, Failure> {
    let evidence = Evidence::from_bytes(&read(&args.file)?)?;
    let journal = evidence.journal();
    if let Some(expected) = args.journal.filter(|expected| *expected != journal) {
        let message = format!("the evidence is about the journal {journal}, not {expected}");
        return Err(Failure::new(Exit::No, "OTHER_JOURNAL", message));
    }
    let verdict = evidence.verify(root)?;
    let entry = match &verdict {
        Verdict::In(entry) => Some(entry),
        Verdict::NotIn(_) => None,
    };
    let record = Record::new().json("in", entry.is_some()).text("journal", journal);
    let record = record.text("entry", evidence.id()).text("root", EntryId::from_bytes(*root));
    let record = record.json("entries", evidence.proof().count());
    match entry {
        None => output.line(|| record, || "not in".to_owned())?,
        Some(entry) => {
            let (fields, lines) = shown(entry)?;
            let record = record.text("device", entry.device()).json("written", entry.timestamp());
            output.line(|| record.json("facts", fields), || lines)?;
        }
    }
    Ok(Exit::Done)
}

/// At most so many bytes as evidence has, and one more, which is refused.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::input(&path.display().to_string(), &error);
    let input: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    input.take(EVIDENCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The entry's facts, as JSON and for people.
fn shown(entry: &Entry) -> Result<(String, String), Failure> {
    // It was checked: this does not fail.
    let facts = entry.facts().map_err(|error| StoreError::Damaged(error.to_string()))?;
    let (mut json, mut text) = (Vec::new(), "in".to_owned());
    for fact in &facts {
        json.push(log::fields(Record::new(), fact).to_string());
        text.push('\n');
        text.push_str(&log::text(entry.timestamp(), fact));
    }
    Ok((format!("[{}]", json.join(",")), text))
}
