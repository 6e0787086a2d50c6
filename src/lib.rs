//! Isoroot keeps journals of small immutable facts equal on every device, and proves it: two nodes are
//! in sync exactly when their Merkle roots are equal.
//!
//! [`SyncNode`] is one journal on this device. It runs on a [`platform`]: a clock, a timer, entropy, a
//! spawner, a [`Store`](platform::Store) and transports. The repository's README has an example.
//!
//! # Levels
//!
//! Lower ones know nothing of higher ones; `docs/ARCHITECTURE.md` says what each is for.
//!
//! | level | modules |
//! | --- | --- |
//! | 0 | `time` `ids` `limits` `error` `crypto` `codec` |
//! | 1–4 | `fact` `symbols` `merkle` `journal` `reconcile` `verification` |
//! | 5–6 | `session` `service` |
//! | 7–8 | `platform` `driver` (feature `driver`) |
//! | 9 | `sim` `hub` `cli` `bindings` `fuzzing` (features of the same names) |
//!
//! The levels up to 6 are pure state machines; they are all that is built without features.

#![deny(missing_docs, unreachable_pub, rust_2018_idioms)]
// Without the driver nobody runs the machines: that they build alone is the point.
#![cfg_attr(not(feature = "driver"), allow(dead_code))]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::dbg_macro,
        clippy::wildcard_enum_match_arm,
    )
)]

#[cfg(all(feature = "bindings", target_arch = "wasm32"))]
pub mod bindings;
#[cfg(feature = "cli")]
pub mod cli;
mod codec;
mod crypto;
#[cfg(feature = "driver")]
mod driver;
mod error;
mod fact;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "hub")]
pub mod hub;
mod ids;
mod journal;
pub mod limits;
mod merkle;
mod reconcile;
mod service;
mod session;
#[cfg(feature = "sim")]
pub mod sim;
pub mod symbols;
mod time;
mod verification;

#[cfg(feature = "driver")]
pub mod platform;

pub use codec::cbor::DecodeError;
pub use crypto::hash::Hash;
pub use crypto::sign::DeviceKey;
#[cfg(feature = "driver")]
pub use driver::{
    check::{JournalReport, Problem, SoundEntries, check},
    command::{JournalStatus, PeerSync, StopReport},
    error::NodeError,
    facts::{FactPage, FactRecord, Watched},
    files::{ImportError, ImportReport},
    indexed_journal::IndexedJournal,
    node::{Appended, SyncNode},
    proofs::Proved,
    service::SyncService,
    statistics::Statistics,
    verification::{Applied, JournalVerifier},
};
pub use error::{Code, Fault, StoreError, TransportError};
pub use fact::bloom::{BloomError, BloomFilter};
pub use fact::entry::{Draft, DraftError, Entry, SignError};
pub use fact::genesis::{Genesis, GenesisError};
pub use fact::link::{Link, LinkError};
pub use fact::statement::{Fact, FactError};
pub use fact::unchecked::{EntryError, UncheckedEntry};
pub use fact::value::{Value, ValueError};
pub use ids::{AuthorityId, Cursor, DeviceId, EntryId, EpochId, FactId, JournalId, ParseIdError, StoreId};
pub use journal::checkpoint::LoadedFrom;
pub use journal::evidence::{Evidence, EvidenceError, Verdict};
pub use journal::file::checker::{CheckedBatch, FileBatch, FileChecker, FileStep};
pub use journal::file::error::FileError;
pub use journal::file::header::FileHeader;
pub use journal::file::reader::{FileItem, FileReader};
pub use journal::file::writer::FileWriter;
pub use journal::held::{HeldBack, HeldEntry};
pub use journal::position::{ParsePositionError, Position};
pub use journal::query::Query;
pub use merkle::compare::{Difference, RootComparison};
pub use merkle::map::MerkleMap;
pub use merkle::prefix::Prefix;
pub use merkle::proof::{Proof, ProofError};
pub use merkle::prove::ProveError;
pub use merkle::subtree::{Node, Root};
pub use service::config::{Admission, Config};
pub use service::delivery::{Delivery, PeerDelivery};
pub use service::event::Event;
pub use service::peers::{PeerInfo, PeerStatus};
pub use session::failure::PeerError;
pub use session::message::MessageError;
pub use session::permission::{Permission, PermissionPolicy, Permissions};
pub use session::phase::SyncPhase;
pub use session::report::SyncReport;
pub use time::{Instant, Now, WallTime};
pub use verification::{
    policy::{AuthorityRule, OpenPolicy, SignerPolicy, Standing},
    push::{Expected, PUSH_VERSION, Push, PushError},
    receipts::{RECEIPTS, ReceiptError, append_receipt, check_receipts, read_receipts},
    rejection::{NotUnderRoot, Rejection},
    signed_root::SignedRoot,
    verified::{Unproved, Verified},
    verifier::{
        FactClaim, MerkleVerifier, Rejected, Shown, SignedFact, Submission, Verification, VerifyError,
    },
};

/// The README's code is compiled and run with the tests.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
