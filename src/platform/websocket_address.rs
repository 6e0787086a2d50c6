//! Reads and checks the addresses that the WebSocket transports dial, and which of them may go in the clear.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::TransportError;

/// Characters of a whole address; longer ones are refused before they are looked at.
const ADDRESS_CHARACTERS: usize = 2_048;
/// Bytes of a host's name (RFC 1035).
const HOST_BYTES: usize = 253;

/// Whether bytes travel in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// `ws://`
    Plain,
    /// `wss://`
    Tls,
}

impl Security {
    fn default_port(self) -> u16 {
        match self {
            Self::Plain => 80,
            Self::Tls => 443,
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "ws",
            Self::Tls => "wss",
        }
    }
}

/// The host of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// A number.
    Ip(IpAddr),
    /// A name in lower case.
    Name(String),
}

impl Host {
    /// Whether it can only be this machine. What a name resolves to is checked again when it is dialled.
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }

    /// As written in front of a port: IPv6 in brackets.
    fn bracketed(&self) -> String {
        match self {
            Self::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => ip.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// A `ws://` or `wss://` address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebSocketAddress {
    pub(super) security: Security,
    pub(super) host: Host,
    pub(super) port: u16,
    /// Path and query, at least `/`.
    target: String,
}

impl WebSocketAddress {
    /// Whether `address` begins with one of the two schemes.
    pub(super) fn has_scheme(address: &str) -> bool {
        split_scheme(address).is_some()
    }

    /// Takes `address` apart.
    pub(super) fn parse(address: &str) -> Result<Self, TransportError> {
        Self::read(address).map_err(|reason| TransportError::Address {
            address: address.chars().take(ADDRESS_CHARACTERS).collect(),
            reason: reason.to_owned(),
        })
    }

    /// Takes `address` apart, and refuses `ws://` to other machines unless `allow_plain`.
    pub(super) fn checked(address: &str, allow_plain: bool) -> Result<Self, TransportError> {
        let parsed = Self::parse(address)?;
        if parsed.security == Security::Plain && !allow_plain && !parsed.host.is_loopback() {
            return Err(TransportError::Address {
                address: address.to_owned(),
                reason: "ws:// to another machine is neither secret nor safe from change: use wss://, or \
                         allow plain connections where the network below is trusted"
                    .to_owned(),
            });
        }
        Ok(parsed)
    }

    fn read(address: &str) -> Result<Self, &'static str> {
        if address.len() > ADDRESS_CHARACTERS {
            return Err("it is too long");
        }
        if !address.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has other characters than printable ASCII; write names in punycode");
        }
        let (security, rest) = split_scheme(address).ok_or("it begins neither with ws:// nor with wss://")?;
        if rest.contains('#') {
            return Err("a WebSocket address has no fragment");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).ok_or("it cannot be read")?;
        if authority.contains('@') {
            return Err("it carries a user name, which the transport does not send");
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None | Some("") => security.default_port(),
            // `parse` would take a sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or("its port is not between 1 and 65535")?
            }
            Some(_) => return Err("its port is not a number"),
        };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { security, host: read_host(host)?, port, target })
    }

    /// Host and port as both ends of a handshake sign them.
    pub(super) fn canonical(&self) -> String {
        format!("{}:{}", self.host.bracketed(), self.port)
    }

    /// The address to put into the request; a default port is left out, as browsers do, since some
    /// servers compare the `Host` header with their bare name.
    pub(super) fn request(&self) -> String {
        let port =
            if self.port == self.security.default_port() { String::new() } else { format!(":{}", self.port) };
        format!("{}://{}{port}{}", self.security.scheme(), self.host.bracketed(), self.target)
    }
}

fn split_scheme(address: &str) -> Option<(Security, &str)> {
    let (scheme, rest) = address.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    [Security::Plain, Security::Tls]
        .into_iter()
        .find(|security| scheme.eq_ignore_ascii_case(security.scheme()))
        .map(|security| (security, rest))
}

