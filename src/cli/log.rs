//! `isoroot log`: prints the facts.

use crate::cli::args::LogArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::json::to_json;
use crate::cli::output::{Output, Record};
use crate::cli::session::Session;
use crate::cli::utc::utc;
use crate::driver::facts::FactRecord;
use crate::fact::statement::Fact;
use crate::limits::PAGE;

pub(super) async fn run(args: LogArgs, output: &mut Output) -> Result<Exit, Failure> {
    let session = Session::existing(&args.journal.store).await?;
    let printed = print(&session, &args, output).await;
    session.close().await;
    printed
}

async fn print(session: &Session, args: &LogArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let (query, mut after) = (args.query.query(), args.after);
    let mut left = args.limit.unwrap_or(usize::MAX);
    while left > 0 {
        let page = node.page(query.clone(), after, left.min(PAGE)).await?;
        left = left.saturating_sub(page.facts.len());
        for fact in &page.facts {
            show(fact, output)?;
        }
        if !page.more {
            break;
        }
        after = Some(page.next);
    }
    Ok(Exit::Done)
}

/// Prints a fact.
pub(super) fn show(fact: &FactRecord, output: &mut Output) -> Result<(), Failure> {
    output.line(|| record(fact), || text(fact.entry_timestamp, &fact.fact))
}

fn record(found: &FactRecord) -> Record {
    let record = fields(Record::new(), &found.fact).text("entry", found.id.entry);
    let record = record.json("index", found.id.index).json("number", found.number);
    let record = record.text("device", found.device).json("written", found.entry_timestamp);
    record.text("position", found.position)
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
