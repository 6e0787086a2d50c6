//! Syncing with several peers at once, as one call.

use core::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;

use crate::bindings::error::CallError;
use crate::bindings::events;
use crate::bindings::mailbox::{self, Deferred, Mailbox};
use crate::driver::command::{Command, PeerSync};
use crate::driver::error::NodeError;
use crate::ids::JournalId;
use crate::session::report::SyncReport;

/// The syncs that a call waits for.
struct Round {
    deferred: Option<Deferred>,
    /// By the order in which the peers were named.
    done: Vec<Option<PeerSync>>,
    running: usize,
    /// Peers that were not named, and may be removed meanwhile.
    all: bool,
}

/// Syncs with these peers now, without any with all of them; settles with how it went with each.
pub(super) fn sync(mailbox: &Mailbox, journal: JournalId, peers: Option<Vec<String>>, deferred: Deferred) {
    if let Some(peers) = peers {
        return begin(mailbox, journal, peers, false, deferred);
    }
    let behind = mailbox.clone();
    let reply = mailbox::call(move |peers: Result<Vec<_>, NodeError>| match peers {
        Ok(peers) if peers.is_empty() => ask_running(&behind, deferred),
        Ok(peers) => {
            let peers = peers.into_iter().map(|peer: crate::service::peers::PeerInfo| peer.address);
            begin(&behind, journal, peers.collect(), true, deferred);
        }
        Err(error) => deferred.settle(Err(error.into())),
    });
    mailbox.post(Command::Peers { reply });
}

/// There is no peer: whether because nothing is started is for the loop to say.
fn ask_running(mailbox: &Mailbox, deferred: Deferred) {
    let reply = mailbox::call(move |running: Result<bool, NodeError>| {
        let why = running.map(|running| if running { NodeError::NoPeer } else { NodeError::NotStarted });
        deferred.settle(Err(why.unwrap_or_else(|error| error).into()));
    });
    mailbox.post(Command::IsRunning { reply });
}

fn begin(mailbox: &Mailbox, journal: JournalId, peers: Vec<String>, all: bool, deferred: Deferred) {
    let running = peers.len();
    let done = peers.iter().map(|_| None).collect();
    let round = Rc::new(RefCell::new(Round { deferred: Some(deferred), done, running, all }));
    if running == 0 {
        round.borrow_mut().finish();
    }
    for (place, address) in peers.into_iter().enumerate() {
        let (round, peer) = (Rc::clone(&round), address.clone());
        let reply = mailbox::call(move |answer| round.borrow_mut().end(place, peer, answer));
        mailbox.post(Command::Sync { journal, address, reply });
    }
}

impl Round {
    fn end(&mut self, place: usize, peer: String, answer: Result<SyncReport, NodeError>) {
        let result = match answer {
            Ok(report) => Some(Ok(report)),
            Err(NodeError::Peer(error)) => Some(Err(error)),
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
