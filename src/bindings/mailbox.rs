//! The way from calls in JavaScript to the command loop and back: in order, without a future for each.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use async_channel::{Sender, TrySendError};
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::bindings::error::CallError;
use crate::driver::command::{Asker, Command, Reply};
use crate::driver::error::NodeError;

#[wasm_bindgen]
extern "C" {
    /// A call of the facade's, which somebody waits for or no longer does.
    #[derive(Clone)]
    pub type Call;
    #[wasm_bindgen(method, getter, structural)]
    pub fn gone(this: &Call) -> bool;
}

/// A promise to be settled, which says `CLOSED` if it is dropped before.
pub(super) struct Deferred {
    /// What resolves and what rejects it, until one has.
    ends: Option<(Function, Function)>,
}

impl Deferred {
    /// The promise and its other end.
    pub(super) fn new() -> (Promise, Self) {
        let mut ends = None;
        let promise = Promise::new(&mut |resolve, reject| ends = Some((resolve, reject)));
        (promise, Self { ends })
    }

    /// Settles it.
    pub(super) fn settle(mut self, outcome: Result<JsValue, CallError>) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Result<JsValue, CallError>) {
        let Some((resolve, reject)) = self.ends.take() else { return };
        let (end, value) = match outcome {
            Ok(value) => (resolve, value),
            Err(error) => (reject, error.into()),
        };
        // What settles a promise does not throw.
        drop(end.call1(&JsValue::UNDEFINED, &value));
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.end(Err(CallError::CLOSED));
    }
}

/// Asks for an answer that settles a promise with what `convert` makes of it.
struct Settling<F> {
    deferred: Deferred,
    convert: F,
    /// The call, where it may be taken back.
    call: Option<Call>,
}

impl<T, F: FnOnce(T) -> Result<JsValue, CallError>> Asker<T> for Settling<F> {
    fn answer(self: Box<Self>, answer: Result<T, NodeError>) {
        self.deferred.settle(answer.map_err(CallError::from).and_then(self.convert));
    }

    fn waits(&self) -> bool {
        !self.call.as_ref().is_some_and(Call::gone)
    }
}

/// An answer that settles a promise with what `convert` makes of it. What changes something is not begun
/// once its call is gone.
pub(super) fn reply<T>(
    deferred: Deferred,
    call: Option<Call>,
    convert: impl FnOnce(T) -> Result<JsValue, CallError> + 'static,
) -> Reply<T> {
    Box::new(Settling { deferred, convert, call })
}

/// Asks for an answer that something is done with.
struct Calling<F> {
    then: F,
    /// The call, where it may be given up.
    call: Option<Call>,
}

impl<T, F: FnOnce(Result<T, NodeError>)> Asker<T> for Calling<F> {
    fn answer(self: Box<Self>, answer: Result<T, NodeError>) {
        (self.then)(answer);
    }

    fn waits(&self) -> bool {
        !self.call.as_ref().is_some_and(Call::gone)
    }
}

/// An answer that `then` is called with, unless its call is gone by then.
pub(super) fn call<T>(call: Option<Call>, then: impl FnOnce(Result<T, NodeError>) + 'static) -> Reply<T> {
    Box::new(Calling { then, call })
}

/// Commands on their way to the loop. Clones are the same mailbox.
#[derive(Clone)]
pub(super) struct Mailbox(Rc<Waiting>);

struct Waiting {
    commands: Sender<Command>,
    /// Those that the loop has no room for.
    queue: RefCell<VecDeque<Command>>,
    /// Whether a task is at work on the queue.
    pumped: Cell<bool>,
}

impl Mailbox {
    pub(super) fn new(commands: Sender<Command>) -> Self {
        Self(Rc::new(Waiting { commands, queue: RefCell::default(), pumped: Cell::new(false) }))
    }

    /// Sends a command behind those before it.
    pub(super) fn post(&self, command: Command) {
        let waiting = &self.0;
        let command = match waiting.pumped.get() {
            false => match waiting.commands.try_send(command) {
                // If the loop is gone, so is the command, and its answer says so.
                Ok(()) | Err(TrySendError::Closed(_)) => return,
                Err(TrySendError::Full(command)) => command,
            },
            true => command,
        };
        waiting.queue.borrow_mut().push_back(command);
        if !waiting.pumped.replace(true) {
            spawn_local(pump(Rc::clone(waiting)));
        }
    }
}

async fn pump(waiting: Rc<Waiting>) {
    loop {
        let Some(command) = waiting.queue.borrow_mut().pop_front() else { break };
        drop(waiting.commands.send(command).await);
    }
    waiting.pumped.set(false);
}
