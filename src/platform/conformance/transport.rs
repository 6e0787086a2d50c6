//! Checks that every transport must pass, whoever wrote it.

use core::pin::pin;
use core::task::Poll;
use std::future::poll_fn;

use futures::future::{Either, FutureExt, join, join4, select};

use crate::error::TransportError;
use crate::limits::FRAME_BYTES;
use crate::platform::traits::{Connection, FrameReceiver, FrameSender};

/// Frames that go each way where order is checked.
const FRAMES: u64 = 1_000;
/// Turns given to other tasks before a call that has not resolved counts as waiting. More make no check
/// fail that would pass with fewer.
const TURNS: u32 = 1_000;

/// Holds a transport to the contract of [`FrameSender`] and [`FrameReceiver`].
///
/// `connect` opens a new connection and gives both of its ends. `held_bytes` is the most that the
/// transport may take from a sender whose peer does not read; for sockets, the system's buffers are
/// part of that. The checks use no clock and need no runtime of a certain kind, but whatever drives the
/// transport must go on while they run.
///
/// What is checked:
/// - frames of all sizes arrive whole and in order, both ways at once, with all four halves in use;
/// - a frame of exactly [`FRAME_BYTES`] passes, a longer one is never delivered;
/// - a sender whose peer does not read is held up before `held_bytes`, can receive meanwhile, and goes
///   on when the peer reads;
/// - after a close in good order the peer receives everything and then nothing more, time and again;
/// - after a drop the peer receives a beginning of what was sent, and then the end;
/// - a `receive` that is dropped before it resolves loses nothing.
///
/// # Panics
/// When the transport breaks the contract, with a sentence that says where.
pub async fn transport(connect: impl AsyncFn() -> (Connection, Connection), held_bytes: usize) {
    order_is_kept_both_ways(connect().await).await;
    longest_frame_passes_and_a_longer_one_is_refused(connect().await).await;
    sender_waits_for_the_reader(connect().await, held_bytes).await;
    close_comes_after_all_frames(connect().await).await;
    close_reaches_a_peer_that_is_waiting(connect().await).await;
    drop_ends_the_peer(connect().await).await;
    dropped_receive_loses_nothing(connect().await).await;
    waiting_receive_does_not_hold_up_the_sender(connect().await).await;
}

/// Ends of a connection, taken apart.
type Halves = (Box<dyn FrameSender>, Box<dyn FrameReceiver>);

fn halves(connection: Connection) -> Halves {
    (connection.sender, connection.receiver)
}

/// A number that looks random (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The frame that goes as `number` of the stream `stream`, `length` bytes long.
fn frame(stream: u64, number: u64, length: usize) -> Vec<u8> {
    let seed = mixed(stream) ^ number;
    let words = (0..).flat_map(|place: u64| mixed(seed.wrapping_add(place)).to_le_bytes());
    words.take(length).collect()
}

/// Lengths where codings change, then long and short ones by turns.
fn length(stream: u64, number: u64) -> usize {
    let edges = [0, 1, 125, 126, 127, 65_535, FRAME_BYTES, 0, 0];
    let edge = usize::try_from(number).ok().and_then(|number| edges.get(number)).copied();
    edge.unwrap_or_else(|| {
        let random = usize::try_from(mixed(mixed(stream) ^ number) & 0xFFFF_FFFF).unwrap_or_default();
        if number.is_multiple_of(3) { random % (FRAME_BYTES + 1) } else { random % 400 }
    })
}

async fn send(sender: &mut Box<dyn FrameSender>, frame: Vec<u8>) {
    let sent = sender.send(frame).await;
    assert!(sent.is_ok(), "a frame could not be sent: {sent:?}");
}

async fn expect(receiver: &mut Box<dyn FrameReceiver>, expected: &[u8], what: &str) {
    let received = receiver.receive().await;
    let received = match &received {
        Ok(Some(frame)) => frame,
        Ok(None) | Err(_) => {
            assert!(matches!(received, Ok(Some(_))), "{what}: expected a frame, got {received:?}");
            return;
        }
    };
    // The frames are too long to be printed.
    assert!(received == expected, "{what}: got another frame ({} bytes, not {})", received.len(), expected.len());
}

