//! Why a sync, a channel or a connection ended: by whose fault, and what to do about it.

use crate::error::{Code, Fault, StoreError, TransportError};
use crate::fact::unchecked::EntryError;
use crate::ids::DeviceId;
use crate::reconcile::descent::FalseAnswer;
use crate::session::message::{MessageError, Reason, VERSION};

/// What a peer says that has stopped, that had nothing to do, that is asked for too much now, or that sees the way to
/// this node as broken.
const PASSING: [&str; 7] =
    ["CANCELLED", "IDLE", "TIMEOUT", "SLOW_READER", "TOO_OFTEN", "CHANNELS", "PUT_ASIDE"];

/// Why syncing with a peer failed or its connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The way to the peer failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The peer did not answer in time.
    #[error("timed out while {waiting_for}")]
    Timeout {
        /// What was waited for.
        waiting_for: &'static str,
    },
    /// Both sides speak, but no common version.
    #[error("no common version: the peer speaks {lowest} to {highest}, this node {VERSION}")]
    Version {
        /// Lowest version that the peer speaks.
        lowest: u64,
        /// Highest version that the peer speaks.
        highest: u64,
    },
    /// The peer wants the connection protected in a way that this node does not know.
    #[error("the peer offers suite {offered}, which this node does not know")]
    Suite {
        /// The number of its suite.
        offered: u64,
    },
    /// The peer dialled an address that is none of this node's names: somebody may pass on a handshake.
    #[error("the peer dialled {dialled:?}, which is no name of this node")]
    Address {
        /// The address that it dialled.
        dialled: String,
    },
    /// The peer is not the device that was expected there.
    #[error("device {found} answers where {expected} was expected")]
    WrongDevice {
        /// The device expected.
        expected: DeviceId,
        /// The device that answered.
        found: DeviceId,
    },
    /// The peer does not hold the key of the device that it claims to be.
    #[error("the peer did not prove to be the device that it claims to be")]
    Unauthenticated,
    /// The peer sent bytes that are no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The peer sent a message that has no place there.
    #[error("the message {message} came while {state}")]
    Unexpected {
        /// The message's type.
        message: &'static str,
        /// What was expected then.
        state: &'static str,
    },
    /// The peer sent bytes that are no entry of the journal.
    #[error("the peer sent a bad entry: {0}")]
    Entry(#[from] EntryError),
    /// The peer contradicted itself, or took more than it was granted.
    #[error("the peer broke the protocol: {0}")]
    Breach(&'static str),
    /// The peer turned this node away or ended the connection, and said why.
    #[error("the peer said {code}: {text}")]
    Refused {
        /// The peer's code.
        code: String,
        /// The peer's words.
        text: String,
    },
    /// Rounds went by without a new entry, and the roots still differ.
    #[error("the roots still differ, and nothing new is found")]
    NoProgress,
    /// The peer does not read what is sent to it.
    #[error("the peer does not read what is sent to it")]
    SlowReader,
    /// The store of this node failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No journal was synced over the connection that the peer had opened, for a while.
    #[error("no journal is synced over the connection")]
    Idle,
    /// There is no connection to the peer.
    #[error("there is no connection to the peer")]
    NotConnected,
    /// The journal is not served here.
    #[error("the journal is not served here")]
    NotServed,
    /// The policy of the node that says so denies the device the journal.
    #[error("the device may not read the journal")]
    Denied,
    /// The device broke the protocol less than a minute ago.
    #[error("the device broke the protocol, and is turned away for a while")]
    PutAside,
    /// The peer asks for too much too fast. It may ask again later.
    #[error("too much was asked for too fast")]
    TooOften,
    /// The node was stopped, the peer removed, or a newer sync took its place.
    #[error("cancelled")]
    Cancelled,
}

impl PeerError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Transport(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Timeout { .. } => Code::new("TIMEOUT"),
            Self::Version { .. } => Code::new("VERSION"),
            Self::Suite { .. } => Code::new("SUITE"),
            Self::Address { .. } => Code::new("WRONG_ADDRESS"),
            Self::WrongDevice { .. } => Code::new("WRONG_DEVICE"),
            Self::Unauthenticated => Code::new("UNAUTHENTICATED"),
            Self::Message(_) => Code::new("BAD_MESSAGE"),
            Self::Unexpected { .. } => Code::new("UNEXPECTED_MESSAGE"),
            Self::Entry(_) => Code::new("BAD_ENTRY"),
            Self::Breach(_) => Code::new("PROTOCOL"),
            Self::Refused { .. } => Code::new("REFUSED"),
            Self::NoProgress => Code::new("NO_PROGRESS"),
            Self::SlowReader => Code::new("SLOW_READER"),
            Self::Idle => Code::new("IDLE"),
            Self::NotConnected => Code::new("NOT_CONNECTED"),
            Self::NotServed => Code::new("NOT_SERVED"),
            Self::Denied => Code::new("DENIED"),
            Self::TooOften => Code::new("TOO_OFTEN"),
            Self::PutAside => Code::new("PUT_ASIDE"),
            Self::Cancelled => Code::new("CANCELLED"),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Transport(error) => error.fault(),
            Self::Store(error) => error.fault(),
            Self::Timeout { .. } | Self::SlowReader | Self::NotConnected => Fault::Network,
            Self::Version { .. }
            | Self::Suite { .. }
            | Self::Address { .. }
            | Self::WrongDevice { .. }
            | Self::Unauthenticated
            | Self::Message(_)
            | Self::Unexpected { .. }
            | Self::Entry(_)
            | Self::Breach(_)
            | Self::NoProgress => Fault::Peer,
            Self::Refused { .. }
            | Self::NotServed
            | Self::Denied
            | Self::TooOften
            | Self::PutAside
            | Self::Idle
            | Self::Cancelled => Fault::Caller,
        }
    }

    /// The code that the peer gave.
    fn said(&self) -> Option<&str> {
        if let Self::Refused { code, .. } = self { Some(code) } else { None }
    }

    /// Whether it ended since somebody wanted it to: stopped, removed, or for the sake of a newer sync; here, or
    /// at the peer, which then says so.
    pub(crate) fn is_cancelled(&self) -> bool {
        *self == Self::Cancelled || self.said() == Some(Self::Cancelled.code().as_str())
    }

    /// Whether a peer hung up since there was nothing to do: it is dialled when there is.
    pub(crate) fn is_idle(&self) -> bool {
        self.said() == Some(Self::Idle.code().as_str())
    }

    /// Whether it may pass by itself: the way to the peer is broken, or the peer has stopped and may be started
    /// again. Whoever is patient waits for that.
    pub fn is_passing(&self) -> bool {
        self.fault() == Fault::Network || self.said().is_some_and(|code| PASSING.contains(&code))
    }

    /// What the peer is told.
    pub(crate) fn reason(&self) -> Reason {
        Reason::new(self.code().as_str(), &self.to_string())
    }
}

impl From<Reason> for PeerError {
    fn from(reason: Reason) -> Self {
        Self::Refused { code: reason.code, text: reason.text }
    }
}

impl From<FalseAnswer> for PeerError {
    fn from(answer: FalseAnswer) -> Self {
        Self::Breach(answer.0)
    }
}
