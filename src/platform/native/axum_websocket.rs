//! Connections over the WebSockets of an axum server, under the same rules as those of the listener here.

use core::pin::Pin;
use core::task::{Context, Poll};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum_tungstenite::{Error, error::ProtocolError};
use futures::{Sink, Stream};

use super::websocket_halves::{self, Incoming, Socket};
use super::websocket_stream::{READ_BUFFER_BYTES, WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES_MAX};
use crate::error::TransportError;
use crate::limits::FRAME_BYTES;
use crate::platform::traits::Connection;

/// Sets the bounds that a connection needs; only the request for the upgrade can be given them.
///
/// Without them a peer can make the server hold messages of megabytes, which [`connection`] then
/// refuses, and fill its memory with pings whose answers it does not read.
pub fn bounded(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(FRAME_BYTES)
        .max_frame_size(FRAME_BYTES)
}

/// A connection over a WebSocket that axum has upgraded, from a request that went through [`bounded`].
///
/// `remote` names the client for diagnosis. The server sets `TCP_NODELAY` where it accepts:
/// `axum::serve(listener.tap_io(|tcp| { … }), …)`.
pub fn connection(ws: WebSocket, remote: String) -> Connection {
    websocket_halves::connection(ws, remote)
}

impl Socket for WebSocket {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, TransportError>>> {
        Pin::new(self).poll_next(cx).map(|next| {
            next.map(|message| match message {
                Ok(Message::Binary(bytes)) => Ok(Incoming::Frame(bytes.into())),
                Ok(Message::Text(_)) => Ok(Incoming::Text),
                Ok(Message::Ping(_) | Message::Pong(_)) => Ok(Incoming::Control),
                Ok(Message::Close(close)) => {
                    Ok(Incoming::Close(close.map(|close| close.reason.to_string()).unwrap_or_default()))
                }
                Err(error) => Err(transport_error(error)),
            })
        })
    }

    fn start_frame(&mut self, frame: Vec<u8>) -> Result<(), TransportError> {
        Pin::new(self).start_send(Message::Binary(frame.into())).map_err(transport_error)
    }

    fn start_close(&mut self, code: u16, reason: &str) -> Result<(), TransportError> {
        let close = CloseFrame { code, reason: reason.into() };
        Pin::new(self).start_send(Message::Close(Some(close))).map_err(transport_error)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Sink::poll_flush(Pin::new(self), cx).map_err(transport_error)
    }
}

/// Whether the way failed or the peer broke the rules. axum hides its library's error in a box.
fn transport_error(error: axum::Error) -> TransportError {
    let text = error.to_string();
    match error.into_inner().downcast_ref::<Error>() {
        Some(
            Error::Capacity(_)
            | Error::Utf8(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_),
        ) => TransportError::Frame(text),
        Some(Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
        )) => TransportError::Broken(text),
        Some(Error::Protocol(_)) => TransportError::Frame(text),
        Some(
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Tls(_)
            | Error::WriteBufferFull(_),
        )
        | None => TransportError::Broken(text),
    }
}
