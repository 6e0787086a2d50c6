//! `isoroot root`: prints the Merkle root.

use crate::cli::args::RootArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::session::Session;
use crate::driver::command::JournalStatus;
use crate::driver::node::SyncNode;

pub(super) async fn run(args: RootArgs, output: &mut Output) -> Result<Exit, Failure> {
    let session = Session::existing(&args.journal.store).await?;
    let shown = show(&session, &args, output).await;
    session.close().await;
    shown
}

async fn show(session: &Session, args: &RootArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let status = node.status().await?;
    output.line(|| record(Record::new(), &node, &status), || text(&status))?;
    Ok(Exit::Done)
}

/// The fields that say what is here.
pub(super) fn record(record: Record, node: &SyncNode, status: &JournalStatus) -> Record {
    let record = record.text("journal", node.journal()).text("root", status.root);
    record.json("entries", status.root.count).json("facts", status.facts)
}

/// The same for people.
pub(super) fn text(status: &JournalStatus) -> String {
    let entries = count(status.root.count, "entry", "entries");
    format!("{}  {entries}, {}", status.root, count(status.facts, "fact", "facts"))
}
