//! One node as JavaScript holds it.

use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use async_channel::Receiver;
use futures::future::{AbortHandle, Abortable, Aborted};
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::bindings::calls::{Calls, begun, promise};
use crate::bindings::custom::{JsStore, Tame};
use crate::bindings::dialling::{Dialling, Dials};
use crate::bindings::error::CallError;
use crate::bindings::facts::GivenQuery;
use crate::bindings::files::{Exporting, Importing};
use crate::bindings::given::{Given, key};
use crate::bindings::mailbox::{self, Call, Deferred, Mailbox};
use crate::bindings::object::{number, object, text};
use crate::bindings::{custom, events, facts, link};
use crate::crypto::sign::DeviceKey;
use crate::driver::command::{Command, JournalStatus, Reply};
use crate::driver::error::NodeError;
use crate::driver::node::SyncNode;
use crate::driver::service::SyncService;
use crate::fact::entry::Entry;
use crate::fact::genesis::Genesis;
use crate::ids::{EntryId, JournalId, StoreId};
use crate::journal::position::Position;
use crate::platform::BoxedStore;
use crate::platform::memory::{MemoryStore, PipeNetwork};
use crate::platform::traits::Entropy;
use crate::platform::web::{IndexedDbStore, WebEntropy, WebPlatform};
use crate::service::event::Event;
use crate::service::peers::PeerInfo;

/// Events of one batch.
const BATCH: u32 = 256;

thread_local! {
    /// Names under which the nodes of this page reach each other as `pipe:NAME`.
    static PIPES: PipeNetwork = PipeNetwork::new();
}

/// A node. After `close` every call fails with `CLOSED`.
#[wasm_bindgen]
pub struct Node {
    journal: String,
    device: String,
    hub: Option<String>,
    open: RefCell<Option<Rc<Open>>>,
}

/// What an open node is made of.
pub(super) struct Open {
    node: SyncNode,
    events: Receiver<Event>,
    dialling: Dialling,
    /// Tasks that accept connections by pipe.
    pipes: RefCell<Vec<AbortHandle>>,
    mailbox: Mailbox,
    calls: Rc<Calls>,
}

impl Open {
    pub(super) fn node(&self) -> &SyncNode {
        &self.node
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Who dials now.
    pub(super) fn dials(&self) -> Dials {
        self.dialling.dials()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for pipe in self.pipes.take() {
            pipe.abort();
        }
    }
}

/// What a journal is opened by.
enum Beginning {
    Genesis(Genesis),
    Joined(JournalId),
}

#[wasm_bindgen]
impl Node {
    /// A node on a new journal, or on the one with this genesis or name if the store has it.
    pub fn create(given: Given, genesis: Option<Uint8Array>, name: Option<String>) -> Promise {
        let identity = key(given.identity());
        let genesis = genesis.map(|genesis| genesis.to_vec());
        promise(async move {
            let genesis = match (genesis, name) {
                (Some(genesis), _) => Genesis::from_bytes(&genesis).map_err(CallError::from)?,
                (None, Some(name)) => Genesis::named(&name),
                (None, None) => {
                    let mut nonce = [0; 32];
                    WebEntropy.fill(&mut nonce).map_err(|error| CallError::Node(error.into()))?;
                    Genesis::open(nonce)
                }
            };
            Ok(begin(given, identity, Beginning::Genesis(genesis), None).await?.into())
        })
    }

    /// A node on the journal that a link or id names.
    pub fn open(given: Given, journal: String) -> Promise {
        let identity = key(given.identity());
        promise(async move {
            let link = link::journal(&journal)?;
            Ok(begin(given, identity, Beginning::Joined(link.journal), link.hub).await?.into())
        })
    }

    /// The journal's id.
    #[wasm_bindgen(getter)]
    pub fn journal(&self) -> String {
        self.journal.clone()
    }

    /// The device's id.
    #[wasm_bindgen(getter)]
    pub fn device(&self) -> String {
        self.device.clone()
    }

