//! Who may store at a hub: the rule, and the file that lists journals.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::fact::link::{Link, LinkError};
use crate::hub::error::HubError;
use crate::ids::{JournalId, ParseIdError};
use crate::service::config::Admission;

/// Which journals a hub takes, and thereby from whom.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Access {
    /// Any journal, as long as only this machine can reach the hub. Elsewhere the hub does not start.
    #[default]
    OpenOnLoopback,
    /// Any journal of everyone who reaches the hub: they may fill its disk.
    OpenToAll,
    /// These journals, of everyone who knows their ids.
    Journals(BTreeSet<JournalId>),
}

/// A list of journals that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A line is neither the id of a journal nor a link.
    #[error("line {line}: {reason}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: LinkError,
    },
    /// No line lists a journal.
    #[error("it lists no journal")]
    Empty,
}

impl Access {
    /// Reads a list of journals: an id or a link on each line; what follows `#` is a comment.
    ///
    /// # Errors
    /// When a line is neither, or there is none.
    pub fn from_list(text: &str) -> Result<Self, ListError> {
        let mut journals = BTreeSet::new();
        for (line, text) in text.lines().enumerate() {
            let text = text.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            let journal =
                read(text).map_err(|reason| ListError::Line { line: line.saturating_add(1), reason })?;
            journals.insert(journal);
        }
        if journals.is_empty() { Err(ListError::Empty) } else { Ok(Self::Journals(journals)) }
    }

    /// The service's rule, if it may hold at this address.
    pub(super) fn admission(&self, address: IpAddr) -> Result<Admission, HubError> {
        match self {
            Self::OpenOnLoopback if !address.to_canonical().is_loopback() => {
                Err(HubError::NotLoopback { address })
            }
            Self::OpenOnLoopback | Self::OpenToAll => Ok(Admission::Any),
            Self::Journals(journals) => Ok(Admission::Listed(journals.clone())),
        }
    }
}

fn read(text: &str) -> Result<JournalId, LinkError> {
    match text.parse::<Link>() {
        Ok(link) => Ok(link.journal),
        Err(LinkError::Scheme) => text.parse().map_err(|error: ParseIdError| LinkError::Journal(error)),
        Err(error @ (LinkError::Journal(_) | LinkError::Hub)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn b7_lists_have_ids_links_and_comments() {
        let (a, b) = (JournalId::from_bytes([1; 32]), JournalId::from_bytes([2; 32]));
        let text = format!("# team\n\n  {a}  # notes\nisoroot:{b}?hub=ws%3A%2F%2Fh%2Fsync\r\n{a}\n");
        assert_eq!(Access::from_list(&text), Ok(Access::Journals([a, b].into())));
        assert_eq!(Access::from_list("# none\n"), Err(ListError::Empty));
        for bad in ["isoroot:12", "12", "isoroot:x?y", "http://x"] {
            let error = Access::from_list(&format!("{a}\n{bad}")).unwrap_err();
            assert!(matches!(error, ListError::Line { line: 2, .. }), "{bad}: {error}");
        }
    }

    #[test]
    fn b7_open_by_default_is_for_loopback_alone() {
        let open = |access: &Access, address: IpAddr| access.admission(address);
        for loopback in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(open(&Access::OpenOnLoopback, loopback.parse().unwrap()), Ok(Admission::Any));
        }
        for address in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into(), [10, 0, 0, 1].into()]
        {
            assert_eq!(open(&Access::OpenOnLoopback, address), Err(HubError::NotLoopback { address }));
            assert_eq!(open(&Access::OpenToAll, address), Ok(Admission::Any));
            let listed = BTreeSet::from([JournalId::from_bytes([1; 32])]);
            let access = Access::Journals(listed.clone());
            assert_eq!(open(&access, address), Ok(Admission::Listed(listed)));
        }
    }
}
