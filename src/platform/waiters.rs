//! Who waits for a journal's head to move: what the stores of one process share behind `changed`.

use litemap::LiteMap;

use futures::channel::oneshot;

use crate::ids::JournalId;

/// The waiters of all journals.
#[derive(Debug, Default)]
pub(crate) struct Waiters(LiteMap<JournalId, Vec<Waiter>>);

#[derive(Debug)]
struct Waiter {
    after: u64,
    reply: oneshot::Sender<u64>,
}

impl Waiters {
    /// Enters one that waits for a head beyond `after`. It is told the head, or cancelled when the
    /// store closes.
    pub(crate) fn wait(&mut self, journal: JournalId, after: u64) -> oneshot::Receiver<u64> {
        let (reply, answer) = oneshot::channel();
        let waiters = self.0.entry(journal).or_default();
        // Those who gave up leave nothing but their place: clearing here bounds it by those alive.
        waiters.retain(|waiter| !waiter.reply.is_canceled());
        waiters.push(Waiter { after, reply });
        answer
    }

    /// Takes out those whom a head of `head` satisfies. The caller tells them once it has let go of
    /// its lock, since waking a task runs code of strangers.
    #[must_use]
    pub(crate) fn moved(&mut self, journal: JournalId, head: u64) -> Vec<oneshot::Sender<u64>> {
        let Some(waiters) = self.0.remove(&journal) else { return Vec::new() };
        let (ready, waiting): (Vec<_>, Vec<_>) = waiters.into_iter().partition(|waiter| waiter.after < head);
        if !waiting.is_empty() {
            self.0.insert(journal, waiting);
        }
        ready.into_iter().map(|waiter| waiter.reply).collect()
    }

    /// Cancels everybody.
    #[cfg_attr(
        any(not(feature = "native"), target_arch = "wasm32"),
        allow(dead_code, reason = "stores in memory and in browsers are there as long as who waits")
    )]
    pub(crate) fn close(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_behind_the_head_are_told_and_the_cancelled_are_forgotten() {
        let journal = JournalId::from_bytes([1; 32]);
        let mut waiters = Waiters::default();
        let mut first = waiters.wait(journal, 1);
        let mut third = waiters.wait(journal, 3);
        drop(waiters.wait(journal, 0));
        // One of them has given up: its answer comes back.
        let answers: Vec<_> = waiters.moved(journal, 2).into_iter().map(|reply| reply.send(2)).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert_eq!(first.try_recv(), Ok(Some(2)));
        assert_eq!(third.try_recv(), Ok(None));
        for _ in 0..10 {
            drop(waiters.wait(journal, 9));
        }
        assert_eq!(waiters.0[&journal].len(), 2, "the third, and the last of those who gave up");
        waiters.close();
        assert!(third.try_recv().is_err());
    }
}
