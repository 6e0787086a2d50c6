//! Web pages that a hub serves: the files of one folder, with headers that keep what is in them harmless.

use std::path::PathBuf;

use axum::Router;
use axum::extract::Request;
use axum::handler::{Handler, HandlerWithoutStateExt};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeDir;

use crate::hub::error::HubError;

/// What must be there.
const INDEX: &str = "index.html";
/// Where builds put files whose names change with their content.
const ASSETS: &str = "/assets/";
/// A browser may keep these for good.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A browser may keep these, but asks each time whether they have changed.
const ASK: HeaderValue = HeaderValue::from_static("no-cache");
/// Scripts and styles from the folder alone, WebAssembly, and WebSockets to any hub, as a link may name one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
     img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// A folder of web pages that has an index.
#[derive(Clone, Debug)]
pub(super) struct Www {
    folder: PathBuf,
}

impl Www {
    /// Looks whether the folder has an index. Blocks.
    pub(super) fn open(folder: PathBuf) -> Result<Self, HubError> {
        let refuse = |reason| HubError::Www { path: folder.display().to_string(), reason };
        match std::fs::metadata(folder.join(INDEX)) {
            Ok(index) if index.is_file() => Ok(Self { folder }),
            Ok(_) => Err(refuse(format!("its {INDEX} is no file"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {
                Err(refuse(format!("it has no {INDEX}")))
            }
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    /// Serves the folder by GET and HEAD, by files that were compressed beforehand where they lie beside;
    /// `nothing` says that there is no such file.
    pub(super) fn router<H, T>(self, nothing: H) -> Router
    where
        H: Handler<T, ()>,
        T: 'static,
    {
        let files = ServeDir::new(self.folder).precompressed_br().precompressed_gzip();
        Router::new().fallback_service(files.not_found_service(nothing.into_service())).layer(from_fn(headed))
    }
}

/// Adds the headers to an answer.
async fn headed(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let asset = path.starts_with(ASSETS);
    let mut response = match path.starts_with("//") {
        // The way on to a folder's own address would begin like that of another host.
        true => StatusCode::NOT_FOUND.into_response(),
        false => next.run(request).await,
    };
    let status = response.status();
    // What is missing today may be there tomorrow.
    let keep = asset && (status.is_success() || status == StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, if keep { FOR_GOOD } else { ASK });
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
