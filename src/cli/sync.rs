//! `isoroot sync`: makes a journal equal with that of a hub, once or for as long as it runs.

use crate::cli::args::SyncArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::progress::Progress;
use crate::cli::receipts;
use crate::cli::session::Session;
use crate::cli::watch;
use crate::driver::node::SyncNode;
use crate::platform::native::WebSocketTransport;
use crate::session::report::SyncReport;

pub(super) async fn run(args: SyncArgs, output: &mut Output) -> Result<Exit, Failure> {
    let transport = WebSocketTransport::new().allow_plain(args.allow_plain);
    let session = Session::with_transport(&args.journal.store, transport).await?;
    let synced = sync(&session, &args, output).await;
    // Says goodbye to the peer, so that it need not find out by itself.
    drop(session.service().stop().await);
    session.close().await;
    synced
}

async fn sync(session: &Session, args: &SyncArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let url = match &args.url {
        Some(url) => url.clone(),
        None => session.hub(node.journal()).await?.ok_or_else(|| {
            Failure::usage(
                "the journal's link named no hub: say with which to sync, such as ws://HOST:PORT/sync",
            )
        })?,
    };
    node.add_peer(&url).await?;
    if args.watch {
        return watch::run(&node, &url, output).await;
    }
    node.start().await?;
    let progress = Progress::spinner(output, "syncing");
    let synced = node.sync_with(&url).await?;
    drop(progress);
    let report = synced.result?;
    show(&node, &url, &report, output).await?;
    if let Some(path) = &args.receipt {
        receipts::request(&node, &url, path, output).await?;
    }
    // Entries that one side has refused, and so the sets differ by them.
    Ok(if report.refused > 0 { Exit::No } else { Exit::Done })
}

/// Prints what a sync has done.
pub(super) async fn show(
    node: &SyncNode,
    peer: &str,
    report: &SyncReport,
    output: &mut Output,
) -> Result<(), Failure> {
    let facts = node.status().await?.facts;
    let ms = report.duration.as_secs_f64() * 1_000.0;
    let record = || {
        let record = Record::event("synced").text("peer", peer).text("journal", node.journal());
        let record = record.json("entries_sent", report.entries_sent);
        let record = record.json("entries_received", report.entries_received);
        let record =
            record.json("bytes_sent", report.bytes_sent).json("bytes_received", report.bytes_received);
        let record = record.json("wire_sent", report.wire_sent).json("wire_received", report.wire_received);
        let record = record.json("refused", report.refused).json("rounds", report.rounds);
        let record = record.json("duration_ms", format!("{ms:.3}")).text("root", report.root);
        record.json("entries", report.root.count).json("facts", facts)
    };
    let text = || {
        let entries = |entries| count(entries, "entry", "entries");
        let way = |number, bytes, wire| {
            format!("{}, {} ({wire} on the wire)", entries(number), count(bytes, "byte", "bytes"))
        };
        let mut text = format!(
            "synced with {peer} in {ms:.1} ms\nsent      {}\nreceived  {}\n",
            way(report.entries_sent, report.bytes_sent, report.wire_sent),
            way(report.entries_received, report.bytes_received, report.wire_received),
        );
        if report.refused > 0 {
            text.push_str(&format!("refused   {}: by these the journals differ\n", entries(report.refused)));
        }
        let root = format!("{}  {}", report.root, entries(report.root.count));
        text.push_str(&format!("root here   {root}\nroot there  {root}"));
        text
    };
    output.line(record, text)
}
