//! `wss://`: TLS below the WebSocket.

use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::PrivateKeyDer;
use futures_rustls::rustls::{ServerConfig, crypto};

use isoroot::limits::FRAME_BYTES;
use isoroot::platform::Transport;
use isoroot::platform::native::WebSocketTransport;

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
                let (sent, received) =
                    futures::join!(connection.sender.send(vec![7; length]), connection.receiver.receive());
                sent.unwrap();
                assert_eq!(received, Ok(Some(vec![7; length])));
            }
            connection.sender.close("done").await;
        };
        let (_, echoed) = futures::join!(client, echo(&tcp));
        assert!(echoed.is_some());
    });
}
