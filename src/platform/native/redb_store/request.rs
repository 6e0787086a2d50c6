//! What callers ask of the writer, and how they are answered.

use futures::channel::oneshot;

use crate::error::StoreError;
use crate::ids::JournalId;
use crate::platform::traits::{AppendOutcome, Durability, StoredRecord};

/// Something to be written.
pub(super) enum Request {
    Append(Asked<Append, AppendOutcome>),
    Note(Asked<SetNote, NoteOutcome>),
}

pub(super) struct Append {
    pub(super) journal: JournalId,
    pub(super) at: u64,
    pub(super) entries: Vec<StoredRecord>,
    pub(super) durability: Durability,
}

pub(super) struct SetNote {
    pub(super) key: String,
    pub(super) expected: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
}

/// Nothing when the note was set, else the note as it is.
pub(super) type NoteOutcome = Result<(), Option<Vec<u8>>>;

/// Work, what became of it, and who waits for that.
pub(super) struct Asked<W, A> {
    pub(super) work: W,
    /// Filled in while the transaction is built; it holds once that is committed.
    pub(super) answer: Option<A>,
    reply: oneshot::Sender<Result<A, StoreError>>,
}

impl<W, A> Asked<W, A> {
    /// Work, and where its answer arrives.
    pub(super) fn new(work: W) -> (Self, oneshot::Receiver<Result<A, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work, answer: None, reply }, answer)
    }

    fn finish(self, result: &Result<(), StoreError>) {
        let nothing = || StoreError::Failed("the request was passed over".into());
        let answer = result.clone().and_then(|()| self.answer.ok_or_else(nothing));
        // A caller that has given up meanwhile needs no answer.
        let _ = self.reply.send(answer);
    }
}

impl Request {
    /// Bytes that it writes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Append(append) => append.work.entries.iter().map(|record| record.bytes.len()).sum(),
            Self::Note(note) => note.work.value.as_ref().map_or(0, Vec::len),
        }
    }

    pub(super) fn durability(&self) -> Durability {
        match self {
            Self::Append(append) => append.work.durability,
            Self::Note(_) => Durability::Strict,
        }
    }

    /// Answers: with what was filled in, if the group it was in was committed.
    pub(super) fn finish(self, result: &Result<(), StoreError>) {
        match self {
            Self::Append(append) => append.finish(result),
            Self::Note(note) => note.finish(result),
        }
    }
}
