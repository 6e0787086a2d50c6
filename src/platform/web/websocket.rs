//! The WebSocket transport of browsers, and of Node from version 22 on.

use super::js::says;
use super::websocket_halves::Half;
use crate::error::TransportError;
use crate::platform::traits::{Connection, Transport};
use crate::platform::websocket_address::WebSocketAddress;

/// Dials `ws://` and `wss://` addresses by the environment's own `WebSocket`.
///
/// [`connect`](Transport::connect) has no deadline of its own; dropping its future gives up. Why a
/// connection failed is not told to scripts, so that they cannot look around in a network.
///
/// Plain `ws://` is dialled on loopback only, since nothing that passes is secret or safe from change
/// there; [`allow_plain`](Self::allow_plain) lifts that. A page that came by `https://` cannot dial it
/// elsewhere in any case.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketTransport {
    allow_plain: bool,
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
}

impl Transport for WebSocketTransport {
    fn handles(&self, address: &str) -> bool {
        WebSocketAddress::has_scheme(address)
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        WebSocketAddress::checked(address, self.allow_plain).map(|address| address.canonical())
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        let parsed = WebSocketAddress::checked(address, self.allow_plain)?;
        // Without path and query: a token may stand there, and errors end up in logs.
        let remote = parsed.canonical();
        let unreachable = |reason: String| TransportError::Unreachable { address: remote.clone(), reason };
        let socket = Half::dial(&parsed.request()).map_err(|error| unreachable(says(&error)))?;
        socket.opened().await.map_err(unreachable)?;
        Ok(socket.connection(remote))
    }
}
