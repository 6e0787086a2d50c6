//! What a hub answers over HTTP: sync by WebSocket, its health, and what else there is.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use crate::driver::service::SyncService;
use crate::hub::origins::Origins;
use crate::hub::www::Www;
use crate::platform::native::{RedbStore, axum_websocket};

/// What the pages show and hand on to.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) service: SyncService,
    pub(super) store: RedbStore,
    pub(super) origins: Origins,
}

/// Where a request came from, put into it by the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote(pub(super) SocketAddr);

pub(super) fn router(pages: Pages, www: Option<Www>) -> Router {
    let router = Router::new().route("/sync", any(sync)).route("/healthz", get(health));
    let router = match www {
        Some(www) => router.fallback_service(www.router(nothing)),
        None => router.fallback(nothing),
    };
    router.with_state(Arc::new(pages))
}

async fn sync(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if !pages.origins.admit(&parts.headers) {
        let origin = parts.headers.get(header::ORIGIN);
        tracing::warn!(name: "hub.origin_refused", ?origin, "page turned away");
        return (StatusCode::FORBIDDEN, "Pages of this origin may not connect.\n").into_response();
    }
    if !asks_for_websocket(&parts.headers) {
        let upgrade = [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")];
        let text = "This address speaks WebSocket, version 13.\n";
        return (StatusCode::UPGRADE_REQUIRED, upgrade, text).into_response();
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    let remote = parts.extensions.get().map_or_else(String::new, |Remote(address)| address.to_string());
    let service = pages.service.clone();
    axum_websocket::bounded(upgrade).on_upgrade(move |socket| async move {
        // A hub that is stopping turns it away by dropping it.
        drop(service.accept(axum_websocket::connection(socket, remote)).await);
    })
}

/// Whether the request asks for an upgrade to WebSocket, well formed or not.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let upgrades = headers.get_all(header::UPGRADE).iter();
    let mut upgrades =
        upgrades.filter_map(|upgrade| upgrade.to_str().ok()).flat_map(|upgrade| upgrade.split(','));
    upgrades.any(|upgrade| upgrade.trim().eq_ignore_ascii_case("websocket"))
}

/// Status and counts: 200 while it serves, else 503.
async fn health(State(pages): State<Arc<Pages>>) -> Response {
    let running = pages.service.is_running().await.unwrap_or(false);
    let connections = pages.service.connections().await.unwrap_or_default();
    let journals = pages.store.journals();
    let entries = journals.iter().fold(0u64, |sum, (_, entries)| sum.saturating_add(*entries));
    let (code, status) = match running {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    let body = format!(
        "{{\"status\":\"{status}\",\"journals\":{},\"entries\":{entries},\"connections\":{connections}}}\n",
        journals.len()
    );
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (code, headers, body).into_response()
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "Nothing is here: sync is at /sync, health at /healthz.\n").into_response()
}