    /// The hub that the link named, if any.
    #[wasm_bindgen(getter)]
    pub fn hub(&self) -> Option<String> {
        self.hub.clone()
    }

    /// Starts to dial; of the tabs that share the store only one does.
    pub fn start(&self) -> Promise {
        self.call(async |open| {
            open.dialling.start(open.node.clone()).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Ends all connections. Resolves to the names of tasks that had to be aborted.
    pub fn stop(&self) -> Promise {
        self.call(async |open| {
            let report = open.dialling.stop(&open.node).await?;
            Ok(report.aborted.into_iter().map(JsValue::from_str).collect::<Array>().into())
        })
    }

    /// Whether the service runs here.
    #[wasm_bindgen(js_name = isRunning)]
    pub fn is_running(&self) -> Promise {
        self.ask(|_, reply| Command::IsRunning { reply }, |running| Ok(JsValue::from_bool(running)))
    }

    /// Dials this address from now on; `keep` has the store remember it. Resolves to whether it is new.
    #[wasm_bindgen(js_name = addPeer)]
    pub fn add_peer(&self, address: String, keep: bool) -> Promise {
        self.call(async move |open| {
            let new = match keep {
                true => open.node.keep_peer(&address, None).await?,
                false => open.node.add_peer(&address).await?,
            };
            Ok(JsValue::from_bool(new))
        })
    }

    /// No longer dials it; `forget` has the store forget it. Resolves to whether it was there.
    #[wasm_bindgen(js_name = removePeer)]
    pub fn remove_peer(&self, address: String, forget: bool) -> Promise {
        self.call(async move |open| {
            let there = match forget {
                true => open.node.forget_peer(&address).await?,
                false => open.node.remove_peer(&address).await?,
            };
            Ok(JsValue::from_bool(there))
        })
    }

    /// Dials the peers that the store remembers.
    #[wasm_bindgen(js_name = dialKeptPeers)]
    pub fn dial_kept_peers(&self) -> Promise {
        self.call(async |open| Ok(JsValue::from_f64(open.node.dial_kept_peers().await?.len() as f64)))
    }

    /// The peers, in the order in which they were added.
    pub fn peers(&self) -> Promise {
        self.ask(|_, reply| Command::Peers { reply }, |peers: Vec<PeerInfo>| Ok(events::peers(&peers)))
    }

    /// Takes connections under `pipe:NAME` from nodes of this page, until the node is closed.
    pub fn listen(&self, name: String) -> Promise {
        self.call(async move |open| {
            let listener = PIPES.with(|pipes| pipes.listen(&name)).map_err(NodeError::from)?;
            let (handle, registration) = AbortHandle::new_pair();
            let service = open.node.service().clone();
            let serve = Abortable::new(async move { service.serve(listener).await }, registration);
            spawn_local(async move {
                // That it was aborted is nobody's news.
                let _: Result<(), Aborted> = serve.await;
            });
            open.pipes.borrow_mut().push(handle);
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Takes a connection that somebody has opened to this node.
    pub fn accept(&self, opened: Tame) -> Promise {
        self.call(async move |open| {
            open.node.service().accept(custom::connection(&opened)).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Appends an entry for each array of facts, unless the call is gone before it has begun.
    #[wasm_bindgen(js_name = appendAll)]
    pub fn append_all(&self, given: &Array, call: Call) -> Promise {
        let entry = |(id, entry_number): &(EntryId, u64)| {
            object(&[("id", text(id)), ("number", number(*entry_number))])
        };
        let drafts = |open: &Open| facts::drafts(open.node.device(), given);
        self.with(drafts, |open, drafts, deferred| {
            let journal = open.node.journal();
            let appended = move |appended: Vec<_>| Ok(appended.iter().map(entry).collect::<Array>().into());
            let reply = mailbox::reply(deferred, Some(call), appended);
            open.mailbox.post(Command::Append { journal, drafts, reply });
        })
    }

    /// A page of at most `limit` facts behind a position.
    pub fn page(&self, given: &GivenQuery, after: Option<String>, limit: u32) -> Promise {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let parse = |_: &Open| {
            let after = after.map(|after| after.parse::<Position>()).transpose()?;
            Ok((Box::new(facts::query(given)?), after))
        };
        self.with(parse, |open, (query, after), deferred| {
            let journal = open.node.journal();
            let reply = mailbox::reply(deferred, None, |page| Ok(facts::page(&page)));
            open.mailbox.post(Command::Page { journal, query, after, limit, reply });
        })
    }

    /// A page of at most `limit` entries that are held back, behind the one of this id.
    #[wasm_bindgen(js_name = heldBack)]
    pub fn held_back(&self, after: Option<String>, limit: u32) -> Promise {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let parse = |_: &Open| Ok(after.map(|after| after.parse::<EntryId>()).transpose()?);
        self.with(parse, |open, after, deferred| {
            let journal = open.node.journal();
            let reply = mailbox::reply(deferred, None, |held: Vec<_>| Ok(facts::held(&held)));
            open.mailbox.post(Command::HeldBack { journal, after, limit, reply });
        })
    }

    /// The entry of this id, or null.
    pub fn get(&self, entry: &str) -> Promise {
        let parse = |_: &Open| Ok(entry.parse::<EntryId>()?);
        self.with(parse, |open, entry, deferred| {
            let journal = open.node.journal();
            let reply = mailbox::reply(deferred, None, |found: Option<Entry>| {
                found.as_ref().map_or(Ok(JsValue::NULL), facts::entry)
            });
            open.mailbox.post(Command::Get { journal, entry, reply });
        })
    }

    /// Root, counts, place in the store, and who dials.
    pub fn status(&self) -> Promise {
        let nothing = |_: &Open| Ok(());
        self.with(nothing, |open, (), deferred| {
            let (journal, dials) = (open.node.journal(), open.dials().as_str());
            // Answered before the other, which is asked behind it.
            let connections = Rc::new(Cell::new((0, 0)));
            let counted = Rc::clone(&connections);
            let reply =
                mailbox::call(None, move |counts: Result<_, _>| counted.set(counts.unwrap_or_default()));
            open.mailbox.post(Command::Connections { reply });
            let reply = mailbox::reply(deferred, None, move |status: JournalStatus| {
                Ok(events::status(&status, connections.get(), dials))
            });
            open.mailbox.post(Command::Status { journal, reply });
        })
    }

    /// The next events, at least one.
    pub fn events(&self) -> Promise {
        // Not the open node: waiting keeps nothing alive.
        let events = self.opened().map(|open| open.events.clone());
        promise(async move {
            let (events, batch) = (events?, Array::new());
            batch.push(&events::event(&events.recv().await.map_err(|_| CallError::CLOSED)?));
            while batch.length() < BATCH
                && let Ok(next) = events.try_recv()
            {
                batch.push(&events::event(&next));
            }
            Ok(batch.into())
        })
    }

    /// The journal as a file.
    pub fn export(&self) -> Exporting {
        Exporting::new(self.weak())
    }

    /// A file to be imported into the journal, or only to be checked.
    pub fn import(&self, check: bool) -> Importing {
        Importing::new(self.weak(), check)
    }

    /// Asks the browser not to delete what is stored here; whether it agrees.
    pub fn persist(&self) -> Promise {
        self.call(async |_| Ok(JsValue::from_bool(IndexedDbStore::persist().await)))
    }

    /// Stops, ends every call that still waits with `CLOSED`, and keeps the checkpoint. Closing what is closed
    /// changes nothing.
    pub fn close(&self) -> Promise {
        let open = self.open.take();
        promise(async move {
            let Some(open) = open else { return Ok(JsValue::UNDEFINED) };
            let stopped = open.dialling.stop(&open.node).await;
            open.calls.end();
            // The command loop ends, and with it all who wait for its answers; what it was writing is
            // written, if that does not take longer than a stop may.
            let closed = open.node.service().close().await;
            stopped?;
            closed?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// The open node, without keeping it open.
    fn weak(&self) -> Weak<Open> {
        self.open.borrow().as_ref().map(Rc::downgrade).unwrap_or_default()
    }

    pub(super) fn opened(&self) -> Result<Rc<Open>, CallError> {
        self.open.borrow().clone().ok_or(CallError::CLOSED)
    }

    /// Begins something with the open node, after `prepare`, that settles the promise.
    pub(super) fn with<T>(
        &self,
        prepare: impl FnOnce(&Open) -> Result<T, CallError>,
        begin: impl FnOnce(&Open, T, Deferred),
    ) -> Promise {
        match self.opened().and_then(|open| Ok((prepare(&open)?, open))) {
            Ok((prepared, open)) => {
                let (promise, deferred) = Deferred::new();
                begin(&open, prepared, deferred);
                promise
            }
            Err(error) => Promise::reject(&error.into()),
        }
    }

    /// Asks the command loop about the journal.
    pub(super) fn ask<T: 'static>(
        &self,
        command: impl FnOnce(JournalId, Reply<T>) -> Command,
        convert: impl FnOnce(T) -> Result<JsValue, CallError> + 'static,
    ) -> Promise {
        let nothing = |_: &Open| Ok(());
        self.with(nothing, |open, (), deferred| {
            let command = command(open.node.journal(), mailbox::reply(deferred, None, convert));
            open.mailbox.post(command);
        })
    }

    /// Does something with the open node that takes several steps.
    pub(super) fn call(
        &self,
        work: impl AsyncFnOnce(&Open) -> Result<JsValue, CallError> + 'static,
    ) -> Promise {
        call(self.opened().ok(), work)
    }
}

/// Does something with an open node that takes several steps; nothing is a closed one.
pub(super) fn call(
    open: Option<Rc<Open>>,
    work: impl AsyncFnOnce(&Open) -> Result<JsValue, CallError> + 'static,
) -> Promise {
    match open {
        Some(open) => {
            let calls = Rc::clone(&open.calls);
            begun(Box::pin(async move { work(&open).await }), calls)
        }
        None => Promise::reject(&CallError::CLOSED.into()),
    }
}

/// Opens the store and the journal in it.
async fn begin(
    given: Given,
    identity: Option<DeviceKey>,
    beginning: Beginning,
    hub: Option<String>,
) -> Result<Node, CallError> {
    let store = given.store();
    let kept = match (&store, given.custom()) {
        (_, Some(custom)) => BoxedStore::new(JsStore::new(&custom)),
        (None, None) => {
            let mut id = [0; 16];
            WebEntropy.fill(&mut id).map_err(NodeError::from)?;
            BoxedStore::new(MemoryStore::new(StoreId::from_bytes(id)))
        }
        (Some(name), None) => BoxedStore::new(IndexedDbStore::open(name).await?),
    };
    let node = begin_on(kept, &given, identity, beginning).await?;
    let lock = store.map(|store| format!("{store}/{}", node.journal()));
    Ok(Node {
        journal: node.journal().to_string(),
        device: node.device().to_string(),
        hub,
        open: RefCell::new(Some(Rc::new(Open {
            events: node.events().await?,
            dialling: Dialling::new(lock),
            pipes: RefCell::default(),
            calls: Rc::default(),
            mailbox: Mailbox::new(node.service().commands().clone()),
            node,
        }))),
    })
}

async fn begin_on(
    store: BoxedStore,
    given: &Given,
    identity: Option<DeviceKey>,
    beginning: Beginning,
) -> Result<SyncNode, CallError> {
    let platform = WebPlatform::new(store, given.all_transports(PIPES.with(PipeNetwork::transport)));
    let service = SyncService::of_device(platform, given.config()?, identity).await?;
    Ok(match beginning {
        Beginning::Genesis(genesis) => service.create(&genesis).await?,
        Beginning::Joined(journal) => service.open(journal).await?,
    })
}
