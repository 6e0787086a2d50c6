//! Who dials: of the tabs that share a store and a journal, the one that holds their lock.

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::time::Duration;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{AbortHandle, Abortable, Aborted, Either, select};
use wasm_bindgen_futures::spawn_local;

use crate::driver::command::StopReport;
use crate::driver::error::NodeError;
use crate::driver::node::SyncNode;
use crate::platform::traits::Timer;
use crate::platform::web::{TabLock, WebTimer, hold};

/// How long a start waits to become the one that dials before it counts as done without that.
const GRANTED_SOON: Duration = Duration::from_millis(300);

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dials {
    /// This node.
    Here,
    /// Another one; this one follows through the store, and takes over when that one ends.
    Elsewhere,
    /// This node is stopped.
    Nobody,
}

impl Dials {
    /// As JavaScript has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Here => "this",
            Self::Elsewhere => "other",
            Self::Nobody => "none",
        }
    }
}

/// Starts and stops one node, with the lock that its store needs.
pub(super) struct Dialling {
    /// The lock's name; nothing where nobody else has the store.
    lock: Option<String>,
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    held: RefCell<Option<TabLock>>,
    wanted: RefCell<Option<AbortHandle>>,
    here: Cell<bool>,
}

impl Dialling {
    pub(super) fn new(lock: Option<String>) -> Self {
        Self { lock, state: Rc::default() }
    }

    /// Who dials now.
    pub(super) fn dials(&self) -> Dials {
        match (self.state.here.get(), self.state.wanted.borrow().is_some()) {
            (true, _) => Dials::Here,
            (false, true) => Dials::Elsewhere,
            (false, false) => Dials::Nobody,
        }
    }

    /// Starts the node, at once or when the lock is had. Done when it dials, or when another does.
    pub(super) async fn start(&self, node: SyncNode) -> Result<(), NodeError> {
        if self.dials() != Dials::Nobody {
            return Ok(());
        }
        let (handle, registration) = AbortHandle::new_pair();
        self.state.wanted.replace(Some(handle));
        let Some(name) = self.lock.clone() else {
            // Nobody else could: what is asked for meanwhile is asked behind the start.
            self.state.here.set(true);
            return node.start().await.inspect_err(|_| self.state.here.set(false));
        };
        let (sender, started) = oneshot::channel();
        let state = Rc::clone(&self.state);
        let waiting = async move {
            let lock = hold(&name).await;
            state.held.replace(Some(lock));
            let outcome = node.start().await;
            state.here.set(outcome.is_ok());
            // Whoever called may have stopped waiting.
            drop(sender.send(outcome));
        };
        let waiting = Abortable::new(waiting, registration);
        spawn_local(async move {
            // Aborted by a stop, which says so itself.
            let _: Result<(), Aborted> = waiting.await;
        });
        match select(started, pin!(WebTimer.sleep(GRANTED_SOON))).await {
            Either::Left((Ok(outcome), _)) => outcome,
            Either::Left((Err(_), _)) | Either::Right(_) => Ok(()),
        }
    }

    /// Stops the node, and passes the lock on.
    pub(super) async fn stop(&self, node: &SyncNode) -> Result<StopReport, NodeError> {
        if let Some(waiting) = self.state.wanted.take() {
            waiting.abort();
        }
        self.state.here.set(false);
        // Passed on only when nothing is dialled any more, so that two never dial at once. A start that
        // comes meanwhile asks for it anew.
        let held = self.state.held.take();
        let stopped = node.stop().await;
        drop(held);
        stopped
    }
}

impl Drop for Dialling {
    /// A node that was not closed but forgotten.
    fn drop(&mut self) {
        if let Some(waiting) = self.state.wanted.take() {
            waiting.abort();
        }
        drop(self.state.held.take());
    }
}
