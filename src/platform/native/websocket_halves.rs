//! The two halves of a connection over a WebSocket, and the rules for frames that every such connection keeps.
//!
//! Both halves share the socket behind a lock that is held for one poll only: no half ever waits
//! while holding it, so one that is stuck in a write does not keep the other from reading. The
//! libraries below keep one waker for each half. Dropping either half breaks the connection: the other
//! one's calls fail, and the peer sees the end.

use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll, Waker, ready};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::select;

use crate::error::TransportError;
use crate::limits::FRAME_BYTES;
use crate::platform::send::BoxFuture;
use crate::platform::traits::{Connection, FrameReceiver, FrameSender};
use crate::platform::websocket_reason::shortened;

/// How long closing waits for the peer to take what was sent and to say goodbye as well. Leaving at
/// once would reset the connection if anything lies unread, and the peer could lose our last frames.
const CLOSE: Duration = Duration::from_secs(1);
/// Messages handled in one poll before other tasks get their turn.
const TURN: u32 = 64;
/// Pings and pongs in a row without a frame between them before the peer counts as hostile.
const CONTROLS: u32 = 1_024;
/// Close code: in good order (RFC 6455, 7.4.1).
const NORMAL: u16 = 1_000;
/// Close code: the peer sent what is against the rules here.
const POLICY: u16 = 1_008;

/// A message as it came in.
pub(super) enum Incoming {
    /// A binary message.
    Frame(Vec<u8>),
    /// A text message.
    Text,
    /// A ping, which the library below answers, or a pong.
    Control,
    /// The peer says goodbye, for this reason.
    Close(String),
}

/// What the two WebSocket libraries have in common.
///
/// It is polled from two tasks: one calls `poll_incoming`, the other the rest, and it keeps a waker for each.
pub(super) trait Socket: Send + 'static {
    /// The next message. Answers to pings and to a close message are sent on the way.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, TransportError>>>;
    /// Queues a binary message; called after a flush, so there is room.
    fn start_frame(&mut self, frame: Vec<u8>) -> Result<(), TransportError>;
    /// Queues a close message.
    fn start_close(&mut self, code: u16, reason: &str) -> Result<(), TransportError>;
    /// Hands everything that is queued to the system.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>>;
}

/// A connection over `socket`.
pub(super) fn connection(socket: impl Socket, remote: String) -> Connection {
    let state =
        State { socket: Some(socket), phase: Phase::Open, receiving: None, sending: None, controls: 0 };
    let shared = Arc::new(Shared(Mutex::new(state)));
    Connection {
        sender: Box::new(Sender(Arc::clone(&shared))),
        receiver: Box::new(Receiver(shared)),
        binding: Vec::new(),
        remote,
    }
}

/// How far the connection is.
enum Phase {
    Open,
    /// Over: what `receive` answers from now on.
    Over(Result<(), TransportError>),
}

struct State<S> {
    /// Gone once nothing more can come of it: dropping it is what ends the connection for the peer.
    socket: Option<S>,
    phase: Phase,
    /// Whoever waits in `receive`: the other half wakes it when it closes or is dropped.
    receiving: Option<Waker>,
    /// Whoever waits in `send`, likewise.
    sending: Option<Waker>,
    /// Pings and pongs since the last frame.
    controls: u32,
}

struct Shared<S>(Mutex<State<S>>);

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One half has been dropped, so that the other is of no use any more.
    fn dropped(&self) {
        let mut state = self.lock();
        if let Phase::Open = state.phase {
            state.phase =
                Phase::Over(Err(TransportError::Broken("the other half was dropped here".to_owned())));
        }
        state.socket = None;
        state.wake();
    }
}

