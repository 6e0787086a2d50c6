//! Reading facts: pages, and streams of what is there and of what comes.

use async_channel::Sender;
use futures::channel::oneshot;
use futures::stream;

use crate::driver::command::{Command, Reply};
use crate::driver::error::NodeError;
use crate::driver::storage::{fetch_some, reload};
use crate::error::StoreError;
use crate::fact::entry::Entry;
use crate::fact::statement::Fact;
use crate::ids::{DeviceId, EntryId, FactId, JournalId};
use crate::journal::position::Position;
use crate::journal::query::Query;
use crate::journal::reading::Reading;
use crate::limits::{LAG, PAGE, PAGE_BYTES};
use crate::platform::send::{BoxStream, MaybeSend};
use crate::platform::traits::Store;

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
    /// The place right behind it, for this query: where to read on.
    pub position: Position,
}

/// Facts in the order of commit; what has fallen due since the position asked for comes first, in the order
/// of its timestamps.
#[derive(Clone, Debug, PartialEq)]
pub struct FactPage {
    /// Facts that are meant, as many as asked for or fewer.
    pub facts: Vec<FactRecord>,
    /// Where the next page starts.
    pub next: Position,
    /// Whether there may be more behind it now. A page may end early, even empty, where much was looked at
    /// or entries are large.
    pub more: bool,
    /// How many entries of the log are behind it.
    pub behind: u64,
}

/// What a watch gives.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub enum Watched {
    /// A fact.
    Fact(FactRecord),
    /// The reader is more than 1,024 entries behind the head of the log. Said once, until it has caught up;
    /// nothing is lost, the facts follow.
    Lagged {
        /// How many entries.
        behind: u64,
    },
}

impl Watched {
    /// The fact, if it is one.
    pub fn fact(self) -> Option<FactRecord> {
        match self {
            Self::Fact(fact) => Some(fact),
            Self::Lagged { .. } => None,
        }
    }
}

/// Loads the facts of a step of reading, at most `limit`, in a journal of `head` entries.
pub(crate) async fn load_page<S: Store>(
    store: S,
    journal: JournalId,
    query: Query,
    reading: Reading,
    (head, limit): (u64, usize),
) -> Result<FactPage, NodeError> {
    let mut page = FactPage { facts: Vec::new(), next: reading.to, more: reading.more, behind: 0 };
    for (numbers, is_due) in [(&reading.due, true), (&reading.log, false)] {
        let mut rest = numbers.as_slice();
        while !rest.is_empty() && page.facts.len() < limit {
            // Where entries are large the page ends early, but not before it has something.
            let found = fetch_some(&store, journal, rest, PAGE_BYTES).await?;
            rest = rest.get(found.len()..).unwrap_or_default();
            for (number, record) in found {
                let entry = reload(journal, number, &record)?;
                take(&mut page, &query, &reading, &entry, (number, is_due), limit)?;
                if page.facts.len() >= limit {
                    break;
                }
            }
            if !rest.is_empty() && !page.facts.is_empty() {
                break;
            }
        }
        if !rest.is_empty() || page.facts.len() >= limit {
            // What was found beyond is left to the next page.
            if let Some(last) = page.facts.last() {
                page.next = last.position;
                page.more = reading.more || page.next != reading.to;
            }
            break;
        }
    }
    page.behind = head.saturating_sub(page.next.number());
    Ok(page)
}

/// Takes those facts of an entry that are meant and have not been passed.
fn take(
    page: &mut FactPage,
    query: &Query,
    reading: &Reading,
    entry: &Entry,
    (number, is_due): (u64, bool),
    limit: usize,
) -> Result<(), StoreError> {
    let facts = entry.facts().map_err(|error| StoreError::Damaged(error.to_string()))?;
    let (device, entry_timestamp) = (entry.device(), entry.timestamp());
    let (count, passed) = (facts.len(), reading.passed(number, is_due));
    for (fact, index) in facts.into_iter().zip(0u16..).skip(usize::from(passed)) {
        let id = FactId { entry: entry.id(), index };
        if page.facts.len() < limit && query.matches(id, device, entry_timestamp, &fact) {
            let passed = index.saturating_add(1);
            let all = usize::from(passed) == count;
            let position = match is_due {
                true => reading.behind_due(number, entry_timestamp, passed, all),
                false => reading.behind_log(number, passed, all),
            };
            page.facts.push(FactRecord { id, number, device, entry_timestamp, fact, position });
        }
    }
    Ok(())
}

