//! The WebSocket transport of the browser, against `relay.mjs` and, where one is given, a real hub.
//!
//! Both are named when this is compiled, since a page has no environment: `ISOROOT_TEST_RELAY` and
//! `ISOROOT_TEST_HUB`, each a `ws://` address. `pkg-config/run-web-tests.sh` sets the first.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use futures::poll;
use isoroot::limits::FRAME_BYTES;
use isoroot::platform::memory::MemoryStore;
use isoroot::platform::web::{WebClock, WebPlatform, WebSocketTransport, WebTimer};
use isoroot::platform::{Clock, Connection, Timer, Transport, TransportError, conformance};
use isoroot::{Fact, Genesis, StoreId, SyncNode};
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

use crate::patch::Patch;
use crate::stores::{fresh, open};
use crate::timeouts::{Timeouts, turn};

const RELAY: Option<&str> = option_env!("ISOROOT_TEST_RELAY");
const HUB: Option<&str> = option_env!("ISOROOT_TEST_HUB");

/// What the browser may hold for a sender: 1 MiB of our own bound, and the frame that goes beyond.
const HELD_BYTES: usize = 1_048_576 + 2 * FRAME_BYTES;

fn relay(path: &str) -> String {
    format!("{}/{path}", RELAY.expect("ISOROOT_TEST_RELAY names the address of tests/web/relay.mjs"))
}

async fn connect(path: &str) -> Connection {
    WebSocketTransport::new().connect(&relay(path)).await.unwrap()
}

/// Both ends of a connection, each a browser's socket.
async fn pair() -> (Connection, Connection) {
    let path = format!("pair/{}", fresh());
    join(connect(&path), connect(&path)).await
}

#[wasm_bindgen_test]
async fn d9_f122_the_websocket_keeps_the_contract() {
    conformance::transport::all(pair, HELD_BYTES).await;
}

#[wasm_bindgen_test]
async fn d9_text_is_refused_for_good() {
    let mut connection = connect("text").await;
    let refused = connection.receiver.receive().await;
    assert!(matches!(refused, Err(TransportError::Frame(_))), "{refused:?}");
    let refused = connection.receiver.receive().await;
    assert!(matches!(refused, Err(TransportError::Frame(_))), "{refused:?}");
    assert!(connection.sender.send(vec![1]).await.is_err());
    connection.sender.close("text").await;
}

#[wasm_bindgen_test]
async fn d9_a_long_frame_is_refused_behind_what_came_before() {
    let mut connection = connect("long").await;
    assert_eq!(connection.receiver.receive().await, Ok(Some(b"first".to_vec())));
    for _ in 0..2 {
        let refused = connection.receiver.receive().await;
        assert!(matches!(refused, Err(TransportError::Frame(_))), "{refused:?}");
    }
}

#[wasm_bindgen_test]
async fn d8_a_peer_that_floods_is_cut_off_at_a_bound() {
    let mut connection = connect("flood").await;
    // Nothing is read until it is over.
    while connection.sender.send(Vec::new()).await.is_ok() {
        WebTimer.sleep(Duration::from_millis(5)).await;
    }
    let mut frames = 0;
    let end = loop {
        match connection.receiver.receive().await {
            Ok(Some(_)) => frames += 1,
            end => break end,
        }
    };
    assert!(matches!(&end, Err(TransportError::Broken(why)) if why.contains("ahead")), "{end:?}");
    assert_eq!(frames, 64 * 1_048_576 / (FRAME_BYTES + 64));
}

#[wasm_bindgen_test]
async fn d9_an_end_without_a_goodbye_is_told_behind_the_last_frame() {
    let mut connection = connect("cut").await;
    assert_eq!(connection.receiver.receive().await, Ok(Some(b"last".to_vec())));
    let end = connection.receiver.receive().await;
    assert!(matches!(end, Err(TransportError::Broken(_))), "{end:?}");
}

