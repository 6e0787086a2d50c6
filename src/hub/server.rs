//! The hub's server: binds, accepts, hands connections to the sync service, and stops in good order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::driver::service::SyncService;
use crate::error::StoreError;
use crate::hub::error::HubError;
use crate::hub::names::names;
use crate::hub::options::HubOptions;
use crate::hub::origins::Origins;
use crate::hub::pages::{Pages, Remote, router};
use crate::hub::socket::{Place, Places, Socket};
use crate::hub::www::Www;
use crate::platform::native::{NativePlatform, RedbStore, TokioSpawner};
use crate::service::config::Config;

/// The store's file in the hub's folder.
const STORE: &str = "hub.redb";
/// From the open connection, or the answer before, to the complete head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 8 * 1_024;
/// Headers of a request.
const HEADERS: usize = 64;
/// How long no connection is accepted after the system had no room for one.
const REST: Duration = Duration::from_millis(50);
/// What a connection hears for which there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A hub that listens, and serves once it is [`run`](Self::run).
///
/// Over HTTP it answers `/sync` by WebSocket, `/healthz` by JSON with a status and counts, and all else from
/// the folder of web pages, if it has one. There is no TLS: put a reverse proxy before it, or stay on loopback.
#[derive(Debug)]
pub struct Hub {
    listener: TcpListener,
    local: SocketAddr,
    names: Vec<String>,
    service: SyncService,
    store: RedbStore,
    pages: Router,
    places: Places,
}

impl Hub {
    /// Takes the address, opens the store, and starts the sync service; in a tokio runtime.
    ///
    /// # Errors
    /// When the address is taken, the store can't be opened, the folder of web pages has no `index.html`, or
    /// the options contradict each other.
    pub async fn bind(options: HubOptions) -> Result<Self, HubError> {
        let HubOptions { listen, data, access, names: given, origins, connections, www } = options;
        let (admission, permissions) = (access.admission(listen.ip())?, Arc::new(access.permissions()));
        let www = blocking::unblock(move || www.map(Www::open).transpose()).await?;
        let refused = |error: std::io::Error| HubError::Listen { address: listen, reason: error.to_string() };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        let names = names(local, &given)?;
        let origins = Origins::new(&names, &origins)?;

        let store = blocking::unblock(move || open(&data)).await?;
        let spawner = TokioSpawner::new(tokio::runtime::Handle::current());
        let platform = NativePlatform::new(spawner, store.clone(), Vec::new());
        let config =
            Config { admission, permissions, names: Some(names.clone()), connections, ..Config::default() };
        let service = SyncService::new(platform, config).await?;
        service.start().await?;
        let pages = router(Pages { service: service.clone(), store: store.clone(), origins }, www);
        let places = Places::new(connections);
        Ok(Self { listener, local, names, service, store, pages, places })
    }

    /// The address listened on, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The addresses under which it may be dialled, in their canonical form.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Serves until `stop` resolves; then ends all connections with a word to each peer, finishes what
    /// is being written, and closes the store. What was acknowledged is durable at any time.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { listener, service, store, pages, places, .. } = self;
        accept(listener, &pages, &places, stop).await;
        // No more than peers that don't answer keep it from stopping; they are cut off after 2 s.
        if let Ok(report) = service.stop().await
            && !report.aborted.is_empty()
        {
            tracing::warn!(name: "hub.aborted", tasks = ?report.aborted, "tasks did not end in time");
        }
        drop(pages);
        // Only who is closed already says no, and is what is wanted.
        drop(service.close().await);
        store.close().await;
    }
}

/// Makes the folder and opens its store. Blocks.
fn open(data: &Path) -> Result<RedbStore, HubError> {
    std::fs::create_dir_all(data)
        .map_err(|error| HubError::Data { path: data.display().to_string(), reason: error.to_string() })?;
    RedbStore::open(data.join(STORE)).map_err(|error: StoreError| error.into())
}

/// Accepts until `stop` resolves. Requests that are being answered then are dropped; connections that
/// have become WebSockets belong to the service.
async fn accept(listener: TcpListener, pages: &Router, places: &Places, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            Some(_) = serving.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, remote)) => match places.take() {
                    Some(place) => {
                        serving.spawn(serve(tcp, place, Remote(remote), pages.clone()));
                    }
                    // As much as goes at once: nobody waits for one who is turned away.
                    None => drop(tcp.try_write(FULL)),
                },
                Err(error) => {
                    tracing::warn!(name: "hub.accept_failed", %error, "no connection accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

/// Answers the requests of one connection. Whoever sends no HTTP is told so, or cut off.
async fn serve(tcp: TcpStream, place: Place, remote: Remote, pages: Router) {
    // HTTP takes memory from the beginning: who says nothing gets none.
    if matches!(tokio::time::timeout(HEAD, tcp.peek(&mut [0])).await, Ok(Ok(1))) {
        Box::pin(answer(tcp, place, remote, pages)).await;
    }
}

async fn answer(tcp: TcpStream, place: Place, remote: Remote, pages: Router) {
    // Sync is made of small frames that wait for each other. It is no worse without.
    drop(tcp.set_nodelay(true));
    let answer = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(remote);
        let pages = pages.clone();
        async move {
            Ok::<_, Infallible>(match pages.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            })
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS);
    let connection = http.serve_connection(TokioIo::new(Socket::new(tcp, place)), answer);
    if let Err(error) = connection.with_upgrades().await {
        tracing::debug!(name: "hub.http_failed", remote = %remote.0, %error, "connection ended");
    }
}
