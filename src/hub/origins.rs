//! Which web pages may connect: any page that is open in a browser can reach a port of that machine.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, header};

use crate::hub::error::HubError;

/// The origins that are let in.
#[derive(Clone, Debug)]
pub(super) struct Origins(BTreeSet<String>);

impl Origins {
    /// The hub's own, at any of its names, and those given.
    pub(super) fn new(names: &[String], given: &[String]) -> Result<Self, HubError> {
        let own = names.iter().map(|name| without_port("http://", name, ":80"));
        let given = given.iter().map(|origin| {
            normalized(origin).map_err(|reason| HubError::Origin { origin: origin.clone(), reason })
        });
        Ok(Self(own.map(Ok).chain(given).collect::<Result<_, _>>()?))
    }

    /// Whether a request may connect: it comes from no page, or from one that is let in.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => origin
                .to_str()
                .ok()
                .and_then(|origin| normalized(origin).ok())
                .is_some_and(|origin| self.0.contains(&origin)),
            (Some(_), Some(_)) => false,
        }
    }
}

/// An origin as browsers write it: lower case, without a default port. `null`, which pages without an
/// origin have, such as files, is one too.
fn normalized(origin: &str) -> Result<String, &'static str> {
    let origin = origin.to_ascii_lowercase();
    if origin == "null" {
        return Ok(origin);
    }
    let (scheme, rest) = origin.split_once("://").ok_or("it has no scheme")?;
    let scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if scheme.is_empty() || !scheme.bytes().all(scheme_byte) {
        return Err("its scheme is malformed");
    }
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its host is malformed");
    }
    if host.contains(['/', '?', '#', '@', '*', ',']) {
        return Err("it has more than scheme, host and port");
    }
    Ok(match scheme {
        "http" => without_port("http://", host, ":80"),
        "https" => without_port("https://", host, ":443"),
        _ => format!("{scheme}://{host}"),
    })
}

fn without_port(scheme: &str, host: &str, default: &str) -> String {
    format!("{scheme}{}", host.strip_suffix(default).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn admits(origins: &Origins, sent: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for origin in sent {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        origins.admit(&headers)
    }

    #[test]
    fn b7_own_pages_and_listed_ones_are_let_in() {
        let names = ["localhost:8080".to_owned(), "hub.example:80".to_owned()];
        let given = ["https://App.example:443/".to_owned(), "chrome-extension://abc".to_owned()];
        let origins = Origins::new(&names, &given).unwrap();
        for origin in [
            "http://localhost:8080",
            "http://hub.example",
            "http://hub.example:80",
            "https://app.example",
            "HTTPS://APP.EXAMPLE",
            "chrome-extension://abc",
        ] {
            assert!(admits(&origins, &[origin]), "{origin}");
        }
        for origin in [
            "http://localhost",
            "http://localhost:8081",
            "https://localhost:8080",
            "https://hub.example",
            "https://app.example:8443",
            "https://evil.example",
            "https://app.example.evil",
            "null",
            "",
            "*",
            "https://app.example/x",
            "http://127.0.0.1:8080",
        ] {
            assert!(!admits(&origins, &[origin]), "{origin}");
        }
        assert!(admits(&origins, &[]), "no page");
        assert!(!admits(&origins, &["https://app.example", "https://app.example"]), "two");
    }

    #[test]
    fn b7_other_origins_say_why() {
        for origin in
            ["app.example", "https://", "https://a/b", "https://a b", "*", "https://*.example", "://a"]
        {
            assert!(Origins::new(&[], &[origin.to_owned()]).is_err(), "{origin}");
        }
        assert!(Origins::new(&[], &["null".to_owned()]).is_ok());
    }
}