#[wasm_bindgen_test]
async fn d9_who_cannot_be_reached_is_unreachable_without_path_and_query() {
    for address in [relay("deny?token=secret"), "ws://127.0.0.1:9/".to_owned()] {
        let error = WebSocketTransport::new().connect(&address).await.err().unwrap();
        assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[wasm_bindgen_test]
async fn d7_addresses_are_read_as_natively() {
    let transport = WebSocketTransport::new();
    assert_eq!(transport.canonical("WSS://Hub.Example/sync?a").unwrap(), "hub.example:443");
    assert_eq!(transport.canonical("ws://127.0.0.1/").unwrap(), "127.0.0.1:80");
    assert!(transport.handles("ws://x") && transport.handles("wss://x") && !transport.handles("pipe:x"));
    for address in ["ws://hub.example", "http://127.0.0.1", "ws://127.1", "wss://"] {
        let error = transport.canonical(address).unwrap_err();
        assert!(matches!(error, TransportError::Address { .. }), "{error}");
        let error = transport.connect(address).await.err().unwrap();
        assert!(matches!(error, TransportError::Address { .. }), "{error}");
    }
    let plain = transport.allow_plain(true).canonical("ws://hub.example");
    assert_eq!(plain.unwrap(), "hub.example:80");
}

#[wasm_bindgen_test]
async fn a5_closed_dropped_and_given_up_connections_leave_no_listener_and_no_timer() {
    let listeners = Listeners::counted();
    let timeouts = Timeouts::counted();
    // Closed.
    let (mut left, right) = pair().await;
    left.sender.close("done").await;
    drop((left, right));
    // Dropped, one half first.
    let (left, right) = pair().await;
    drop(left.sender);
    drop(left.receiver);
    drop(right);
    // Given up while it is being opened, early and late.
    for turns in 0..3 {
        let transport = WebSocketTransport::new();
        let address = relay("silent");
        let mut connecting = Box::pin(transport.connect(&address));
        assert!(poll!(&mut connecting).is_pending());
        for _ in 0..turns {
            turn().await;
        }
    }
    assert!(WebSocketTransport::new().connect(&relay("deny")).await.is_err());
    assert!(listeners.added() >= 24);
    assert_eq!((listeners.live(), timeouts.live()), (0, 0));
}

#[wasm_bindgen_test]
async fn d9_closing_does_not_wait_for_a_peer_that_never_answers() {
    // Alone at its end, so nobody reads or says goodbye.
    let mut connection = connect(&format!("pair/{}", fresh())).await;
    connection.sender.send(vec![1; 1_000]).await.unwrap();
    let begun = WebClock.monotonic();
    connection.sender.close("tired").await;
    let took = WebClock.monotonic().since(begun);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(connection.receiver.receive().await, Ok(None));
}

#[wasm_bindgen_test]
async fn d9_closing_ends_with_the_peer_s_goodbye_also_when_nobody_receives_any_more() {
    let (left, _right) = pair().await;
    let Connection { mut sender, mut receiver, .. } = left;
    let begun = WebClock.monotonic();
    let reading = async move {
        assert_eq!(receiver.receive().await, Ok(None));
        drop(receiver);
    };
    join(reading, sender.close("done")).await;
    let took = WebClock.monotonic().since(begun);
    assert!(took < Duration::from_millis(900), "{took:?}");
}

/// Two devices of this page, one on IndexedDB, meet at a hub.
#[wasm_bindgen_test]
async fn f125_two_nodes_of_a_page_are_equal_through_a_hub() {
    let Some(hub) = HUB else { return console_log!("ISOROOT_TEST_HUB names no hub: not tried") };
    let genesis = Genesis::named(&fresh());
    let transport = || Arc::new(WebSocketTransport::new());
    let memory = MemoryStore::new(StoreId::from_bytes([5; 16]));
    let a = SyncNode::create(WebPlatform::new(memory, vec![transport()]), &genesis).await.unwrap();
    let stored = open(&fresh()).await;
    let b = SyncNode::create(WebPlatform::new(stored, vec![transport()]), &genesis).await.unwrap();
    for (node, count) in [(&a, 200), (&b, 100)] {
        for n in 0..count {
            node.append([Fact::new("n", n)]).await.unwrap();
        }
        node.add_peer(hub).await.unwrap();
        node.start().await.unwrap();
    }
    for node in [&a, &b, &a] {
        node.sync().await.unwrap().remove(0).result.unwrap();
    }
    while a.root().await.unwrap() != b.root().await.unwrap() {
        turn().await;
    }
    assert_eq!(a.root().await.unwrap().count, 300);
    for node in [a, b] {
        assert!(node.stop().await.unwrap().aborted.is_empty());
    }
}

/// Counts the listeners at sockets that were added and not removed.
struct Listeners {
    counts: std::rc::Rc<std::cell::Cell<(u32, u32)>>,
    _patches: [Patch; 2],
}

impl Listeners {
    fn counted() -> Self {
        let counts = std::rc::Rc::new(std::cell::Cell::new((0, 0)));
        let counted = counts.clone();
        let add = Patch::of_class("EventTarget", "addEventListener", move |add, this, arguments| {
            let (added, live) = counted.get();
            counted.set((added + 1, live + 1));
            add.apply(this, arguments)
        });
        let counted = counts.clone();
        let remove = Patch::of_class("EventTarget", "removeEventListener", move |remove, this, arguments| {
            let (added, live) = counted.get();
            counted.set((added, live - 1));
            remove.apply(this, arguments)
        });
        Self { counts, _patches: [add, remove] }
    }

    fn added(&self) -> u32 {
        self.counts.get().0
    }

    fn live(&self) -> u32 {
        self.counts.get().1
    }
}
