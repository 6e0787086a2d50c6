//! Tasks on tokio or smol; long computations on the pool of the `blocking` crate.

#[cfg(any(feature = "smol", feature = "tokio"))]
use crate::platform::{send::BoxFuture, traits::Spawner};

/// Runs tasks on a tokio runtime.
#[cfg(feature = "tokio")]
#[derive(Clone, Debug)]
pub struct TokioSpawner {
    runtime: tokio::runtime::Handle,
}

#[cfg(feature = "tokio")]
impl TokioSpawner {
    /// Runs tasks on the runtime of this handle.
    pub fn new(runtime: tokio::runtime::Handle) -> Self {
        Self { runtime }
    }

    /// Runs tasks on the runtime that the caller is in; nothing if it is in none.
    pub fn current() -> Option<Self> {
        tokio::runtime::Handle::try_current().ok().map(Self::new)
    }
}

#[cfg(feature = "tokio")]
impl Spawner for TokioSpawner {
    fn spawn(&self, _name: &'static str, future: BoxFuture<'static, ()>) {
        // Detached: tokio's handle does not end its task when dropped.
        drop(self.runtime.spawn(future));
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        blocking::unblock(work).await
    }
}

/// Runs tasks on the global executor of smol.
#[cfg(feature = "smol")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SmolSpawner;

#[cfg(feature = "smol")]
impl Spawner for SmolSpawner {
    fn spawn(&self, _name: &'static str, future: BoxFuture<'static, ()>) {
        smol::spawn(future).detach();
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        blocking::unblock(work).await
    }
}
