//! The Merkle map and others like it, each brought to do the same steps. Who runs them takes the time.

pub mod isoroot_map;
#[cfg(not(target_arch = "wasm32"))]
pub mod peers;
pub mod run;
#[cfg(target_arch = "wasm32")]
mod wasm;
