//! What all errors have in common, a stable code and whose fault it is; and the errors of the surroundings,
//! which pass through every level: of stores and of transports.

use core::fmt;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller passed something that can't be done.
    Caller,
    /// A peer sent something that it should not have.
    Peer,
    /// The way to the peer failed: try again later.
    Network,
    /// The store failed, is full, damaged or in use.
    Store,
    /// A fault of Isoroot itself: please report it.
    Internal,
}

/// The stable name of an error, the same in Rust, JavaScript, the command line's JSON and the logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    /// A code with this text: upper-case words joined by underscores.
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// The code's text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why a store refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store {path} is in use{}", holder.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    InUse {
        /// Where the store is.
        path: String,
        /// Process id of the holder, where it is known.
        holder: Option<u32>,
    },
    /// It can't be opened: missing rights, not a directory, not a store.
    #[error("the store {path} cannot be opened: {reason}")]
    Open {
        /// Where the store is.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// It was written by a newer version, and was not touched.
    #[error("the store has format {found}, this version reads up to {known}")]
    TooNew {
        /// Format version found.
        found: u64,
        /// Highest format version known here.
        known: u64,
    },
    /// Its content contradicts itself.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// It is gone: the browser or the user has removed its data while it was in use. What was only here is
    /// lost; a store opened anew begins empty, and gets from peers what they have.
    #[error("the store was removed while it was in use: {0}")]
    Evicted(String),
    /// There is no room left.
    #[error("the store is full: {0}")]
    Full(String),
    /// Reading or writing failed. After a failed write nothing is acknowledged until the store has
    /// been opened again.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// The stable code.
    pub fn code(&self) -> Code {
        Code::new(match self {
            Self::InUse { .. } => "STORE_IN_USE",
            Self::Open { .. } => "STORE_OPEN",
            Self::TooNew { .. } => "STORE_TOO_NEW",
            Self::Damaged(_) => "STORE_DAMAGED",
            Self::Evicted(_) => "STORE_EVICTED",
            Self::Full(_) => "STORE_FULL",
            Self::Failed(_) => "STORE_FAILED",
        })
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::Store
    }
}

/// Why a connection could not be made or has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The address can't be dialled by this transport.
    #[error("the address {address:?} cannot be dialled: {reason}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers at the address, or something that does not speak the protocol.
    #[error("nobody reached at {address}: {reason}")]
    Unreachable {
        /// The address dialled.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// The peer sent a frame over the limit, or of a kind that the transport does not carry.
    #[error("the peer sent a frame that the transport refuses: {0}")]
    Frame(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl TransportError {
    /// The stable code.
    pub fn code(&self) -> Code {
        Code::new(match self {
            Self::Address { .. } => "ADDRESS",
            Self::Unreachable { .. } => "UNREACHABLE",
            Self::Frame(_) => "FRAME",
            Self::Broken(_) => "DISCONNECTED",
        })
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Address { .. } => Fault::Caller,
            Self::Unreachable { .. } | Self::Broken(_) => Fault::Network,
            Self::Frame(_) => Fault::Peer,
        }
    }
}
