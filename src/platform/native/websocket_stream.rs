//! What lies under and between: the byte stream below a WebSocket, its bounds, and its messages as ours.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use async_net::TcpStream;
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::{Error, Message, error::ProtocolError};
use futures::io::{AsyncRead, AsyncWrite};
use futures::{Sink, Stream};

use super::websocket_halves::{Incoming, Socket};
use crate::error::TransportError;
use crate::limits::FRAME_BYTES;

/// Bytes asked of the system in one read. Each connection keeps a buffer of this size even when idle.
pub(super) const READ_BUFFER_BYTES: usize = 8 * 1_024;
/// Bytes that may be queued before they are written without being asked to: more than a frame, so
/// that one write takes it whole.
pub(super) const WRITE_BUFFER_BYTES: usize = FRAME_BYTES + 1_024;
/// Bytes that may be queued at all: a frame beside the pongs for a peer that pings and does not read.
pub(super) const WRITE_BUFFER_BYTES_MAX: usize = 2 * WRITE_BUFFER_BYTES;
/// Reads after which other tasks get their turn: a peer that always has bytes for us, but never a
/// whole message, would otherwise hold the thread.
const READS: u32 = 64;

/// The bounds of every WebSocket. A message over the limit is refused by what its head announces,
/// before memory is taken for it.
pub(super) fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES))
}

/// Bytes both ways, in the clear or through TLS.
pub(super) struct ByteStream {
    kind: Kind,
    reads: u32,
}

enum Kind {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<futures_rustls::client::TlsStream<TcpStream>>),
}

impl ByteStream {
    /// Over TCP as it is.
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { kind: Kind::Plain(stream), reads: 0 }
    }

    /// Over TLS.
    #[cfg(feature = "tls")]
    pub(super) fn tls(stream: futures_rustls::client::TlsStream<TcpStream>) -> Self {
        Self { kind: Kind::Tls(Box::new(stream)), reads: 0 }
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.reads == READS {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.reads = self.reads.saturating_add(1);
        match &mut self.kind {
            Kind::Plain(stream) => Pin::new(stream).poll_read(cx, bytes),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Pin::new(stream).poll_read(cx, bytes),
        }
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(stream) => Pin::new(stream).poll_close(cx),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}

/// A connection over any stream of bytes, as it is behind the handshake of HTTP: for tests that cut it.
#[cfg(test)]
pub(crate) async fn websocket_over<S>(stream: S, dialled: bool) -> crate::platform::traits::Connection
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    use async_tungstenite::tungstenite::protocol::Role;

    let role = if dialled { Role::Client } else { Role::Server };
    let socket = WebSocketStream::from_raw_socket(stream, role, Some(bounds())).await;
    super::websocket_halves::connection(socket, "a stream".to_owned())
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Socket for WebSocketStream<S> {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, TransportError>>> {
        Pin::new(self).poll_next(cx).map(|next| {
            next.map(|message| match message {
                Ok(Message::Binary(bytes)) => Ok(Incoming::Frame(bytes.into())),
                Ok(Message::Text(_)) => Ok(Incoming::Text),
                // The library gives no raw frames when reading.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Ok(Incoming::Control),
                Ok(Message::Close(close)) => {
                    Ok(Incoming::Close(close.map(|close| close.reason.to_string()).unwrap_or_default()))
                }
                Err(error) => Err(transport_error(&error)),
            })
        })
    }

    fn start_frame(&mut self, frame: Vec<u8>) -> Result<(), TransportError> {
        Pin::new(self).start_send(Message::binary(frame)).map_err(|error| transport_error(&error))
    }

    fn start_close(&mut self, code: u16, reason: &str) -> Result<(), TransportError> {
        let close = CloseFrame { code: code.into(), reason: reason.into() };
        Pin::new(self).start_send(Message::Close(Some(close))).map_err(|error| transport_error(&error))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Sink::poll_flush(Pin::new(self), cx).map_err(|error| transport_error(&error))
    }
}

/// Whether the way failed or the peer broke the rules.
fn transport_error(error: &Error) -> TransportError {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
            TransportError::Broken(error.to_string())
        }
        Error::Capacity(_)
        | Error::Protocol(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => TransportError::Frame(error.to_string()),
    }
}