/// Lets every other task have a turn.
async fn turn() {
    let mut passed = false;
    poll_fn(|cx| {
        if passed {
            return Poll::Ready(());
        }
        passed = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What `future` resolves to, unless it still waits after many turns.
async fn settled<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    for _ in 0..TURNS {
        if let Poll::Ready(value) = poll_fn(|cx| Poll::Ready(future.poll_unpin(cx))).await {
            return Some(value);
        }
        turn().await;
    }
    None
}

async fn order_is_kept_both_ways((left, right): (Connection, Connection)) {
    async fn send_all(sender: &mut Box<dyn FrameSender>, stream: u64) {
        for number in 0..FRAMES {
            send(sender, frame(stream, number, length(stream, number))).await;
        }
    }
    async fn receive_all(receiver: &mut Box<dyn FrameReceiver>, stream: u64) {
        for number in 0..FRAMES {
            let expected = frame(stream, number, length(stream, number));
            expect(receiver, &expected, &format!("order, frame {number}")).await;
        }
    }
    let ((mut left_sender, mut left_receiver), (mut right_sender, mut right_receiver)) =
        (halves(left), halves(right));
    join4(
        send_all(&mut left_sender, 1),
        send_all(&mut right_sender, 2),
        receive_all(&mut left_receiver, 2),
        receive_all(&mut right_receiver, 1),
    )
    .await;
}

async fn longest_frame_passes_and_a_longer_one_is_refused((left, right): (Connection, Connection)) {
    let ((mut sender, _left), (_right, mut receiver)) = (halves(left), halves(right));
    let longest = frame(3, 0, FRAME_BYTES);
    join(send(&mut sender, longest.clone()), expect(&mut receiver, &longest, "longest frame")).await;

    // A sender that refuses is as good.
    let refused = {
        let sending = sender.send(frame(3, 1, FRAME_BYTES + 1));
        let receiving = receiver.receive();
        match select(sending, receiving).await {
            Either::Left((Err(_), _)) => return,
            Either::Left((Ok(()), receiving)) => receiving.await,
            Either::Right((refused, _)) => refused,
        }
    };
    assert!(
        matches!(refused, Err(TransportError::Frame(_))),
        "a frame over the limit: expected an error of the kind Frame, got {}",
        match &refused {
            Ok(Some(frame)) => format!("a frame of {} bytes", frame.len()),
            Ok(None) | Err(_) => format!("{refused:?}"),
        }
    );
    let after = receiver.receive().await;
    assert!(!matches!(after, Ok(Some(_))), "after a frame over the limit another one was delivered");
}

async fn sender_waits_for_the_reader((left, right): (Connection, Connection), held_bytes: usize) {
    let ((mut left_sender, mut left_receiver), (mut right_sender, mut right_receiver)) =
        (halves(left), halves(right));
    let mut taken: usize = 0;
    let mut number = 0;
    loop {
        let mut sending = left_sender.send(frame(4, number, FRAME_BYTES));
        match settled(&mut sending).await {
            Some(sent) => {
                assert!(sent.is_ok(), "a sender whose peer does not read: {sent:?}");
                taken = taken.saturating_add(FRAME_BYTES);
                assert!(
                    taken <= held_bytes,
                    "a sender whose peer does not read could send {taken} bytes, more than {held_bytes}"
                );
                number += 1;
            }
            None => {
                let other = frame(5, 0, 1_000);
                join(
                    send(&mut right_sender, other.clone()),
                    expect(&mut left_receiver, &other, "receiving while the sender waits"),
                )
                .await;
                let read = async {
                    for number in 0..=number {
                        let expected = frame(4, number, FRAME_BYTES);
                        expect(&mut right_receiver, &expected, &format!("after waiting, frame {number}")).await;
                    }
                };
                let (sent, ()) = join(sending, read).await;
                assert!(sent.is_ok(), "a sender that waited did not go on when the peer read: {sent:?}");
                return;
            }
        }
    }
}

/// Says goodbye after some frames, with others on their way towards it.
async fn close_comes_after_all_frames((left, right): (Connection, Connection)) {
    let ((mut left_sender, mut left_receiver), (mut right_sender, mut right_receiver)) =
        (halves(left), halves(right));
    for number in 0..5 {
        send(&mut left_sender, frame(6, number, 3_000)).await;
        // Never read: the goodbye must arrive although they lie there.
        send(&mut right_sender, frame(7, number, 3_000)).await;
    }
    let read = async {
        for number in 0..5 {
            let expected = frame(6, number, 3_000);
            expect(&mut right_receiver, &expected, &format!("before the close, frame {number}")).await;
        }
        for _ in 0..2 {
            let end = right_receiver.receive().await;
            assert!(matches!(end, Ok(None)), "after a close in good order: expected nothing, got {end:?}");
        }
    };
    join(left_sender.close("that is all"), read).await;
    let own = left_receiver.receive().await;
    assert!(matches!(own, Ok(None)), "receiving after one's own close: expected nothing, got {own:?}");
    let late = left_sender.send(vec![1]).await;
    assert!(late.is_err(), "a frame could be sent after the close");
}

async fn close_reaches_a_peer_that_is_waiting((left, right): (Connection, Connection)) {
    let ((mut left_sender, mut left_receiver), (_right_sender, mut right_receiver)) =
        (halves(left), halves(right));
    let mut receiving = right_receiver.receive();
    let mut own = left_receiver.receive();
    let early = join(poll_fn(|cx| Poll::Ready(receiving.poll_unpin(cx))), async {
        poll_fn(|cx| Poll::Ready(own.poll_unpin(cx))).await
    });
    assert!(matches!(early.await, (Poll::Pending, Poll::Pending)), "something was received before it was sent");
    let ((), end) = join(left_sender.close(&"a long reason ".repeat(50)), receiving).await;
    assert!(matches!(end, Ok(None)), "waiting for a frame when the peer closes: expected nothing, got {end:?}");
    let own = own.await;
    assert!(matches!(own, Ok(None)), "waiting for a frame when closing: expected nothing, got {own:?}");
}

async fn drop_ends_the_peer((left, right): (Connection, Connection)) {
    let ((mut sender, left_receiver), (_right_sender, mut receiver)) = (halves(left), halves(right));
    for number in 0..5 {
        send(&mut sender, frame(8, number, 3_000)).await;
    }
    drop((sender, left_receiver));
    for number in 0..=5 {
        match receiver.receive().await {
            Ok(Some(received)) => {
                assert!(received == frame(8, number, 3_000), "after a drop, frame {number} is another one");
                assert!(number < 5, "after a drop, more was received than had been sent");
            }
            Ok(None) | Err(TransportError::Broken(_)) => return,
            Err(error) => {
                let broken = matches!(error, TransportError::Broken(_));
                assert!(broken, "after a drop: expected the end, got {error}");
            }
        }
    }
}

async fn dropped_receive_loses_nothing((left, right): (Connection, Connection)) {
    const COUNT: u64 = 200;
    let ((mut sender, _left), (_right, mut receiver)) = (halves(left), halves(right));
    let send_all = async {
        for number in 0..COUNT {
            send(&mut sender, frame(9, number, length(9, number))).await;
            turn().await;
        }
    };
    let receive_all = async {
        for number in 0..COUNT {
            // Asked some times in vain, so that frames are dropped in every stage of arriving.
            let mut hasty = None;
            for _ in 0..number % 4 {
                hasty = receiver.receive().now_or_never();
                if hasty.is_some() {
                    break;
                }
                turn().await;
            }
            let received = match hasty {
                Some(received) => received,
                None => receiver.receive().await,
            };
            assert!(
                received.as_ref().is_ok_and(|received| {
                    received.as_ref().is_some_and(|received| *received == frame(9, number, length(9, number)))
                }),
                "frame {number} was lost with a receive that was dropped"
            );
        }
    };
    join(send_all, receive_all).await;
}

async fn waiting_receive_does_not_hold_up_the_sender((left, right): (Connection, Connection)) {
    let ((mut left_sender, mut left_receiver), (mut right_sender, mut right_receiver)) =
        (halves(left), halves(right));
    for number in 0..100 {
        let question = frame(10, number, 100);
        let answer = frame(11, number, 100);
        let mut receiving = left_receiver.receive();
        let early = poll_fn(|cx| Poll::Ready(receiving.poll_unpin(cx))).await;
        assert!(early.is_pending(), "something was received before it was sent");
        let echo = async {
            expect(&mut right_receiver, &question, "question").await;
            send(&mut right_sender, answer.clone()).await;
        };
        let ask = pin!(join(send(&mut left_sender, question.clone()), echo));
        // Both halves in one task, as a driver uses them.
        let received = match select(ask, receiving).await {
            Either::Left((_, receiving)) => receiving.await,
            Either::Right((received, ask)) => {
                ask.await;
                received
            }
        };
        let right_one = received.as_ref().is_ok_and(|received| received.as_ref() == Some(&answer));
        assert!(right_one, "a receive that waited while sending got another frame");
    }
}
