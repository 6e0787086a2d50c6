//! What every transport must do: the contract of [`FrameSender`] and [`FrameReceiver`], check by check.
//!
//! ```
//! # use isoroot::limits::FRAME_BYTES;
//! # use isoroot::platform::{conformance, memory};
//! # async fn test() {
//! conformance::transport::all(async || memory::pipe(), memory::PIPE_FRAMES * FRAME_BYTES).await;
//! # }
//! ```

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use futures::future::{Either, FutureExt, join, join4, select};

use super::check::{fail, holds, ok};
use crate::error::TransportError;
use crate::limits::FRAME_BYTES;
use crate::platform::traits::{Connection, FrameReceiver, FrameSender};

/// Frames that go each way where order is checked.
const FRAMES: u64 = 1_000;
/// Turns given to other tasks before a call that has not resolved counts as waiting. Too few make a
/// check milder, never wrong.
const TURNS: u32 = 1_000;

/// Runs every check, each on a connection of its own, of which `connect` gives both ends; also with the
/// ends changed over, if they differ in kind.
///
/// `held_bytes` is the most that the transport may take from a sender whose peer does not read; for
/// sockets, the system's buffers are part of that. No check looks at a clock, but whatever drives the
/// transport must go on while they run.
///
/// # Panics
/// When a check fails.
pub async fn all(connect: impl AsyncFn() -> (Connection, Connection), held_bytes: usize) {
    for change in [false, true] {
        let connect = async || {
            let (left, right) = connect().await;
            if change { (right, left) } else { (left, right) }
        };
        order_is_kept_both_ways(connect().await).await;
        the_longest_frame_passes(connect().await).await;
        a_longer_frame_is_refused(connect().await).await;
        a_sender_waits_for_the_reader(connect().await, held_bytes).await;
        a_close_comes_after_all_frames(connect().await).await;
        a_close_reaches_who_waits(connect().await).await;
        a_drop_ends_the_peer(connect().await).await;
        a_dropped_receive_loses_nothing(connect().await).await;
        a_waiting_receive_does_not_hold_up_sending(connect().await).await;
    }
}

/// Both ends of a connection.
type Ends = (Connection, Connection);
type Sender = Box<dyn FrameSender>;
type Receiver = Box<dyn FrameReceiver>;
type Received = Result<Option<Vec<u8>>, TransportError>;

/// Frames of all lengths arrive whole and in order, both ways at once.
///
/// # Panics
/// When they don't.
pub async fn order_is_kept_both_ways((mut left, mut right): Ends) {
    const CHECK: &str = "order is kept both ways";
    async fn send_all(sender: &mut Sender, stream: u64) {
        for number in 0..FRAMES {
            ok(CHECK, sender.send(frame(stream, number, length(stream, number))).await);
        }
    }
    async fn receive_all(receiver: &mut Receiver, stream: u64) {
        for number in 0..FRAMES {
            expect(CHECK, number, receiver.receive().await, &frame(stream, number, length(stream, number)));
        }
    }
    join4(
        send_all(&mut left.sender, 1),
        send_all(&mut right.sender, 2),
        receive_all(&mut left.receiver, 2),
        receive_all(&mut right.receiver, 1),
    )
    .await;
}

/// A frame of exactly [`FRAME_BYTES`] passes.
///
/// # Panics
/// When it doesn't.
pub async fn the_longest_frame_passes((mut left, mut right): Ends) {
    const CHECK: &str = "the longest frame passes";
    let longest = frame(3, 0, FRAME_BYTES);
    let (sent, received) = join(left.sender.send(longest.clone()), right.receiver.receive()).await;
    ok(CHECK, sent);
    expect(CHECK, 0, received, &longest);
}

