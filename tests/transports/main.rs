//! The transports: each passes the conformance suite on several executors, and none trusts its peer.

#![cfg(all(not(target_arch = "wasm32"), feature = "native"))]

#[cfg(feature = "hub")]
mod axum_server;
mod handshake;
mod hostile;
mod pipes;
mod suite;
#[cfg(feature = "tls")]
mod wss;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;

use futures::future::{Either, select};
use isoroot::platform::native::{WebSocketListener, WebSocketTransport};
use isoroot::platform::{Connection, Listener, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Runs on tokio, as most programs do.
fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn listener() -> (WebSocketListener, SocketAddr) {
    let listener = WebSocketListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The client's and the listener's end of a new connection.
async fn over_websocket() -> (Connection, Connection) {
    let (mut listener, address) = listener().await;
    let address = format!("ws://{address}/sync");
    let transport = WebSocketTransport::new();
    let (client, server) = futures::join!(transport.connect(&address), listener.accept());
    (client.unwrap(), server.unwrap())
}

/// A good request for an upgrade, but for the empty line at its end.
const UPGRADE: &str = "GET /sync HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A client that has sent this request; and the head of the answer.
async fn ask(address: SocketAddr, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    (stream, answer)
}

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
    let (stream, answer) = ask(address, &format!("{UPGRADE}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    stream
}

/// Such a client, and the listener's end of its connection.
async fn raw_pair() -> (TcpStream, Connection) {
    let (mut listener, address) = listener().await;
    let (stream, server) = futures::join!(raw_client(address), listener.accept());
    (stream, server.unwrap())
}

/// Runs `others` while the listener works, which must accept nobody meanwhile.
async fn accept_nobody<T>(listener: &mut WebSocketListener, others: impl Future<Output = T>) -> T {
    match select(pin!(others), pin!(listener.accept())).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("somebody was accepted"),
    }
}
