//! `isoroot watch`: prints the facts, and each new one as it comes, until interrupted.

use futures::StreamExt;

use crate::cli::args::WatchArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::log;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::driver::facts::Watched;
use crate::platform::native::StopSignal;

pub(super) async fn run(args: WatchArgs, output: &mut Output) -> Result<Exit, Failure> {
    let session = Session::existing(&args.journal.store).await?;
    let followed = follow(&session, &args, output).await;
    // Says goodbye to the peer, so that it need not find out by itself.
    drop(session.service().stop().await);
    session.close().await;
    followed
}

async fn follow(session: &Session, args: &WatchArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut signal = StopSignal::listen().map_err(|error| Failure::system("signals", &error))?;
    let node = session.node(args.journal.journal).await?;
    if let Some(hub) = session.hub(node.journal()).await? {
        node.add_peer(&hub).await?;
        node.start().await?;
        output.note(&format!("Following {hub}; interrupt to end."));
    }
    let mut position = args.after;
    let mut facts = node.watch(args.query.query(), position);
    loop {
        tokio::select! {
            biased;
            () = signal.received() => break,
            item = facts.next() => match item {
                Some(Ok(Watched::Fact(fact))) => {
                    position = Some(fact.position);
                    log::show(&fact, output)?;
                    output.flush()?;
                }
                // What is behind follows.
                Some(Ok(Watched::Lagged { .. })) => {}
                Some(Err(error)) => return Err(error.into()),
                None => break,
            },
        }
    }
    if let Some(position) = position {
        output.note(&format!("Go on from here with --after {position}"));
    }
    Ok(Exit::Done)
}
