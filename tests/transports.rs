//! The transports: each passes the conformance suite on several executors, and none trusts its peer.
#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use futures::future::{Either, select};
use isoroot::TransportError;
use isoroot::limits::FRAME_BYTES;
use isoroot::platform::memory::{PipeNetwork, pipe};
use isoroot::platform::native::{WebSocketListener, WebSocketTransport, axum_websocket};
use isoroot::platform::{Connection, Listener, Transport, conformance};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes that both kernels may hold of what nobody reads.
const SOCKET_BYTES: usize = 64 * 1_024 * 1_024;

// ---- helpers ----

/// Notes the largest piece of memory asked for, by any test of this file.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Watched = Watched;

// Passes everything on to the system's allocator, under the same contract.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Runs on tokio, as most programs do.
fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn swapped((left, right): (Connection, Connection)) -> (Connection, Connection) {
    (right, left)
}

/// The client's and the listener's end of a new connection.
async fn over_websocket() -> (Connection, Connection) {
    let mut listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/sync", listener.local_addr().unwrap());
    let transport = WebSocketTransport::new();
    let (client, server) = futures::join!(transport.connect(&address), listener.accept());
    (client.unwrap(), server.unwrap())
}

/// An axum server with a runtime of its own, as the hub is one, and the ends of connections to it.
struct AxumServer {
    address: SocketAddr,
    accepted: async_channel::Receiver<Connection>,
    _runtime: tokio::runtime::Runtime,
}

impl AxumServer {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (accept, accepted) = async_channel::unbounded();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let handler = move |upgrade: WebSocketUpgrade| {
            let accept = accept.clone();
            async move {
                axum_websocket::bounded(upgrade).on_upgrade(move |socket| async move {
                    accept.send(axum_websocket::connection(socket, "client".to_owned())).await.unwrap();
                })
            }
        };
        let app = Router::new().route("/sync", any(handler));
        runtime.spawn(async move {
            axum::serve(TcpListener::from_std(listener).unwrap(), app).await.unwrap();
        });
        Self { address, accepted, _runtime: runtime }
    }

    /// The client's and the server's end of a new connection.
    async fn connect(&self) -> (Connection, Connection) {
        let client = WebSocketTransport::new().connect(&format!("ws://{}/sync", self.address)).await.unwrap();
        (client, self.accepted.recv().await.unwrap())
    }

    /// Ends the server from outside of async code, which tokio asks for.
    fn stop(self) {
        drop(self);
    }
}

const UPGRADE: &str = "GET /sync HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Reads the head of a request or an answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A client that has shaken hands and now sends what it likes.
async fn raw_client(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{UPGRADE}\r\n").as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    stream
}

/// A listener and a raw client of it, shaken hands.
async fn raw_pair() -> (TcpStream, Connection, WebSocketListener) {
    let mut listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stream, server) = futures::join!(raw_client(address), listener.accept());
    (stream, server.unwrap(), listener)
}

/// A masked frame as a client sends it: first byte, then up to 125 bytes under an all-zero mask.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

fn refused(received: Result<Option<Vec<u8>>, TransportError>) -> String {
    match received {
        Err(TransportError::Frame(reason)) => reason,
        other => panic!("expected a refused frame, got {other:?}"),
    }
}

// ---- the suite ----

#[test]
fn d9_pipe_conforms_on_tokio() {
    on_tokio(conformance::transport(async || pipe(), 16 * FRAME_BYTES));
}

#[test]
fn d9_pipe_conforms_on_smol() {
    smol::block_on(conformance::transport(async || pipe(), 16 * FRAME_BYTES));
}

#[test]
fn d9_dialled_pipe_conforms() {
    let network = PipeNetwork::new();
    let connect = async || {
        let mut listener = network.listen("there").unwrap();
        let transport = network.transport();
        let (here, there) = futures::join!(transport.connect("pipe:there"), listener.accept());
        (here.unwrap(), there.unwrap())
    };
    smol::block_on(conformance::transport(connect, 16 * FRAME_BYTES));
}

#[test]
fn d9_websocket_conforms_on_tokio() {
    on_tokio(async {
        conformance::transport(over_websocket, SOCKET_BYTES).await;
        conformance::transport(async || swapped(over_websocket().await), SOCKET_BYTES).await;
    });
}

