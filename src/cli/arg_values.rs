//! The values of arguments: ids, links, roots, addresses.

use std::net::{Ipv4Addr, SocketAddr};

use crate::cli::args::Named;
use crate::crypto::hash::Hash;
use crate::fact::link::{Link, LinkError};
use crate::ids::{DeviceId, EntryId, JournalId, ParseIdError};

/// A device by its id.
pub(super) fn device(text: &str) -> Result<DeviceId, ParseIdError> {
    text.parse()
}

/// A journal by its id or link.
pub(super) fn journal(text: &str) -> Result<JournalId, String> {
    match text.parse::<Link>() {
        Ok(link) => Ok(link.journal),
        Err(LinkError::Scheme) => text.parse().map_err(|error: ParseIdError| error.to_string()),
        Err(error @ (LinkError::Journal(_) | LinkError::Hub)) => Err(error.to_string()),
    }
}

/// The id of an entry or of a fact.
pub(super) fn named(text: &str) -> Result<Named, String> {
    let (entry, index) = match text.split_once(':') {
        Some((entry, index)) => {
            let plain = index.bytes().all(|byte| byte.is_ascii_digit());
            let index = index.parse().ok().filter(|_| plain);
            (entry, Some(index.ok_or("a fact's id ends in a colon and its place in the entry, from 0")?))
        }
        None => (text, None),
    };
    let entry = entry.parse().map_err(|error: ParseIdError| error.to_string())?;
    Ok(Named { entry, index })
}

/// The hash of a root.
pub(super) fn root(text: &str) -> Result<Hash, String> {
    // Its hex form is that of every hash.
    let id = text.parse::<EntryId>().map_err(|error| error.to_string().replace("an id", "a root"))?;
    Ok(*id.as_bytes())
}

/// An address to listen on: numbers, or `localhost`.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    match local {
        Some(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        None => text.parse().map_err(|_| "an address is written as 127.0.0.1:8080 or [::1]:8080".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f5_listen_addresses_are_numbers_or_localhost() {
        assert_eq!(listen("localhost:1").unwrap(), "127.0.0.1:1".parse().unwrap());
        assert_eq!(listen("[::1]:0").unwrap(), "[::1]:0".parse().unwrap());
        for bad in ["8080", "localhost", "localhost:x", "hub.example:80", "127.0.0.1", ""] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }
}
