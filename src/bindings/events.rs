//! Events, peers, reports of syncs, and how a node stands, as plain objects.

use core::time::Duration;

use js_sys::Array;
use wasm_bindgen::JsValue;

use crate::bindings::error::peer_error;
use crate::bindings::object::{number, object, optional, text};
use crate::driver::command::{JournalStatus, PeerSync};
use crate::journal::checkpoint::LoadedFrom;
use crate::service::event::Event;
use crate::service::peers::{PeerInfo, PeerStatus};
use crate::session::report::SyncReport;

/// `{ type, detail }`.
pub(super) fn event(event: &Event) -> JsValue {
    let (kind, detail) = match event {
        Event::Started => ("started", JsValue::NULL),
        Event::Stopped => ("stopped", JsValue::NULL),
        Event::Connected { peer, device } => {
            ("connected", object(&[("peer", text(peer)), ("device", text(device))]))
        }
        Event::Disconnected { peer, error } => {
            ("disconnected", object(&[("peer", text(peer)), ("error", peer_error(error))]))
        }
        Event::Phase { peer, journal, phase } => {
            ("phase", object(&[("peer", text(peer)), ("journal", text(journal)), ("phase", text(phase))]))
        }
        Event::SyncFailed { peer, journal, error } => {
            let error = peer_error(error);
            ("syncFailed", object(&[("peer", text(peer)), ("journal", text(journal)), ("error", error)]))
        }
        Event::Synced { peer, journal, report: done } => {
            ("synced", object(&[("peer", text(peer)), ("journal", text(journal)), ("report", report(done))]))
        }
        Event::Grew { journal, head } => {
            ("grew", object(&[("journal", text(journal)), ("number", number(*head))]))
        }
        Event::Due { journal, entries } => {
            ("due", object(&[("journal", text(journal)), ("entries", number(*entries))]))
        }
        Event::Delivered { peer, device, journal, upto } => {
            let of = [("peer", text(peer)), ("device", text(device)), ("journal", text(journal))];
            ("delivered", object(&[&of[..], &[("upto", number(*upto))]].concat()))
        }
        Event::Lagged { count } => ("lagged", object(&[("missed", number(*count))])),
    };
    object(&[("type", kind.into()), ("detail", detail)])
}

/// Peers in the order in which they were added.
pub(super) fn peers(peers: &[PeerInfo]) -> JsValue {
    peers.iter().map(peer).collect::<Array>().into()
}

fn peer(peer: &PeerInfo) -> JsValue {
    let (status, device) = match &peer.status {
        PeerStatus::Idle => ("idle", None),
        PeerStatus::Connecting => ("connecting", None),
        PeerStatus::Connected(device) => ("connected", Some(*device)),
        PeerStatus::BackingOff => ("waiting", None),
    };
    object(&[
        ("address", text(&peer.address)),
        ("status", status.into()),
        ("device", optional(device.or(peer.device))),
        ("failures", peer.failures.into()),
        ("error", peer.last_error.as_ref().map_or(JsValue::NULL, peer_error)),
        ("nextAttempt", peer.next_attempt.map_or(JsValue::NULL, milliseconds)),
    ])
}

/// How syncing went with one: `{ peer, report, error }`, one of them null.
pub(super) fn sync(sync: &PeerSync) -> JsValue {
    let (done, error) = match &sync.result {
        Ok(done) => (report(done), JsValue::NULL),
        Err(error) => (JsValue::NULL, peer_error(error)),
    };
    object(&[("peer", text(&sync.peer)), ("report", done), ("error", error)])
}

fn report(report: &SyncReport) -> JsValue {
    object(&[
        ("entriesSent", number(report.entries_sent)),
        ("entriesReceived", number(report.entries_received)),
        ("bytesSent", number(report.bytes_sent)),
        ("bytesReceived", number(report.bytes_received)),
        ("wireSent", number(report.wire_sent)),
        ("wireReceived", number(report.wire_received)),
        ("refused", number(report.refused)),
        ("rounds", report.rounds.into()),
        ("milliseconds", milliseconds(report.duration)),
        ("root", text(report.root)),
        ("entries", number(report.root.count)),
    ])
}

fn milliseconds(duration: Duration) -> JsValue {
    JsValue::from_f64(duration.as_secs_f64() * 1_000.0)
}

/// A journal as it is, how many connections there are and callers that wait for syncs, and who dials.
pub(super) fn status(status: &JournalStatus, (connections, waiting): (usize, usize), dials: &str) -> JsValue {
    let (loaded, checkpoint) = match status.loaded_from {
        LoadedFrom::Records => ("records", None),
        LoadedFrom::Checkpoint { number } => ("checkpoint", Some(number)),
        LoadedFrom::RecordsAgain => ("recordsAgain", None),
    };
    object(&[
        ("root", text(status.root)),
        ("entries", number(status.root.count)),
        ("facts", number(status.facts)),
        ("predicates", number(status.predicates)),
        ("authorities", number(status.authorities)),
        ("devices", number(status.devices)),
        ("heldBack", number(status.held_back)),
        ("store", text(status.cursor.store)),
        ("number", number(status.cursor.number)),
        ("position", text(status.position)),
        ("loadedFrom", loaded.into()),
        ("checkpoint", checkpoint.map_or(JsValue::NULL, number)),
        ("connections", number(connections as u64)),
        ("waiting", number(waiting as u64)),
        ("dials", dials.into()),
    ])
}
