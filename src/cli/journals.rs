//! `isoroot journals`: lists the journals in a store.

use crate::cli::args::JournalsArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::session::Session;

pub(super) async fn run(args: JournalsArgs, output: &mut Output) -> Result<Exit, Failure> {
    let session = Session::existing(&args.store).await?;
    let listed = list(&session, output).await;
    session.close().await;
    listed
}

async fn list(session: &Session, output: &mut Output) -> Result<Exit, Failure> {
    for journal in session.journals().await? {
        let entries = session.entries(journal).await?;
        let hub = session.hub(journal).await?;
        let record = || {
            let record = Record::new().text("journal", journal).json("entries", entries);
            record.text_or_null("hub", hub.as_ref())
        };
        let text = || {
            let hub = hub.as_ref().map(|hub| format!("  {hub}")).unwrap_or_default();
            format!("{journal}  {}{hub}", count(entries, "entry", "entries"))
        };
        output.line(record, text)?;
    }
    Ok(Exit::Done)
}
