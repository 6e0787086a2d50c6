//! What the tabs that share a store tell one another of its heads.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BroadcastChannel, MessageEvent};

use crate::ids::JournalId;
use crate::platform::waiters::Waiters;
use crate::platform::web::js::{get, object, says, to_f64, to_u64};
use crate::platform::web::listener::Listener;

/// Those here who wait for heads to move, and the channel to the other tabs.
pub(super) struct Heads {
    waiters: Rc<RefCell<Waiters>>,
    others: Option<Others>,
}

struct Others {
    channel: BroadcastChannel,
    _listener: Listener,
}

impl Heads {
    /// Those of the store `name`.
    pub(super) fn new(name: &str) -> Self {
        let waiters = Rc::new(RefCell::new(Waiters::default()));
        let others = match BroadcastChannel::new(&format!("isoroot:{name}:heads")) {
            Ok(channel) => {
                let waiters = Rc::clone(&waiters);
                let listener = Listener::new(&channel, "message", move |event| {
                    if let Some((journal, head)) = read(&event.unchecked_ref::<MessageEvent>().data()) {
                        wake(&waiters, journal, head);
                    }
                });
                Some(Others { channel, _listener: listener })
            }
            Err(error) => {
                tracing::warn!(error = says(&error), "no channel to the other tabs");
                None
            }
        };
        Self { waiters, others }
    }

    /// Whether other tabs are heard at all.
    pub(super) fn hears_others(&self) -> bool {
        self.others.is_some()
    }

    /// Resolves with a head of the journal beyond `after`, once somebody tells of it.
    pub(super) fn wait(&self, journal: JournalId, after: u64) -> futures::channel::oneshot::Receiver<u64> {
        self.waiters.borrow_mut().wait(journal, after)
    }

    /// Tells everybody, here and in other tabs, of a new head.
    pub(super) fn tell(&self, journal: JournalId, head: u64) {
        wake(&self.waiters, journal, head);
        if let Some(others) = &self.others {
            let message = object(&[
                ("journal", &Uint8Array::from(journal.as_bytes().as_slice())),
                ("head", &to_f64(head).into()),
            ]);
            if let Err(error) = others.channel.post_message(&message) {
                tracing::debug!(error = says(&error), "the other tabs were not told");
            }
        }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.channel.close();
    }
}

fn wake(waiters: &RefCell<Waiters>, journal: JournalId, head: u64) {
    let ready = waiters.borrow_mut().moved(journal, head);
    for waiter in ready {
        // One that has given up meanwhile need not be told.
        let _: Result<(), u64> = waiter.send(head);
    }
}

fn read(message: &JsValue) -> Option<(JournalId, u64)> {
    let journal = get(message, "journal")?.dyn_into::<Uint8Array>().ok()?.to_vec();
    let head = get(message, "head")?.as_f64()?;
    Some((JournalId::from_bytes(journal.try_into().ok()?), to_u64(head)))
}