/// Host without brackets, and the text after the colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or("the bracket of its IPv6 host is not closed")?;
        let (host, port) = authority.split_at_checked(end.saturating_add(1)).ok_or("it cannot be read")?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if port.is_empty() => Ok((host, None)),
            None => Err("something other than a port follows its host"),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 host is written in brackets"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn read_host(host: &str) -> Result<Host, &'static str> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or(inner);
        let ip: Ipv6Addr = inner.parse().map_err(|_| "its IPv6 host cannot be read")?;
        return Ok(Host::Ip(IpAddr::V6(ip)));
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(IpAddr::V4(ip)));
    }
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.len() > HOST_BYTES {
        return Err("its host is too long");
    }
    let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !host.bytes().all(name_byte) || host.split('.').any(str::is_empty) {
        return Err("its host is not a name");
    }
    // Systems read "127.1" and "0x7f.1" as numbers, browsers too: one spelling only, since it is signed.
    let last = host.rsplit('.').next().unwrap_or(host).to_ascii_lowercase();
    if last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its host looks like a number, but is not an IPv4 address of four parts");
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(address: &str) -> String {
        WebSocketAddress::parse(address).unwrap().canonical()
    }

    #[test]
    fn d7_canonical_form_is_lower_case_host_and_port() {
        assert_eq!(canonical("ws://Hub.Example/sync"), "hub.example:80");
        assert_eq!(canonical("WSS://hub.example"), "hub.example:443");
        assert_eq!(canonical("wss://hub.example:443/sync?token=a:b/@"), "hub.example:443");
        assert_eq!(canonical("wss://hub.example:?token=1"), "hub.example:443");
        assert_eq!(canonical("ws://[0:0::1]:4000/x"), "[::1]:4000");
        assert_eq!(canonical("ws://[::FFFF:1.2.3.4]"), "[::ffff:1.2.3.4]:80");
        assert_eq!(canonical("ws://10.0.0.1:08080"), "10.0.0.1:8080");
    }

    #[test]
    fn d9_request_keeps_path_and_query_and_drops_the_default_port() {
        let request = |address| WebSocketAddress::parse(address).unwrap().request();
        assert_eq!(request("ws://Hub.Example:80"), "ws://hub.example/");
        assert_eq!(request("wss://h:8443?token=1"), "wss://h:8443/?token=1");
        assert_eq!(request("ws://[::1]/a/b?c"), "ws://[::1]/a/b?c");
    }

    #[test]
    fn d9_addresses_that_cannot_be_dialled_say_why() {
        for address in [
            "http://a",
            "a:80",
            "ws:/a",
            "ws://",
            "ws:///x",
            "ws://a:0",
            "ws://a:65536",
            "ws://a:+1",
            "ws://a:b",
            "ws://u@a",
            "ws://u:p@a",
            "ws://a#b",
            "ws://a b",
            "ws://ä",
            "ws://::1",
            "ws://[::1",
            "ws://[::1]x",
            "ws://[a]",
            "ws://[::1%25eth0]",
            "ws://127.1",
            "ws://0x7f.0x1",
            "ws://1",
            "ws://a..b",
            "ws://a.",
            "ws://a\r\nX: y",
            "ws://a:80:80",
            "ws://a%2e/",
        ] {
            let error = WebSocketAddress::parse(address).unwrap_err();
            assert!(matches!(error, TransportError::Address { .. }), "{address}: {error}");
        }
        assert!(WebSocketAddress::parse(&format!("ws://a/{}", "b".repeat(3_000))).is_err());
    }

    #[test]
    fn b7_loopback_is_told_from_the_rest() {
        let loopback = |address| WebSocketAddress::parse(address).unwrap().host.is_loopback();
        for address in ["ws://localhost", "ws://a.localhost:1", "ws://127.9.9.9", "ws://[::1]"] {
            assert!(loopback(address), "{address}");
        }
        for address in ["ws://localhost.example", "ws://128.0.0.1", "ws://[::2]", "ws://a", "ws://0.0.0.0"] {
            assert!(!loopback(address), "{address}");
        }
    }
}
