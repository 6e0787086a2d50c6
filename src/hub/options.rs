//! What a hub is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::hub::access::Access;

/// Settings of a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubOptions {
    /// The address to listen on; with port 0 the system chooses one.
    pub listen: SocketAddr,
    /// The folder for its store; made if it is not there.
    pub data: PathBuf,
    /// Which journals it takes.
    pub access: Access,
    /// Addresses as `HOST:PORT` under which it may be dialled, besides the one it listens on and, where
    /// that is reached from this machine, `localhost`, `127.0.0.1` and `[::1]`.
    pub names: Vec<String>,
    /// Origins of web pages that may connect, besides `http://` and any of the names.
    pub origins: Vec<String>,
    /// Connections at once at most, of whatever kind.
    pub connections: usize,
    /// A folder of web pages to serve at `/`, with an `index.html`. All of it is public, also what
    /// symbolic links in it lead to.
    pub www: Option<PathBuf>,
}

impl HubOptions {
    /// A hub on this address with its store in this folder: open, which only loopback may be; no more
    /// names or origins; 1,024 connections; no web pages.
    pub fn new(listen: SocketAddr, data: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            data: data.into(),
            access: Access::default(),
            names: Vec::new(),
            origins: Vec::new(),
            connections: 1_024,
            www: None,
        }
    }
}
