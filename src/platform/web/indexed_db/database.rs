//! The database of one store: how it is laid out, opened, and opened again when the browser has closed it.
//!
//! | object store | key | value |
//! | --- | --- | --- |
//! | `meta` | `"format"`, `"store"` | the format's number; the store's id, 16 bytes |
//! | `journals` | id, 32 bytes | `{ head }`: the number of the last record |
//! | `packs` | see [`pack`](super::pack) | |
//! | `notes` | the note's key in UTF-8, as bytes, so that they are in Rust's order | bytes |
//!
//! The database's own version is the format's number as well: an older program cannot even open it.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::channel::oneshot;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbVersionChangeEvent};

use super::failure::Failure;
use super::transaction;
use crate::error::StoreError;
use crate::ids::StoreId;
use crate::platform::web::js::{error_name, global, says, to_u64};
use crate::platform::web::listener::Listener;

pub(super) const META: &str = "meta";
pub(super) const JOURNALS: &str = "journals";
pub(super) const PACKS: &str = "packs";
pub(super) const NOTES: &str = "notes";

/// The format that is written, and the highest that is read.
const FORMAT: u32 = 1;

/// A store's database, opened when it is needed.
pub(super) struct Database {
    /// The store's name.
    name: String,
    id: StoreId,
    connection: RefCell<Option<Connection>>,
}

/// An open connection. It says itself when it must no longer be used.
struct Connection {
    database: IdbDatabase,
    usable: Rc<Cell<bool>>,
    _listeners: [Listener; 2],
}

impl Connection {
    fn new(database: IdbDatabase) -> Self {
        let usable = Rc::new(Cell::new(true));
        // Somebody wants to delete the database or to bring it to a newer format, and waits for us.
        let (still, closing) = (Rc::clone(&usable), database.clone());
        let changing = Listener::new(&database, "versionchange", move |_| {
            still.set(false);
            closing.close();
        });
        let still = Rc::clone(&usable);
        let closed = Listener::new(&database, "close", move |_| still.set(false));
        Self { database, usable, _listeners: [changing, closed] }
    }
}

impl Drop for Connection {
    /// What runs on it is brought to its end first.
    fn drop(&mut self) {
        self.database.close();
    }
}

impl Database {
    /// Opens the database, or makes it with the id `new`.
    pub(super) async fn open(name: &str, new: StoreId) -> Result<Self, StoreError> {
        let (connection, id) = connect(name, Some(new)).await?;
        Ok(Self { name: name.to_owned(), id, connection: RefCell::new(Some(connection)) })
    }

    /// The store's id.
    pub(super) fn id(&self) -> StoreId {
        self.id
    }

    /// Does something on an open connection. If the browser closes that, it is opened again and the thing
    /// is tried once more, not twice.
    pub(super) async fn with<T>(
        &self,
        action: impl AsyncFn(&IdbDatabase) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let first = match action(&self.connected().await?).await {
            Ok(value) => return Ok(value),
            Err(Failure::Store(error)) => return Err(error),
            Err(Failure::Disconnected(reason)) => reason,
        };
        tracing::warn!(
            store = self.name,
            reason = first,
            "the browser closed the database; opening it again"
        );
        self.connection.take();
        action(&self.connected().await?).await.map_err(|failure| match failure {
            Failure::Store(error) => error,
            Failure::Disconnected(second) => {
                StoreError::Failed(format!("{second}, after it was opened again because of: {first}"))
            }
        })
    }

    async fn connected(&self) -> Result<IdbDatabase, StoreError> {
        if let Some(connection) = &*self.connection.borrow()
            && connection.usable.get()
        {
            return Ok(connection.database.clone());
        }
        let (connection, id) = connect(&self.name, None).await?;
        if id != self.id {
            // Who has seen a number must never see another entry there.
            return Err(StoreError::Evicted("another database has taken its place".to_owned()));
        }
        let database = connection.database.clone();
        self.connection.replace(Some(connection));
        Ok(database)
    }
}

/// A connection to the database of the store `name`, and its id. If there is none, one is made with the
/// id `new`, where that is given.
async fn connect(name: &str, new: Option<StoreId>) -> Result<(Connection, StoreId), StoreError> {
    let (sender, answer) = oneshot::channel();
    let owned = name.to_owned();
    // A request to open cannot be taken back. If nobody waits any more, the connection is dropped, and
    // closed with that, instead of being left open to hold up whoever wants to delete the database.
    spawn_local(async move { drop(sender.send(connect_by(&owned, new).await)) });
    answer.await.unwrap_or_else(|_| Err(refused(name, &"the task that opened it is gone".into())))
}

