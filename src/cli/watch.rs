//! `isoroot sync --watch`: stays connected until interrupted, and prints what happens.

use std::pin::pin;

use futures::StreamExt;
use futures::future::{Either, select};

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::{root, sync};
use crate::driver::node::SyncNode;
use crate::platform::native::StopSignal;
use crate::service::event::Event;

/// Follows the node, which dials `url` and dials again by itself, until the process is asked to end.
pub(super) async fn run(node: &SyncNode, url: &str, output: &mut Output) -> Result<Exit, Failure> {
    let mut signal = StopSignal::listen().map_err(|error| Failure::system("signals", &error))?;
    let mut events = pin!(node.events().await?);
    node.start().await?;
    output.note(&format!("Following {url}; interrupt to end."));
    let mut seen = node.status().await?.facts;
    let mut synced = false;
    while let Either::Left((Some(event), _)) = select(events.next(), pin!(signal.received())).await {
        match event {
            Event::Synced { peer, report, .. } => {
                synced = true;
                sync::show(node, &peer, &report, output).await?;
            }
            // Others of the same burst say nothing that this one does not.
            Event::Grew { .. } | Event::Lagged { .. } => grew(node, &mut seen, output).await?,
            Event::Connected { peer, device } => {
                let record = || Record::event("connected").text("peer", &peer).text("device", device);
                output.line(record, || format!("connected with {peer}"))?;
            }
            Event::Disconnected { peer, error } => {
                let record = || {
                    let record = Record::event("disconnected").text("peer", &peer);
                    record.text("error", error.code()).text("message", &error)
                };
                output.line(record, || format!("disconnected from {peer}: {error}"))?;
            }
            Event::Started | Event::Stopped => {}
        }
        output.flush()?;
    }
    if synced {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Network, "UNREACHABLE", format!("never synced with {url}")))
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
