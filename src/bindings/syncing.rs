//! Syncing with several peers at once, as one call.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::bindings::dialling::Dials;
use crate::bindings::error::CallError;
use crate::bindings::events;
use crate::bindings::mailbox::{self, Call, Deferred, Mailbox};
use crate::bindings::node::{Node, Open};
use crate::driver::command::{Command, PeerSync};
use crate::driver::error::NodeError;
use crate::ids::JournalId;
use crate::session::report::SyncReport;

#[wasm_bindgen]
impl Node {
    /// Syncs with these peers now, without any with all of them. How it went with each. Who is patient waits
    /// through what may pass by itself, and is told at once of what does not.
    pub fn sync(&self, peers: Option<Vec<String>>, patient: bool, call: Call) -> Promise {
        let dials = |open: &Open| match open.dials() {
            Dials::Elsewhere => Err(CallError::OtherTab),
            Dials::Here | Dials::Nobody => Ok(()),
        };
        self.with(dials, |open, (), deferred| {
            let (mailbox, journal) = (open.mailbox().clone(), open.node().journal());
            sync(Asking { mailbox, journal, patient, call }, peers, deferred);
        })
    }

    /// A call that waited for a sync is gone: nothing is kept for it.
    pub fn forget(&self) {
        if let Ok(open) = self.opened() {
            open.mailbox().post(Command::Forget);
        }
    }
}

/// Who asks for syncs, and how.
struct Asking {
    mailbox: Mailbox,
    journal: JournalId,
    /// Whether what may pass by itself is waited for.
    patient: bool,
    call: Call,
}

/// The syncs that a call waits for.
struct Round {
    deferred: Option<Deferred>,
    /// By the order in which the peers were named.
    done: Vec<Option<PeerSync>>,
    running: usize,
    /// Peers that were not named, and may be removed meanwhile.
    all: bool,
    patient: bool,
}

/// Syncs with these peers now, without any with all of them; settles with how it went with each.
fn sync(asking: Asking, peers: Option<Vec<String>>, deferred: Deferred) {
    if let Some(peers) = peers {
        return begin(&asking, peers, false, deferred);
    }
    let mailbox = asking.mailbox.clone();
    let reply = mailbox::call(None, move |peers: Result<Vec<_>, NodeError>| match peers {
        Ok(peers) if peers.is_empty() => ask_running(&asking.mailbox, deferred),
        Ok(peers) => {
            let peers = peers.into_iter().map(|peer: crate::service::peers::PeerInfo| peer.address);
            begin(&asking, peers.collect(), true, deferred);
        }
        Err(error) => deferred.settle(Err(error.into())),
    });
    mailbox.post(Command::Peers { reply });
}

/// There is no peer: whether because nothing is started is for the loop to say.
fn ask_running(mailbox: &Mailbox, deferred: Deferred) {
    let reply = mailbox::call(None, move |running: Result<bool, NodeError>| {
        let why = running.map(|running| if running { NodeError::NoPeer } else { NodeError::NotStarted });
        deferred.settle(Err(why.unwrap_or_else(|error| error).into()));
    });
    mailbox.post(Command::IsRunning { reply });
}

fn begin(asking: &Asking, peers: Vec<String>, all: bool, deferred: Deferred) {
    let (journal, patient, running) = (asking.journal, asking.patient, peers.len());
    let done = peers.iter().map(|_| None).collect();
    let round = Rc::new(RefCell::new(Round { deferred: Some(deferred), done, running, all, patient }));
    if running == 0 {
        round.borrow_mut().finish();
    }
    for (place, address) in peers.into_iter().enumerate() {
        let (round, peer) = (Rc::clone(&round), address.clone());
        let end = move |answer| round.borrow_mut().end(place, peer, answer);
        let reply = mailbox::call(Some(asking.call.clone()), end);
        asking.mailbox.post(Command::Sync { journal, address, patient, reply });
    }
}

impl Round {
    fn end(&mut self, place: usize, peer: String, answer: Result<SyncReport, NodeError>) {
        let result = match answer {
            Ok(report) => Some(Ok(report)),
            // One that was patient has failed for good.
            Err(NodeError::Peer(error)) if !self.patient => Some(Err(error)),
            // Removed meanwhile, it is no longer of interest.
            Err(NodeError::NoPeer) if self.all => None,
            Err(error) => {
                if let Some(deferred) = self.deferred.take() {
                    deferred.settle(Err(error.into()));
                }
                return;
            }
        };
        if let (Some(done), Some(result)) = (self.done.get_mut(place), result) {
            *done = Some(PeerSync { peer, result });
        }
        self.running = self.running.saturating_sub(1);
        if self.running == 0 {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let syncs: js_sys::Array = self.done.iter().flatten().map(events::sync).collect();
        if let Some(deferred) = self.deferred.take() {
            deferred.settle(Ok::<JsValue, CallError>(syncs.into()));
        }
    }
}