#[test]
fn d9_websocket_conforms_on_smol() {
    smol::block_on(async {
        conformance::transport(over_websocket, SOCKET_BYTES).await;
        conformance::transport(async || swapped(over_websocket().await), SOCKET_BYTES).await;
    });
}

#[test]
fn d9_axum_conforms_with_clients_on_tokio_and_smol() {
    let server = AxumServer::start();
    let connect = async || server.connect().await;
    let other_way = async || swapped(server.connect().await);
    on_tokio(conformance::transport(connect, SOCKET_BYTES));
    on_tokio(conformance::transport(other_way, SOCKET_BYTES));
    smol::block_on(conformance::transport(connect, SOCKET_BYTES));
    smol::block_on(conformance::transport(other_way, SOCKET_BYTES));
    server.stop();
}

/// Both halves of both ends in tasks of their own, on several threads.
async fn four_tasks((left, right): (Connection, Connection)) {
    let ends = [left, right].map(|mut end| {
        let sending = tokio::spawn(async move {
            for number in 0..20_000_u32 {
                let length = if number.is_multiple_of(50) { FRAME_BYTES } else { 100 };
                let mut frame = vec![0; length];
                frame[..4].copy_from_slice(&number.to_be_bytes());
                end.sender.send(frame).await.unwrap();
            }
            end.sender
        });
        let receiving = tokio::spawn(async move {
            for number in 0..20_000_u32 {
                let frame = end.receiver.receive().await.unwrap().unwrap();
                assert_eq!(frame[..4], number.to_be_bytes());
            }
            end.receiver
        });
        (sending, receiving)
    });
    let mut halves = Vec::new();
    for (sending, receiving) in ends {
        halves.push((sending.await.unwrap(), receiving.await.unwrap()));
    }
}

#[test]
fn d9_halves_work_in_tasks_of_their_own() {
    let server = AxumServer::start();
    on_tokio(async {
        four_tasks(pipe()).await;
        four_tasks(over_websocket().await).await;
        four_tasks(server.connect().await).await;
    });
    server.stop();
}

// ---- the pipe's names ----

#[test]
fn d9_pipe_names_are_taken_dialled_and_freed() {
    smol::block_on(async {
        let network = PipeNetwork::new();
        let transport = network.transport();
        assert!(transport.handles("pipe:a") && !transport.handles("ws://a"));
        assert_eq!(transport.canonical("pipe:A").unwrap(), "pipe:A");
        let nobody = transport.connect("pipe:a").await.err();
        assert!(matches!(nobody, Some(TransportError::Unreachable { .. })), "{nobody:?}");
        for address in ["pipe:", "pip:a", &format!("pipe:{}", "a".repeat(300))] {
            let error = transport.connect(address).await.err();
            assert!(matches!(error, Some(TransportError::Address { .. })), "{address}: {error:?}");
        }

        let listener = network.listen("a").unwrap();
        assert!(matches!(network.listen("a").err(), Some(TransportError::Address { .. })));
        let mut waiting = transport.connect("pipe:a").await.unwrap();
        drop(listener);
        let end = waiting.receiver.receive().await;
        assert!(matches!(end, Err(TransportError::Broken(_))), "never accepted: {end:?}");
        assert!(transport.connect("pipe:a").await.is_err(), "the name is free");
        assert!(network.listen("a").is_ok());
    });
}

#[test]
fn d9_pipe_delivers_what_was_sent_before_a_drop_and_then_breaks() {
    smol::block_on(async {
        let (mut left, mut right) = pipe();
        left.sender.send(vec![1]).await.unwrap();
        drop(left);
        assert_eq!(right.receiver.receive().await, Ok(Some(vec![1])));
        assert!(matches!(right.receiver.receive().await, Err(TransportError::Broken(_))));
        assert!(matches!(right.sender.send(vec![2]).await, Err(TransportError::Broken(_))));
    });
}

// ---- addresses ----

#[test]
fn b7_plain_connections_to_other_machines_must_be_allowed() {
    let transport = WebSocketTransport::new();
    assert!(transport.handles("ws://hub.example") && transport.handles("wss://hub.example"));
    let error = transport.canonical("ws://hub.example").unwrap_err();
    assert!(error.to_string().contains("allow plain"), "{error}");
    let error = smol::block_on(transport.connect("ws://192.0.2.1/sync")).err().unwrap();
    assert!(matches!(error, TransportError::Address { .. }), "{error}");
    let transport = transport.allow_plain(true);
    assert_eq!(transport.canonical("ws://Hub.Example/sync").unwrap(), "hub.example:80");
    assert_eq!(transport.canonical("wss://Hub.Example/sync").unwrap(), "hub.example:443");
}

