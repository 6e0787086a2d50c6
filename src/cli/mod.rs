//! The command line tool: reads arguments, runs one command, gives its exit code.

mod append;
mod arg_values;
mod args;
mod bad_lines;
mod batches;
mod check;
mod exit;
mod export;
mod follow;
mod help;
mod hub;
mod import;
mod import_file;
mod init;
mod input;
mod inspect;
mod journals;
mod json;
mod lines;
mod log;
mod open;
mod output;
mod parse;
mod progress;
mod prove;
mod receipts;
mod root;
mod salvage;
mod session;
mod source;
mod sync;
mod utc;
mod verify;
mod watch;
mod writing;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use self::args::{Args, Command};
use self::exit::{Exit, Failure};
use self::output::Output;

/// Runs the tool on the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(error) => {
            // Help and version come this way too. A closed terminal is nothing to be told of.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    log_to_stderr(args.verbose);
    let mut output = Output::new(args.json);
    let ended = run(args.command, &mut output).and_then(|exit| output.flush().map(|()| exit));
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(command: Command, output: &mut Output) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::system("the tool does not start", &error))?;
    let ended = runtime.block_on(async {
        match command {
            Command::Init(args) => init::run(args, output).await,
            Command::Open(args) => open::run(args, output).await,
            Command::Import(args) => import::run(args, output).await,
            Command::Export(args) => export::run(args, output).await,
            Command::Append(args) => append::run(args, output).await,
            Command::Log(args) => log::run(args, output).await,
            Command::Watch(args) => follow::run(args, output).await,
            Command::Root(args) => root::run(args, output).await,
            Command::Inspect(args) => inspect::run(args, output).await,
            Command::Prove(args) => prove::run(args, output).await,
            Command::Verify(args) => verify::run(&args, output),
            Command::Sync(args) => sync::run(args, output).await,
            Command::Journals(args) => journals::run(args, output).await,
            Command::Check(args) => check::run(args, output).await,
            Command::Salvage(args) => salvage::run(args, output).await,
            Command::Hub(args) => hub::run(args, output).await,
        }
    });
    // Not waited for: one thread may hang in a read of standard input, and what matters has ended.
    runtime.shutdown_background();
    ended
}

/// Sends log lines to standard error: what `ISOROOT_LOG` asks for, else with `--verbose` what a person
/// may want to know, else none.
fn log_to_stderr(verbose: bool) {
    let filter = match std::env::var("ISOROOT_LOG") {
        Ok(filter) if !filter.is_empty() => filter,
        _ if verbose => "isoroot=info".to_owned(),
        _ => return,
    };
    let lines = tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    lines.with_env_filter(tracing_subscriber::EnvFilter::new(filter)).init();
}
