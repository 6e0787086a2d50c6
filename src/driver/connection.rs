//! The tasks of one connection: one reads frames for the command loop, one writes what it hands out.

use std::pin::pin;

use async_channel::{Receiver, Sender};
use futures::channel::oneshot;
use futures::future::{AbortHandle, Either, select};

use crate::driver::command_loop::Outside;
use crate::limits::{DEAD, DRAIN};
use crate::platform::traits::{FrameReceiver, FrameSender, Timer};
use crate::service::routing::{ConnectionId, Input};
use crate::session::failure::PeerError;

/// What the writing task is told.
pub(crate) enum Outgoing {
    /// Send this.
    Frame(Vec<u8>),
    /// Close behind what came before, with this reason. Nothing follows.
    Close(String),
}

/// Reads frames until the connection ends, no faster than the command loop takes them.
pub(crate) async fn read(
    connection: ConnectionId,
    mut receiver: Box<dyn FrameReceiver>,
    inbox: Sender<Outside>,
) {
    loop {
        let (input, over) = match receiver.receive().await {
            Ok(Some(frame)) => (Input::Frame { connection, frame }, false),
            Ok(None) => {
                let reason = "the peer closed it".to_owned();
                let error = crate::error::TransportError::Broken(reason).into();
                (Input::Disconnected { connection, error }, true)
            }
            Err(error) => (Input::Disconnected { connection, error: error.into() }, true),
        };
        if inbox.send(Outside::Input(input)).await.is_err() || over {
            return;
        }
    }
}

/// Sends frames in order until it is told to close or the connection breaks; then ends the reading task,
/// whose half must live as long as there is something to send.
///
/// `closing` closes when the connection is to end: what is still to be sent then has 4 s.
pub(crate) async fn write<T: Timer>(
    connection: ConnectionId,
    sender: Box<dyn FrameSender>,
    outgoing: Receiver<Outgoing>,
    closing: oneshot::Receiver<()>,
    inbox: Sender<Outside>,
    reader: AbortHandle,
    timer: impl core::ops::Deref<Target = T>,
) {
    let send = pin!(send_all(connection, sender, outgoing, inbox, &*timer));
    // A peer that does not read must not hold up the end.
    let limit = pin!(async {
        // Nothing is ever sent here: this ends with the other side.
        let _ended: Result<(), oneshot::Canceled> = closing.await;
        timer.sleep(DRAIN * 2).await;
    });
    match select(send, limit).await {
        Either::Left(_) | Either::Right(_) => reader.abort(),
    }
}

async fn send_all<T: Timer>(
    connection: ConnectionId,
    mut sender: Box<dyn FrameSender>,
    outgoing: Receiver<Outgoing>,
    inbox: Sender<Outside>,
    timer: &T,
) {
    while let Ok(next) = outgoing.recv().await {
        match next {
            Outgoing::Frame(frame) => {
                let bytes = frame.len();
                // Nor may it hold this task for ever.
                let limit = pin!(timer.sleep(DEAD));
                let input = match select(sender.send(frame), limit).await {
                    Either::Left((Ok(()), _)) => Input::Drained { connection, bytes },
                    Either::Left((Err(error), _)) => {
                        Input::Disconnected { connection, error: PeerError::from(error) }
                    }
                    Either::Right(_) => Input::Disconnected { connection, error: PeerError::SlowReader },
                };
                let over = matches!(input, Input::Disconnected { .. });
                if inbox.send(Outside::Input(input)).await.is_err() || over {
                    return;
                }
            }
            Outgoing::Close(reason) => return sender.close(&reason).await,
        }
    }
}
