//! Errors as plain objects: `{ code, message, fault, retryable, peerCode, cause }`.

use core::error::Error;

use wasm_bindgen::JsValue;

use crate::bindings::convert::ConvertError;
use crate::bindings::object::{number, object, text};
use crate::driver::error::NodeError;
use crate::driver::files::ImportError;
use crate::error::{Code, Fault, StoreError};
use crate::fact::bloom::BloomError;
use crate::fact::genesis::GenesisError;
use crate::fact::link::LinkError;
use crate::ids::ParseIdError;
use crate::journal::evidence::EvidenceError;
use crate::journal::file::error::FileError;
use crate::journal::position::ParsePositionError;
use crate::limits::HANDED_BYTES;
use crate::session::failure::PeerError;
use crate::verification::receipts::ReceiptError;

/// Why a call from JavaScript failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum CallError {
    /// The node says so.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A fact's parts can't be had from what was passed.
    #[error("fact {index}: {part}: {error}")]
    Fact {
        /// Zero-based place of the fact.
        index: u32,
        /// Which of its parts.
        part: &'static str,
        /// What is wrong with it.
        error: ConvertError,
    },
    /// A text that should be an id is none.
    #[error(transparent)]
    Id(#[from] ParseIdError),
    /// A text that should be a position is none.
    #[error(transparent)]
    Position(#[from] ParsePositionError),
    /// A text that should be a link is none.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Bytes that should be a genesis are none.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A proof does not hold.
    #[error(transparent)]
    Proof(#[from] EvidenceError),
    /// Receipts are no chain.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// What should be a receipt is none.
    #[error("a receipt is bytes as node.requestReceipt gives them, in a Uint8Array")]
    NoReceipt,
    /// Bytes that should be a filter are none.
    #[error(transparent)]
    Filter(#[from] BloomError),
    /// More is handed over at once than is copied.
    #[error("entries and proofs of over {HANDED_BYTES} bytes are handed over at once")]
    TooMuch,
    /// A file was not imported, or not whole.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Another tab, or another node of this one, dials the peers of this journal and store.
    #[error("another tab that shares the store dials its peers")]
    OtherTab,
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        Self::Node(error.into())
    }
}

impl From<FileError> for CallError {
    fn from(error: FileError) -> Self {
        Self::Node(error.into())
    }
}

impl CallError {
    /// The node is closed.
    pub(super) const CLOSED: Self = Self::Node(NodeError::Closed);

    fn code(&self) -> Code {
        match self {
            Self::Node(error) => error.code(),
            Self::Import(error) => error.error.code(),
            Self::Fact { .. } => Code::new("INVALID_FACTS"),
            Self::Id(_) => Code::new("INVALID_ID"),
            Self::Position(_) => Code::new("INVALID_POSITION"),
            Self::Link(_) => Code::new("INVALID_LINK"),
            Self::Genesis(_) => Code::new("INVALID_GENESIS"),
            Self::Proof(error) => error.code(),
            Self::Receipt(error) => error.code(),
            Self::NoReceipt => Code::new("BAD_RECEIPT"),
            Self::Filter(_) => Code::new("INVALID_FILTER"),
            Self::TooMuch => Code::new("TOO_MANY"),
            Self::OtherTab => Code::new("OTHER_TAB"),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Node(error) => error.fault(),
            Self::Proof(error) => error.fault(),
            Self::Import(error) => error.error.fault(),
            Self::Filter(_) | Self::Receipt(_) | Self::NoReceipt => Fault::Peer,
            Self::Fact { .. }
            | Self::TooMuch
            | Self::Id(_)
            | Self::Position(_)
            | Self::Link(_)
            | Self::Genesis(_)
            | Self::OtherTab => Fault::Caller,
        }
    }
}

impl From<CallError> for JsValue {
    fn from(error: CallError) -> Self {
        let peer = if let CallError::Node(NodeError::Peer(error)) = &error { Some(error) } else { None };
        let described = describe(&error, error.code(), error.fault(), peer);
        if let CallError::Import(error) = &error {
            let done = object(&[("entries", number(error.entries)), ("imported", number(error.new))]);
            // On a plain object this cannot fail.
            let _: Result<bool, JsValue> = js_sys::Reflect::set(&described, &"done".into(), &done);
        }
        described
    }
}

/// Why a peer failed.
pub(super) fn peer_error(error: &PeerError) -> JsValue {
    describe(error, error.code(), error.fault(), Some(error))
}

fn describe(error: &dyn Error, code: Code, fault: Fault, peer: Option<&PeerError>) -> JsValue {
    let peer_code = if let Some(PeerError::Refused { code, .. }) = peer {
        JsValue::from_str(code)
    } else {
        JsValue::UNDEFINED
    };
    let busy = code == Code::new("STORE_IN_USE");
    let passing = peer.map_or(fault == Fault::Network, PeerError::is_passing);
    let fault_text = match fault {
        Fault::Caller => "caller",
        Fault::Peer => "peer",
        Fault::Network => "network",
        Fault::Store => "store",
        Fault::Internal => "internal",
    };
    object(&[
        ("code", text(code)),
        ("message", text(error)),
        ("fault", fault_text.into()),
        // Whether the same call may succeed later without anybody having changed anything.
        ("retryable", JsValue::from_bool(busy || passing)),
        ("peerCode", peer_code),
        ("cause", error.source().map_or(JsValue::UNDEFINED, text)),
    ])
}
