//! Why a hub does not start.

use std::net::{IpAddr, SocketAddr};

use crate::driver::error::NodeError;
use crate::error::{Code, Fault, StoreError};

/// Why a hub does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// It would be open to others than this machine, which nobody has said is meant.
    #[error(
        "a hub on {address} can be reached from other machines, and everyone who reaches an open hub may \
         store there: list the journals with --journals FILE, or say that this is meant with --open --public"
    )]
    NotLoopback {
        /// The address that it would listen on.
        address: IpAddr,
    },
    /// A name is not of the form `HOST:PORT`.
    #[error("the name {name:?} is not HOST:PORT: {reason}")]
    Name {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An origin is not of the form `https://HOST[:PORT]`.
    #[error("the origin {origin:?} is not of the form https://HOST[:PORT]: {reason}")]
    Origin {
        /// The origin as given.
        origin: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The folder of web pages can't be served.
    #[error("no web pages can be served from {path}: {reason}")]
    Www {
        /// The folder.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address can't be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// The folder for the store can't be made.
    #[error("the folder {path} cannot be used: {reason}")]
    Data {
        /// The folder.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sync service does not start.
    #[error(transparent)]
    Service(#[from] NodeError),
}

impl HubError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NotLoopback { .. } => Code::new("HUB_NOT_LOOPBACK"),
            Self::Name { .. } => Code::new("HUB_NAME"),
            Self::Origin { .. } => Code::new("HUB_ORIGIN"),
            Self::Www { .. } => Code::new("HUB_WWW"),
            Self::Listen { .. } => Code::new("LISTEN"),
            Self::Data { .. } => Code::new("STORE_OPEN"),
            Self::Store(error) => error.code(),
            Self::Service(error) => error.code(),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotLoopback { .. } | Self::Name { .. } | Self::Origin { .. } | Self::Www { .. } => {
                Fault::Caller
            }
            Self::Listen { .. } => Fault::Network,
            Self::Data { .. } => Fault::Store,
            Self::Store(error) => error.fault(),
            Self::Service(error) => error.fault(),
        }
    }
}
