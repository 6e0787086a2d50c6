//! The WebSocket transport for native programs, on whatever executor they run.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use async_net::TcpStream;
use async_tungstenite::client_async_with_config;
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use futures::StreamExt;
use futures::future::FutureExt;
use futures::select_biased;
use futures::stream::FuturesUnordered;

use super::websocket_halves::connection;
use super::websocket_stream::{ByteStream, bounds};
use crate::error::TransportError;
use crate::platform::traits::{Connection, Transport};
use crate::platform::websocket_address::{Host, Security, WebSocketAddress};

/// How long one of a host's addresses is tried alone before the next is tried beside it (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one host that are tried.
const ADDRESSES: usize = 8;

/// Dials `ws://` addresses, and `wss://` ones with the feature `tls`.
///
/// It needs no runtime: sockets and timers are served by `async-io`, so that its futures run on tokio,
/// smol or any other executor. [`connect`](Transport::connect) has no deadline of its own; dropping
/// its future gives up.
///
/// Plain `ws://` is dialled on loopback only, since nothing that passes is secret or safe from change
/// there; [`allow_plain`](Self::allow_plain) lifts that. Messages are never compressed.
#[derive(Clone, Default)]
pub struct WebSocketTransport {
    allow_plain: bool,
    #[cfg(feature = "tls")]
    tls: super::websocket_tls::Tls,
}

impl WebSocketTransport {
    /// A transport that dials `ws://` on this machine only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `ws://` is dialled on other machines too: for networks that are trusted or encrypt below.
    #[must_use]
    pub fn allow_plain(mut self, allow: bool) -> Self {
        self.allow_plain = allow;
        self
    }

    /// Trusts one more root certificate, in DER, beside those of the system.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn trust(mut self, certificate: &[u8]) -> Self {
        self.tls = self.tls.trusting(certificate);
        self
    }

    /// The address taken apart, if it may be dialled.
    fn checked(&self, address: &str) -> Result<WebSocketAddress, TransportError> {
        let parsed = WebSocketAddress::checked(address, self.allow_plain)?;
        #[cfg(not(feature = "tls"))]
        if parsed.security == Security::Tls {
            return Err(TransportError::Address {
                address: address.to_owned(),
                reason: "wss:// needs the feature `tls`, which this build does not have".to_owned(),
            });
        }
        Ok(parsed)
    }

    /// The addresses behind a host, in the order to be tried.
    async fn resolve(&self, address: &WebSocketAddress) -> io::Result<Vec<SocketAddr>> {
        let name = match &address.host {
            Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, address.port)]),
            Host::Name(name) => name,
        };
        let mut found = async_net::resolve((name.as_str(), address.port)).await?;
        if address.security == Security::Plain && !self.allow_plain {
            // "localhost" is a name as any other to the resolver: hold it to what it promises.
            found.retain(|found| found.ip().is_loopback());
        }
        found.truncate(ADDRESSES);
        Ok(found)
    }

    async fn secured(&self, address: &WebSocketAddress, stream: TcpStream) -> io::Result<ByteStream> {
        match address.security {
            Security::Plain => Ok(ByteStream::plain(stream)),
            #[cfg(feature = "tls")]
            Security::Tls => self.tls.connect(&address.host, stream).await.map(ByteStream::tls),
            #[cfg(not(feature = "tls"))]
            Security::Tls => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Transport for WebSocketTransport {
    fn handles(&self, address: &str) -> bool {
        WebSocketAddress::has_scheme(address)
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        self.checked(address).map(|address| address.canonical())
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        let parsed = self.checked(address)?;
        let request = parsed.request().into_client_request().map_err(|error| TransportError::Address {
            address: address.to_owned(),
            reason: error.to_string(),
        })?;
        // Without path and query: a token may stand there, and errors end up in logs.
        let remote = parsed.canonical();
        let unreachable = |reason: String| TransportError::Unreachable { address: remote.clone(), reason };
        let failed = |error: io::Error| unreachable(error.to_string());

        let addresses = self.resolve(&parsed).await.map_err(failed)?;
        let stream = dial(addresses).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let stream = self.secured(&parsed, stream).await.map_err(failed)?;
        let (socket, response) =
            client_async_with_config(request, stream, Some(bounds())).await.map_err(|error| {
                if let Error::Http(answer) = &error {
                    return unreachable(format!("answered with HTTP status {}", answer.status()));
                }
                unreachable(error.to_string())
            })?;
        if response.headers().contains_key("Sec-WebSocket-Extensions") {
            // We offer none, and the library does not look (RFC 6455, 4.1, step 5).
            return Err(unreachable("it uses a WebSocket extension that was not offered".to_owned()));
        }
        Ok(connection(socket, remote))
    }
}

/// Connects to the first of the addresses that answers. Each gets a head start over the next, so that
/// a host's broken IPv6 does not use up the time of its IPv4.
async fn dial(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address to be dialled");
    loop {
        match waiting.next() {
            Some(address) => running.push(TcpStream::connect(address)),
            None if running.is_empty() => return Err(failure),
            None => {}
        }
        let stagger =
            if waiting.len() > 0 { async_io::Timer::after(STAGGER) } else { async_io::Timer::never() };
        select_biased! {
            attempt = running.select_next_some() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            _ = FutureExt::fuse(stagger) => {}
        }
    }
}
