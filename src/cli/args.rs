//! The arguments: each flag is defined here once, with its help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::arg_values::{device, journal, listen, named, root};
use crate::cli::help;
use crate::cli::utc::{self, Span};
use crate::crypto::hash::Hash;
use crate::fact::link::Link;
use crate::ids::{AuthorityId, DeviceId, EntryId, JournalId};
use crate::journal::position::Position;
use crate::journal::query::Query;
use crate::limits::FACTS_PER_ENTRY;
use crate::time::WallTime;

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
    Export(ExportArgs),
    Append(AppendArgs),
    Log(LogArgs),
    Watch(WatchArgs),
    Root(RootArgs),
    Inspect(InspectArgs),
    Prove(ProveArgs),
    Verify(VerifyArgs),
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

/// Append the facts of a file, or of standard input, one JSON object a line; or import a whole journal
///
/// A file that `isoroot export` wrote is told by its first byte: its journal is imported, and made here if
/// it is not in the store; so is the store. Every signature is checked, and the root over all. A file is
/// checked whole before anything is imported; standard input is imported as it comes, and if it turns out
/// wrong, what came before, which is authentic, stays. --batch and --keep-going are for lines.
///
/// Of lines, a file is checked whole before anything is written: if a line is bad, all bad lines are listed and
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

/// Write a journal into one file, which proves itself
///
/// Without -o it goes to standard output, if that is no terminal. A file appears whole or not at all: it is
/// written beside its place, and moved there when it is on the disk.
#[derive(Debug, clap::Args)]
#[command(after_help = help::EXPORT)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    pub(super) journal: JournalArgs,

    /// The file; - is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(super) output: PathBuf,
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

    #[command(flatten)]
    pub(super) query: QueryArgs,

    /// Only what comes behind this position, as `--json` prints it with each fact
    #[arg(long, value_name = "POSITION")]
    pub(super) after: Option<Position>,

    /// At most so many facts
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
}

/// Print the facts, then each new one as it comes, until interrupted
///
/// Follows the hub of the journal's link, if it named one, and dials again by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = help::LOG)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub(super) journal: JournalArgs,

    #[command(flatten)]
    pub(super) query: QueryArgs,

    /// Only what comes behind this position, as `--json` prints it with each fact: nothing is missed
    #[arg(long, value_name = "POSITION")]
    pub(super) after: Option<Position>,
}

/// Which facts are meant: those for which all that is given holds.
#[derive(Debug, clap::Args)]
pub(super) struct QueryArgs {
    /// Only facts with this predicate; with a * at the end, those that begin so
    #[arg(long, value_name = "P")]
    pub(super) predicate: Option<String>,

    /// Only facts of this authority; that of a fact that names none is its device
    #[arg(long, value_name = "ID")]
    pub(super) authority: Option<AuthorityId>,

    /// Only facts that this device has signed
    #[arg(long, value_name = "ID")]
    pub(super) device: Option<DeviceId>,

    /// Only facts of this entry
    #[arg(long, value_name = "ID")]
    pub(super) entry: Option<EntryId>,

    /// Only entries written from this time on: 2026-11-25, also with 18:40, 18:40:59 or 18:40:59.123, in UTC;
    /// or microseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = utc::span)]
    pub(super) since: Option<Span>,

    /// Only entries written up to this time, the whole day, minute, second or millisecond included
    #[arg(long, value_name = "TIME", value_parser = utc::span)]
    pub(super) until: Option<Span>,
}

impl QueryArgs {
    /// The query that they ask for.
    pub(super) fn query(&self) -> Query {
        let mut query = match self.predicate.as_ref().map(|text| (text, text.strip_suffix('*'))) {
            None => Query::all(),
            Some((_, Some(prefix))) => Query::all().prefix(prefix),
            Some((predicate, None)) => Query::all().predicate(predicate),
        };
        if let Some(authority) = self.authority {
            query = query.authority(authority);
        }
        if let Some(device) = self.device {
            query = query.device(device);
        }
        if let Some(entry) = self.entry {
            query = query.entry(entry);
        }
        if self.since.is_some() || self.until.is_some() {
            let first = self.since.map_or(0, |span| span.first);
            let last = self.until.map_or(u64::MAX, |span| span.last);
            query = query.written(WallTime::from_micros(first)..=WallTime::from_micros(last));
        }
        query
    }
}

/// Print the Merkle root: two stores hold the same entries exactly when their roots are equal
#[derive(Debug, clap::Args)]
#[command(after_help = help::ROOT)]
pub(super) struct RootArgs {
    #[command(flatten)]
    pub(super) journal: JournalArgs,
}

/// Show a journal in numbers: what it holds, how deep its Merkle map is, what is missing
///
/// Reads every record of the journal.
#[derive(Debug, clap::Args)]
#[command(after_help = help::INSPECT)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    pub(super) journal: JournalArgs,
}

/// Write evidence that an entry is in the journal, or that it is not
///
/// `isoroot verify` checks it, and so does whoever has the root and neither store nor journal.
#[derive(Debug, clap::Args)]
#[command(after_help = help::PROVE)]
pub(super) struct ProveArgs {
    /// The entry's id; or a fact's, which is the entry's, a colon and the fact's place: it is proved by its
    /// whole entry
    #[arg(value_name = "ID", value_parser = named)]
    pub(super) id: Named,

    #[command(flatten)]
    pub(super) journal: JournalArgs,

    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Check evidence against a root that you trust, without a store
///
/// Prints "in" and the facts of the entry, whose signature was checked, or "not in".
#[derive(Debug, clap::Args)]
#[command(after_help = help::VERIFY)]
pub(super) struct VerifyArgs {
    /// The file; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) file: PathBuf,

    /// The root, 64 hex digits, as `isoroot root` prints it
    #[arg(long, value_name = "HEX", value_parser = root, required_unless_present = "receipt")]
    pub(super) root: Option<Hash>,

    /// The file holds receipts, as `isoroot sync --receipt` writes them: check that they are a chain of this
    /// device's
    #[arg(long, value_name = "DEVICE", value_parser = device, conflicts_with = "root")]
    pub(super) receipt: Option<DeviceId>,

    /// Say too whether receipts in another file show that the device contradicts itself
    #[arg(long, value_name = "FILE", requires = "receipt")]
    pub(super) against: Option<PathBuf>,

    /// Refuse evidence that names another journal. To "not in" that adds nothing: the root alone says of
    /// which journal that is
    #[arg(long, value_name = "ID", value_parser = journal)]
    pub(super) journal: Option<JournalId>,
}

/// An entry, or one of its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) entry: EntryId,
    pub(super) index: Option<u16>,
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

    /// Then have the hub sign for what it holds, and put that behind the receipts in this file
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    pub(super) receipt: Option<PathBuf>,
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

    /// Take only the journals listed in this file: an id or a link a line, then who may use it if not
    /// everyone, such as write:DEVICE read:*; # begins a comment
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f5_the_arguments_contradict_nothing() {
        Args::command().debug_assert();
    }
}
