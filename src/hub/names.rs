//! The addresses under which a hub may be dialled, which both ends of a handshake sign.

use std::net::{IpAddr, SocketAddr};

use crate::hub::error::HubError;
use crate::platform::native::WebSocketTransport;
use crate::platform::traits::Transport;

/// All names of a hub that listens on `local`, in their canonical form.
pub(super) fn names(local: SocketAddr, given: &[String]) -> Result<Vec<String>, HubError> {
    let port = local.port();
    let ip = match local.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let mut names = vec![format!("{ip}:{port}")];
    // Who listens on all addresses listens on loopback too.
    if local.ip().to_canonical().is_loopback() || local.ip().is_unspecified() {
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")));
    }
    for name in given {
        names.push(canonical(name)?);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The canonical form of `HOST:PORT`.
fn canonical(name: &str) -> Result<String, HubError> {
    let refuse = |reason: String| HubError::Name { name: name.to_owned(), reason };
    if name.contains(['/', '?', '#', '@']) {
        return Err(refuse("it has more than host and port".to_owned()));
    }
    let port = name.rsplit_once(':').map(|(_, port)| port);
    // The default port depends on the scheme, which is another one where a proxy does the TLS.
    if !port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(refuse("it has no port; wss:// without one means 443, ws:// 80".to_owned()));
    }
    let transport = WebSocketTransport::new().allow_plain(true);
    transport.canonical(&format!("ws://{name}")).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(local: &str, given: &[&str]) -> Vec<String> {
        let given: Vec<_> = given.iter().map(|name| (*name).to_owned()).collect();
        names(local.parse().unwrap(), &given).unwrap()
    }

    #[test]
    fn d7_names_are_where_it_listens_and_what_is_given() {
        assert_eq!(of("127.0.0.1:80", &[]), ["127.0.0.1:80", "[::1]:80", "localhost:80"]);
        assert_eq!(
            of("0.0.0.0:80", &["Hub.Example:443"]),
            ["0.0.0.0:80", "127.0.0.1:80", "[::1]:80", "hub.example:443", "localhost:80"]
        );
        assert_eq!(of("10.0.0.1:80", &["10.0.0.1:80"]), ["10.0.0.1:80"]);
        assert_eq!(of("[2001:DB8::1]:80", &["[0:0::2]:1"]), ["[2001:db8::1]:80", "[::2]:1"]);
    }

    #[test]
    fn d7_other_names_say_why() {
        for name in [
            "hub.example",
            "hub.example:",
            "hub.example:x",
            "ws://h:1",
            "h:1/sync",
            "h:0",
            "::1",
            "a@h:1",
            "",
        ] {
            let error = names("127.0.0.1:80".parse().unwrap(), &[name.to_owned()]).unwrap_err();
            assert!(matches!(error, HubError::Name { .. }), "{name}: {error}");
        }
    }
}
