//! The two halves of a connection over a browser's WebSocket, and what comes in between.
//!
//! A browser reads for us whether we want it or not, and cannot be asked to stop: what the peer sends
//! waits here, up to a bound that no peer reaches which keeps to its credit. Dropping either half closes
//! the socket, removes the listeners and ends the other half.

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use futures::future::select;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use super::js::says;
use super::listener::Listener;
use super::timer::WebTimer;
use crate::error::TransportError;
use crate::limits::FRAME_BYTES;
use crate::platform::send::BoxFuture;
use crate::platform::traits::{Connection, FrameReceiver, FrameSender, Timer};
use crate::platform::websocket_reason::shortened;

/// Bytes that have come in and wait to be received, each frame counted with its own keep: beyond this
/// the peer does not keep to its credit, and the connection ends.
const WAITING_BYTES: usize = 64 * 1_048_576;
/// What a frame that waits is counted beyond its bytes.
const WAITING_FRAME: usize = 64;
/// Bytes handed to the browser and not yet to the network at which [`FrameSender::send`] waits.
const BUFFERED_BYTES: u32 = 1_048_576;
/// How long it waits before it looks again, for nothing tells it: at first, and at most.
const LOOK: Duration = Duration::from_millis(1);
const LOOK_MOST: Duration = Duration::from_millis(32);
/// How long closing waits for the peer to take what was sent and to say goodbye as well.
const CLOSE: Duration = Duration::from_secs(1);
/// Close code: in good order (RFC 6455, 7.4.1).
const NORMAL: u16 = 1_000;
/// Close code: the peer sent what is against the rules here. Scripts may not use 1008.
const POLICY: u16 = 4_008;

/// How far the connection is.
enum Phase {
    Connecting,
    Open,
    /// Over: what `receive` answers once the frames that came before have been received.
    Over(Result<(), TransportError>),
}

struct State {
    phase: Phase,
    /// Whether the sending half is saying goodbye: it also clears away then.
    closing: bool,
    /// Whether the socket has told that it is closed: it does nothing more then.
    closed: bool,
    frames: VecDeque<Vec<u8>>,
    /// Bytes of `frames`, as they are counted.
    waiting: usize,
    /// Whoever waits for a frame, for the socket to open or to close: one at a time each.
    receiving: Option<Waker>,
    changing: Option<Waker>,
}

