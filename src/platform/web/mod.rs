//! Adapters for browsers: windows, dedicated, shared and service workers; all but the store also for Node.

mod clock;
mod entropy;
mod indexed_db;
mod js;
mod listener;
mod lock;
mod platform;
mod spawner;
mod timer;
mod websocket;
mod websocket_halves;

pub use clock::WebClock;
pub use entropy::WebEntropy;
pub use indexed_db::IndexedDbStore;
pub use lock::{TabLock, hold};
pub use platform::WebPlatform;
pub use spawner::WebSpawner;
pub use timer::WebTimer;
pub use websocket::WebSocketTransport;
