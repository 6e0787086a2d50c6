//! `isoroot import` of a journal's file: checks it, and takes in what is new.

use std::io::{self, Read, Seek};

use futures::{StreamExt, stream};
use tokio::task::spawn_blocking;

use crate::cli::args::ImportArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::source::{Source, read};
use crate::driver::files::{ImportError, ImportReport};
use crate::driver::node::SyncNode;
use crate::ids::JournalId;
use crate::journal::file::checker::{FileChecker, FileStep};
use crate::journal::file::error::FileError;
use crate::journal::file::header::FileHeader;
use crate::merkle::subtree::Root;
use crate::platform::native::{StopSignal, SystemClock};
use crate::platform::traits::Clock;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 262_144;
/// Pieces that are read ahead.
const AHEAD: usize = 3;

/// The bytes of an input, read on a thread.
type Pieces = stream::BoxStream<'static, io::Result<Vec<u8>>>;

/// A file as it is read: its bytes, its name for errors, and what may end the reading early.
struct Reading<'a> {
    pieces: Pieces,
    name: &'a str,
    signal: &'a mut StopSignal,
}

fn interrupted() -> Failure {
    Failure::new(Exit::No, "INTERRUPTED", "interrupted")
}

impl Reading<'_> {
    /// The next bytes, nothing at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        tokio::select! {
            biased;
            () = self.signal.received() => Err(interrupted()),
            piece = self.pieces.next() => piece.transpose().map_err(|error| Failure::input(self.name, &error)),
        }
    }
}

pub(super) async fn run(args: &ImportArgs, source: Source, output: &mut Output) -> Result<Exit, Failure> {
    let name = args.file.display().to_string();
    // From here on an interrupt ends it in good order.
    let mut signal = StopSignal::listen().map_err(|error| Failure::system("signals", &error))?;
    let started = SystemClock.monotonic();
    let (pieces, progress) = match source {
        Source::File(mut file, len) => {
            let failed = |error| Failure::input(&name, &error);
            let copy = file.try_clone().map_err(failed)?;
            let progress = Progress::bytes(output, "checking", len);
            let mut reading = Reading { pieces: pieces(copy), name: &name, signal: &mut signal };
            check(args.journal.journal, &mut reading, &progress).await?;
            drop(progress);
            file.rewind().map_err(failed)?;
            (pieces(file), Progress::bytes(output, "importing", len))
        }
        Source::Stream(stream) => (pieces(stream), Progress::spinner(output, "importing")),
    };
    let mut reading = Reading { pieces, name: &name, signal: &mut signal };
    let (header, begun) = header(&mut reading).await?;
    expect(args.journal.journal, &header)?;

    let session = Session::new(&args.journal.store).await?;
    let known = session.journals().await?.contains(&header.journal());
    let imported = async {
        let node = match header.genesis() {
            Some(genesis) => session.service().create(genesis).await?,
            None => session.service().open(header.journal()).await?,
        };
        let imported = import(&node, begun, reading, &progress).await;
        drop(progress);
        let milliseconds = SystemClock.monotonic().since(started).as_secs_f64() * 1_000.0;
        report(&node, &imported, milliseconds, output).await?;
        if !known {
            output.note(&format!("The journal is new in {}.", session.path().display()));
        }
        imported.map(|_| Exit::Done).map_err(|(_, failure)| failure)
    };
    let imported = imported.await;
    session.close().await;
    imported
}

/// Fails if the file holds another journal than the one that was asked for.
fn expect(expected: Option<JournalId>, header: &FileHeader) -> Result<(), FileError> {
    match (expected, header.journal()) {
        (Some(expected), found) if found != expected => Err(FileError::OtherJournal { found, expected }),
        (Some(_) | None, _) => Ok(()),
    }
}

