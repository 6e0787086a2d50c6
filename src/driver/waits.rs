//! Waiting for a peer's sake: whoever gives up says so, and nothing is kept for them.

use async_channel::Sender;

use crate::driver::command::Command;

/// Somebody who waits for an answer that may take long.
pub(crate) struct Waits<'a>(Option<&'a Sender<Command>>);

impl<'a> Waits<'a> {
    /// The answer. Dropped before it has come, this tells the command loop.
    pub(crate) async fn for_answer<T>(commands: &'a Sender<Command>, answer: impl Future<Output = T>) -> T {
        let mut waits = Self(Some(commands));
        let answer = answer.await;
        waits.0 = None;
        answer
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(commands) = self.0 {
            // A loop whose mailbox is full looks by itself.
            drop(commands.try_send(Command::Forget));
        }
    }
}
