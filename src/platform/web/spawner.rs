//! Tasks on the event loop of the page, the worker or Node.

use core::future::poll_fn;
use core::task::Poll;

use wasm_bindgen_futures::spawn_local;

use crate::platform::send::BoxFuture;
use crate::platform::traits::Spawner;

/// Runs tasks on the one thread that there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSpawner;

impl Spawner for WebSpawner {
    fn spawn(&self, _name: &'static str, future: BoxFuture<'static, ()>) {
        spawn_local(future);
    }

    /// Runs it as soon as the tasks that are ready have had their turn.
    async fn compute<T: 'static>(&self, work: impl FnOnce() -> T + 'static) -> T {
        let mut yielded = false;
        poll_fn(|cx| {
            if core::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        work()
    }
}
