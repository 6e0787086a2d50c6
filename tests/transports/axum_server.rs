//! An axum server with a runtime of its own, as the hub is one.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use isoroot::platform::native::{WebSocketTransport, axum_websocket};
use isoroot::platform::{Connection, Transport};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Serves connections at `/sync`. It is dropped outside of async code, as tokio asks for.
pub(crate) struct AxumServer {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: async_channel::Receiver<Connection>,
    _runtime: Runtime,
}

impl AxumServer {
    pub(crate) fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (accept, accepted) = async_channel::unbounded();
        let handler = move |upgrade: WebSocketUpgrade| {
            let accept = accept.clone();
            async move {
                axum_websocket::bounded(upgrade).on_upgrade(move |socket| async move {
                    accept.send(axum_websocket::connection(socket, "client".to_owned())).await.unwrap();
                })
            }
        };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/sync", any(handler));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, accepted, _runtime: runtime }
    }

    /// The client's and the server's end of a new connection.
    pub(crate) async fn connect(&self) -> (Connection, Connection) {
        let client = WebSocketTransport::new().connect(&format!("ws://{}/sync", self.address)).await.unwrap();
        (client, self.accepted.recv().await.unwrap())
    }
}
