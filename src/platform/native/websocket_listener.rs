//! Accepts WebSocket connections for programs without an HTTP server of their own.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use async_net::{TcpListener, TcpStream};
use futures::StreamExt;
use futures::future::{AbortHandle, Either, FutureExt, abortable, select};
use futures::select_biased;
use futures::stream::FuturesUnordered;

use super::websocket_halves::connection;
use super::websocket_upgrade::{Rules, upgrade};
use crate::limits::CONNECT;
use crate::platform::send::BoxFuture;
use crate::platform::traits::{Connection, Listener};

/// Handshakes under way at once. One more pushes out the oldest: honest ones take milliseconds, so the
/// oldest is the likeliest to have come only to fill the table.
const HANDSHAKES: usize = 1_024;
/// How long no connection is taken after the system had no room for one.
const REST: Duration = Duration::from_millis(50);

/// Listens on a TCP port for WebSocket connections on one path.
///
/// Handshakes run side by side, at most 10 seconds each, as long as [`accept`](Listener::accept) is
/// being polled; a silent or slow client holds up nobody. Whatever is not a request for this path gets
/// an HTTP answer that says so. Requests from web pages are refused unless their origin is allowed.
/// There is no TLS here: put a reverse proxy before it, or stay on loopback.
pub struct WebSocketListener {
    tcp: TcpListener,
    rules: Arc<Rules>,
    handshakes: FuturesUnordered<BoxFuture<'static, (u64, Option<Connection>)>>,
    /// Ends each handshake under way, by its number.
    running: BTreeMap<u64, AbortHandle>,
    next: u64,
    resting: Option<async_io::Timer>,
}

impl WebSocketListener {
    /// Listens on `address`, such as `127.0.0.1:4000` or `localhost:0`, for the path `/sync`.
    ///
    /// # Errors
    /// What the system says: the address is in use, or not one of this machine, or not permitted.
    pub async fn bind(address: &str) -> io::Result<Self> {
        Ok(Self {
            tcp: TcpListener::bind(address).await?,
            rules: Arc::new(Rules { path: "/sync".to_owned(), origins: BTreeSet::new() }),
            handshakes: FuturesUnordered::new(),
            running: BTreeMap::new(),
            next: 0,
            resting: None,
        })
    }

    /// Listens for `path` instead, which begins with a slash.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        Arc::make_mut(&mut self.rules).path = path.to_owned();
        self
    }

    /// Lets web pages of `origin`, such as `https://app.example`, connect too.
    #[must_use]
    pub fn allow_origin(mut self, origin: &str) -> Self {
        Arc::make_mut(&mut self.rules).origins.insert(origin.to_owned());
        self
    }

    /// The address listened on, with the port that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    fn start(&mut self, stream: TcpStream, remote: SocketAddr) {
        self.make_room();
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let (handshake, handle) = abortable(handshake(stream, remote, Arc::clone(&self.rules)));
        self.running.insert(number, handle);
        self.handshakes.push(Box::pin(async move { (number, handshake.await.unwrap_or_default()) }));
    }

    fn make_room(&mut self) {
        if self.running.len() >= HANDSHAKES
            && let Some((_, oldest)) = self.running.pop_first()
        {
            oldest.abort();
        }
    }
}

impl Listener for WebSocketListener {
    /// Never nothing: a listener is closed by dropping it.
    async fn accept(&mut self) -> Option<Connection> {
        loop {
            select_biased! {
                (number, connection) = self.handshakes.select_next_some() => {
                    self.running.remove(&number);
                    if connection.is_some() {
                        return connection;
                    }
                }
                accepted = accept_rested(&self.tcp, &mut self.resting).fuse() => match accepted {
                    Ok((stream, remote)) => self.start(stream, remote),
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        // Most likely no file handles are left: trying at once would only spin.
                        self.resting = Some(async_io::Timer::after(REST));
                    }
                },
            }
        }
    }
}

/// The next TCP connection, once the rest is over. Dropping it in between forgets neither.
async fn accept_rested(
    tcp: &TcpListener,
    resting: &mut Option<async_io::Timer>,
) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(timer) = resting {
        timer.await;
    }
    *resting = None;
    tcp.accept().await
}

/// One handshake within its time; nothing when the client is refused, gone or too slow.
async fn handshake(stream: TcpStream, remote: SocketAddr, rules: Arc<Rules>) -> Option<Connection> {
    // Frames are sent when they are ready, and each is one write.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%remote, %error, "a connection ended before its handshake");
        return None;
    }
    let upgraded = core::pin::pin!(upgrade(stream, &rules));
    match select(upgraded, async_io::Timer::after(CONNECT)).await {
        Either::Left((Ok(Some(socket)), _)) => Some(connection(socket, remote.to_string())),
        Either::Left((Ok(None), _)) => None,
        Either::Left((Err(error), _)) => {
            tracing::debug!(%remote, %error, "a WebSocket handshake failed");
            None
        }
        Either::Right(_) => {
            tracing::debug!(%remote, "a WebSocket handshake took too long");
            None
        }
    }
}
