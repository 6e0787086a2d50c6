//! Tests: peers that are lively enough never to time out, and still get no more than a round's time and bytes.

use core::time::Duration;

use crate::limits::{
    ASKED_PER_ROUND, CELLS_PER_ROUND, CELLS_PER_ROW, COMPARE, REPEATED_ENTRIES, REPLY, STEPS,
    STEPS_PER_SECOND,
};
use crate::merkle::prefix::Prefix;
use crate::merkle::subtree::Root;
use crate::session::failure::PeerError;
use crate::session::message::{ChannelMessage, Message};
use crate::sim::Simulation;
use crate::sim::hostile::{Liar, Scene, entries, entry_of, journal, leading, open};
use crate::symbols::sketch::Sketch;

/// What the node says to a peer that says something every so often, until the channel or the connection ends;
/// and after how long.
async fn every(
    scene: &Scene,
    liar: &mut Liar,
    pause: Duration,
    say: impl Fn(u64) -> ChannelMessage,
) -> (String, Duration, u64) {
    let began = scene.world.now();
    for number in 1..100_000 {
        scene.world.sleep(pause).await;
        liar.say(say(number)).await;
        // What is answered is read, so that the node is held up by nothing.
        liar.send(Message::Ping { number }.encode()).await;
        loop {
            match liar.hear().await {
                Some(Message::Pong { number: answered }) if answered == number => break,
                Some(
                    Message::Channel { message: ChannelMessage::Close(reason), .. } | Message::Goaway(reason),
                ) => {
                    return (reason.code, scene.world.now().since(began), number);
                }
                Some(_) => {}
                None => panic!("it has hung up without a word"),
            }
        }
    }
    panic!("it was never turned away");
}

#[test]
fn d8_finding_the_difference_ends_in_time_however_lively_the_peer() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let pause = REPLY - Duration::from_secs(1);
        let questions: [fn(u64) -> ChannelMessage; 3] = [
            |_| ChannelMessage::Ask { prefixes: vec![Prefix::ALL] },
            |_| ChannelMessage::More { prefix: Prefix::ALL, from: 0, count: 1 },
            |number| ChannelMessage::Want {
                ids: leading(&[entry_of(journal(), number as i64).id()]),
                last: false,
            },
        ];
        for question in questions {
            let mut liar = scene.opened().await;
            let (code, after, _) = every(&scene, &mut liar, pause, question).await;
            assert_eq!(code, "TIMEOUT");
            assert!((COMPARE..=COMPARE + REPLY).contains(&after), "{after:?}");
            drop(liar);
            scene.verdict().await;
        }
        scene.unharmed().await;
    });
}

#[test]
fn d8_who_only_tells_is_no_more_than_silent() {
    let world = Simulation::new(2);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let tales: [fn(u64) -> ChannelMessage; 2] = [
            |number| ChannelMessage::Upto { number },
            |number| ChannelMessage::AskReceipt { nonce: [number as u8; 32], previous: None },
        ];
        for tale in tales {
            let mut liar = scene.opened().await;
            // Entries are on their way, for all that the node knows.
            liar.say(ChannelMessage::Want { ids: leading(&[]), last: true }).await;
            let (code, after, _) = every(&scene, &mut liar, Duration::from_secs(7), tale).await;
            assert_eq!(code, "TIMEOUT");
            assert!(after <= REPLY + Duration::from_secs(10), "{after:?}");
            drop(liar);
            scene.verdict().await;
        }
        scene.unharmed().await;
    });
}

