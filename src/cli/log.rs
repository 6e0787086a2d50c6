//! `isoroot log`: prints the facts.

use futures::StreamExt;

use crate::cli::args::LogArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::json::to_json;
use crate::cli::output::{Output, Record};
use crate::cli::session::Session;
use crate::cli::utc::utc;
use crate::driver::facts::FactRecord;
use crate::fact::statement::Fact;
use crate::journal::query::Query;

pub(super) async fn run(args: LogArgs, output: &mut Output) -> Result<Exit, Failure> {
    let session = Session::existing(&args.journal.store).await?;
    let printed = print(&session, &args, output).await;
    session.close().await;
    printed
}

async fn print(session: &Session, args: &LogArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let mut facts = node.facts(query(args.predicate.as_deref()));
    while let Some(fact) = facts.next().await {
        let fact = fact?;
        output.line(|| record(&fact), || text(fact.entry_timestamp, &fact.fact))?;
    }
    Ok(Exit::Done)
}

fn query(predicate: Option<&str>) -> Query {
    match predicate.map(|predicate| (predicate, predicate.strip_suffix('*'))) {
        None => Query::all(),
        Some((_, Some(prefix))) => Query::all().prefix(prefix),
        Some((predicate, None)) => Query::all().predicate(predicate),
    }
}

fn record(found: &FactRecord) -> Record {
    let record = fields(Record::new(), &found.fact).text("entry", found.id.entry);
    let record = record.json("index", found.id.index).json("number", found.number);
    record.text("device", found.device).json("written", found.entry_timestamp)
}

/// What the fact itself says.
pub(super) fn fields(record: Record, fact: &Fact) -> Record {
    let record = record.text("predicate", &fact.predicate).json("value", to_json(&fact.value));
    let record = match fact.timestamp {
        Some(timestamp) => record.json("timestamp", timestamp),
        None => record.json("timestamp", "null"),
    };
    record.text_or_null("authority", fact.authority)
}

/// The same for people, with its entry's clock.
pub(super) fn text(written: u64, fact: &Fact) -> String {
    // On one line, whatever is in it.
    let predicate = fact.predicate.replace(['\n', '\r'], "\u{fffd}");
    let mut text = format!("{}  {predicate}  {}", utc(written), to_json(&fact.value));
    if let Some(timestamp) = fact.timestamp {
        text.push_str(&format!("  timestamp {timestamp}"));
    }
    if let Some(authority) = fact.authority {
        text.push_str(&format!("  authority {authority}"));
    }
    text
}
