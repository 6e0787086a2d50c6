//! A connection inside one process: two ends that pass frames through bounded queues.

use std::sync::{Arc, Mutex, PoisonError};

use async_channel::{Receiver, Sender};

use crate::error::TransportError;
use crate::limits::FRAME_BYTES;
use crate::platform::send::BoxFuture;
use crate::platform::traits::{Connection, FrameReceiver, FrameSender};

/// Frames that each direction holds before [`send`](FrameSender::send) waits for the reader.
pub const PIPE_FRAMES: usize = 16;

/// Why a pipe broke.
const DROPPED: &str = "one of its ends was dropped";

/// The two ends of a new pipe: an ordered connection inside this process.
///
/// - Each direction holds [`PIPE_FRAMES`] frames; a sender waits when that many have not been read.
/// - Frames already sent are delivered, whatever becomes of the sender afterwards. Then comes
///   `Ok(None)` if it closed, [`TransportError::Broken`] if it was only dropped, one half being enough.
/// - Closing never waits, not even for a peer that does not read. It ends both directions: this end
///   receives nothing more, and the peer's sends fail.
/// - A frame over [`FRAME_BYTES`] is refused by the receiving end, for good, as by a network transport.
pub fn pipe() -> (Connection, Connection) {
    let (to_right, from_left) = async_channel::bounded(PIPE_FRAMES);
    let (to_left, from_right) = async_channel::bounded(PIPE_FRAMES);
    let state = Arc::new(Mutex::new(State::Open));
    let left = Side { this: End::Left, state: Arc::clone(&state) };
    let right = Side { this: End::Right, state };
    let connection = |side: Side, queues: Queues| Connection {
        sender: Box::new(PipeSender { queues: queues.clone(), side: side.clone() }),
        receiver: Box::new(PipeReceiver { queues, side, failed: None }),
        binding: Vec::new(),
        remote: "pipe".to_owned(),
    };
    let left = connection(left, Queues { outgoing: to_right, incoming: from_right });
    (left, connection(right, Queues { outgoing: to_left, incoming: from_left }))
}

/// One of the two ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Left,
    Right,
}

/// What both ends know of the pipe.
enum State {
    /// Neither end has said goodbye.
    Open,
    /// That end has, for this reason; the first to do so counts.
    Closed(End, String),
}

/// How the pipe stands, seen from one end.
enum View {
    Open,
    ClosedHere,
    ClosedThere(String),
}

/// One end's access to the state.
#[derive(Clone)]
struct Side {
    this: End,
    state: Arc<Mutex<State>>,
}

impl Side {
    fn view(&self) -> View {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open => View::Open,
            State::Closed(end, _) if *end == self.this => View::ClosedHere,
            State::Closed(_, reason) => View::ClosedThere(reason.clone()),
        }
    }

    fn close(&self, reason: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open = *state {
            *state = State::Closed(self.this, reason.to_owned());
        }
    }
}

/// The two directions, as one end holds them. Each half has both, to end the other half with itself.
#[derive(Clone)]
struct Queues {
    outgoing: Sender<Vec<u8>>,
    incoming: Receiver<Vec<u8>>,
}

impl Queues {
    /// Nothing more goes in at either end. What is in the queues can still be taken out.
    fn shut(&self) {
        self.outgoing.close();
        self.incoming.close();
    }
}

/// The sending half.
struct PipeSender {
    queues: Queues,
    side: Side,
}

impl FrameSender for PipeSender {
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async {
            self.queues.outgoing.send(frame).await.map_err(|_| {
                TransportError::Broken(match self.side.view() {
                    View::Open => DROPPED.to_owned(),
                    View::ClosedHere => "it was closed here".to_owned(),
                    View::ClosedThere(reason) => format!("the other end closed: {reason:?}"),
                })
            })
        })
    }

    fn close<'a>(&'a mut self, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // The reason first: who finds the queue shut must find it.
            self.side.close(reason);
            self.queues.shut();
        })
    }
}

impl Drop for PipeSender {
    fn drop(&mut self) {
        self.queues.shut();
    }
}

/// The receiving half.
struct PipeReceiver {
    queues: Queues,
    side: Side,
    /// Set by a frame that was refused: nothing after it is delivered.
    failed: Option<TransportError>,
}

impl FrameReceiver for PipeReceiver {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if let View::ClosedHere = self.side.view() {
                return Ok(None);
            }
            let frame = self.queues.incoming.recv().await;
            match (frame, self.side.view()) {
                (_, View::ClosedHere) => Ok(None),
                (Ok(frame), View::Open | View::ClosedThere(_)) if frame.len() > FRAME_BYTES => {
                    let error = TransportError::Frame(format!("{} bytes", frame.len()));
                    self.failed = Some(error.clone());
                    Err(error)
                }
                (Ok(frame), View::Open | View::ClosedThere(_)) => Ok(Some(frame)),
                (Err(_), View::ClosedThere(reason)) => {
                    tracing::debug!(?reason, "the other end of the pipe closed");
                    Ok(None)
                }
                (Err(_), View::Open) => Err(TransportError::Broken(DROPPED.to_owned())),
            }
        })
    }
}

impl Drop for PipeReceiver {
    fn drop(&mut self) {
        self.queues.shut();
    }
}
