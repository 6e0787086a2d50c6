//! Tests: what one peer says wrong or for nothing keeps nothing from coming by another, or by itself later.

use super::hostile::{Scene, entries, entry_of, hello, in_channel, journal, liar_key, open};
use crate::fact::genesis::Genesis;
use crate::limits::EMPTY_MESSAGES;
use crate::merkle::subtree::Root;
use crate::service::event::Event;
use crate::session::handshake::Dialler;
use crate::session::message::{ChannelMessage, Leading, Message, Summary};
use crate::sim::Simulation;
use crate::symbols::sketch::Sketch;

#[test]
fn row22_a_bad_variant_that_came_first_keeps_the_good_one_out_from_nobody() {
    let good = entry_of(journal(), 1);
    // Of the same body, of the same signature, and the same but for its last byte.
    let mut bad = vec![good.record().to_vec(), good.record().to_vec(), good.record().to_vec()];
    let last = good.record().len() - 1;
    bad[0][last] ^= 1;
    bad[1][last - 63] ^= 0x80;
    bad[2][last - 70] ^= 1;
    for (seed, bad) in (22..).zip(bad) {
        let (world, good) = (Simulation::new(seed), good.clone());
        world.clone().run(async move {
            let scene = Scene::new(&world).await;
            for together in [false, true] {
                let mut liar = scene.opened().await;
                let mut records = vec![bad.clone()];
                if together {
                    records.push(good.record().to_vec());
                }
                liar.send(entries(&records)).await;
                assert_eq!(scene.verdict().await.code().as_str(), "BAD_ENTRY");
                assert_eq!(scene.honest.root().await.unwrap(), scene.root, "nothing of it is kept");
            }
            // The same device comes again, with the good one.
            let mut liar = scene.opened().await;
            liar.send(entries(&[good.record().to_vec()])).await;
            let durable = loop {
                match liar.hear().await {
                    Some(Message::Channel { message: ChannelMessage::Credit { bytes, .. }, .. }) => {
                        break bytes;
                    }
                    Some(_) => {}
                    None => panic!("hung up on"),
                }
            };
            assert_eq!(durable, good.record().len() as u64);
            assert!(scene.honest.get(good.id()).await.unwrap().is_some());
            assert_eq!(scene.honest.root().await.unwrap().count, scene.root.count + 1);
        });
    }
}

#[test]
fn d8_as_many_empty_messages_as_are_put_up_with_do_no_harm_and_not_one_more() {
    let nothing = Leading::new(2);
    let kinds = [
        ChannelMessage::Want { ids: nothing, last: false },
        ChannelMessage::Ask { prefixes: vec![] },
        ChannelMessage::Refused { ids: vec![] },
        ChannelMessage::Upto { number: 0 },
        ChannelMessage::Credit { bytes: 0, upto: 0 },
    ];
    // Each kind alone, and all kinds in turn: they count together.
    let mut floods: Vec<Vec<_>> = kinds.iter().map(|kind| vec![kind.clone()]).collect();
    floods.push(kinds.to_vec());
    for (seed, flood) in (40..).zip(floods) {
        let world = Simulation::new(seed);
        world.clone().run(async move {
            let scene = Scene::new(&world).await;
            let mut liar = scene.opened().await;
            let mut messages = flood.iter().cycle();
            for _ in 0..EMPTY_MESSAGES {
                liar.say(messages.next().unwrap().clone()).await;
            }
            liar.send(Message::Ping { number: 7 }.encode()).await;
            loop {
                match liar.hear().await {
                    Some(Message::Pong { number: 7 }) => break,
                    Some(Message::Channel { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            liar.say(messages.next().unwrap().clone()).await;
            assert_eq!(scene.verdict().await.code().as_str(), "PROTOCOL");
            scene.unharmed().await;
        });
    }
}

#[test]
fn f82_of_a_journal_that_is_not_served_nothing_is_told() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.dial().await;
        liar.authenticate().await;
        let summary = Summary { at: 2, count: 2 };
        for channel in [3, 4] {
            let journal = Genesis::named("not here").journal();
            let (root, sketch) = ([7; 32], Sketch::default());
            let message = ChannelMessage::Open { journal, summary, root, sketch, cursor: None };
            liar.send(Message::Channel { channel, message }.encode()).await;
            // One word, and nothing else: not a count, not a store's id.
            let answer = liar.hear().await;
            let Some(Message::Channel { channel: about, message: ChannelMessage::Close(reason) }) = answer
            else {
                panic!("{answer:?}");
            };
            assert_eq!((about, reason.code.as_str()), (channel, "NOT_SERVED"));
            liar.send(
                Message::Channel { channel, message: ChannelMessage::Ask { prefixes: vec![] } }.encode(),
            )
            .await;
        }
        // The connection goes on, and the journal that is served is.
        let message = open(Root { count: 2, hash: [7; 32] }, Sketch::default());
        liar.send(Message::Channel { channel: 9, message }.encode()).await;
        let answer = liar.hear().await;
        let differ =
            matches!(answer, Some(Message::Channel { channel: 9, message: ChannelMessage::Differ { .. } }));
        assert!(differ, "{answer:?}");
    });
}

#[test]
fn f83_a_message_of_another_channel_is_neither_taken_for_its_own_nor_lost() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let mut liar = scene.opened().await;
        // Of channels that are not open, or no longer: they do nothing to the one that is.
        let good = entry_of(journal(), 5);
        let Ok(Message::Channel { message, .. }) = Message::decode(&entries(&[good.record().to_vec()]))
        else {
            panic!("not a message");
        };
        for channel in [1, 2, 77] {
            liar.send(Message::Channel { channel, message: message.clone() }.encode()).await;
            liar.send(Message::Channel { channel, message: ChannelMessage::Sent }.encode()).await;
        }
        liar.send(Message::Ping { number: 1 }.encode()).await;
        assert_eq!(liar.hear().await, Some(Message::Pong { number: 1 }), "nothing else was said");
        assert_eq!(scene.honest.root().await.unwrap(), scene.root);
        // The one that is open goes on where it was.
        liar.send(in_channel(message)).await;
        let credited = liar.hear().await;
        let taken = matches!(
            credited,
            Some(Message::Channel { channel: 0, message: ChannelMessage::Credit { bytes: 1.., .. } })
        );
        assert!(taken, "{credited:?}");
        assert_eq!(scene.honest.root().await.unwrap().count, scene.root.count + 1);
    });
}

