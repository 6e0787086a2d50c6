//! `isoroot import`: appends the facts of a file or of standard input.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use futures::StreamExt;

use crate::cli::args::ImportArgs;
use crate::cli::bad_lines::BadLines;
use crate::cli::batches::Batches;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::parse::{Parsed, parsed};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::writing::{Writing, Written};
use crate::driver::node::SyncNode;
use crate::platform::native::SystemClock;
use crate::platform::traits::Clock;

/// Where lines come from.
enum Input {
    /// A file, which can be read twice; its length.
    File(File, u64),
    /// Standard input or a pipe, which can't.
    Stream(Box<dyn Read + Send>),
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stream(Box::new(io::stdin())));
        }
        let failed = |error| Failure::input(&path.display().to_string(), &error);
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if found.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(if found.is_file() { Self::File(file, found.len()) } else { Self::Stream(Box::new(file)) })
    }
}

/// How an import has ended, as far as it came.
struct Ended {
    written: Written,
    bad: BadLines,
    /// Whether it went through to the end of the input.
    complete: bool,
}

pub(super) async fn run(args: ImportArgs, output: &mut Output) -> Result<Exit, Failure> {
    let input = Input::open(&args.file)?;
    let session = Session::existing(&args.journal.store).await?;
    let imported = import(&session, &args, input, output).await;
    session.close().await;
    imported
}

async fn import(
    session: &Session,
    args: &ImportArgs,
    input: Input,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let name = args.file.display().to_string();
    let unreadable = |error: io::Error| Failure::input(&name, &error);
    let node = session.node(args.journal.journal).await?;
    let started = SystemClock.monotonic();
    let mut written = Written::default();
    let ended = match input {
        Input::File(mut file, len) => {
            let copy = file.try_clone().map_err(unreadable)?;
            let bad = check(copy, len, output).await.map_err(unreadable)?;
            if bad.count() > 0 && !args.keep_going {
                Ok(Ended { written, bad, complete: false })
            } else {
                file.rewind().map_err(unreadable)?;
                let progress = Progress::bytes(output, "writing", len);
                write(&node, args, file, false, &progress, &mut written).await
            }
        }
        Input::Stream(stream) => {
            let progress = Progress::spinner(output, "importing");
            write(&node, args, stream, true, &progress, &mut written).await
        }
    };
    let seconds = SystemClock.monotonic().since(started).as_secs_f64();
    let summary = |written: Written, bad: u64| {
        let record = Record::new().text("journal", node.journal()).json("facts", written.facts);
        let record = record.json("entries", written.entries).json("bad_lines", bad);
        record.json("last_line", written.last_line).json("duration_ms", format!("{:.3}", seconds * 1_000.0))
    };
    match ended {
        Ok(Ended { written, bad, complete }) => {
            bad.show(output)?;
            output.line(|| summary(written, bad.count()), || imported(written))?;
            if complete {
                output.note(&rate(written, seconds));
            } else {
                output.note(&stopped(written, &bad));
            }
            Ok(if bad.count() == 0 { Exit::Done } else { Exit::No })
        }
        Err(failure) => {
            output.line(|| summary(written, 0), || imported(written))?;
            output.note(&format!("Stopped; what is written goes up to line {}.", written.last_line));
            Err(failure)
        }
    }
}

/// Reads a file through; its bad lines.
async fn check(file: File, len: u64, output: &Output) -> io::Result<BadLines> {
    let progress = Progress::bytes(output, "checking", len);
    let mut bad = BadLines::default();
    let mut pieces = parsed(file, false);
    while let Some(piece) = pieces.next().await {
        let Parsed { bad: found, bytes, .. } = piece?;
        bad.append(found);
        progress.advance(bytes);
    }
    Ok(bad)
}

/// Writes the facts of an input; `written` says how far it came, also when it fails. A stream goes on
/// as lines come.
async fn write(
    node: &SyncNode,
    args: &ImportArgs,
    input: impl Read + Send + 'static,
    stream: bool,
    progress: &Progress,
    written: &mut Written,
) -> Result<Ended, Failure> {
    let mut batches = Batches::new(node.device(), usize::from(args.batch));
    let mut writing = Writing::new(node.clone());
    let mut bad = BadLines::default();
    let mut pieces = parsed(input, stream);
    let ended = async {
        while let Some(piece) = pieces.next().await {
            let name = || args.file.display().to_string();
            let mut piece = piece.map_err(|error| Failure::input(&name(), &error))?;
            if !args.keep_going
                && let Some(first) = piece.bad.first_line()
            {
                // The entry in which the bad line would be is not written either.
                piece.facts.retain(|(line, _)| *line < first);
                bad = piece.bad.first();
                writing.add(batches.add(piece.facts)?).await?;
                return Ok(false);
            }
            bad.append(piece.bad);
            writing.add(batches.add(piece.facts)?).await?;
            progress.advance(piece.bytes);
            if stream {
                // The next line may be long in coming.
                writing.send().await?;
                progress.say(format!("importing: line {}", piece.last_line));
            }
        }
        writing.add(batches.rest()?).await?;
        Ok(true)
    };
    let ended: Result<bool, Failure> = ended.await;
    let finished = writing.finish().await;
    *written = writing.written();
    let complete = ended?;
    finished?;
    Ok(Ended { written: *written, bad, complete })
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
    let lines = count(bad.count(), "bad line", "bad lines");
    match (written.entries, bad.first_line()) {
        (0, _) => format!("{lines}: nothing was written; --keep-going writes the good ones"),
        (_, first) => format!(
            "stopped at line {}; what is written goes up to line {}",
            first.unwrap_or_default(),
            written.last_line
        ),
    }
}
