//! `isoroot export`: writes a journal into one file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use futures::StreamExt;

use crate::cli::args::ExportArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Record, count};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::driver::node::SyncNode;
use crate::platform::native::StopSignal;

/// Names that are tried for the file as long as it is not whole.
const NAMES: u32 = 100;

pub(super) async fn run(args: ExportArgs, output: &mut Output) -> Result<Exit, Failure> {
    let to_stdout = args.output == Path::new("-");
    if to_stdout && io::stdout().is_terminal() {
        let message = "a journal's file is not for a terminal: name a file with -o FILE, or pipe it on";
        return Err(Failure::usage(message));
    }
    let session = Session::existing(&args.journal.store).await?;
    let exported = match to_stdout {
        true => to_stream(&session, &args, output).await,
        false => to_file(&session, &args, output).await,
    };
    session.close().await;
    exported
}

async fn to_stream(session: &Session, args: &ExportArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let root = node.root().await?;
    // Also a reader who has gone is a failure: what it has is no whole file.
    let failed = |error| Failure::new(Exit::Usage, "OUTPUT", format!("standard output: {error}"));
    let mut stdout = io::stdout().lock();
    let bytes = write(&node, &mut stdout, output, failed).await?;
    stdout.flush().map_err(failed)?;
    output.note(&format!("{}, {bytes} bytes, root {root}", count(root.count, "entry", "entries")));
    Ok(Exit::Done)
}

async fn to_file(session: &Session, args: &ExportArgs, output: &mut Output) -> Result<Exit, Failure> {
    let node = session.node(args.journal.journal).await?;
    let root = node.root().await?;
    let name = args.output.display();
    let failed = |error| Failure::new(Exit::Usage, "OUTPUT", format!("{name} cannot be written: {error}"));
    let mut signal = StopSignal::listen().map_err(|error| Failure::system("signals", &error))?;
    let mut target = Target::open(&args.output).map_err(failed)?;
    let bytes = tokio::select! {
        biased;
        () = signal.received() => Err(Failure::new(Exit::No, "INTERRUPTED", "interrupted: nothing was written")),
        bytes = write(&node, &mut target.file, output, failed) => bytes,
    }?;
    target.finish().map_err(failed)?;
    let record = || {
        let record = Record::new().text("journal", node.journal()).text("file", &name);
        record.json("entries", root.count).text("root", root).json("bytes", bytes)
    };
    let entries = count(root.count, "entry", "entries");
    output.line(record, || format!("exported {entries} to {name}, {bytes} bytes\nroot {root}"))?;
    Ok(Exit::Done)
}

/// Writes the file's bytes; how many they are.
async fn write(
    node: &SyncNode,
    out: &mut impl Write,
    output: &Output,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<u64, Failure> {
    let progress = Progress::spinner(output, "exporting");
    let mut pieces = node.export();
    let mut bytes = 0u64;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        out.write_all(&piece).map_err(&failed)?;
        bytes = bytes.saturating_add(piece.len() as u64);
        progress.say(format!("exporting: {} kB", bytes / 1_000));
        // For the signal, which is looked at in between.
        tokio::task::yield_now().await;
    }
    Ok(bytes)
}

/// A file that takes its place when it is whole; if that never comes, it is removed.
struct Target {
    file: File,
    /// Where it is, and where it belongs. Nothing where that is no ordinary file, which is written to as it is.
    place: Option<(PathBuf, PathBuf)>,
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        // Through links: the file that is meant is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Ok(Self { file: OpenOptions::new().write(true).open(path)?, place: None });
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy().into_owned();
        let mut tried = 0;
        loop {
            let beside = path.with_file_name(format!(".{name}.{}-{tried}.part", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&beside) {
                Ok(file) => return Ok(Self { file, place: Some((beside, path)) }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < NAMES => tried += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Everything is written: puts it on the disk, then in its place.
    fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        let Some((beside, path)) = &self.place else { return Ok(()) };
        self.file.sync_all()?;
        fs::rename(beside, path)?;
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let folder = folder.to_owned();
        self.place = None;
        // That it is in its place is to outlive a power cut as well, where the system can promise that.
        File::open(folder).and_then(|folder| folder.sync_all())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.place {
            // If it can't be removed, it is a file that nobody asked for and that says so by its name.
            drop(fs::remove_file(beside));
        }
    }
}