async fn connect_by(name: &str, new: Option<StoreId>) -> Result<(Connection, StoreId), StoreError> {
    let refuse = |error: JsValue| refused(name, &error);
    let factory = global("indexedDB").ok_or_else(|| refuse("there is no IndexedDB here".into()))?;
    let factory: IdbFactory = factory.unchecked_into();
    let path = format!("isoroot:{name}");
    let request = factory.open_with_u32(&path, FORMAT).map_err(refuse)?;
    let database = match opened(&request, new).await {
        Ok(database) => database,
        Err(error) if error_name(&error) == "VersionError" => {
            let request = factory.open(&path).map_err(refuse)?;
            let newer = opened(&request, None).await.map_err(refuse)?;
            let found = to_u64(newer.version());
            newer.close();
            return Err(StoreError::TooNew { found, known: FORMAT.into() });
        }
        Err(error) if new.is_none() && error_name(&error) == "AbortError" => {
            return Err(StoreError::Evicted("its database has been deleted".to_owned()));
        }
        Err(error) => return Err(refuse(error)),
    };
    let connection = Connection::new(database);
    let id = identify(&connection.database).await.map_err(|failure| match failure {
        Failure::Store(error) => error,
        Failure::Disconnected(reason) => refuse(reason.into()),
    })?;
    Ok((connection, id))
}

fn refused(name: &str, error: &JsValue) -> StoreError {
    StoreError::Open { path: name.to_owned(), reason: says(error) }
}

/// Waits for the answer to a request to open. A new database is laid out, for a store of the id `new`;
/// where that is not given, none is made.
async fn opened(request: &IdbOpenDbRequest, new: Option<StoreId>) -> Result<IdbDatabase, JsValue> {
    let (sender, answer) = oneshot::channel();
    let sender = Rc::new(Cell::new(Some(sender)));
    let done = |kind| {
        let sender = Rc::clone(&sender);
        Listener::new(request, kind, move |_| {
            if let Some(sender) = sender.take() {
                // Nobody listens where the future was dropped just now.
                let _: Result<(), ()> = sender.send(());
            }
        })
    };
    let upgraded = request.clone();
    let upgrade = Listener::new(request, "upgradeneeded", move |event| {
        let before = event.unchecked_ref::<IdbVersionChangeEvent>().old_version();
        let laid_out = match new {
            // There was none.
            Some(id) if before < 1.0 => lay_out(&upgraded, id),
            // Nothing is made where nothing may be, and format 1 is the first.
            Some(_) | None => Err("not to be changed".into()),
        };
        if let (Err(error), Some(transaction)) = (laid_out, upgraded.transaction()) {
            tracing::debug!(error = says(&error), "the database was not laid out");
            drop(transaction.abort());
        }
    });
    let listeners = [done("success"), done("error"), upgrade];
    // The sender lives in the listeners: the answer comes.
    let _: Result<(), oneshot::Canceled> = answer.await;
    drop(listeners);
    match request.error()? {
        Some(error) => Err(error.into()),
        None => Ok(request.result()?.unchecked_into()),
    }
}

/// Makes the object stores of a new database.
fn lay_out(request: &IdbOpenDbRequest, id: StoreId) -> Result<(), JsValue> {
    let database: IdbDatabase = request.result()?.unchecked_into();
    for name in [META, JOURNALS, PACKS, NOTES] {
        database.create_object_store(name)?;
    }
    let transaction = request.transaction().ok_or("there is no transaction")?;
    let meta = transaction.object_store(META)?;
    meta.put_with_key(&FORMAT.into(), &"format".into())?;
    meta.put_with_key(&Uint8Array::from(id.as_bytes().as_slice()), &"store".into())?;
    Ok(())
}

/// The id of an open database, whose format is known here.
async fn identify(database: &IdbDatabase) -> Result<StoreId, Failure> {
    let found = transaction::read(database, &[META], &|transaction| {
        let meta = transaction.object_store(META)?;
        Ok(vec![meta.get(&"format".into())?, meta.get(&"store".into())?])
    })
    .await?;
    let [format, id] = found.as_slice() else { return Err(missing()) };
    let format = format.as_f64().map(to_u64).ok_or_else(missing)?;
    if format > FORMAT.into() {
        return Err(StoreError::TooNew { found: format, known: FORMAT.into() }.into());
    }
    let id = id.dyn_ref::<Uint8Array>().and_then(|id| id.to_vec().try_into().ok()).ok_or_else(missing)?;
    Ok(StoreId::from_bytes(id))
}

fn missing() -> Failure {
    StoreError::Damaged("it does not say its format and id".to_owned()).into()
}
