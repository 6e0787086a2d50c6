//! `isoroot hub`: runs a hub until it is asked to end.

use std::path::Path;
use std::time::Duration;

use futures::future::{Either, select};

use crate::cli::args::HubArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record};
use crate::hub::{Access, Hub, HubOptions};
use crate::platform::native::StopSignal;

/// How long stopping may take. What was acknowledged is durable whatever comes then.
const STOP: Duration = Duration::from_millis(4_500);

pub(super) async fn run(args: HubArgs, output: &mut Output) -> Result<Exit, Failure> {
    let access = access(&args)?;
    let has_page = args.www.is_some();
    let listed = matches!(access, Access::Listed(_));
    // Before anybody can know that it runs, and so ask it to end.
    let mut signal = StopSignal::listen().map_err(|error| Failure::system("signals", &error))?;
    let hub = Hub::bind(HubOptions {
        listen: args.listen,
        data: args.data,
        access,
        names: args.names.clone(),
        origins: args.origins,
        connections: usize::try_from(args.connections).unwrap_or(usize::MAX),
        www: args.www,
    })
    .await?;

    let url = format!("ws://{}/sync", hub.local_addr());
    let page = format!("http://{}/", hub.local_addr());
    let record = || {
        let names: Vec<_> = hub.names().iter().map(|name| format!("\"{name}\"")).collect();
        let record = Record::event("listening").text("url", &url).text("address", hub.local_addr());
        let record = record.json("names", format!("[{}]", names.join(",")));
        let record = record.text("access", if listed { "listed" } else { "open" });
        if has_page { record.text("page", &page) } else { record }
    };
    output.line(record, || format!("isoroot hub listening on {url}"))?;
    output.flush()?;
    if has_page {
        output.note(&format!("The page is at {page}"));
    }
    if args.names.is_empty() && args.listen.ip().is_unspecified() {
        output
            .note("Only this machine can dial it: say with --name HOST:PORT under which address others do.");
    }

    let (stopping, stopped) = async_channel::bounded::<()>(1);
    let serving = std::pin::pin!(hub.run(async move {
        signal.received().await;
        drop(stopping);
    }));
    let late = std::pin::pin!(async {
        // Nothing is ever sent: it resolves when the other end is dropped.
        let _ = stopped.recv().await;
        tokio::time::sleep(STOP).await;
    });
    if let Either::Right(_) = select(serving, late).await {
        tracing::warn!(name: "hub.late", "stopped before everything had ended");
    }
    Ok(Exit::Done)
}

fn access(args: &HubArgs) -> Result<Access, Failure> {
    match &args.journals {
        Some(file) => list(file),
        None if args.open && args.public => Ok(Access::OpenToAll),
        None => Ok(Access::OpenOnLoopback),
    }
}

fn list(file: &Path) -> Result<Access, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| Failure::input(&name.to_string(), &error))?;
    Access::from_list(&text).map_err(|error| Failure::new(Exit::Usage, "INPUT", format!("{name}: {error}")))
}
