//! `isoroot sync --watch`: stays connected until interrupted, and prints what happens.

use futures::FutureExt;
use futures::future::Fuse;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::{root, sync};
use crate::driver::node::SyncNode;
use crate::platform::native::StopSignal;
use crate::service::event::Event;

/// Follows the node, which dials `url` and dials again by itself, until the process is asked to end.
pub(super) async fn run(node: &SyncNode, url: &str, output: &mut Output) -> Result<Exit, Failure> {
    let mut signal = StopSignal::listen().map_err(|error| Failure::system("signals", &error))?;
    let events = node.events().await?;
    node.start().await?;
    output.note(&format!("Following {url}; interrupt to end."));
    let mut seen = node.status().await?.facts;
    let mut synced = false;
    // The sync that begins with each connection: no event tells that it was refused.
    let mut first = Box::pin(Fuse::terminated());
    loop {
        tokio::select! {
            biased;
            () = signal.received() => break,
            event = events.recv() => match event {
                Ok(event) => {
                    synced |= matches!(event, Event::Synced { .. });
                    if matches!(event, Event::Connected { .. }) {
                        first = Box::pin(node.sync_with(url).fuse());
                    }
                    show(node, event, &mut seen, output).await?;
                    output.flush()?;
                }
                Err(_) => break,
            },
            result = &mut first => refused(result?.result.map(drop).map_err(Failure::from))?,
        }
    }
    if synced {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Network, "UNREACHABLE", format!("never synced with {url}")))
}

/// Ends the watch where trying again would not help; a connection that broke is made anew.
fn refused(synced: Result<(), Failure>) -> Result<(), Failure> {
    synced.or_else(|failure| match failure.exit {
        Exit::Network | Exit::Done => Ok(()),
        Exit::No if failure.code.as_str() == "CANCELLED" => Ok(()),
        Exit::No | Exit::Usage | Exit::Store => Err(failure),
    })
}

/// Prints what has happened.
async fn show(node: &SyncNode, event: Event, seen: &mut u64, output: &mut Output) -> Result<(), Failure> {
    match event {
        Event::Synced { peer, report, .. } => sync::show(node, &peer, &report, output).await,
        // What happened meanwhile is seen in where the journal is now.
        Event::Grew { .. } | Event::Due { .. } | Event::Lagged { .. } => grew(node, seen, output).await,
        Event::Connected { peer, device } => {
            let record = || Record::event("connected").text("peer", &peer).text("device", device);
            output.line(record, || format!("connected with {peer}"))
        }
        Event::Disconnected { peer, error } => {
            let record = || {
                let record = Record::event("disconnected").text("peer", &peer);
                record.text("error", error.code()).text("message", &error)
            };
            output.line(record, || format!("disconnected from {peer}: {error}"))
        }
        Event::Phase { .. }
        | Event::SyncFailed { .. }
        | Event::Delivered { .. }
        | Event::Started
        | Event::Stopped => Ok(()),
    }
}

/// Prints where the journal is now, if there are facts that have not been counted yet.
async fn grew(node: &SyncNode, seen: &mut u64, output: &mut Output) -> Result<(), Failure> {
    let status = node.status().await?;
    let new = status.facts.saturating_sub(std::mem::replace(seen, status.facts));
    if new == 0 {
        return Ok(());
    }
    let record = || root::record(Record::event("grew"), node, &status).json("new_facts", new);
    output.line(record, || format!("{}: {}", count(new, "new fact", "new facts"), root::text(&status)))
}