/// Reads a file through, and checks all of it.
async fn check(
    journal: Option<JournalId>,
    reading: &mut Reading<'_>,
    progress: &Progress,
) -> Result<(), Failure> {
    let mut checker = FileChecker::new();
    let step = |checker: &mut FileChecker, step| {
        match step {
            FileStep::Header(header) => expect(journal, &header)?,
            FileStep::Check(batch) => drop(checker.settle(batch.check())),
            FileStep::End(_) => return Ok(true),
        }
        Ok::<_, FileError>(false)
    };
    while let Some(piece) = reading.next().await? {
        let mut bytes = &piece[..];
        while let Some(next) = checker.read(&mut bytes)? {
            step(&mut checker, next)?;
        }
        progress.advance(piece.len() as u64);
    }
    loop {
        let next = checker.finish()?;
        if step(&mut checker, next)? {
            return Ok(());
        }
    }
}

/// What the file says of itself, and the bytes that were read for that.
async fn header(reading: &mut Reading<'_>) -> Result<(FileHeader, Vec<u8>), Failure> {
    let mut begun = Vec::new();
    loop {
        if let Some(header) = FileHeader::peek(&begun)? {
            return Ok((header, begun));
        }
        let piece = reading.next().await?;
        let cut = FileError::Incomplete { offset: begun.len() as u64, entries: 0 };
        begun.extend(piece.ok_or(cut)?);
    }
}

/// What an import came to; where it failed, what had been done by then.
type Imported = Result<ImportReport, (ImportError, Failure)>;

async fn import(node: &SyncNode, begun: Vec<u8>, reading: Reading<'_>, progress: &Progress) -> Imported {
    // What ends the reading, to be told as itself.
    let mut ended = None;
    let bytes = stream::unfold((Some(begun), reading, &mut ended), async |(begun, mut reading, ended)| {
        let piece = match begun {
            Some(begun) => Ok(Some(begun)),
            None => reading.next().await,
        };
        match piece {
            Ok(piece) => {
                let piece = piece?;
                progress.advance(piece.len() as u64);
                Some((Ok(piece), (None, reading, ended)))
            }
            Err(failure) => {
                let reason = failure.message.clone().unwrap_or_default();
                *ended = Some(failure);
                Some((Err(reason), (None, reading, ended)))
            }
        }
    });
    let imported = node.import(bytes).await;
    imported.map_err(|error| {
        let told = Failure::from(error.clone());
        let failure = match ended {
            Some(Failure { exit, code, message }) if error.error.code().as_str() == "FILE_UNREADABLE" => {
                let message = message.map(|reason| error.after(&reason));
                Failure { exit, code, message }
            }
            Some(_) | None => told,
        };
        (error, failure)
    })
}

async fn report(
    node: &SyncNode,
    imported: &Imported,
    milliseconds: f64,
    output: &mut Output,
) -> Result<(), Failure> {
    let (entries, new, in_file) = match imported {
        Ok(report) => (report.entries, report.new, Some(report.in_file)),
        Err((error, _)) => (error.entries, error.new, None),
    };
    let here = node.root().await?;
    let record = || {
        let record = Record::new().text("journal", node.journal()).json("entries", entries).json("new", new);
        let record = record.text_or_null("file_root", in_file).text("root", here);
        record.json("root_entries", here.count).json("duration_ms", format!("{milliseconds:.3}"))
    };
    let text = || {
        let line = |root: Root| format!("{root}  {}", count(root.count, "entry", "entries"));
        let mut text = format!("imported {}, {new} new\n", count(entries, "entry", "entries"));
        if let Some(root) = in_file {
            text.push_str(&format!("root in the file  {}\n", line(root)));
        }
        text.push_str(&format!("root here         {}", line(here)));
        text
    };
    output.line(record, text)
}

/// Reads an input on a thread, a few pieces ahead.
fn pieces(mut input: impl Read + Send + 'static) -> Pieces {
    let (sender, pieces) = async_channel::bounded(AHEAD);
    // Ends when there is nobody left to take a piece, or with the input.
    drop(spawn_blocking(move || {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let came = read(&mut input, &mut piece);
            piece.truncate(*came.as_ref().unwrap_or(&0));
            if matches!(came, Ok(0)) {
                return;
            }
            let failed = came.is_err();
            if sender.send_blocking(came.map(|_| piece)).is_err() || failed {
                return;
            }
        }
    }));
    pieces.boxed()
}
