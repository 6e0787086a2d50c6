//! `isoroot inspect`: a journal in numbers.

use crate::cli::args::InspectArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::session::Session;
use crate::driver::node::SyncNode;
use crate::driver::statistics::Statistics;
use crate::journal::checkpoint::LoadedFrom;

pub(super) async fn run(args: InspectArgs, output: &mut Output) -> Result<Exit, Failure> {
    let session = Session::existing(&args.journal.store).await?;
    let shown = show(&session, &args, output).await;
    session.close().await;
    shown
}

async fn show(session: &Session, args: &InspectArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let statistics = node.statistics().await?;
    output.line(|| record(session, &node, &statistics), || text(session, &node, &statistics))?;
    Ok(Exit::Done)
}

fn record(session: &Session, node: &SyncNode, statistics: &Statistics) -> Record {
    let Statistics { status, depth, bytes, bloom_rate } = statistics;
    let (loaded, checkpoint) = loaded(status.loaded_from);
    let record = Record::new()
        .text("journal", node.journal())
        .text("device", node.device())
        .text("store", session.path().display())
        .text("store_id", status.cursor.store)
        .text("root", status.root);
    [
        ("entries", status.root.count),
        ("facts", status.facts),
        ("predicates", status.predicates),
        ("authorities", status.authorities),
        ("devices", status.devices),
        ("depth", u64::from(*depth)),
        ("bytes", *bytes),
        ("held_back", status.held_back),
        ("missing", status.missing),
        ("forked", status.forked),
    ]
    .into_iter()
    .fold(record, |record, (key, value)| record.json(key, value))
    .json("bloom_rate", bloom_rate.map_or("null".to_owned(), |rate| rate.to_string()))
    .text("loaded_from", loaded)
    .json("checkpoint", checkpoint.map_or("null".to_owned(), |number| number.to_string()))
}

/// Where it was loaded from, and the last entry of the checkpoint if from one.
fn loaded(from: LoadedFrom) -> (&'static str, Option<u64>) {
    match from {
        LoadedFrom::Records => ("records", None),
        LoadedFrom::Checkpoint { number } => ("checkpoint", Some(number)),
        LoadedFrom::RecordsAgain => ("records_again", None),
    }
}

fn text(session: &Session, node: &SyncNode, statistics: &Statistics) -> String {
    let Statistics { status, depth, bytes, bloom_rate } = statistics;
    let filter = match bloom_rate {
        Some(rate) => format!("made for 1 %, would let {:.2} % of others pass", rate * 100.0),
        None => "made for 1 %, would be larger than filters are".to_owned(),
    };
    let loaded = match status.loaded_from {
        LoadedFrom::Records => "the records".to_owned(),
        LoadedFrom::Checkpoint { number } => format!("a checkpoint up to entry {number}, then the records"),
        LoadedFrom::RecordsAgain => "the records: its checkpoint did not agree with them".to_owned(),
    };
    let lines = [
        ("journal", node.journal().to_string()),
        ("root", status.root.to_string()),
        ("store", format!("{}  {}", session.path().display(), status.cursor.store)),
        ("device", node.device().to_string()),
        ("entries", format!("{}, {}", status.root.count, count(*bytes, "byte", "bytes"))),
        ("facts", status.facts.to_string()),
        ("predicates", status.predicates.to_string()),
        ("authorities", status.authorities.to_string()),
        ("devices", status.devices.to_string()),
        ("depth", depth.to_string()),
        ("held back", count(status.held_back, "entry", "entries")),
        ("gaps", count(status.missing, "missing entry", "missing entries")),
        ("forks", count(status.forked, "device", "devices")),
        ("filter", filter),
        ("loaded from", loaded),
    ];
    lines.map(|(name, value)| format!("{name:<12}{value}")).join("\n")
}
