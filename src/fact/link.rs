//! The link that invites to a journal: `isoroot:HEX`, with the hub's address where there is one.

use core::fmt;
use core::str::FromStr;

use crate::ids::{JournalId, ParseIdError};

/// What starts a link.
const SCHEME: &str = "isoroot:";
/// What comes between the journal's id and the hub's address.
const HUB: &str = "hub=";

/// A journal's id and, optionally, the address of a hub that serves it.
///
/// In an open journal everyone who has the link may read and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The journal.
    pub journal: JournalId,
    /// The hub's address, such as `wss://hub.example/sync`.
    pub hub: Option<String>,
}

/// A text that is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It does not start with `isoroot:`.
    #[error("a link starts with \"{SCHEME}\"")]
    Scheme,
    /// The journal's id is malformed.
    #[error("the link's journal: {0}")]
    Journal(#[from] ParseIdError),
    /// The part behind `?` is not `hub=` and a percent-encoded address.
    #[error("the link's hub address is malformed")]
    Hub,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.journal)?;
        let Some(hub) = &self.hub else { return Ok(()) };
        write!(f, "?{HUB}")?;
        hub.bytes().try_for_each(|byte| match byte {
            // The unreserved characters of RFC 3986 §2.3.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(LinkError::Scheme)?;
        let (journal, query) = match rest.split_once('?') {
            Some((journal, query)) => (journal, Some(query)),
            None => (rest, None),
        };
        let hub = query
            .map(|query| {
                let hub = query.strip_prefix(HUB).and_then(percent_decode);
                hub.filter(|hub| !hub.is_empty()).ok_or(LinkError::Hub)
            })
            .transpose()?;
        Ok(Self { journal: journal.parse()?, hub })
    }
}

/// Undoes percent-encoding (RFC 3986 §2.1); nothing if a `%` is not followed by two hex digits, or
/// the bytes are not UTF-8, or there is a bare `&` or `#`: what such a link says beyond the hub is
/// for a later version to read, and not part of the address.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if matches!(byte, b'&' | b'#') {
            return None;
        }
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_read_back() {
        let journal = JournalId::from_bytes([7; 32]);
        for hub in [None, Some("wss://hub.example:8080/sync?a=b&c=%20é")] {
            let link = Link { journal, hub: hub.map(str::to_owned) };
            assert_eq!(link.to_string().parse(), Ok(link));
        }
        let link = Link { journal, hub: Some("ws://h/s".into()) };
        assert!(link.to_string().ends_with("?hub=ws%3A%2F%2Fh%2Fs"));
    }

    #[test]
    fn other_texts_say_why() {
        let id = "00".repeat(32);
        assert_eq!("http://x".parse::<Link>(), Err(LinkError::Scheme));
        assert!(matches!("isoroot:12".parse::<Link>(), Err(LinkError::Journal(_))));
        for query in ["", "hub=", "hub=%", "hub=%4", "hub=%zz", "hub=%ff", "hup=x", "hub=a&b=c", "hub=a#b"] {
            assert_eq!(format!("isoroot:{id}?{query}").parse::<Link>(), Err(LinkError::Hub), "{query}");
        }
    }
}
