//! Isoroot: a portable sync core. (doc to come)

#![deny(missing_docs, unreachable_pub, rust_2018_idioms)]
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
    )
)]
#![deny(clippy::wildcard_enum_match_arm)]

mod codec;
mod crypto;
mod error;
mod fact;
mod ids;
pub mod limits;
mod merkle;
mod time;

#[cfg(feature = "driver")]
pub mod platform;

pub use codec::cbor::DecodeError;
pub use crypto::hash::Hash;
pub use crypto::sign::DeviceKey;
pub use error::{Code, Fault};
pub use fact::entry::{Draft, DraftError, Entry};
pub use fact::genesis::{Genesis, GenesisError};
pub use fact::link::{Link, LinkError};
pub use fact::statement::{Fact, FactError};
pub use fact::unchecked::{EntryError, UncheckedEntry};
pub use fact::value::{Value, ValueError};
pub use ids::{AuthorityId, DeviceId, EntryId, EpochId, FactId, JournalId, ParseIdError, StoreId};
pub use time::{Instant, Now, WallTime};
