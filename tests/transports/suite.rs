//! The conformance suite over each transport and executor, and over transports that are wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use isoroot::TransportError;
use isoroot::limits::FRAME_BYTES;
use isoroot::platform::memory::{PIPE_FRAMES, PipeNetwork, pipe};
use isoroot::platform::{
    BoxFuture, Connection, FrameReceiver, FrameSender, Listener, Transport, conformance,
};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Loses,
    Reorders,
    CutsLongerOnes,
    NeverWaits,
    ForgetsWhenDropped,
    ClosesAbruptly,
}

/// A pipe, but for the flaw.
struct Flawed<T> {
    inner: T,
    flaw: Flaw,
    number: u32,
    held: Option<Vec<u8>>,
}

impl FrameSender for Flawed<Box<dyn FrameSender>> {
    fn send(&mut self, mut frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            self.number += 1;
            match self.flaw {
                Flaw::Loses if self.number == 100 => return Ok(()),
                Flaw::Reorders if self.number == 100 => {
                    self.held = Some(frame);
                    return Ok(());
                }
                Flaw::CutsLongerOnes => frame.truncate(FRAME_BYTES),
                _ => {}
            }
            self.inner.send(frame).await?;
            match self.held.take() {
                Some(held) => self.inner.send(held).await,
                None => Ok(()),
            }
        })
    }

    fn close<'a>(&'a mut self, reason: &'a str) -> BoxFuture<'a, ()> {
        if self.flaw == Flaw::ClosesAbruptly {
            self.inner = pipe().0.sender;
        }
        self.inner.close(reason)
    }
}

impl FrameReceiver for Flawed<Box<dyn FrameReceiver>> {
    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async {
            let received = self.inner.receive().await;
            if self.flaw == Flaw::ForgetsWhenDropped {
                smol::future::yield_now().await;
            }
            received
        })
    }
}

/// Takes frames without end, and passes them on from a task of its own.
struct NeverWaits(async_channel::Sender<Vec<u8>>);

impl NeverWaits {
    fn over(mut inner: Box<dyn FrameSender>) -> Self {
        let (sender, frames) = async_channel::unbounded();
        smol::spawn(async move {
            while let Ok(frame) = frames.recv().await {
                let _ = inner.send(frame).await;
            }
        })
        .detach();
        Self(sender)
    }
}

impl FrameSender for NeverWaits {
    fn send(&mut self, frame: Vec<u8>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async { self.0.send(frame).await.map_err(|_| TransportError::Broken("closed".to_owned())) })
    }

    fn close<'a>(&'a mut self, _reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async { _ = self.0.close() })
    }
}

fn flawed(flaw: Flaw) -> (Connection, Connection) {
    let flawed = |mut end: Connection| {
        end.sender = match flaw {
            Flaw::NeverWaits => Box::new(NeverWaits::over(end.sender)),
            _ => Box::new(Flawed { inner: end.sender, flaw, number: 0, held: None }),
        };
        end.receiver = Box::new(Flawed { inner: end.receiver, flaw, number: 0, held: None });
        end
    };
    let (left, right) = pipe();
    (flawed(left), flawed(right))
}

#[test]
fn d9_the_suite_finds_what_is_wrong() {
    for (flaw, check) in [
        (Flaw::Loses, "order is kept both ways"),
        (Flaw::Reorders, "order is kept both ways"),
        (Flaw::CutsLongerOnes, "a longer frame is refused"),
        (Flaw::NeverWaits, "a sender waits for the reader"),
        (Flaw::ForgetsWhenDropped, "a dropped receive loses nothing"),
        (Flaw::ClosesAbruptly, "a close comes after all frames"),
    ] {
        let suite = conformance::transport::all(async || flawed(flaw), 4 * PIPE_BYTES);
        let panic = catch_unwind(AssertUnwindSafe(|| smol::block_on(suite))).expect_err("it passes");
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains(check), "{flaw:?}: {said}");
    }
}
