//! Native adapters.

#[cfg(feature = "hub")]
pub mod axum_websocket;
mod clock;
mod entropy;
mod platform;
mod redb_store;
mod spawner;
#[cfg(feature = "hub")]
mod stop_signal;
mod timer;
mod websocket;
mod websocket_halves;
mod websocket_listener;
mod websocket_stream;
#[cfg(feature = "tls")]
mod websocket_tls;
mod websocket_upgrade;

pub use clock::SystemClock;
pub use entropy::OsEntropy;
pub use platform::NativePlatform;
pub use redb_store::RedbStore;
#[cfg(feature = "smol")]
pub use spawner::SmolSpawner;
#[cfg(feature = "tokio")]
pub use spawner::TokioSpawner;
#[cfg(feature = "hub")]
pub use stop_signal::StopSignal;
pub use timer::IoTimer;
pub use websocket::WebSocketTransport;
pub use websocket_listener::WebSocketListener;
#[cfg(test)]
pub(crate) use websocket_stream::websocket_over;
