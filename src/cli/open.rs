//! `isoroot open`: joins a journal by its link.

use crate::cli::args::OpenArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::init::invite;
use crate::cli::output::Output;
use crate::cli::session::{Session, check_hub};

pub(super) async fn run(args: OpenArgs, output: &mut Output) -> Result<Exit, Failure> {
    if let Some(hub) = &args.link.hub {
        check_hub(hub)?;
    }
    let session = Session::new(&args.store).await?;
    let joined = join(&session, &args, output).await;
    session.close().await;
    joined
}

async fn join(session: &Session, args: &OpenArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.service().open(args.link.journal).await?;
    session.keep_hub(&args.link).await?;
    invite(session, &args.link, output)?;
    if node.root().await?.count == 0 {
        let hub = if args.link.hub.is_some() { "" } else { " URL" };
        output.note(&format!("The journal is empty here until `isoroot sync{hub}`."));
    }
    Ok(Exit::Done)
}
