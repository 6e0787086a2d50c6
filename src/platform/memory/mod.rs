//! In-memory adapters.

mod pipe;
mod pipe_network;
mod store;

pub use pipe::{PIPE_FRAMES, pipe};
pub use pipe_network::{PipeListener, PipeNetwork, PipeTransport};
pub use store::MemoryStore;
