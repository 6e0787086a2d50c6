//! `isoroot prove`: writes evidence that an entry is in the journal, or is not.

use std::io::{self, IsTerminal};

use crate::cli::args::{Named, ProveArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::json::to_hex;
use crate::cli::output::{Output, Record, count};
use crate::cli::session::Session;
use crate::crypto::hash::Hash;
use crate::journal::evidence::{Evidence, Verdict};

pub(super) async fn run(args: ProveArgs, output: &mut Output) -> Result<Exit, Failure> {
    if args.output.is_none() && !output.is_json() && io::stdout().is_terminal() {
        return Err(Failure::usage("evidence is bytes and not for a terminal: add -o FILE, or > FILE"));
    }
    let session = Session::existing(&args.journal.store).await?;
    let proved = prove(&session, &args, output).await;
    session.close().await;
    proved
}

async fn prove(session: &Session, args: &ProveArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let evidence = node.prove(args.id.entry).await?;
    let root = evidence.claimed_root().map_err(|error| Failure::from(crate::EvidenceError::from(error)))?;
    has_fact(&evidence, &root.hash, args.id)?;
    let bytes = evidence.to_bytes();
    if let Some(path) = &args.output {
        std::fs::write(path, &bytes)
            .map_err(|error| Failure::new(Exit::Usage, "OUTPUT", format!("{}: {error}", path.display())))?;
    }
    if output.is_json() {
        let record = || {
            let record = Record::new().json("in", evidence.claims_in()).text("journal", evidence.journal());
            let record = record.text("entry", evidence.id()).text("root", root);
            record.json("entries", root.count).text("evidence", to_hex(&bytes))
        };
        output.line(record, String::new)?;
    } else if args.output.is_none() {
        output.bytes(&bytes)?;
    }
    let is = if evidence.claims_in() { "in" } else { "not in" };
    output.note(&format!("{is}, by root {root}  {}", count(root.count, "entry", "entries")));
    Ok(Exit::Done)
}

/// Fails if a fact is meant that its entry does not have.
fn has_fact(evidence: &Evidence, root: &Hash, id: Named) -> Result<(), Failure> {
    let Some(index) = id.index else { return Ok(()) };
    match evidence.verify(root)? {
        Verdict::In(entry) if usize::from(index) >= entry.fact_count() => {
            let facts = count(entry.fact_count() as u64, "fact", "facts");
            Err(Failure::usage(format!("the entry {} has {facts}, numbered from 0", entry.id())))
        }
        Verdict::In(_) | Verdict::NotIn(_) => Ok(()),
    }
}
