//! What the npm package is made of: classes and functions for its TypeScript facade, which alone is public.
//!
//! Exported methods take `&self`, post to a node's mailbox and return a promise. No borrow is held while
//! JavaScript runs, so any of them may be called from anywhere, also from inside an event listener. All
//! ids are lower-case hex; errors are plain objects (see [`error`]), which the facade makes its own.

mod calls;
mod convert;
mod crash;
mod custom;
mod dialling;
mod error;
mod events;
mod facts;
mod files;
mod filter;
mod given;
mod link;
mod mailbox;
mod node;
mod object;
mod proofs;
mod receipts;
mod statistics;
mod syncing;
mod verification;

pub use crash::on_crash;
#[cfg(feature = "bindings-test")]
pub use crash::panic_on_purpose;
#[cfg(feature = "bindings-test")]
pub use custom::{check_store, check_transport};
pub use files::{Exporting, Importing, file_header};
pub use filter::{Filter, read_filter};
pub use link::{format_link, parse_link};
pub use node::Node;
pub use proofs::{verify_evidence, verify_proof};
pub use receipts::{check_chain, contradict};