/// A frame of one byte more is refused by the receiver, for good, or already by the sender.
///
/// # Panics
/// When it is delivered, or followed by another.
pub async fn a_longer_frame_is_refused((mut left, mut right): Ends) {
    const CHECK: &str = "a longer frame is refused";
    let sending = left.sender.send(frame(3, 1, FRAME_BYTES + 1));
    let refused = match select(sending, right.receiver.receive()).await {
        Either::Left((Err(_), _)) => return,
        Either::Left((Ok(()), receiving)) => receiving.await,
        Either::Right((refused, _)) => refused,
    };
    if !matches!(refused, Err(TransportError::Frame(_))) {
        fail(CHECK, &format!("the receiver got {}, not an error of the kind Frame", describe(&refused)));
    }
    let after = right.receiver.receive().await;
    holds(CHECK, !matches!(after, Ok(Some(_))), "another frame came after it");
}

/// A sender whose peer does not read is held up before `held_bytes`, can receive meanwhile, and goes on
/// when the peer reads.
///
/// # Panics
/// When it does otherwise.
pub async fn a_sender_waits_for_the_reader((mut left, mut right): Ends, held_bytes: usize) {
    const CHECK: &str = "a sender waits for the reader";
    let mut taken: usize = 0;
    for number in 0.. {
        let mut sending = left.sender.send(frame(4, number, FRAME_BYTES));
        if let Some(sent) = settled(&mut sending).await {
            ok(CHECK, sent);
            taken = taken.saturating_add(FRAME_BYTES);
            holds(CHECK, taken <= held_bytes, &format!("{taken} bytes were taken though nobody read"));
            continue;
        }
        let other = frame(5, 0, 1_000);
        let (sent, received) = join(right.sender.send(other.clone()), left.receiver.receive()).await;
        ok(CHECK, sent);
        expect(CHECK, number, received, &other);

        let read = async {
            for number in 0..=number {
                expect(CHECK, number, right.receiver.receive().await, &frame(4, number, FRAME_BYTES));
            }
        };
        let (sent, ()) = join(sending, read).await;
        return ok(CHECK, sent);
    }
}

/// After a close in good order the peer receives every frame and then nothing, time and again, though
/// frames of its own were still unread. Who closed receives and sends nothing more.
///
/// # Panics
/// When it is otherwise.
pub async fn a_close_comes_after_all_frames((mut left, mut right): Ends) {
    const CHECK: &str = "a close comes after all frames";
    for number in 0..5 {
        ok(CHECK, left.sender.send(frame(6, number, 3_000)).await);
        ok(CHECK, right.sender.send(frame(7, number, 3_000)).await);
    }
    let read = async {
        for number in 0..5 {
            expect(CHECK, number, right.receiver.receive().await, &frame(6, number, 3_000));
        }
        expect_end(CHECK, &right.receiver.receive().await);
        expect_end(CHECK, &right.receiver.receive().await);
    };
    join(left.sender.close("that is all"), read).await;
    expect_end(CHECK, &left.receiver.receive().await);
    holds(CHECK, left.sender.send(vec![1]).await.is_err(), "a frame could be sent after it");
}

/// A close ends the `receive` that waits at the other end, and the one at this end.
///
/// # Panics
/// When it doesn't.
pub async fn a_close_reaches_who_waits((mut left, mut right): Ends) {
    const CHECK: &str = "a close reaches who waits";
    let mut there = right.receiver.receive();
    let mut here = left.receiver.receive();
    let early = (polled(&mut there).await, polled(&mut here).await);
    holds(CHECK, early.0.is_pending() && early.1.is_pending(), "something came before it was sent");
    let reason = "a long reason ".repeat(50);
    let ((), end) = join(left.sender.close(&reason), there).await;
    expect_end(CHECK, &end);
    expect_end(CHECK, &here.await);
}

