//! `isoroot init`: makes a journal, and the store and the device's key if need be.

use crate::cli::args::InitArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record};
use crate::cli::session::{Session, check_hub};
use crate::driver::error::NodeError;
use crate::fact::genesis::Genesis;
use crate::fact::link::Link;
use crate::platform::native::OsEntropy;
use crate::platform::traits::Entropy;

pub(super) async fn run(args: InitArgs, output: &mut Output) -> Result<Exit, Failure> {
    if let Some(hub) = &args.hub {
        check_hub(hub)?;
    }
    let session = Session::new(&args.store).await?;
    let made = make(&session, args.hub, output).await;
    session.close().await;
    made
}

async fn make(session: &Session, hub: Option<String>, output: &mut Output) -> Result<Exit, Failure> {
    let mut nonce = [0; 32];
    OsEntropy.fill(&mut nonce).map_err(NodeError::from)?;
    let node = session.service().create(&Genesis::open(nonce)).await?;
    let link = Link { journal: node.journal(), hub };
    session.keep_hub(&link).await?;
    invite(session, &link, output)?;
    let journals = session.journals().await?.len();
    if journals > 1 {
        output.note(&format!("The store holds {journals} journals now: say which one with --journal ID."));
    }
    Ok(Exit::Done)
}

/// Prints the link of a journal that is in the store now.
pub(super) fn invite(session: &Session, link: &Link, output: &mut Output) -> Result<(), Failure> {
    let record = || {
        let record = Record::new().text("journal", link.journal).text("link", link);
        record.text("device", session.service().device()).text("store", session.path().display())
    };
    output.line(record, || link.to_string())
}