#[test]
fn d9_names_are_resolved_and_dead_ports_are_unreachable() {
    on_tokio(async {
        let mut listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let transport = WebSocketTransport::new();
        // May stand for ::1 as well, where nobody listens.
        let address = format!("ws://localhost:{port}/sync?token=secret");
        let (client, server) = futures::join!(transport.connect(&address), listener.accept());
        assert_eq!(client.unwrap().remote, format!("localhost:{port}"));
        assert!(server.unwrap().remote.starts_with("127.0.0.1:"));
        drop(listener);
        let error = transport.connect(&address).await.err().unwrap();
        assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    });
}

// ---- what peers may not do ----

#[test]
fn d8_text_is_refused_with_a_type() {
    on_tokio(async {
        let (mut client, mut server, _listener) = raw_pair().await;
        client.write_all(&masked(0x82, b"fine")).await.unwrap();
        client.write_all(&masked(0x81, b"text")).await.unwrap();
        client.write_all(&masked(0x82, b"late")).await.unwrap();
        assert_eq!(server.receiver.receive().await, Ok(Some(b"fine".to_vec())));
        assert!(refused(server.receiver.receive().await).contains("text"));
        assert!(refused(server.receiver.receive().await).contains("text"), "nothing follows a refusal");
        assert!(server.sender.send(vec![1]).await.is_err());
    });
}

#[test]
fn d8_text_is_refused_by_the_axum_adapter() {
    let server = AxumServer::start();
    on_tokio(async {
        let mut client = raw_client(server.address).await;
        let mut connection = server.accepted.recv().await.unwrap();
        client.write_all(&masked(0x81, b"text")).await.unwrap();
        assert!(refused(connection.receiver.receive().await).contains("text"));
        // Closing says by its code (1008) that the peer was at fault.
        let reason = "é".repeat(100);
        let mut answer = Vec::new();
        let (_, read) = futures::join!(connection.sender.close(&reason), client.read_to_end(&mut answer));
        read.unwrap();
        assert_eq!(answer[..4], [0x88, 2 + 122, 0x03, 0xF0], "code 1008 and as many whole characters as fit");
        assert_eq!(answer.len(), 2 + 2 + 122);
    });
    server.stop();
}

#[test]
fn d8_announced_length_takes_no_memory() {
    let server = AxumServer::start();
    on_tokio(async {
        // 4 GiB announced in one frame, 2^63 - 1 bytes in another, one over the limit in a third.
        for length in [1 << 32, u64::MAX >> 1, FRAME_BYTES as u64 + 1] {
            let mut bytes = vec![0x82, 0xFF];
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&[0; 32]);
            let (mut client, mut connection, _listener) = raw_pair().await;
            client.write_all(&bytes).await.unwrap();
            refused(connection.receiver.receive().await);

            let mut client = raw_client(server.address).await;
            let mut connection = server.accepted.recv().await.unwrap();
            client.write_all(&bytes).await.unwrap();
            refused(connection.receiver.receive().await);
        }
        // A message in pieces, each short, none the last.
        let (mut client, mut connection, _listener) = raw_pair().await;
        client.write_all(&masked(0x02, &[0; 125])).await.unwrap();
        for _ in 0..FRAME_BYTES / 125 + 1 {
            client.write_all(&masked(0x00, &[0; 125])).await.unwrap();
        }
        refused(connection.receiver.receive().await);
    });
    server.stop();
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest < 4 * 1_024 * 1_024, "a piece of {largest} bytes was asked for");
}

#[test]
fn d8_pings_are_answered_and_a_flood_of_them_is_refused() {
    on_tokio(async {
        let (mut client, mut server, _listener) = raw_pair().await;
        client.write_all(&masked(0x89, b"ping")).await.unwrap();
        client.write_all(&masked(0x82, b"data")).await.unwrap();
        assert_eq!(server.receiver.receive().await, Ok(Some(b"data".to_vec())));
        // The answer went out while reading, without anything being sent.
        let mut pong = [0; 6];
        client.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong, *b"\x8A\x04ping");

        // A client that pings and never reads the answers: bounded, and then refused.
        let flood = masked(0x89, &[7; 125]).repeat(2_000);
        let (_, received) = futures::join!(client.write_all(&flood), server.receiver.receive());
        assert!(refused(received).contains("pings"));
    });
}

