//! `isoroot append`: appends facts as one entry.

use crate::cli::args::AppendArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::input;
use crate::cli::output::{Output, Record};
use crate::cli::session::Session;
use crate::fact::statement::Fact;

pub(super) async fn run(args: AppendArgs, output: &mut Output) -> Result<Exit, Failure> {
    let facts = facts(&args)?;
    let session = Session::existing(&args.journal.store).await?;
    let appended = append(&session, &args, facts, output).await;
    session.close().await;
    appended
}

fn facts(args: &AppendArgs) -> Result<Vec<Fact>, Failure> {
    let (pairs, []) = args.facts.as_chunks::<2>() else {
        return Err(Failure::usage(
            "the last predicate has no value: facts are pairs of PREDICATE and VALUE",
        ));
    };
    let fact = |[predicate, value]: &[String; 2]| {
        let bad = |reason| Failure::usage(format!("the fact {predicate:?}: {reason}"));
        let value = input::value(value).map_err(bad)?;
        let fact = Fact { predicate: predicate.clone(), value, authority: None, timestamp: args.timestamp };
        fact.validate().map_err(|error| bad(error.to_string()))?;
        Ok(fact)
    };
    pairs.iter().map(fact).collect()
}

async fn append(
    session: &Session,
    args: &AppendArgs,
    facts: Vec<Fact>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let count = facts.len();
    let appended = node.append(facts).await?;
    let record = || {
        let record = Record::new().text("journal", node.journal()).text("entry", appended.id);
        record.json("number", appended.number).json("facts", count)
    };
    output.line(record, || appended.id.to_string())?;
    Ok(Exit::Done)
}
