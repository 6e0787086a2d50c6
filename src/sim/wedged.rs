//! Tests: a peer that reads nothing, or asks and does not read. It takes a stated amount of memory, and what
//! others do costs as much as without it.

use core::time::Duration;
use std::pin::pin;

use futures::future::{Either, select};

use super::hostile::{Liar, Scene, journal, open};
use crate::crypto::sign::DeviceKey;
use crate::fact::statement::Fact;
use crate::fact::value::Value;
use crate::ids::{DeviceId, JournalId, StoreId};
use crate::journal::set::Journal;
use crate::limits::{CREDIT_BYTES, FRAME_BYTES, QUEUE_BYTES};
use crate::merkle::prefix::Prefix;
use crate::session::connection::{ConnectionEffect, ConnectionMachine, Journals};
use crate::session::handshake::Dialler;
use crate::session::message::{ChannelMessage, Message};
use crate::session::permission::Permission;
use crate::sim::Simulation;
use crate::symbols::sketch::Sketch;
use crate::time::Instant;

/// A peer that knows the journal: its channel is live.
async fn synced(scene: &Scene) -> Liar {
    let mut liar = scene.dial_at_once().await;
    liar.authenticate().await;
    liar.say(open(scene.root, Sketch::default())).await;
    let answer = liar.hear().await;
    let same = matches!(answer, Some(Message::Channel { message: ChannelMessage::Same { .. }, .. }));
    assert!(same, "{answer:?}");
    liar
}

/// Polls of all tasks that so many appends take, with so many peers that have synced and now read nothing; and
/// bytes that went out to them.
fn appended(peers: usize) -> (u64, u64) {
    let world = Simulation::new(16);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut wedged = Vec::new();
        for _ in 0..peers {
            wedged.push(synced(&scene).await);
        }
        let append = async |count: i64| {
            for number in 0..count {
                let value = Value::Bytes(vec![number.to_be_bytes()[7]; 2_000]);
                scene.honest.append([Fact::new("w", value)]).await.unwrap();
            }
        };
        // More than is sent before any of it is acknowledged.
        append(300).await;
        let (steps, bytes) = (world.steps(), scene.network.bytes());
        append(300).await;
        let (steps, bytes) = (world.steps() - steps, scene.network.bytes() - bytes);
        assert_eq!(scene.honest.service().connections().await, Ok(peers), "they are still there");
        drop(wedged);
        (steps, bytes)
    })
}

#[test]
fn row16_appends_cost_the_same_beside_peers_that_read_nothing() {
    let (alone, _) = appended(0);
    for peers in [1, 10] {
        let (beside, bytes) = appended(peers);
        assert_eq!(bytes, 0, "nothing more is sent to who gives back nothing");
        let more = beside.abs_diff(alone) * 100 / alone;
        assert!(more <= 10, "{beside} polls for 300 appends beside {peers} of them, {alone} without");
    }
}

#[test]
fn row16_what_waits_for_a_peer_that_gives_nothing_back_is_bounded_by_its_credit() {
    let world = Simulation::new(17);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = synced(&scene).await;
        let before = scene.network.bytes();
        for number in 0..400 {
            scene.honest.append([Fact::new("w", Value::Bytes(vec![number as u8; 2_000]))]).await.unwrap();
        }
        // It reads, but never says that anything is durable.
        let mut received = 0;
        loop {
            let limit = pin!(scene.world.sleep(Duration::from_secs(1)));
            let Either::Left((Some(Message::Channel { message, .. }), _)) =
                select(pin!(liar.hear()), limit).await
            else {
                break;
            };
            if let ChannelMessage::Entries(bundle) = message {
                received += bundle.expand(&journal()).unwrap().len();
            }
        }
        let sent = scene.network.bytes() - before;
        assert!(sent <= CREDIT_BYTES + FRAME_BYTES as u64, "{sent} bytes");
        assert!((100..140).contains(&received), "{received} entries of 2 kB each");
        assert_eq!(scene.honest.root().await.unwrap().count, scene.root.count + 400);
    });
}

struct NoJournals;

impl Journals for NoJournals {
    fn journal(&self, _: JournalId) -> Option<&Journal> {
        None
    }

    fn permission(&self, _: &DeviceId, _: JournalId) -> Permission {
        Permission::Write
    }
}

#[test]
fn row16_who_asks_and_does_not_read_is_hung_up_on_at_a_stated_number_of_bytes() {
    let (one, other) = (DeviceKey::from_seed([1; 32]), DeviceKey::from_seed([2; 32]));
    let now = Instant::default();
    let mut node = ConnectionMachine::accept_connection(
        (one, StoreId::from_bytes([1; 16])),
        [3; 32],
        None,
        Vec::new(),
        now,
    );
    let hello =
        ConnectionMachine::hello(other.device(), StoreId::from_bytes([2; 16]), [4; 32], "hub:1".into());
    let dialler = Dialler { hello: hello.clone(), expected: None, binding: Vec::new() };
    let mut queued = 0;
    let mut hear = |node: &mut ConnectionMachine, message: Message| {
        node.handle_frame(&message.encode(), &NoJournals, now);
        let mut last = None;
        let mut ended = None;
        while let Some(effect) = node.poll_effect() {
            match effect {
                ConnectionEffect::Send(frame) => {
                    queued += frame.len();
                    last = Some(frame);
                }
                ConnectionEffect::Closed(error) => ended = Some(error),
                _ => {}
            }
        }
        (queued, last, ended)
    };
    let (_, ack, _) = hear(&mut node, Message::Hello(hello));
    let Ok(Message::HelloAck(ack)) = Message::decode(&ack.unwrap()) else { panic!("no answer") };
    let signature = dialler.finish(&ack, &other).unwrap();
    hear(&mut node, Message::Auth { signature });
    // What is answered with the least that there is, by each of which a frame waits.
    let mut pings = 0;
    let (queued, error) = loop {
        pings += 1;
        let (queued, _, ended) = hear(&mut node, Message::Ping { number: pings });
        if let Some(error) = ended {
            break (queued, error);
        }
        assert!(queued <= QUEUE_BYTES);
    };
    assert_eq!(error.code().as_str(), "SLOW_READER");
    assert!(queued <= QUEUE_BYTES + FRAME_BYTES, "{queued}");
    assert!(pings > 500_000, "{pings}");
}

#[test]
fn row16_who_asks_for_all_again_and_again_and_does_not_read_waits_without_memory() {
    let world = Simulation::new(18);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.opened().await;
        let before = scene.network.bytes();
        let asked: u64 = 3_000;
        for _ in 0..asked {
            liar.say(ChannelMessage::Ask { prefixes: vec![Prefix::ALL] }).await;
        }
        // It was answered as far as there was room, and the others do not notice.
        let steps = world.steps();
        scene.honest.append([Fact::new("w", 1)]).await.unwrap();
        assert!(world.steps() - steps < 2_000);
        let sent = scene.network.bytes() - before;
        assert!(sent < QUEUE_BYTES as u64, "{sent} bytes");
        drop(liar);
        assert_eq!(scene.honest.root().await.unwrap().count, scene.root.count + 1);
    });
}