#[test]
fn d8_compressed_frames_are_refused() {
    on_tokio(async {
        let (mut client, mut server, _listener) = raw_pair().await;
        // RSV1, which permessage-deflate uses.
        client.write_all(&masked(0xC2, b"data")).await.unwrap();
        refused(server.receiver.receive().await);
    });
}

#[test]
fn d9_closing_does_not_wait_long_for_a_silent_peer() {
    on_tokio(async {
        let (_client, mut server, _listener) = raw_pair().await;
        // Filled up, so that not even the goodbye fits; the wait is the transport's own.
        while let Some(sent) = futures::FutureExt::now_or_never(server.sender.send(vec![0; FRAME_BYTES])) {
            sent.unwrap();
        }
        server.sender.close("you do not read").await;
    });
}

#[test]
fn d9_dropping_one_half_ends_the_other() {
    on_tokio(async {
        for (mut left, _right) in [pipe(), over_websocket().await] {
            drop(left.sender);
            let end = left.receiver.receive().await;
            assert!(matches!(end, Err(TransportError::Broken(_))), "{end:?}");
        }
        for (mut left, _right) in [pipe(), over_websocket().await] {
            drop(left.receiver);
            assert!(left.sender.send(vec![1]).await.is_err());
        }
    });
}

// ---- the handshake on the wire ----

#[test]
fn b7_client_offers_no_extension_and_takes_none() {
    on_tokio(async {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}/sync", tcp.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let request = head(&mut stream).await;
            let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            let accept = async_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            request
        };
        let transport = WebSocketTransport::new();
        let (client, request) = futures::join!(transport.connect(&address), server);
        assert!(request.starts_with("GET /sync HTTP/1.1\r\n"), "{request}");
        assert!(!request.to_ascii_lowercase().contains("extensions"), "{request}");
        let error = client.err().unwrap();
        assert!(error.to_string().contains("extension"), "{error}");
    });
}

#[test]
fn b7_servers_take_no_extension() {
    let server = AxumServer::start();
    on_tokio(async {
        let mut listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
        let offer = async |address| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
            stream.write_all(format!("{UPGRADE}{offer}\r\n\r\n").as_bytes()).await.unwrap();
            head(&mut stream).await
        };
        let (answer, _accepted) = futures::join!(offer(listener.local_addr().unwrap()), listener.accept());
        for answer in [answer, offer(server.address).await] {
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
            assert!(!answer.to_ascii_lowercase().contains("extensions"), "{answer}");
        }
    });
    server.stop();
}

/// Runs `others` while the listener works, which must accept nobody meanwhile.
async fn accept_nobody<T>(listener: &mut WebSocketListener, others: impl Future<Output = T>) -> T {
    match select(pin!(others), pin!(listener.accept())).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("somebody was accepted"),
    }
}

/// What the listener answers to `request`, before it ends the connection.
async fn answer(listener: &mut WebSocketListener, request: &[u8]) -> String {
    let address = listener.local_addr().unwrap();
    let ask = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    accept_nobody(listener, ask).await
}

#[test]
fn b7_listener_answers_what_is_no_request_for_it() {
    on_tokio(async {
        let mut listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
        let wrong_path = format!("{}\r\n", UPGRADE.replace("/sync", "/other"));
        let page = format!("{UPGRADE}Origin: https://evil.example\r\n\r\n");
        let long = format!("GET /sync HTTP/1.1\r\nA: {}\r\n", "b".repeat(10_000));
        let post = format!("POST /sync HTTP/1.1\r\nContent-Length: 20000\r\n\r\n{}", "c".repeat(20_000));
        for (request, status) in [
            ("GET /sync HTTP/1.1\r\nHost: a\r\n\r\n", "426 "),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404 "),
            (&wrong_path, "404 "),
            (&page, "403 "),
            (&long, "431 "),
            (&post, "405 "),
            ("\x16\x03\x01\x02\x00\x01\x00", "400 "),
            ("GET\r\n\r\n", "400 "),
        ] {
            let answer = answer(&mut listener, request.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:.60?}: {answer}");
            assert!(answer.contains("Content-Length: "), "{answer}");
        }
        let transport = WebSocketTransport::new();
        let wrong = format!("ws://{}/other", listener.local_addr().unwrap());
        let error = accept_nobody(&mut listener, transport.connect(&wrong)).await.err().unwrap();
        assert!(error.to_string().contains("404"), "{error}");
    });
}