/// After a drop the peer receives a beginning of what was sent, and then the end.
///
/// # Panics
/// When it receives something else.
pub async fn a_drop_ends_the_peer((mut left, mut right): Ends) {
    const CHECK: &str = "a drop ends the peer";
    for number in 0..5 {
        ok(CHECK, left.sender.send(frame(8, number, 3_000)).await);
    }
    drop(left);
    for number in 0..5 {
        match right.receiver.receive().await {
            received @ Ok(Some(_)) => expect(CHECK, number, received, &frame(8, number, 3_000)),
            Ok(None) | Err(TransportError::Broken(_)) => return,
            error @ Err(_) => fail(CHECK, &format!("the peer got {}", describe(&error))),
        }
    }
    let end = right.receiver.receive().await;
    let ended = matches!(end, Ok(None) | Err(TransportError::Broken(_)));
    holds(CHECK, ended, &format!("after all frames the peer got {}", describe(&end)));
}

/// A `receive` that is dropped before it resolves loses nothing.
///
/// # Panics
/// When a frame is missing.
pub async fn a_dropped_receive_loses_nothing((mut left, mut right): Ends) {
    const CHECK: &str = "a dropped receive loses nothing";
    const COUNT: u64 = 200;
    let send_all = async {
        for number in 0..COUNT {
            ok(CHECK, left.sender.send(frame(9, number, length(9, number))).await);
            turn().await;
        }
    };
    let receive_all = async {
        for number in 0..COUNT {
            // Asked some times in vain, so that it is dropped in every stage of a frame's coming.
            let mut hasty = None;
            for _ in 0..number % 4 {
                hasty = right.receiver.receive().now_or_never();
                if hasty.is_some() {
                    break;
                }
                turn().await;
            }
            let received = match hasty {
                Some(received) => received,
                None => right.receiver.receive().await,
            };
            expect(CHECK, number, received, &frame(9, number, length(9, number)));
        }
    };
    join(send_all, receive_all).await;
}

/// While a `receive` waits, the same task can send, and what it waits for reaches it.
///
/// # Panics
/// When it can't.
pub async fn a_waiting_receive_does_not_hold_up_sending((mut left, mut right): Ends) {
    const CHECK: &str = "a waiting receive does not hold up sending";
    for number in 0..100 {
        let question = frame(10, number, 100);
        let answer = frame(11, number, 100);
        let mut receiving = left.receiver.receive();
        holds(CHECK, polled(&mut receiving).await.is_pending(), "something came before it was sent");
        let echo = async {
            expect(CHECK, number, right.receiver.receive().await, &question);
            ok(CHECK, right.sender.send(answer.clone()).await);
        };
        let ask = pin!(join(left.sender.send(question.clone()), echo));
        // Both halves in one task, as a driver may use them.
        let received = match select(ask, receiving).await {
            Either::Left(((sent, ()), receiving)) => {
                ok(CHECK, sent);
                receiving.await
            }
            Either::Right((received, ask)) => {
                ok(CHECK, ask.await.0);
                received
            }
        };
        expect(CHECK, number, received, &answer);
    }
}

fn expect(check: &str, number: u64, received: Received, expected: &[u8]) {
    if received.as_ref().ok().and_then(Option::as_deref) != Some(expected) {
        let expected = expected.len();
        fail(check, &format!("frame {number}, of {expected} bytes, came as {}", describe(&received)));
    }
}

fn expect_end(check: &str, received: &Received) {
    holds(check, matches!(received, Ok(None)), &format!("it gave {}", describe(received)));
}

/// In a few words: frames are too long to be printed.
fn describe(received: &Received) -> String {
    match received {
        Ok(Some(frame)) => format!("a frame of {} bytes", frame.len()),
        Ok(None) => "the end".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// A number that looks random: the finaliser of SplitMix64.
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
        let random = usize::try_from(mixed(mixed(stream) ^ number) >> 32).unwrap_or_default();
        if number.is_multiple_of(3) { random % (FRAME_BYTES + 1) } else { random % 400 }
    })
}

/// What `future` says to being polled now, in this task.
async fn polled<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    poll_fn(|cx| Poll::Ready(future.poll_unpin(cx))).await
}

/// Lets other tasks have a turn.
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
        if let Poll::Ready(value) = polled(future).await {
            return Some(value);
        }
        turn().await;
    }
    None
}
