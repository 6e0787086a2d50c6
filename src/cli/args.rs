//! The arguments: each flag is defined here once, with its help.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::help;
use crate::fact::link::{Link, LinkError};
use crate::ids::JournalId;
use crate::limits::FACTS_PER_ENTRY;

/// Journals of small facts, equal on every device, proved by one Merkle root.
#[derive(Debug, Parser)]
#[command(name = "isoroot", version, about, propagate_version = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Print one JSON object a line instead of text; errors too, on standard error
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Log what happens to standard error
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
}

impl Args {
    /// Reads the arguments of this process.
    pub(super) fn read() -> Result<Self, clap::Error> {
        let command = Self::command().after_help(help::EXIT_CODES).mut_subcommands(|command| {
            let own = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let gap = if own.is_empty() { "" } else { "\n\n" };
            command.after_help(format!("{own}{gap}{}", help::EXIT_CODES))
        });
        Self::from_arg_matches(&command.try_get_matches()?)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Init(InitArgs),
    Open(OpenArgs),
    Import(ImportArgs),
    Append(AppendArgs),
    Log(LogArgs),
    Root(RootArgs),
    Sync(SyncArgs),
    Journals(JournalsArgs),
    Check(CheckArgs),
    Salvage(SalvageArgs),
    Hub(HubArgs),
}

/// Where the journals are.
#[derive(Debug, clap::Args)]
pub(super) struct StoreArgs {
    /// File that holds the journals and this device's key
    #[arg(long, value_name = "PATH", default_value = "./isoroot.redb")]
    pub(super) store: PathBuf,
}

/// Which journal is meant.
#[derive(Debug, clap::Args)]
pub(super) struct JournalArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,

    /// The journal, by its id or link, where the store holds several
    #[arg(long, value_name = "ID", value_parser = journal)]
    pub(super) journal: Option<JournalId>,
}

/// Make a journal and print the link that invites to it
///
/// Makes the store too if it is not there, with a new key for this device. Everyone who has the link
/// may read and write the journal.
#[derive(Debug, clap::Args)]
#[command(after_help = help::INVITE)]
pub(super) struct InitArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,

    /// Address of a hub, such as wss://hub.example/sync, to go into the link
    #[arg(long, value_name = "URL")]
    pub(super) hub: Option<String>,
}

/// Join a journal by its link
///
/// The journal is empty here until the first sync. Everyone who has the link may read and write it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::INVITE)]
pub(super) struct OpenArgs {
    /// The link, as `isoroot init` printed it
    #[arg(value_name = "LINK")]
    pub(super) link: Link,

    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// Append the facts of a file, or of standard input, one JSON object a line
///
/// A file is checked whole before anything is written: if a line is bad, all bad lines are listed and
/// nothing is written. Standard input (and a pipe) goes batch by batch: it stops at the first bad line,
/// and says how far it came.
#[derive(Debug, clap::Args)]
#[command(after_help = help::IMPORT)]
pub(super) struct ImportArgs {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    #[command(flatten)]
    pub(super) journal: JournalArgs,

    /// Facts to an entry
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u16).range(1..=FACTS_PER_ENTRY as i64))]
    pub(super) batch: u16,

    /// Write the good lines also if others are bad; the exit code still is 1 then
    #[arg(long)]
    pub(super) keep_going: bool,
}

/// Append facts as one entry
#[derive(Debug, clap::Args)]
#[command(after_help = help::APPEND)]
pub(super) struct AppendArgs {
    /// Pairs of predicate and value, together one entry
    #[arg(value_names = ["PREDICATE", "VALUE"], num_args = 2.., required = true,
        allow_negative_numbers = true)]
    pub(super) facts: Vec<String>,

    #[command(flatten)]
    pub(super) journal: JournalArgs,

    /// When the facts hold, in milliseconds since 1970
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(super) timestamp: Option<i64>,
}

/// Print the facts, in the order in which they came into this store
#[derive(Debug, clap::Args)]
#[command(after_help = help::LOG)]
pub(super) struct LogArgs {
    #[command(flatten)]
    pub(super) journal: JournalArgs,

    /// Only facts with this predicate; with a * at the end, those that begin so
    #[arg(long, value_name = "P")]
    pub(super) predicate: Option<String>,
}

/// Print the Merkle root: two stores hold the same entries exactly when their roots are equal
#[derive(Debug, clap::Args)]
#[command(after_help = help::ROOT)]
pub(super) struct RootArgs {
    #[command(flatten)]
    pub(super) journal: JournalArgs,
}

