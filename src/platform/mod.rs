//! What Isoroot needs from its surroundings, as traits; and the adapters that provide it.

mod boxed_store;
pub(crate) mod send;
pub(crate) mod traits;
pub(crate) mod waiters;
#[cfg(any(
    all(feature = "native", not(target_arch = "wasm32")),
    all(feature = "web", target_arch = "wasm32")
))]
mod websocket_address;
#[cfg(any(
    all(feature = "native", not(target_arch = "wasm32")),
    all(feature = "web", target_arch = "wasm32")
))]
mod websocket_reason;

pub mod conformance;
pub mod memory;
#[cfg(all(feature = "native", not(target_arch = "wasm32")))]
pub mod native;
#[cfg(all(feature = "web", target_arch = "wasm32"))]
pub mod web;

pub use crate::error::{StoreError, TransportError};
pub use crate::ids::Cursor;
pub use boxed_store::BoxedStore;
pub use send::{BoxFuture, BoxStream, MaybeSend, MaybeSync};
pub use traits::{
    AppendOutcome, Clock, Connection, Durability, DynTransport, Entropy, EntropyError, FrameReceiver,
    FrameSender, Listener, Platform, Spawner, Store, StoredRecord, Timer, Transport,
};
