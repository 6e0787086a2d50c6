//! The conformance suite over each transport and executor, and over transports that are wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use isoroot::TransportError;
use isoroot::limits::FRAME_BYTES;
use isoroot::platform::memory::{PIPE_FRAMES, PipeNetwork, pipe};
use isoroot::platform::{BoxFuture, Connection, FrameReceiver, FrameSender, Listener, Transport, conformance};

#[cfg(feature = "hub")]
use crate::axum_server::AxumServer;
use crate::{on_tokio, over_websocket};

/// Bytes that both kernels may hold of what nobody reads.
const SOCKET_BYTES: usize = 64 * 1_024 * 1_024;
const PIPE_BYTES: usize = PIPE_FRAMES * FRAME_BYTES;

#[test]
fn d9_pipe_conforms() {
    on_tokio(conformance::transport::all(async || pipe(), PIPE_BYTES));
    smol::block_on(conformance::transport::all(async || pipe(), PIPE_BYTES));
}

#[test]
fn d9_dialled_pipe_conforms() {
    let network = PipeNetwork::new();
    let connect = async || {
        let mut listener = network.listen("there").unwrap();
        let transport = network.transport();
        let (here, there) = futures::join!(transport.connect("pipe:there"), listener.accept());
        (here.unwrap(), there.unwrap())
    };
    smol::block_on(conformance::transport::all(connect, PIPE_BYTES));
}

#[test]
fn d9_websocket_conforms_on_tokio() {
    on_tokio(conformance::transport::all(over_websocket, SOCKET_BYTES));
}

#[test]
fn d9_websocket_conforms_on_smol() {
    smol::block_on(conformance::transport::all(over_websocket, SOCKET_BYTES));
}

#[cfg(feature = "hub")]
#[test]
fn d9_axum_conforms_with_clients_on_tokio_and_smol() {
    let server = AxumServer::start();
    on_tokio(conformance::transport::all(async || server.connect().await, SOCKET_BYTES));
    smol::block_on(conformance::transport::all(async || server.connect().await, SOCKET_BYTES));
}

/// All four halves in tasks of their own, on several threads.
async fn four_tasks((left, right): (Connection, Connection)) {
    const FRAMES: u32 = 20_000;
    let tasks = [left, right].map(|mut end| {
        let sending = tokio::spawn(async move {
            for number in 0..FRAMES {
                let length = if number.is_multiple_of(50) { FRAME_BYTES } else { 100 };
                let mut frame = vec![0; length];
                frame[..4].copy_from_slice(&number.to_be_bytes());
                end.sender.send(frame).await.unwrap();
            }
            end.sender
        });
        let receiving = tokio::spawn(async move {
            for number in 0..FRAMES {
                let frame = end.receiver.receive().await.unwrap().unwrap();
                assert_eq!(frame[..4], number.to_be_bytes());
            }
            end.receiver
        });
        (sending, receiving)
    });
    // All are kept until the last is done: dropping a half ends the connection.
    let mut halves = Vec::new();
    for (sending, receiving) in tasks {
        halves.push((sending.await.unwrap(), receiving.await.unwrap()));
    }
}

#[test]
fn d9_halves_work_in_tasks_of_their_own() {
    on_tokio(async {
        four_tasks(pipe()).await;
        four_tasks(over_websocket().await).await;
    });
    #[cfg(feature = "hub")]
    {
        let server = AxumServer::start();
        on_tokio(async { four_tasks(server.connect().await).await });
    }
}

/// What is wrong with a transport.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    Loses,
    Reorders,
    DeliversLonger,
    NeverWaits,
    ForgetsWhenDropped,
    ClosesAbruptly,
    ClosesTooSoon,
    SilentWhenDropped,
}

/// A queue of any length, and what is wrong with it.
struct Sender {
    queue: async_channel::Sender<Option<Vec<u8>>>,
    flaw: Flaw,
    number: u32,
    held: Option<Vec<u8>>,
}

struct Receiver {
    queue: async_channel::Receiver<Option<Vec<u8>>>,
    /// The sender of this very queue, where its end shall never be seen.
    _open: Option<async_channel::Sender<Option<Vec<u8>>>>,
    flaw: Flaw,
    ended: bool,
}

impl FrameSender for Sender {
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            self.number += 1;
            match (self.flaw, self.number) {
                (Flaw::Loses, 100) => {}
                (Flaw::Reorders, 100) => self.held = Some(frame),
                _ => {
                    let sent = self.queue.send(Some(frame)).await;
                    sent.map_err(|_| TransportError::Broken("closed".to_owned()))?;
                    if let Some(held) = self.held.take() {
                        self.queue.send(Some(held)).await.unwrap();
                    }
                }
            }
            Ok(())
        })
    }

    fn close<'a>(&'a mut self, _reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {
            if !matches!(self.flaw, Flaw::ClosesAbruptly) {
                self.queue.force_send(None).unwrap();
            }
            self.queue.close();
        })
    }
}

impl FrameReceiver for Receiver {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async {
            if self.ended || matches!(self.flaw, Flaw::ClosesTooSoon) && self.queue.is_closed() {
                return Ok(None);
            }
            let received = self.queue.recv().await;
            if let Flaw::ForgetsWhenDropped = self.flaw {
                smol::future::yield_now().await;
            }
            match received.map_err(|_| TransportError::Broken("dropped".to_owned()))? {
                Some(frame) if frame.len() > FRAME_BYTES && !matches!(self.flaw, Flaw::DeliversLonger) => {
                    self.ended = true;
                    Err(TransportError::Frame("too long".to_owned()))
                }
                Some(frame) => Ok(Some(frame)),
                None => {
                    self.ended = true;
                    Ok(None)
                }
            }
        })
    }
}

fn flawed(flaw: Flaw) -> (Connection, Connection) {
    let queue = || match flaw {
        Flaw::NeverWaits => async_channel::unbounded(),
        _ => async_channel::bounded(64),
    };
    let ((to_right, from_left), (to_left, from_right)) = (queue(), queue());
    let open = matches!(flaw, Flaw::SilentWhenDropped);
    let connection = |outgoing, incoming, open: Option<_>| Connection {
        sender: Box::new(Sender { queue: outgoing, flaw, number: 0, held: None }),
        receiver: Box::new(Receiver { queue: incoming, _open: open, flaw, ended: false }),
        binding: Vec::new(),
        remote: "flawed".to_owned(),
    };
    let (left_open, right_open) = (open.then(|| to_left.clone()), open.then(|| to_right.clone()));
    (connection(to_right, from_right, left_open), connection(to_left, from_left, right_open))
}