/// Make a journal equal with that of a hub
#[derive(Debug, clap::Args)]
#[command(after_help = help::SYNC)]
pub(super) struct SyncArgs {
    /// Address of the hub, such as ws://127.0.0.1:8080/sync; by default that of the journal's link
    #[arg(value_name = "URL")]
    pub(super) url: Option<String>,

    #[command(flatten)]
    pub(super) journal: JournalArgs,

    /// Stay connected until interrupted, and follow what is new on either side
    #[arg(long)]
    pub(super) watch: bool,

    /// Dial ws:// also on other machines, unencrypted: for networks that are trusted
    #[arg(long)]
    pub(super) allow_plain: bool,
}

/// List the journals in a store
#[derive(Debug, clap::Args)]
#[command(after_help = help::JOURNALS)]
pub(super) struct JournalsArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// Say whether a store is sound, and what is wrong with it
///
/// Every entry is read, its bytes held to its id and its signature checked; and the root, the list of
/// ids and the checkpoint. Nothing is changed. The exit code is 1 if something is wrong, and 3 if the
/// store cannot be opened.
#[derive(Debug, clap::Args)]
#[command(after_help = help::CHECK)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// Write what is sound of a damaged store into a new one
///
/// The old one stays as it is. With the entries go the device's key, the list of journals and their
/// peers: go on with the new store alone. What is lost comes back by a sync with whoever has it. The
/// exit code is 1 if something is lost.
#[derive(Debug, clap::Args)]
#[command(after_help = help::SALVAGE)]
pub(super) struct SalvageArgs {
    /// The damaged store
    #[arg(value_name = "OLD")]
    pub(super) store: PathBuf,

    /// File for the new store, which must not be there
    #[arg(long, value_name = "NEW")]
    pub(super) to: PathBuf,
}

/// Run a hub: WebSocket sync for any number of journals
///
/// It syncs at /sync, answers /healthz, serves web pages if told to, and stops in good order on SIGINT and SIGTERM. The first line
/// on standard output says that it listens, and where. There is no TLS: put a reverse proxy before it,
/// or stay on loopback.
#[derive(Debug, clap::Args)]
#[command(after_help = help::HUB)]
pub(super) struct HubArgs {
    /// Address to listen on; with port 0 the system chooses one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = listen)]
    pub(super) listen: SocketAddr,

    /// Folder for the store; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "./isoroot-hub")]
    pub(super) data: PathBuf,

    /// Take any journal (the default on loopback)
    #[arg(long, conflicts_with = "journals")]
    pub(super) open: bool,

    /// Take only the journals listed in this file: an id or a link a line, # begins a comment
    #[arg(long, value_name = "FILE")]
    pub(super) journals: Option<PathBuf>,

    /// With --open, also where other machines reach it: everyone who does may store there
    #[arg(long)]
    pub(super) public: bool,

    /// A further address under which it may be dialled, such as hub.example:443 behind a proxy
    #[arg(long = "name", value_name = "HOST:PORT")]
    pub(super) names: Vec<String>,

    /// Let web pages of this origin connect, such as https://app.example
    #[arg(long = "origin", value_name = "URL")]
    pub(super) origins: Vec<String>,

    /// Connections at once at most
    #[arg(long, value_name = "N", default_value_t = 1_024,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) connections: u32,

    /// Serve the web pages of this folder at /, such as the built demo; it has an index.html, and files
    /// whose names change with their content in assets/, which browsers keep for a year
    #[arg(long, value_name = "DIR")]
    pub(super) www: Option<PathBuf>,
}

/// A journal by its id or link.
fn journal(text: &str) -> Result<JournalId, String> {
    match text.parse::<Link>() {
        Ok(link) => Ok(link.journal),
        Err(LinkError::Scheme) => text.parse().map_err(|error: crate::ids::ParseIdError| error.to_string()),
        Err(error @ (LinkError::Journal(_) | LinkError::Hub)) => Err(error.to_string()),
    }
}

/// An address to listen on: numbers, or `localhost`.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    match local {
        Some(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        None => text.parse().map_err(|_| "an address is written as 127.0.0.1:8080 or [::1]:8080".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f5_the_arguments_contradict_nothing() {
        Args::command().debug_assert();
    }

    #[test]
    fn f5_listen_addresses_are_numbers_or_localhost() {
        assert_eq!(listen("localhost:1").unwrap(), "127.0.0.1:1".parse().unwrap());
        assert_eq!(listen("[::1]:0").unwrap(), "[::1]:0".parse().unwrap());
        for bad in ["8080", "localhost", "localhost:x", "hub.example:80", "127.0.0.1", ""] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }
}