#[test]
fn b7_pages_of_an_allowed_origin_may_connect() {
    on_tokio(async {
        let listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
        let mut listener = listener.path("/journal").allow_origin("https://app.example");
        let address = listener.local_addr().unwrap();
        let page = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = UPGRADE.replace("/sync", "/journal");
            stream
                .write_all(format!("{request}Origin: https://app.example\r\n\r\n").as_bytes())
                .await
                .unwrap();
            head(&mut stream).await
        };
        let (answer, connection) = futures::join!(page, listener.accept());
        assert!(answer.starts_with("HTTP/1.1 101") && connection.is_some(), "{answer}");
    });
}

#[test]
fn d8_silent_clients_hold_up_nobody() {
    on_tokio(async {
        let mut listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fill = async {
            let mut silent = Vec::new();
            for number in 0..200 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                // Some say nothing at all, some stop in the middle.
                if number % 2 == 0 {
                    stream.write_all(&UPGRADE.as_bytes()[..number.min(UPGRADE.len() - 1)]).await.unwrap();
                }
                silent.push(stream);
            }
            silent
        };
        let _silent = accept_nobody(&mut listener, fill).await;
        let transport = WebSocketTransport::new();
        let address = format!("ws://{address}/sync");
        for _ in 0..3 {
            let (client, server) = futures::join!(transport.connect(&address), listener.accept());
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            client.sender.send(vec![1]).await.unwrap();
            assert_eq!(server.receiver.receive().await, Ok(Some(vec![1])));
        }
    });
}

#[test]
fn d8_more_handshakes_than_places_push_out_the_oldest() {
    on_tokio(async {
        let mut listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fill = async {
            let mut silent = Vec::new();
            for _ in 0..1_100 {
                silent.push(TcpStream::connect(address).await.unwrap());
            }
            silent
        };
        let mut silent = accept_nobody(&mut listener, fill).await;
        let transport = WebSocketTransport::new();
        let address = format!("ws://{address}/sync");
        let (client, server) = futures::join!(transport.connect(&address), listener.accept());
        assert!(client.is_ok() && server.is_some());
        assert_eq!(silent[0].read(&mut [0]).await.unwrap(), 0, "the oldest was sent away");
    });
}

// ---- TLS ----

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use futures_rustls::TlsAcceptor;
    use futures_rustls::pki_types::PrivateKeyDer;
    use futures_rustls::rustls::{ServerConfig, crypto};

    use super::*;

    #[test]
    fn d9_wss_is_dialled_only_where_the_certificate_is_trusted() {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let echo = async |tcp: &async_net::TcpListener| {
            let (stream, _) = tcp.accept().await.ok()?;
            let stream = acceptor.accept(stream).await.ok()?;
            let mut socket = async_tungstenite::accept_async(stream).await.ok()?;
            while let Some(Ok(message)) = futures::StreamExt::next(&mut socket).await {
                if message.is_binary() {
                    socket.send(message).await.ok()?;
                }
            }
            Some(())
        };
        smol::block_on(async {
            let tcp = async_net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = tcp.local_addr().unwrap().port();
            let address = format!("wss://localhost:{port}/sync");

            let stranger = WebSocketTransport::new();
            let (refused, _) = futures::join!(stranger.connect(&address), echo(&tcp));
            let error = refused.err().unwrap();
            assert!(error.to_string().contains("certificate"), "{error}");

            let transport = WebSocketTransport::new().trust(issued.cert.der());
            let other_name = format!("wss://127.0.0.1:{port}/sync");
            let (refused, _) = futures::join!(transport.connect(&other_name), echo(&tcp));
            assert!(refused.err().unwrap().to_string().contains("certificate"));

            let client = async {
                let mut connection = transport.connect(&address).await.unwrap();
                for length in [0, 1, 300, FRAME_BYTES] {
                    let (sent, received) = futures::join!(
                        connection.sender.send(vec![7; length]),
                        connection.receiver.receive()
                    );
                    sent.unwrap();
                    assert_eq!(received, Ok(Some(vec![7; length])));
                }
                connection.sender.close("done").await;
            };
            let (_, echoed) = futures::join!(client, echo(&tcp));
            assert!(echoed.is_some());
        });
    }
}
