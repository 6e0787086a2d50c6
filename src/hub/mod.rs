//! The hub: WebSocket sync for any number of journals from one embedded store, with a health page
//! and, if wanted, the web pages of a folder.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use isoroot::hub::{Hub, HubOptions};
//!
//! let hub = Hub::bind(HubOptions::new("127.0.0.1:8080".parse()?, "./isoroot-hub")).await?;
//! println!("dial ws://{}/sync", hub.local_addr());
//! hub.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod access;
mod error;
mod names;
mod options;
mod origins;
mod pages;
mod server;
mod socket;
mod www;

pub use access::{Access, ListError, Listed};
pub use error::HubError;
pub use options::HubOptions;
pub use server::Hub;