impl<S> State<S> {
    fn wake(&mut self) {
        for waker in [self.receiving.take(), self.sending.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl<S: Socket> State<S> {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, TransportError>>> {
        match &mut self.socket {
            Some(socket) => socket.poll_incoming(cx),
            None => Poll::Ready(None),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match &mut self.socket {
            Some(socket) => socket.poll_flush(cx),
            None => Poll::Ready(Err(TransportError::Broken("it has been closed".to_owned()))),
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, TransportError>> {
        for _ in 0..TURN {
            if let Phase::Over(end) = &self.phase {
                return Poll::Ready(end.clone().map(|()| None));
            }
            let Poll::Ready(next) = self.poll_incoming(cx) else {
                self.receiving = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let end = match next {
                Some(Ok(Incoming::Frame(frame))) if frame.len() <= FRAME_BYTES => {
                    self.controls = 0;
                    return Poll::Ready(Ok(Some(frame)));
                }
                Some(Ok(Incoming::Frame(frame))) => Err(TransportError::Frame(format!(
                    "{} bytes, over the limit of {FRAME_BYTES}",
                    frame.len()
                ))),
                Some(Ok(Incoming::Text)) => Err(TransportError::Frame("a text message".to_owned())),
                Some(Ok(Incoming::Control)) if self.controls < CONTROLS => {
                    self.controls = self.controls.saturating_add(1);
                    continue;
                }
                Some(Ok(Incoming::Control)) => {
                    Err(TransportError::Frame(format!("more than {CONTROLS} pings without a frame")))
                }
                Some(Ok(Incoming::Close(reason))) => {
                    tracing::debug!(?reason, "the peer closed its WebSocket");
                    // Our goodbye, which the library has queued. If it can't go now, `close` sends it.
                    let _ = self.poll_flush(cx);
                    Ok(())
                }
                Some(Err(error)) => Err(error),
                None => Err(TransportError::Broken("it ended without a goodbye".to_owned())),
            };
            self.phase = Phase::Over(end);
        }
        // The peer sends faster than we read: let others run as well.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_send(
        &mut self,
        frame: &mut Option<Vec<u8>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), TransportError>> {
        if let Phase::Over(end) = &self.phase {
            let reason = match end {
                Ok(()) => "it has been closed".to_owned(),
                Err(error) => error.to_string(),
            };
            return Poll::Ready(Err(TransportError::Broken(reason)));
        }
        let flushed = self.poll_flush(cx);
        let flushed = match (&flushed, frame.take(), &mut self.socket) {
            (Poll::Ready(Ok(())), Some(frame), Some(socket)) => {
                socket.start_frame(frame)?;
                socket.poll_flush(cx)
            }
            (_, unsent, _) => {
                *frame = unsent;
                flushed
            }
        };
        if flushed.is_pending() {
            self.sending = Some(cx.waker().clone());
        }
        flushed
    }

    /// From now on nothing is received or sent; the close code that fits what came before.
    fn end(&mut self) -> u16 {
        let code = match &self.phase {
            Phase::Over(Err(TransportError::Frame(_))) => POLICY,
            Phase::Over(_) => NORMAL,
            Phase::Open => {
                self.phase = Phase::Over(Ok(()));
                NORMAL
            }
        };
        self.wake();
        code
    }

    /// Reads away what still comes, until the peer has said goodbye.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURN {
            match ready!(self.poll_incoming(cx)) {
                Some(Ok(Incoming::Frame(_) | Incoming::Text | Incoming::Control)) => {}
                Some(Ok(Incoming::Close(_)) | Err(_)) | None => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Says goodbye after what was sent, and waits for the peer's.
async fn goodbye<S: Socket>(shared: &Shared<S>, code: u16, reason: &str) -> Result<(), TransportError> {
    poll_fn(|cx| shared.lock().poll_flush(cx)).await?;
    if let Some(socket) = &mut shared.lock().socket {
        socket.start_close(code, reason)?;
    }
    poll_fn(|cx| shared.lock().poll_flush(cx)).await?;
    poll_fn(|cx| shared.lock().poll_goodbye(cx)).await;
    Ok(())
}

/// The sending half. A `send` that is dropped has sent its frame whole or not at all.
struct Sender<S>(Arc<Shared<S>>);

impl<S: Socket> FrameSender for Sender<S> {
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        let mut frame = Some(frame);
        Box::pin(poll_fn(move |cx| self.0.lock().poll_send(&mut frame, cx)))
    }

    fn close<'a>(&'a mut self, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let code = self.0.lock().end();
            let goodbye = pin!(goodbye(&self.0, code, shortened(reason)));
            // A peer that does not read or answer must not hold up who wants to leave.
            select(goodbye, async_io::Timer::after(CLOSE)).await;
            self.0.lock().socket = None;
        })
    }
}

impl<S> Drop for Sender<S> {
    fn drop(&mut self) {
        self.0.dropped();
    }
}

/// The receiving half. All that is known of a frame that has come in part is kept in the socket, so
/// that dropping `receive` loses nothing.
struct Receiver<S>(Arc<Shared<S>>);

impl<S: Socket> FrameReceiver for Receiver<S> {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(poll_fn(|cx| self.0.lock().poll_receive(cx)))
    }
}

impl<S> Drop for Receiver<S> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        match state.phase {
            // What is left of it belongs to the sending half, which may be saying goodbye.
            Phase::Over(_) => state.wake(),
            Phase::Open => {
                drop(state);
                self.0.dropped();
            }
        }
    }
}
