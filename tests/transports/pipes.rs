//! Pipes: their names, and how the halves of every connection hang together.

use isoroot::TransportError;
use isoroot::platform::memory::{PipeNetwork, pipe};
use isoroot::platform::{Listener, Transport};

use crate::{on_tokio, over_websocket};

#[test]
fn d9_pipe_names_are_taken_dialled_and_freed() {
    smol::block_on(async {
        let network = PipeNetwork::new();
        let transport = network.transport();
        assert!(transport.handles("pipe:a") && !transport.handles("ws://a"));
        assert_eq!(transport.canonical("pipe:A").unwrap(), "pipe:A");
        let nobody = transport.connect("pipe:a").await.err();
        assert!(matches!(nobody, Some(TransportError::Unreachable { .. })), "{nobody:?}");
        for address in ["pipe:", "pip:a", &format!("pipe:{}", "a".repeat(300))] {
            let error = transport.connect(address).await.err();
            assert!(matches!(error, Some(TransportError::Address { .. })), "{address}: {error:?}");
        }

        let listener = network.listen("a").unwrap();
        assert!(matches!(network.listen("a").err(), Some(TransportError::Address { .. })));
        let mut waiting = transport.connect("pipe:a").await.unwrap();
        drop(listener);
        let end = waiting.receiver.receive().await;
        assert!(matches!(end, Err(TransportError::Broken(_))), "never accepted: {end:?}");
        assert!(transport.connect("pipe:a").await.is_err(), "nobody listens any more");

        let mut listener = network.clone().listen("a").unwrap();
        assert_eq!(transport.connect("pipe:a").await.unwrap().remote, "pipe:a");
        assert!(listener.accept().await.is_some(), "the name can be taken anew");
    });
}

#[test]
fn d9_pipe_delivers_what_was_sent_before_a_drop_and_then_breaks() {
    smol::block_on(async {
        let (mut left, mut right) = pipe();
        left.sender.send(vec![1]).await.unwrap();
        drop(left);
        assert_eq!(right.receiver.receive().await, Ok(Some(vec![1])));
        assert!(matches!(right.receiver.receive().await, Err(TransportError::Broken(_))));
        assert!(matches!(right.sender.send(vec![2]).await, Err(TransportError::Broken(_))));
    });
}

#[test]
fn d9_dropping_one_half_ends_the_other_and_the_peer() {
    on_tokio(async {
        for (mut left, mut right) in [pipe(), over_websocket().await] {
            drop(left.sender);
            let end = left.receiver.receive().await;
            assert!(matches!(end, Err(TransportError::Broken(_))), "{end:?}");
            let end = right.receiver.receive().await;
            assert!(matches!(end, Err(TransportError::Broken(_))), "{end:?}");
        }
        for (mut left, mut right) in [pipe(), over_websocket().await] {
            drop(left.receiver);
            assert!(left.sender.send(vec![1]).await.is_err());
            let end = right.receiver.receive().await;
            assert!(matches!(end, Err(TransportError::Broken(_))), "{end:?}");
        }
    });
}