impl State {
    fn wake(&mut self) {
        for waker in [self.receiving.take(), self.changing.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// A socket that both halves share.
struct Shared {
    socket: WebSocket,
    state: RefCell<State>,
    listeners: RefCell<Vec<Listener>>,
}

impl Shared {
    fn on_open(&self) {
        let mut state = self.state.borrow_mut();
        if let Phase::Connecting = state.phase {
            state.phase = Phase::Open;
        }
        state.wake();
    }

    fn on_message(&self, data: &JsValue) {
        let mut state = self.state.borrow_mut();
        let Phase::Open = state.phase else { return };
        let refused = match data.dyn_ref::<ArrayBuffer>() {
            None => TransportError::Frame("a text message".to_owned()),
            Some(buffer) => {
                let length = usize::try_from(buffer.byte_length()).unwrap_or(usize::MAX);
                let waiting = state.waiting.saturating_add(length).saturating_add(WAITING_FRAME);
                if length > FRAME_BYTES {
                    TransportError::Frame(format!("{length} bytes, over the limit of {FRAME_BYTES}"))
                } else if waiting > WAITING_BYTES {
                    TransportError::Broken(format!("the peer sent {waiting} bytes ahead of what was read"))
                } else {
                    state.frames.push_back(Uint8Array::new(buffer).to_vec());
                    state.waiting = waiting;
                    state.wake();
                    return;
                }
            }
        };
        state.phase = Phase::Over(Err(refused));
        state.wake();
        drop(state);
        self.say_goodbye(POLICY, "");
    }

    fn on_close(&self, event: &CloseEvent) {
        let (code, clean) = (event.code(), event.was_clean());
        let mut state = self.state.borrow_mut();
        state.closed = true;
        if let Phase::Connecting | Phase::Open = state.phase {
            tracing::debug!(code, clean, reason = event.reason(), "the WebSocket closed");
            state.phase = Phase::Over(if clean {
                Ok(())
            } else {
                Err(TransportError::Broken(format!("it ended without a goodbye (code {code})")))
            });
        }
        state.wake();
    }

    /// Begins the closing, behind what was sent. Nothing if that has happened.
    fn say_goodbye(&self, code: u16, reason: &str) {
        if let Err(error) = self.socket.close_with_code_and_reason(code, reason) {
            tracing::debug!(error = says(&error), "the WebSocket could not be closed");
        }
    }

    /// Ends everything: nothing is heard of the socket any more.
    fn abandon(&self) {
        {
            let mut state = self.state.borrow_mut();
            if let Phase::Connecting | Phase::Open = state.phase {
                let reason = "the other half was dropped here".to_owned();
                state.phase = Phase::Over(Err(TransportError::Broken(reason)));
            }
            state.frames.clear();
            state.waiting = 0;
            state.wake();
        }
        self.say_goodbye(NORMAL, "");
        self.listeners.take();
    }

    /// From now on nothing is received or sent; the close code that fits what came before.
    fn end(&self) -> u16 {
        let mut state = self.state.borrow_mut();
        state.closing = true;
        state.frames.clear();
        state.waiting = 0;
        let code = match &state.phase {
            Phase::Over(Err(TransportError::Frame(_))) => POLICY,
            Phase::Over(_) => NORMAL,
            Phase::Connecting | Phase::Open => {
                state.phase = Phase::Over(Ok(()));
                NORMAL
            }
        };
        state.wake();
        code
    }

    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, TransportError>> {
        let mut state = self.state.borrow_mut();
        if let Some(frame) = state.frames.pop_front() {
            state.waiting = state.waiting.saturating_sub(frame.len()).saturating_sub(WAITING_FRAME);
            return Poll::Ready(Ok(Some(frame)));
        }
        if let Phase::Over(end) = &state.phase {
            return Poll::Ready(end.clone().map(|()| None));
        }
        state.receiving = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether a frame can be handed to the socket now.
    fn room(&self) -> Result<bool, TransportError> {
        match &self.state.borrow().phase {
            Phase::Over(Err(error)) => return Err(TransportError::Broken(error.to_string())),
            Phase::Over(Ok(())) => return Err(TransportError::Broken("it has been closed".to_owned())),
            Phase::Connecting | Phase::Open => {}
        }
        if self.socket.ready_state() != WebSocket::OPEN {
            return Err(TransportError::Broken("it is being closed".to_owned()));
        }
        Ok(self.socket.buffered_amount() < BUFFERED_BYTES)
    }
}

/// One half of a connection, or a socket that is to become one. Dropping it ends the other half too.
pub(super) struct Half(Rc<Shared>);

impl Half {
    /// Begins to connect.
    pub(super) fn dial(url: &str) -> Result<Self, JsValue> {
        let socket = WebSocket::new(url)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let state = State {
            phase: Phase::Connecting,
            closing: false,
            closed: false,
            frames: VecDeque::new(),
            waiting: 0,
            receiving: None,
            changing: None,
        };
        let shared = Rc::new(Shared { socket, state: RefCell::new(state), listeners: RefCell::default() });
        let listen = |kind, react: fn(&Shared, &Event)| {
            let weak: Weak<Shared> = Rc::downgrade(&shared);
            Listener::new(&shared.socket, kind, move |event| {
                if let Some(shared) = weak.upgrade() {
                    react(&shared, &event);
                }
            })
        };
        let listeners = vec![
            listen("open", |shared, _| shared.on_open()),
            listen("message", |shared, event| {
                shared.on_message(&event.unchecked_ref::<MessageEvent>().data());
            }),
            listen("close", |shared, event| shared.on_close(event.unchecked_ref())),
        ];
        shared.listeners.replace(listeners);
        Ok(Self(shared))
    }

    /// Resolves when the socket is open, or with why it is not.
    pub(super) async fn opened(&self) -> Result<(), String> {
        poll_fn(|cx| {
            let mut state = self.0.state.borrow_mut();
            match &state.phase {
                Phase::Connecting => {
                    state.changing = Some(cx.waker().clone());
                    Poll::Pending
                }
                Phase::Open => Poll::Ready(Ok(())),
                Phase::Over(Ok(())) => Poll::Ready(Err("it was closed at once".to_owned())),
                Phase::Over(Err(error)) => Poll::Ready(Err(error.to_string())),
            }
        })
        .await
    }

    /// The connection over it.
    pub(super) fn connection(self, remote: String) -> Connection {
        let receiver = Box::new(Receiver(Self(Rc::clone(&self.0))));
        Connection { sender: Box::new(Sender(self)), receiver, binding: Vec::new(), remote }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // Whoever receives leaves as soon as the other half closes, which is still to hear of the end.
        if !self.0.state.borrow().closing || Rc::strong_count(&self.0) == 1 {
            self.0.abandon();
        }
    }
}

/// The sending half. A `send` that is dropped has sent its frame whole or not at all.
struct Sender(Half);

impl FrameSender for Sender {
    /// A frame that the peer would refuse is not sent.
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let Half(shared) = &self.0;
            if frame.len() > FRAME_BYTES {
                return Err(TransportError::Broken(format!(
                    "a frame of {} bytes cannot be sent",
                    frame.len()
                )));
            }
            let mut look = LOOK;
            while !shared.room()? {
                WebTimer.sleep(look).await;
                look = look.saturating_mul(2).min(LOOK_MOST);
            }
            shared.socket.send_with_u8_array(&frame).map_err(|error| TransportError::Broken(says(&error)))
        })
    }

    fn close<'a>(&'a mut self, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Half(shared) = &self.0;
            let code = shared.end();
            shared.say_goodbye(code, shortened(reason));
            let closed = poll_fn(|cx| {
                let mut state = shared.state.borrow_mut();
                if state.closed {
                    return Poll::Ready(());
                }
                state.changing = Some(cx.waker().clone());
                Poll::Pending
            });
            // A peer that does not read or answer must not hold up who wants to leave.
            select(closed, pin!(WebTimer.sleep(CLOSE))).await;
            shared.abandon();
        })
    }
}

/// The receiving half. What has come in stays until it is taken: dropping `receive` loses nothing.
struct Receiver(Half);

impl FrameReceiver for Receiver {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(poll_fn(|cx| self.0.0.poll_receive(cx)))
    }
}
