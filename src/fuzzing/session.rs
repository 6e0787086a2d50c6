//! Targets: a node and somebody who says anything, and two nodes with somebody between them.

use core::time::Duration;

use crate::fuzzing::between::Between;
use crate::limits::BREACH_BACK_OFF;
use crate::session::message::{Message, MessageError};

/// How long after he who hindered them is gone two honest nodes may take to be equal: the longest that one
/// which dials leaves the other alone, and a second.
const APART: Duration = BREACH_BACK_OFF.saturating_add(Duration::from_secs(1));

/// One side of a connection, the script's first byte says which, is told anything, by somebody who is what it
/// claims to be and knows the protocol; and afterwards an honest node comes, and both end with equal roots.
///
/// Accepted if its connection was open to the end.
pub fn session(script: &[u8]) -> bool {
    let (mut between, end) = played(script);
    let open = between.node(end).connection.is_some();
    between.succeed_other_than(end);
    between.come_together(APART);
    open
}

/// Two honest nodes, and somebody between them who loses, changes, repeats, holds back and makes up frames.
/// Once he is gone both end with equal roots.
///
/// Accepted if their connection was open to the end.
pub fn middle(script: &[u8]) -> bool {
    let (flags, script) = script.split_first().unwrap_or((&0, &[]));
    let mut between = Between::new(*flags);
    between.run(script);
    let open = between.nodes.iter().all(|node| node.connection.is_some());
    between.come_together(APART);
    open
}

/// The types of messages that the side which a script of [`session`] is about took without an end of the
/// connection, but for the one that is its end.
pub fn taken(script: &[u8]) -> Vec<u8> {
    let (between, end) = played(script);
    let taken = between.taken.get(end).copied().unwrap_or([false; 256]);
    (0..=255).zip(taken).filter(|(_, taken)| *taken).map(|(kind, _)| kind).collect()
}

/// All types of messages that there are.
pub fn wire_types() -> Vec<u8> {
    let is_known = |kind: &u8| !matches!(Message::decode(&[*kind]), Err(MessageError::UnknownType(_)));
    (0..=255).filter(is_known).collect()
}

fn played(script: &[u8]) -> (Between, usize) {
    let (flags, script) = script.split_first().unwrap_or((&0, &[]));
    let mut between = Between::new(*flags);
    between.run(script);
    (between, usize::from(flags >> 4 & 1))
}