#[test]
fn d8_questions_cost_no_more_than_a_round_may() {
    let world = Simulation::new(3);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let below: Vec<_> = (0..16).filter_map(|nibble| Prefix::ALL.child(nibble)).collect();
        let some: Vec<_> =
            below.iter().flat_map(|prefix| (0..6).filter_map(|nibble| prefix.child(nibble))).collect();
        let (asked, count) = (some.len() as u64, CELLS_PER_ROW as u64);
        let mut liar = scene.opened().await;
        let ask = move |_| ChannelMessage::Ask { prefixes: some.clone() };
        let (code, _, times) = every(&scene, &mut liar, Duration::from_millis(1), ask).await;
        assert_eq!(code, "PROTOCOL");
        assert_eq!(scene.verdict().await, PeerError::Breach("more is asked than one round may hold"));
        // The node has 40 entries, and was asked about one prefix before.
        assert_eq!(times, (ASKED_PER_ROUND + 40 - 1) / asked + 1);
        let mut liar = scene.opened().await;
        let more = move |_| ChannelMessage::More { prefix: Prefix::ALL, from: 0, count };
        let (code, _, times) = every(&scene, &mut liar, Duration::from_millis(1), more).await;
        assert_eq!(code, "PROTOCOL");
        let breach = "no cells are asked for, or more than one round may hold";
        assert_eq!(scene.verdict().await, PeerError::Breach(breach));
        assert_eq!(times, CELLS_PER_ROUND / count + 1);
        scene.unharmed().await;
    });
}

#[test]
fn d8_entries_that_are_here_are_not_taken_for_ever() {
    let world = Simulation::new(4);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.opened().await;
        liar.say(ChannelMessage::Want { ids: leading(&[]), last: true }).await;
        // The node's own entries, which it gets back as often as that.
        let facts = scene.honest.page(crate::Query::all(), None, 10_000).await.unwrap().facts;
        let mut records = Vec::new();
        for fact in &facts {
            let entry = scene.honest.get(fact.id.entry).await.unwrap().unwrap();
            records.push(entry.record().to_vec());
        }
        let bundle = entries(&records);
        let mut sent = 0u64;
        let last = 'sending: loop {
            liar.send(bundle.clone()).await;
            sent += records.len() as u64;
            loop {
                match liar.hear().await {
                    Some(Message::Channel { message: ChannelMessage::Credit { bytes, .. }, .. })
                        if bytes > 0 =>
                    {
                        break;
                    }
                    Some(Message::Goaway(reason)) => break 'sending reason,
                    Some(_) => {}
                    None => panic!("it has hung up without a word"),
                }
            }
        };
        assert_eq!(last.code, "PROTOCOL");
        let over = sent - (2 * facts.len() as u64 + REPEATED_ENTRIES);
        assert!((1..=2 * records.len() as u64).contains(&over), "{sent}");
        scene.unharmed().await;
    });
}

#[test]
fn d8_openings_are_answered_as_fast_as_may_be_and_no_faster() {
    let world = Simulation::new(5);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.dial().await;
        liar.authenticate().await;
        let opening = open(Root { count: 2, hash: [7; 32] }, Sketch::default());
        let mut answered = 0;
        for channel in 0..10_000 {
            liar.send(Message::Channel { channel, message: opening.clone() }.encode()).await;
            let answer = loop {
                match liar.hear().await {
                    Some(Message::Channel { channel: of, message }) if of == channel => break message,
                    Some(_) => {}
                    None => panic!("it has hung up"),
                }
            };
            match answer {
                ChannelMessage::Differ { .. } => answered += 1,
                ChannelMessage::Close(reason) => assert_eq!(reason.code, "TOO_OFTEN"),
                other => panic!("{other:?}"),
            }
        }
        // Each took some milliseconds, in which some more became due.
        let elapsed = scene.world.now().as_micros() / 1_000_000;
        let most = u64::from(crate::limits::OPENINGS)
            + (elapsed + 1) * u64::from(crate::limits::OPENINGS_PER_SECOND);
        assert!((u64::from(crate::limits::OPENINGS)..=most).contains(&answered), "{answered}, {most}");
        assert!(answered < 9_000);
        // After a while it is heard again.
        scene.world.sleep(Duration::from_secs(1)).await;
        liar.send(Message::Channel { channel: 10_001, message: opening }.encode()).await;
        let answer = loop {
            match liar.hear().await {
                Some(Message::Channel { channel: 10_001, message }) => break message,
                Some(_) => {}
                None => panic!("it has hung up"),
            }
        };
        assert!(matches!(answer, ChannelMessage::Differ { .. }), "{answer:?}");
        scene.unharmed().await;
    });
}

