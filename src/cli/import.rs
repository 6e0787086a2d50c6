//! `isoroot import`: appends the facts of lines, from a file or standard input.

use std::fs::File;
use std::io::{self, Read, Seek};

use futures::{Stream, StreamExt};

use crate::cli::args::ImportArgs;
use crate::cli::bad_lines::BadLines;
use crate::cli::batches::Batches;
use crate::cli::exit::{Exit, Failure};
use crate::cli::import_file;
use crate::cli::output::{Output, Record, count};
use crate::cli::parse::{Parsed, parsed};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::source::Source;
use crate::cli::writing::{Writing, Written};
use crate::driver::node::SyncNode;
use crate::platform::native::{StopSignal, SystemClock};
use crate::platform::traits::Clock;

/// How far an import has come.
#[derive(Default)]
struct Came {
    written: Written,
    bad: BadLines,
}

/// Where facts are read from: the input's name for errors, and what may end the reading early.
struct Reading<'a> {
    name: &'a str,
    signal: StopSignal,
}

impl Reading<'_> {
    fn failed(&self, error: &io::Error) -> Failure {
        Failure::input(self.name, error)
    }

    /// The next lines, nothing at the end; an error also when the process is asked to end.
    async fn next(
        &mut self,
        pieces: &mut (impl Stream<Item = io::Result<Parsed>> + Unpin),
    ) -> Result<Option<Parsed>, Failure> {
        tokio::select! {
            biased;
            () = self.signal.received() => Err(Failure::new(Exit::No, "INTERRUPTED", "interrupted")),
            piece = pieces.next() => piece.transpose().map_err(|error| self.failed(&error)),
        }
    }
}

pub(super) async fn run(args: ImportArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut input = Source::open(&args.file)?;
    if input.holds_a_journal().map_err(|error| Failure::input(&args.file.display().to_string(), &error))? {
        return import_file::run(&args, input, output).await;
    }
    let session = Session::existing(&args.journal.store).await?;
    let imported = import(&session, &args, input, output).await;
    session.close().await;
    imported
}

async fn import(
    session: &Session,
    args: &ImportArgs,
    input: Source,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let name = args.file.display().to_string();
    // From here on an interrupt ends it in good order.
    let signal = StopSignal::listen().map_err(|error| Failure::system("signals", &error))?;
    let mut reading = Reading { name: &name, signal };
    let started = SystemClock.monotonic();
    let mut came = Came::default();
    let ended = transfer(&node, args, input, &mut reading, &mut came, output).await;

    let seconds = SystemClock.monotonic().since(started).as_secs_f64();
    let Came { written, bad } = came;
    bad.show(output)?;
    let record = || {
        let record = Record::new().text("journal", node.journal()).json("facts", written.facts);
        let record = record.json("entries", written.entries).json("bad_lines", bad.count());
        record.json("last_line", written.last_line).json("duration_ms", format!("{:.3}", seconds * 1_000.0))
    };
    output.line(record, || imported(written))?;
    match ended {
        Ok(()) if bad.count() == 0 || args.keep_going => output.note(&rate(written, seconds)),
        Ok(()) | Err(_) => output.note(&stopped(written, &bad)),
    }
    ended?;
    Ok(if bad.count() == 0 { Exit::Done } else { Exit::No })
}

/// Reads and writes, unless a line is bad.
async fn transfer(
    node: &SyncNode,
    args: &ImportArgs,
    input: Source,
    reading: &mut Reading<'_>,
    came: &mut Came,
    output: &Output,
) -> Result<(), Failure> {
    match input {
        Source::File(mut file, len) => {
            let copy = file.try_clone().map_err(|error| reading.failed(&error))?;
            let bad = check(copy, len, reading, output).await?;
            if bad.count() > 0 && !args.keep_going {
                came.bad = bad;
                return Ok(());
            }
            file.rewind().map_err(|error| reading.failed(&error))?;
            let progress = Progress::bytes(output, "writing", len);
            write(node, args, (file, false), reading, &progress, came).await
        }
        Source::Stream(stream) => {
            let progress = Progress::spinner(output, "importing");
            write(node, args, (stream, true), reading, &progress, came).await
        }
    }
}

/// Reads a file through; its bad lines.
async fn check(
    file: File,
    len: u64,
    reading: &mut Reading<'_>,
    output: &Output,
) -> Result<BadLines, Failure> {
    let progress = Progress::bytes(output, "checking", len);
    let mut bad = BadLines::default();
    let mut pieces = parsed(file, false);
    while let Some(piece) = reading.next(&mut pieces).await? {
        bad.append(piece.bad);
        progress.advance(piece.bytes);
    }
    Ok(bad)
}

/// Writes the facts of an input up to a bad line; those of a stream as lines come. What has been read
/// when it fails is written all the same, and `came` says how far that goes.
async fn write(
    node: &SyncNode,
    args: &ImportArgs,
    (input, stream): (impl Read + Send + 'static, bool),
    reading: &mut Reading<'_>,
    progress: &Progress,
    came: &mut Came,
) -> Result<(), Failure> {
    let mut batches = Batches::new(node.device(), usize::from(args.batch));
    let mut writing = Writing::new(node.clone());
    let bad = &mut came.bad;
    let mut pieces = parsed(input, stream);
    let ended = async {
        loop {
            let next = tokio::select! {
                biased;
                next = reading.next(&mut pieces) => next?,
                settled = writing.settled(), if stream => {
                    settled?;
                    writing.send().await?;
                    continue;
                }
            };
            let Some(mut piece) = next else { break };
            if !args.keep_going
                && let Some(first) = piece.bad.first_line()
            {
                // The entry in which the bad line would be is not written either.
                piece.facts.retain(|(line, _)| *line < first);
                *bad = piece.bad.first();
                return Ok(writing.add(batches.add(piece.facts)?).await?);
            }
            bad.append(piece.bad);
            writing.add(batches.add(piece.facts)?).await?;
            progress.advance(piece.bytes);
            if stream {
                // The next line may be long in coming. While there is something under way, its end will
                // send what has been gathered meanwhile.
                if writing.is_idle() {
                    writing.send().await?;
                }
                progress.say(format!("importing: line {}", piece.last_line));
            }
        }
        Ok::<_, Failure>(writing.add(batches.rest()?).await?)
    };
    let ended = ended.await;
    let finished = writing.finish().await;
    came.written = writing.written();
    ended?;
    Ok(finished?)
}

fn imported(written: Written) -> String {
    let entries = count(written.entries, "entry", "entries");
    format!("imported {} in {entries}", count(written.facts, "fact", "facts"))
}

fn rate(written: Written, seconds: f64) -> String {
    let rate = written.facts as f64 / seconds.max(1e-6);
    let (facts, entries) =
        (count(written.facts, "fact", "facts"), count(written.entries, "entry", "entries"));
    format!("{facts}, {entries}, {seconds:.3} s, {rate:.0} facts/s")
}

fn stopped(written: Written, bad: &BadLines) -> String {
    let lines = match bad.count() {
        0 => String::new(),
        bad => format!("{}: ", count(bad, "bad line", "bad lines")),
    };
    match written.entries {
        0 if bad.count() > 0 => format!("{lines}nothing was written; --keep-going writes the good ones"),
        0 => "nothing was written".to_owned(),
        _ => format!("{lines}stopped; what is written goes up to line {}", written.last_line),
    }
}