/// Loads one entry.
pub(crate) async fn load_entry<S: Store>(
    store: S,
    journal: JournalId,
    number: u64,
) -> Result<Option<Entry>, NodeError> {
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

/// A reader of facts, page by page, so that a slow one holds up nobody and memory stays bounded.
pub(crate) struct Reader {
    commands: Sender<Command>,
    journal: JournalId,
    query: Query,
    after: Option<Position>,
    page: std::vec::IntoIter<FactRecord>,
    /// Whether to wait for more at the end.
    live: bool,
    /// Whether it was said that it lags behind, and has not caught up since.
    lags: bool,
    ended: bool,
}

impl Reader {
    pub(crate) fn new(commands: Sender<Command>, journal: JournalId, query: Query) -> Self {
        let page = Vec::new().into_iter();
        Self { commands, journal, query, after: None, page, live: false, lags: false, ended: false }
    }

    /// Reads on from a position, and waits for more at the end.
    pub(crate) fn live(self, after: Option<Position>) -> Self {
        Self { after, live: true, ..self }
    }

    /// What comes next; nothing at the end.
    async fn next(&mut self) -> Result<Option<Watched>, NodeError> {
        loop {
            if let Some(fact) = self.page.next() {
                return Ok(Some(Watched::Fact(fact)));
            }
            if self.ended {
                return Ok(None);
            }
            let Self { commands, journal, query, after, .. } = self;
            let (journal, query, after) = (*journal, Box::new(query.clone()), *after);
            let page =
                ask(commands, |reply| Command::Page { journal, query, after, limit: PAGE, reply }).await?;
            let next = page.next;
            self.after = Some(next);
            self.page = page.facts.into_iter();
            self.ended = !page.more && !self.live;
            let lagged = page.behind > LAG && !self.lags;
            self.lags |= lagged;
            if self.live && lagged {
                return Ok(Some(Watched::Lagged { behind: page.behind }));
            }
            if self.live && !page.more {
                self.lags = false;
                // What comes meanwhile is not missed: it is news to this position.
                if self.page.as_slice().is_empty() {
                    ask(&self.commands, |reply| Command::News { journal, after: next, reply }).await?;
                }
            }
        }
    }

    /// The facts alone, as a stream. It ends with the journal, or waits for more if it is live.
    pub(crate) fn facts(self) -> BoxStream<'static, Result<FactRecord, NodeError>> {
        Box::pin(stream::unfold(self, |mut reader| async move {
            loop {
                match reader.turn().await? {
                    Ok(Watched::Fact(fact)) => return Some((Ok(fact), reader)),
                    Ok(Watched::Lagged { .. }) => {}
                    Err(error) => return Some((Err(error), reader)),
                }
            }
        }))
    }

    /// The facts, and that the reader lags behind, as a stream.
    pub(crate) fn watch(self) -> BoxStream<'static, Result<Watched, NodeError>> {
        Box::pin(stream::unfold(self, |mut reader| async move {
            let turn = reader.turn().await?;
            Some((turn, reader))
        }))
    }

    /// The next item of a stream; after an error it ends.
    async fn turn(&mut self) -> Option<Result<Watched, NodeError>> {
        match self.next().await {
            Ok(next) => next.map(Ok),
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

/// The entry with this id, if the journal has it.
pub(crate) async fn get(
    commands: &Sender<Command>,
    journal: JournalId,
    entry: EntryId,
) -> Result<Option<Entry>, NodeError> {
    ask(commands, |reply| Command::Get { journal, entry, reply }).await
}