#[test]
fn d8_f88_who_broke_the_protocol_is_turned_away_for_a_while_and_others_are_not() {
    let world = Simulation::new(6);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.opened().await;
        liar.say(ChannelMessage::Ask { prefixes: vec![Prefix::ALL, Prefix::ALL] }).await;
        assert_eq!(scene.verdict().await.code().as_str(), "PROTOCOL");
        for time in 0..14 {
            let mut again = scene.dial_at_once().await;
            again.authenticate().await;
            let last = again.last_words().await;
            let turned_away = matches!(&last, Some(Message::Goaway(reason)) if reason.code == "PUT_ASIDE");
            assert!(turned_away, "time {time}: {last:?}");
            assert_eq!(scene.verdict().await, PeerError::PutAside);
            world.sleep(Duration::from_secs(4)).await;
        }
        scene.unharmed().await;
        // It is not held against it for ever, and asking meanwhile made it no longer.
        world.sleep(Duration::from_secs(5)).await;
        let mut again = scene.dial_at_once().await;
        again.authenticate().await;
        again.say(open(Root { count: 2, hash: [7; 32] }, Sketch::default())).await;
        let answer = again.hear().await;
        assert!(
            matches!(&answer, Some(Message::Channel { message: ChannelMessage::Differ { .. }, .. })),
            "{answer:?}"
        );
    });
}

#[test]
fn d8_looking_at_ids_for_a_peer_has_a_pace_whatever_it_opens() {
    let world = Simulation::new(7);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.dial().await;
        liar.authenticate().await;
        let opening = open(Root { count: 2, hash: [7; 32] }, Sketch::default());
        let more = ChannelMessage::More { prefix: Prefix::ALL, from: 0, count: CELLS_PER_ROW as u64 };
        let (began, mut rows) = (world.now(), 0u64);
        // A channel for each few questions, so that no round has asked for too much.
        'channels: for channel in 0.. {
            liar.send(Message::Channel { channel, message: opening.clone() }.encode()).await;
            for _ in 0..16 {
                liar.send(Message::Channel { channel, message: more.clone() }.encode()).await;
                loop {
                    match liar.hear().await {
                        Some(Message::Channel {
                            channel: of,
                            message: ChannelMessage::Symbols { last, .. },
                        }) => {
                            assert_eq!(of, channel);
                            if last {
                                break;
                            }
                        }
                        Some(Message::Channel { channel: of, message: ChannelMessage::Close(reason) })
                            if of == channel =>
                        {
                            assert_eq!(reason.code, "TOO_OFTEN");
                            break 'channels;
                        }
                        Some(_) => {}
                        None => panic!("it has hung up"),
                    }
                }
                rows += 1;
            }
        }
        let seconds = world.now().since(began).as_micros() as u64 / 1_000_000 + 1;
        let most = (STEPS + 32 * 40 + seconds * (STEPS_PER_SECOND + 10)) / CELLS_PER_ROW as u64;
        assert!((STEPS / CELLS_PER_ROW as u64..=most).contains(&rows), "{rows}, {most}");
        // By and by it is answered again, on the same connection.
        world.sleep(Duration::from_secs(1)).await;
        let channel = 1_000_000;
        liar.send(Message::Channel { channel, message: opening }.encode()).await;
        liar.send(Message::Channel { channel, message: more }.encode()).await;
        loop {
            match liar.hear().await {
                Some(Message::Channel { channel: 1_000_000, message: ChannelMessage::Symbols { .. } }) => {
                    break;
                }
                Some(Message::Channel { channel: 1_000_000, message: ChannelMessage::Differ { .. } }) => {}
                Some(Message::Channel { channel: 1_000_000, message }) => panic!("{message:?}"),
                Some(_) => {}
                None => panic!("it has hung up"),
            }
        }
        scene.unharmed().await;
    });
}
