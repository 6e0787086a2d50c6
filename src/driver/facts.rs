//! Reading facts: filters, pages, and streams of what is there and of what comes.

use async_channel::Sender;
use futures::channel::oneshot;
use futures::stream;

use crate::driver::command::{Command, Reply};
use crate::driver::error::NodeError;
use crate::driver::storage::{fetch_some, reload};
use crate::error::StoreError;
use crate::fact::statement::Fact;
use crate::ids::{DeviceId, EntryId, FactId, JournalId};
use crate::journal::set::Journal;
use crate::limits::{PAGE, PAGE_BYTES};
use crate::platform::send::{BoxStream, MaybeSend};
use crate::platform::traits::Store;

/// Which facts are meant.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Those with exactly this predicate.
    Predicate(String),
    /// Those whose predicate starts with this text.
    Prefix(String),
}

impl Filter {
    fn matches(&self, fact: &Fact) -> bool {
        match self {
            Self::All => true,
            Self::Predicate(predicate) => fact.predicate == *predicate,
            Self::Prefix(prefix) => fact.predicate.starts_with(prefix),
        }
    }
}

/// A fact with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct FactRecord {
    /// Its name.
    pub id: FactId,
    /// Number of its entry in this store: its place in the order of commit here.
    pub number: u64,
    /// The device that signed it.
    pub device: DeviceId,
    /// The entry's timestamp: hybrid logical clock in microseconds since 1970.
    pub entry_timestamp: u64,
    /// The fact.
    pub fact: Fact,
}

/// Facts in the order of commit.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct FactPage {
    /// The facts of the entries of this page that match.
    pub facts: Vec<FactRecord>,
    /// Number up to which entries have been looked at: where the next page starts. Nothing at the end.
    pub next: Option<u64>,
}

/// Numbers of entries behind `after` that may hold matching facts, ascending.
pub(crate) fn page_numbers(journal: &Journal, filter: &Filter, after: u64, limit: usize) -> Vec<u64> {
    match filter {
        Filter::All => (after.saturating_add(1)..=journal.head()).take(limit).collect(),
        Filter::Predicate(predicate) => journal.index().page(predicate, after, limit),
        Filter::Prefix(prefix) => journal.index().page_by_prefix(prefix, after, limit),
    }
}

/// Loads the matching facts of these entries.
pub(crate) async fn load_page<S: Store>(
    store: S,
    journal: JournalId,
    numbers: Vec<u64>,
    filter: Filter,
) -> Result<FactPage, NodeError> {
    let mut facts = Vec::new();
    // Where entries are large the page ends early.
    let found = fetch_some(&store, journal, &numbers, PAGE_BYTES).await?;
    let next = found.last().map(|(number, _)| *number);
    for (number, record) in found {
        let entry = reload(journal, number, &record)?;
        let all = entry.facts().map_err(|error| StoreError::Damaged(error.to_string()))?;
        let matching = all.into_iter().zip(0u16..).filter(|(fact, _)| filter.matches(fact));
        facts.extend(matching.map(|(fact, index)| FactRecord {
            id: FactId { entry: entry.id(), index },
            number,
            device: entry.device(),
            entry_timestamp: entry.timestamp(),
            fact,
        }));
    }
    Ok(FactPage { facts, next })
}

/// Loads one entry.
pub(crate) async fn load_entry<S: Store>(
    store: S,
    journal: JournalId,
    number: u64,
) -> Result<Option<crate::fact::entry::Entry>, NodeError> {
    let found = store.fetch(journal, vec![number]).await?;
    let entry = found.first().map(|(number, record)| reload(journal, *number, record));
    Ok(entry.transpose()?)
}

/// Asks the command loop and waits for its answer.
pub(crate) fn ask<T: MaybeSend + 'static>(
    commands: &Sender<Command>,
    command: impl FnOnce(Reply<T>) -> Command,
) -> impl Future<Output = Result<T, NodeError>> + MaybeSend {
    let (reply, answer) = oneshot::channel();
    // The waiting is compiled once for each kind of answer, not for each command.
    asked(commands, command(Box::new(reply)), answer)
}

async fn asked<T>(
    commands: &Sender<Command>,
    command: Command,
    answer: oneshot::Receiver<Result<T, NodeError>>,
) -> Result<T, NodeError> {
    commands.send(command).await.map_err(|_| NodeError::Closed)?;
    answer.await.map_err(|_| NodeError::Closed)?
}

/// Where a stream of facts is.
struct Reading {
    commands: Sender<Command>,
    journal: JournalId,
    filter: Filter,
    after: u64,
    page: std::vec::IntoIter<FactRecord>,
    /// Whether to wait for more at the end.
    live: bool,
    failed: bool,
}

/// A stream over the facts numbered behind `after`, page by page, so that a slow reader holds up
/// nobody and memory stays bounded. It ends with the journal, or waits for more if it is `live`.
pub(crate) fn stream(
    commands: Sender<Command>,
    journal: JournalId,
    filter: Filter,
    after: u64,
    live: bool,
) -> BoxStream<'static, Result<FactRecord, NodeError>> {
    let page = Vec::new().into_iter();
    let reading = Reading { commands, journal, filter, after, page, live, failed: false };
    Box::pin(stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(fact) = reading.page.next() {
                return Some((Ok(fact), reading));
            }
            if reading.failed {
                return None;
            }
            match next_page(&mut reading).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    reading.failed = true;
                    return Some((Err(error), reading));
                }
            }
        }
    }))
}

/// Reads on; false at the end.
async fn next_page(reading: &mut Reading) -> Result<bool, NodeError> {
    let Reading { commands, journal, filter, after, .. } = reading;
    let (journal, after) = (*journal, *after);
    // What grows while the page is read is not missed: it is beyond the head asked for here.
    let status = ask(commands, |reply| Command::Status { journal, reply }).await?;
    let filter = filter.clone();
    let page = ask(commands, |reply| Command::Page { journal, filter, after, limit: PAGE, reply }).await?;
    match page.next {
        Some(next) => {
            reading.after = next;
            reading.page = page.facts.into_iter();
        }
        None if !reading.live => return Ok(false),
        None => {
            // Nothing matched up to the head of before the page was asked for.
            let after = after.max(status.cursor.number);
            ask(&reading.commands, |reply| Command::Grown { journal, after, reply }).await?;
        }
    }
    Ok(true)
}

/// The entry with this id, if the journal has it.
pub(crate) async fn get(
    commands: &Sender<Command>,
    journal: JournalId,
    entry: EntryId,
) -> Result<Option<crate::fact::entry::Entry>, NodeError> {
    ask(commands, |reply| Command::Get { journal, entry, reply }).await
}
