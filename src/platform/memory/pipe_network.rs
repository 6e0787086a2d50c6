//! An address space of pipes inside one process: who listens under which name, and who dials it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use litemap::LiteMap;

use super::pipe::pipe;
use crate::error::TransportError;
use crate::limits::ADDRESS_BYTES;
use crate::platform::traits::{Connection, Listener, Transport};

/// Connections that wait for one listener to accept them; a further dial waits.
const BACKLOG: usize = 64;
/// What addresses of this transport begin with.
const SCHEME: &str = "pipe:";

/// Names inside this process that can be dialled as `pipe:NAME`. Clones share the names.
#[derive(Clone, Default)]
pub struct PipeNetwork {
    listeners: Arc<Mutex<LiteMap<String, Sender<Connection>>>>,
}

impl PipeNetwork {
    /// A network of its own, without names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes connections for `name` until the listener is dropped.
    ///
    /// # Errors
    /// [`TransportError::Address`] when the name is empty, too long, or has a listener already.
    pub fn listen(&self, name: &str) -> Result<PipeListener, TransportError> {
        let name = checked(&format!("{SCHEME}{name}"))?.to_owned();
        let (sender, incoming) = async_channel::bounded(BACKLOG);
        let mut listeners = self.listeners();
        if listeners.contains_key(&name) {
            let reason = "somebody listens there already".to_owned();
            return Err(TransportError::Address { address: format!("{SCHEME}{name}"), reason });
        }
        listeners.insert(name.clone(), sender);
        drop(listeners);
        Ok(PipeListener { name, incoming, network: self.clone() })
    }

    /// The transport that dials the names of this network.
    pub fn transport(&self) -> PipeTransport {
        PipeTransport { network: self.clone() }
    }

    fn listeners(&self) -> MutexGuard<'_, LiteMap<String, Sender<Connection>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts the connections dialled to one name of a [`PipeNetwork`]. Dropping it frees the name.
pub struct PipeListener {
    name: String,
    incoming: Receiver<Connection>,
    network: PipeNetwork,
}

impl Listener for PipeListener {
    async fn accept(&mut self) -> Option<Connection> {
        self.incoming.recv().await.ok()
    }
}

impl Drop for PipeListener {
    fn drop(&mut self) {
        self.network.listeners().remove(&self.name);
        // What was dialled and not accepted is dropped, so that its dialler sees a broken connection.
        self.incoming.close();
        while self.incoming.try_recv().is_ok() {}
    }
}

/// Dials the names of one [`PipeNetwork`], as `pipe:NAME`; names are case-sensitive.
#[derive(Clone)]
pub struct PipeTransport {
    network: PipeNetwork,
}

impl Transport for PipeTransport {
    fn handles(&self, address: &str) -> bool {
        address.starts_with(SCHEME)
    }

    fn canonical(&self, address: &str) -> Result<String, TransportError> {
        checked(address).map(|name| format!("{SCHEME}{name}"))
    }

    async fn connect(&self, address: &str) -> Result<Connection, TransportError> {
        let name = checked(address)?;
        let unreachable = |reason: &str| TransportError::Unreachable {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        let listener = self.network.listeners().get(name).cloned();
        let listener = listener.ok_or_else(|| unreachable("nobody listens there"))?;
        let (mut here, there) = pipe();
        listener.send(there).await.map_err(|_| unreachable("the listener went away"))?;
        here.remote = address.to_owned();
        Ok(here)
    }
}

/// The name in an address.
fn checked(address: &str) -> Result<&str, TransportError> {
    let refuse =
        |reason: &str| TransportError::Address { address: address.to_owned(), reason: reason.to_owned() };
    let name = address.strip_prefix(SCHEME).ok_or_else(|| refuse("it does not begin with pipe:"))?;
    match name {
        "" => Err(refuse("the name is empty")),
        _ if address.len() > ADDRESS_BYTES => Err(refuse("it is too long")),
        name => Ok(name),
    }
}
