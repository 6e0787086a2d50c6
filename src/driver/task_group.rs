//! Named tasks that end together: counted, waited for within a time limit, then aborted.

use core::time::Duration;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use futures::future::{AbortHandle, Abortable, Either, FutureExt};
use litemap::LiteMap;

use crate::platform::send::BoxFuture;
use crate::platform::traits::{Spawner, Timer};

#[derive(Default)]
struct Tasks {
    next: u64,
    running: LiteMap<u64, (&'static str, AbortHandle)>,
    idle: Vec<oneshot::Sender<()>>,
}

/// A group of tasks. Clones are the same group.
#[derive(Clone, Default)]
pub(crate) struct TaskGroup {
    tasks: Arc<Mutex<Tasks>>,
}

impl TaskGroup {
    fn lock(&self) -> MutexGuard<'_, Tasks> {
        // The lock is never held while foreign code runs, so its content is whole also after a panic.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task. If it panics, which only natively can be caught, `panicked` runs then.
    pub(crate) fn spawn(
        &self,
        spawner: &impl Spawner,
        name: &'static str,
        task: BoxFuture<'static, ()>,
        panicked: Option<BoxFuture<'static, ()>>,
    ) -> AbortHandle {
        let (handle, registration) = AbortHandle::new_pair();
        let number = {
            let mut tasks = self.lock();
            tasks.next = tasks.next.saturating_add(1);
            let number = tasks.next;
            tasks.running.insert(number, (name, handle.clone()));
            number
        };
        let group = self.clone();
        let task = async move {
            let ended = AssertUnwindSafe(Abortable::new(task, registration)).catch_unwind().await;
            if ended.is_err() {
                tracing::error!(task = name, "task panicked");
                if let Some(panicked) = panicked {
                    panicked.await;
                }
            }
            group.ended(number);
        };
        spawner.spawn(name, Box::pin(task));
        handle
    }

    fn ended(&self, number: u64) {
        let mut tasks = self.lock();
        tasks.running.remove(&number);
        if tasks.running.is_empty() {
            for waiter in tasks.idle.drain(..) {
                // Whoever waited may have given up.
                let _: Result<(), ()> = waiter.send(());
            }
        }
    }

    /// Aborts all tasks.
    pub(crate) fn abort(&self) {
        for (_, handle) in self.lock().running.values() {
            handle.abort();
        }
    }

    /// Waits until no task runs, at most `limit`; then aborts those that do. Their names.
    pub(crate) async fn drain(&self, timer: &impl Timer, limit: Duration) -> Vec<&'static str> {
        let idle = {
            let mut tasks = self.lock();
            if tasks.running.is_empty() {
                return Vec::new();
            }
            let (sender, idle) = oneshot::channel();
            tasks.idle.push(sender);
            idle
        };
        let sleep = std::pin::pin!(timer.sleep(limit));
        match futures::future::select(idle, sleep).await {
            Either::Left(_) => Vec::new(),
            Either::Right(_) => {
                let tasks = self.lock();
                let names = tasks.running.values().map(|(name, handle)| {
                    handle.abort();
                    *name
                });
                names.collect()
            }
        }
    }
}
