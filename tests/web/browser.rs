//! What needs a browser, in its windows and workers: IndexedDB, Web Locks, WebSocket.
//! `pkg-config/run-web-tests.sh` runs it in both.

#![cfg(all(target_arch = "wasm32", feature = "web"))]

mod database;
mod faults;
mod frozen;
mod kept;
mod operations;
mod patch;
mod stores;
mod story;
mod tabs;
mod timeouts;
mod upkeep;
mod websocket;
