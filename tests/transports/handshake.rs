//! The handshake on the wire: addresses, extensions, answers to what is no request for an upgrade.

use isoroot::TransportError;
use isoroot::platform::native::{WebSocketListener, WebSocketTransport};
use isoroot::platform::{Listener, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[cfg(feature = "hub")]
use crate::axum_server::AxumServer;
use crate::{UPGRADE, accept_nobody, ask, head, listener, on_tokio};

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
    let secure = transport.canonical("wss://Hub.Example/sync");
    if cfg!(feature = "tls") {
        assert_eq!(secure.unwrap(), "hub.example:443");
    } else {
        assert!(secure.unwrap_err().to_string().contains("tls"));
    }
}

#[test]
fn d9_names_are_resolved_and_dead_ports_are_unreachable() {
    on_tokio(async {
        let (mut listener, address) = listener().await;
        let transport = WebSocketTransport::new();
        // "localhost" may stand for ::1 as well, where nobody listens.
        let address = format!("ws://localhost:{}/sync?token=secret", address.port());
        let (client, server) = futures::join!(transport.connect(&address), listener.accept());
        assert!(client.unwrap().remote.starts_with("localhost:"));
        assert!(server.unwrap().remote.starts_with("127.0.0.1:"));
        drop(listener);
        let error = transport.connect(&address).await.err().unwrap();
        assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    });
}

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

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

fn takes_no_extension(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("extensions"), "{answer}");
}

#[test]
fn b7_listener_takes_no_extension() {
    on_tokio(async {
        let (mut listener, address) = listener().await;
        let request = format!("{UPGRADE}{OFFER}");
        let ((_stream, answer), _accepted) = futures::join!(ask(address, &request), listener.accept());
        takes_no_extension(&answer);
    });
}

#[cfg(feature = "hub")]
#[test]
fn b7_axum_takes_no_extension() {
    let server = AxumServer::start();
    let (_stream, answer) = on_tokio(ask(server.address, &format!("{UPGRADE}{OFFER}")));
    takes_no_extension(&answer);
}

/// What the listener answers to `request`, before it ends the connection.
async fn refusal(listener: &mut WebSocketListener, request: &str) -> String {
    let address = listener.local_addr().unwrap();
    let ask = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    accept_nobody(listener, ask).await
}

#[test]
fn b7_listener_answers_what_is_no_request_for_it() {
    on_tokio(async {
        let (mut listener, address) = listener().await;
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
            // The beginning of TLS.
            ("\x16\x03\x01\x02\x00\x01\x00", "400 "),
            ("GET\r\n\r\n", "400 "),
        ] {
            let answer = refusal(&mut listener, request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:.60?}: {answer}");
            assert!(answer.contains("Content-Length: "), "{answer}");
        }
        let transport = WebSocketTransport::new();
        let wrong = format!("ws://{address}/other");
        let error = accept_nobody(&mut listener, transport.connect(&wrong)).await.err().unwrap();
        assert!(error.to_string().contains("404"), "{error}");
    });
}

#[test]
fn b7_pages_of_an_allowed_origin_may_connect() {
    on_tokio(async {
        let (listener, address) = listener().await;
        let mut listener = listener.path("/journal").allow_origin("https://app.example");
        let request = UPGRADE.replace("/sync", "/journal");
        let request = format!("{request}Origin: https://app.example\r\n\r\n");
        let ((_stream, answer), accepted) = futures::join!(ask(address, &request), listener.accept());
        assert!(answer.starts_with("HTTP/1.1 101") && accepted.is_some(), "{answer}");
    });
}
