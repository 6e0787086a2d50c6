//! The one writer of a store: joins all appends and notes that wait into one transaction (group commit).

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use async_channel::Receiver;
use async_io::Timer;
use futures::future::{Either, select};
use redb::WriteTransaction;

use super::batch::{Appended, Batch};
use super::file::{Journal, guarded, store_error};
use super::inner::Inner;
use super::request::Request;
use crate::error::StoreError;
use crate::ids::JournalId;
use crate::platform::traits::{AppendOutcome, Durability};

/// Requests that one transaction takes at most …
const GROUP_REQUESTS: usize = 1_024;
/// … and the bytes from which on it takes no further one.
const GROUP_BYTES: usize = 16 * 1_048_576;
/// Relaxed appends are made durable at the latest when this many bytes of them wait …
const RELAXED_BYTES: usize = 1_048_576;
/// … or the first has waited this long.
const RELAXED_WAIT: Duration = Duration::from_millis(200);

/// The state of the writer's thread.
pub(super) struct Writer {
    inner: Arc<Inner>,
    requests: Receiver<Request>,
    /// Number for the next journal that is new.
    next_journal: u32,
    relaxed: Option<Relaxed>,
    /// Why nothing is written any more.
    failed: Option<StoreError>,
}

/// Relaxed appends that are not durable yet.
struct Relaxed {
    bytes: usize,
    due: Timer,
}

/// Why the writer goes on.
enum Wake {
    Request(Request),
    RelaxedDue,
}

/// What a group has changed.
struct Written {
    /// The journals that have grown.
    journals: BTreeMap<JournalId, Journal>,
    changed: bool,
}

impl Writer {
    /// A writer that refuses everything with `refused`, if that is given.
    pub(super) fn new(inner: Arc<Inner>, requests: Receiver<Request>, refused: Option<StoreError>) -> Self {
        let next_journal = inner.last_journal_no().saturating_add(1);
        Self { inner, requests, next_journal, relaxed: None, failed: refused }
    }

    /// Writes until all handles are gone and all that waits is done; then closes the file.
    pub(super) fn run(mut self) {
        while let Some(wake) = self.next() {
            let group = match wake {
                Wake::Request(request) => self.gather(request),
                Wake::RelaxedDue => Vec::new(),
            };
            self.commit(group);
        }
        if self.relaxed.is_some() {
            self.commit(Vec::new());
        }
        self.inner.close();
    }

    /// Waits. Nothing when there are no handles left.
    fn next(&mut self) -> Option<Wake> {
        let Some(relaxed) = &mut self.relaxed else {
            return self.requests.recv_blocking().ok().map(Wake::Request);
        };
        let request = pin!(self.requests.recv());
        match async_io::block_on(select(request, Pin::new(&mut relaxed.due))) {
            Either::Left((request, _)) => request.ok().map(Wake::Request),
            Either::Right(_) => Some(Wake::RelaxedDue),
        }
    }

    /// `first` and what waits behind it. While one group is committed, the next one gathers.
    fn gather(&self, first: Request) -> Vec<Request> {
        let mut bytes = first.size();
        let mut group = vec![first];
        while group.len() < GROUP_REQUESTS && bytes < GROUP_BYTES {
            let Ok(request) = self.requests.try_recv() else { break };
            bytes = bytes.saturating_add(request.size());
            group.push(request);
        }
        group
    }

    /// Writes a group as one transaction and answers. An empty group makes relaxed appends durable.
    fn commit(&mut self, mut group: Vec<Request>) {
        let result = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.try_commit(&mut group),
        };
        for request in group {
            request.finish(&result);
        }
    }

    fn try_commit(&mut self, group: &mut [Request]) -> Result<(), StoreError> {
        let bytes = self.relaxed.as_ref().map_or(0, |relaxed| relaxed.bytes);
        let bytes = group.iter().map(Request::size).fold(bytes, usize::saturating_add);
        let relaxed = !group.is_empty()
            && bytes < RELAXED_BYTES
            && group.iter().all(|request| request.durability() == Durability::Relaxed);
        match guarded(|| self.write(group, relaxed)) {
            Ok(written) => {
                if written.changed {
                    let due = self.relaxed.take().map(|relaxed| relaxed.due);
                    let due = || due.unwrap_or_else(|| Timer::after(RELAXED_WAIT));
                    self.relaxed = relaxed.then(|| Relaxed { bytes, due: due() });
                    let last = written.journals.values().map(|journal| journal.no).max().unwrap_or_default();
                    self.next_journal = self.next_journal.max(last.saturating_add(1));
                    self.inner.publish(written.journals);
                }
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, store = %self.inner.place().path.display(), "a write to the store failed");
                self.relaxed = None;
                let again = format!("an earlier write failed, open it again: {error}");
                self.failed = Some(StoreError::Failed(again));
                self.inner.show_last_durable();
                Err(error)
            }
        }
    }

    /// Puts a group into a transaction and commits it, if it changes anything.
    fn write(&self, group: &mut [Request], relaxed: bool) -> Result<Written, StoreError> {
        let mut transaction = self.inner.begin_write()?;
        // Two phases, since the store holds bytes of strangers: with one, which of two states a
        // crash has left is decided by XXH3, a checksum for which they can make bytes that fit.
        // With two, the order of two flushes decides. That costs the second flush. It also spares
        // redb from choosing anew when a recovery is itself cut short.
        transaction.set_two_phase_commit(true);
        if relaxed {
            let refused = |error| StoreError::Failed(format!("relaxed durability is refused: {error}"));
            transaction.set_durability(redb::Durability::None).map_err(refused)?;
        } else {
            transaction.set_quick_repair(self.inner.place().is_long()?);
        }
        let written = self.fill(&transaction, group)?;
        if written.changed {
            transaction.commit().map_err(store_error)?;
        } else {
            transaction.abort().map_err(store_error)?;
        }
        Ok(written)
    }

    fn fill(&self, transaction: &WriteTransaction, group: &mut [Request]) -> Result<Written, StoreError> {
        let mut batch = Batch::open(transaction, self.next_journal)?;
        // An empty group is there to be committed.
        let mut changed = group.is_empty();
        for request in group {
            match request {
                Request::Append(append) => {
                    let known = self.inner.journal(append.work.journal);
                    append.answer = Some(match batch.append(&append.work, known)? {
                        Appended::Done(head) => {
                            changed = true;
                            AppendOutcome::Done(self.inner.cursor(head))
                        }
                        Appended::Behind(head) => AppendOutcome::Behind(self.inner.cursor(head)),
                    });
                }
                Request::Note(note) => {
                    let outcome = batch.set_note(&note.work)?;
                    changed |= outcome.is_ok();
                    note.answer = Some(outcome);
                }
            }
        }
        Ok(Written { journals: batch.finish()?, changed })
    }
}
