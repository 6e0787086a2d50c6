//! TLS below the WebSocket transport: whom it trusts, and the handshake.

use std::io;
use std::sync::{Arc, OnceLock};

use async_net::TcpStream;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::{CertificateDer, IpAddr, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::platform::websocket_address::Host;

/// What the transport needs to open TLS connections. Clones share what has been loaded.
#[derive(Clone, Default)]
pub(super) struct Tls {
    /// Root certificates beside those of the system.
    extra: Vec<CertificateDer<'static>>,
    /// Made at the first connection: reading the system's certificates takes milliseconds.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Tls {
    /// The same, with one more root certificate in DER.
    pub(super) fn trusting(mut self, certificate: &[u8]) -> Self {
        self.extra.push(CertificateDer::from(certificate.to_vec()));
        Self { extra: self.extra, config: Arc::default() }
    }

    /// The client's handshake with `host`, whose certificate must be for that very name or number.
    pub(super) async fn connect(&self, host: &Host, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match host {
            Host::Ip(ip) => ServerName::IpAddress(IpAddr::from(*ip)),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
        };
        let config = match self.config.get() {
            Some(config) => Arc::clone(config),
            None => {
                let extra = self.extra.clone();
                let config = blocking::unblock(|| load(extra)).await?;
                // Two first connections at once load twice, and one of the two is kept.
                Arc::clone(self.config.get_or_init(|| Arc::new(config)))
            }
        };
        TlsConnector::from(config).connect(name, stream).await
    }
}

fn load(extra: Vec<CertificateDer<'static>>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    if !system.errors.is_empty() {
        tracing::warn!(errors = ?system.errors, "some of the system's root certificates could not be read");
    }
    roots.add_parsable_certificates(system.certs);
    for certificate in extra {
        roots.add(certificate).map_err(io::Error::other)?;
    }
    // Named, since a program may contain several providers and rustls then refuses to choose.
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A server that speaks HTTP/2 as well must not choose it: a WebSocket starts in HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