#[test]
fn f85_who_speaks_no_common_version_is_told_which_are_spoken_here() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        for versions in [(0, 0), (2, 2), (2, 900)] {
            let mut liar = scene.dial().await;
            let mut hello = hello();
            hello.versions = versions;
            liar.send(Message::Hello(hello).encode()).await;
            let answer = liar.hear().await;
            let Some(Message::Goaway(reason)) = answer else { panic!("{answer:?}") };
            assert_eq!(reason.code, "VERSION");
            assert!(reason.text.contains("this node 1"), "{}", reason.text);
            let error = scene.verdict().await;
            assert_eq!(error.code().as_str(), "VERSION");
            assert!(error.to_string().contains(&format!("{} to {}", versions.0, versions.1)), "{error}");
        }
        // A range with it in is taken, and the lower one is chosen.
        let mut liar = scene.dial().await;
        let mut hello = hello();
        hello.versions = (0, 7);
        liar.send(Message::Hello(hello).encode()).await;
        let answer = liar.hear().await;
        assert!(matches!(&answer, Some(Message::HelloAck(ack)) if ack.version == 1), "{answer:?}");
        scene.unharmed().await;
    });
}

#[test]
fn row28_one_proof_of_identity_is_looked_at_and_no_second() {
    let world = Simulation::new(1);
    world.clone().run(async move {
        let scene = Scene::new(&world).await;
        let dialler = Dialler { hello: hello(), expected: None, binding: Vec::new() };
        let mut liar = scene.dial().await;
        liar.send(Message::Hello(dialler.hello.clone()).encode()).await;
        let Some(Message::HelloAck(ack)) = liar.hear().await else { panic!("no answer to the hello") };
        let signature = dialler.finish(&ack, &liar_key()).unwrap();
        let mut wrong = signature;
        wrong[0] ^= 1;
        // A second hello would be answered by a second signature; a second proof would cost a second check.
        liar.send(Message::Auth { signature: wrong }.encode()).await;
        liar.send(Message::Auth { signature }.encode()).await;
        let last = liar.last_words().await;
        assert!(
            matches!(&last, Some(Message::Goaway(reason)) if reason.code == "UNAUTHENTICATED"),
            "{last:?}"
        );
        loop {
            match scene.events.recv().await.unwrap() {
                Event::Connected { .. } => panic!("the second proof was looked at"),
                Event::Disconnected { error, .. } => {
                    assert_eq!(error.code().as_str(), "UNAUTHENTICATED");
                    break;
                }
                _ => {}
            }
        }
        let mut liar = scene.dial().await;
        liar.send(Message::Hello(hello()).encode()).await;
        assert!(matches!(liar.hear().await, Some(Message::HelloAck(_))));
        liar.send(Message::Hello(hello()).encode()).await;
        let last = liar.last_words().await;
        assert!(
            matches!(&last, Some(Message::Goaway(reason)) if reason.code == "UNEXPECTED_MESSAGE"),
            "{last:?}"
        );
        scene.unharmed().await;
    });
}
