//! What a node is made with: where it keeps its journal, how it dials, who may do what.

use core::time::Duration;
use std::sync::Arc;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::Zeroize;

use crate::bindings::custom::{JsTransport, Tame};
use crate::bindings::object::whole;
use crate::crypto::sign::DeviceKey;
use crate::ids::ParseIdError;
use crate::platform::memory::PipeTransport;
use crate::platform::traits::DynTransport;
use crate::platform::web::WebSocketTransport;
use crate::service::config::Config;
use crate::session::permission::{Permission, Permissions};

#[wasm_bindgen]
extern "C" {
    /// Where a node keeps its journal and how it dials, as the facade has put it together.
    pub type Given;
    /// The name of a store in IndexedDB.
    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn store(this: &Given) -> Option<String>;
    /// A store of the application's.
    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn custom(this: &Given) -> Option<Tame>;
    /// Pairs of scheme and function.
    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn transports(this: &Given) -> Array;
    /// Whether `ws://` is dialled beyond this machine.
    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn plain(this: &Given) -> bool;
    /// How long a peer may take for a reply, in milliseconds.
    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn reply(this: &Given) -> Option<f64>;
    /// The 32-byte seed of the device's key, if the store is not to keep one.
    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn identity(this: &Given) -> Option<Uint8Array>;
    /// Pairs of a device, or nothing for all others, and what it may do.
    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn permissions(this: &Given) -> Array;
}

impl Given {
    /// The transports that a node dials by.
    pub(super) fn all_transports(&self, pipes: PipeTransport) -> Vec<Arc<dyn DynTransport>> {
        let sockets = WebSocketTransport::new().allow_plain(self.plain());
        #[expect(clippy::arc_with_non_send_sync, reason = "threads share it natively, where there are any")]
        let mut transports: Vec<Arc<dyn DynTransport>> = vec![Arc::new(sockets), Arc::new(pipes)];
        for pair in self.transports().iter() {
            transports.push(Arc::new(JsTransport::new(&pair)));
        }
        transports
    }

    /// The settings of its service.
    ///
    /// # Errors
    /// When a device is no id.
    pub(super) fn config(&self) -> Result<Config, ParseIdError> {
        let mut permissions = Permissions::default();
        for pair in self.permissions().iter() {
            let pair: Array = pair.unchecked_into();
            let device = pair.get(0).as_string().map(|device| device.parse()).transpose()?;
            // The facade has seen to the names.
            let permission = match pair.get(1).as_string().as_deref() {
                Some("write") => Permission::Write,
                Some("read") => Permission::Read,
                _ => Permission::Denied,
            };
            permissions.set(None, device, permission);
        }
        let mut config = Config { permissions: Arc::new(permissions), ..Config::default() };
        if let Some(reply) = self.reply() {
            config.reply = Duration::from_millis(whole(reply));
        }
        Ok(config)
    }
}

/// The device's key from its seed, whose length the facade has seen to.
pub(super) fn key(identity: Option<Uint8Array>) -> Option<DeviceKey> {
    identity.map(|identity| {
        let mut seed = [0; 32];
        identity.copy_to(&mut seed);
        let key = DeviceKey::from_seed(seed);
        seed.zeroize();
        key
    })
}
