//! Who may store at a hub: the rule, and the file that lists journals and devices.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::fact::link::{Link, LinkError};
use crate::hub::error::HubError;
use crate::ids::{DeviceId, JournalId, ParseIdError};
use crate::service::config::Admission;
use crate::session::permission::{Permission, Permissions};

/// Which journals a hub takes, and thereby from whom.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Access {
    /// Any journal, as long as only this machine can reach the hub. Elsewhere the hub does not start.
    #[default]
    OpenOnLoopback,
    /// Any journal of everyone who reaches the hub: they may fill its disk.
    OpenToAll,
    /// These journals, of everyone who knows their ids, or of the devices listed with them.
    Listed(Listed),
}

/// Journals that a hub takes, and who may do what with them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Listed {
    /// The journals.
    pub journals: BTreeSet<JournalId>,
    /// Who may read and write them.
    pub permissions: Permissions,
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
    /// What stands behind a journal is no permission.
    #[error("line {line}: {word:?} is neither read: nor write: with a device's id or *")]
    Permission {
        /// Number of the line, from 1.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// No line lists a journal.
    #[error("it lists no journal")]
    Empty,
}

impl Access {
    /// Reads a list of journals: an id or a link on each line; what follows `#` is a comment.
    ///
    /// Behind the journal may stand who may use it: `read:DEVICE`, `write:DEVICE`, with `*` for every device.
    /// Who may write may read. If anybody is named, nobody else may do anything; else everyone may write.
    ///
    /// # Errors
    /// When a line is none of that, or there is none.
    pub fn from_list(text: &str) -> Result<Self, ListError> {
        let (mut listed, mut restricted) = (Listed::default(), BTreeSet::new());
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default();
            let mut words = text.split_whitespace();
            let Some(journal) = words.next() else { continue };
            let journal = read(journal).map_err(|reason| ListError::Line { line, reason })?;
            listed.journals.insert(journal);
            for (place, word) in words.enumerate() {
                let unknown = || ListError::Permission { line, word: word.to_owned() };
                let (device, permission) = permission(word).ok_or_else(unknown)?;
                // Whatever other lines say of the same journal goes on holding.
                if place == 0 && restricted.insert(journal) {
                    listed.permissions.set(Some(journal), None, Permission::Denied);
                }
                listed.permissions.set(Some(journal), device, permission);
            }
        }
        if listed.journals.is_empty() { Err(ListError::Empty) } else { Ok(Self::Listed(listed)) }
    }

    /// The service's rule, if it may hold at this address.
    pub(super) fn admission(&self, address: IpAddr) -> Result<Admission, HubError> {
        match self {
            Self::OpenOnLoopback if !address.to_canonical().is_loopback() => {
                Err(HubError::NotLoopback { address })
            }
            Self::OpenOnLoopback | Self::OpenToAll => Ok(Admission::Any),
            Self::Listed(listed) => Ok(Admission::Listed(listed.journals.clone())),
        }
    }

    /// Who may do what.
    pub(super) fn permissions(&self) -> Permissions {
        match self {
            Self::OpenOnLoopback | Self::OpenToAll => Permissions::default(),
            Self::Listed(listed) => listed.permissions.clone(),
        }
    }
}

/// Who, or everyone, and what they may do.
fn permission(word: &str) -> Option<(Option<DeviceId>, Permission)> {
    let (permission, device) = word.split_once(':')?;
    let permission = match permission {
        "read" => Permission::Read,
        "write" => Permission::Write,
        _ => return None,
    };
    let device = if device == "*" { None } else { Some(device.parse().ok()?) };
    Some((device, permission))
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
    use crate::session::permission::PermissionPolicy;

    #[test]
    fn b7_lists_have_ids_links_and_comments() {
        let (a, b) = (JournalId::from_bytes([1; 32]), JournalId::from_bytes([2; 32]));
        let text = format!("# team\n\n  {a}  # notes\nisoroot:{b}?hub=ws%3A%2F%2Fh%2Fsync\r\n{a}\n");
        assert_eq!(
            Access::from_list(&text),
            Ok(Access::Listed(Listed { journals: [a, b].into(), permissions: Permissions::default() }))
        );
        assert_eq!(Access::from_list("# none\n"), Err(ListError::Empty));
        for bad in ["isoroot:12", "12", "isoroot:x?y", "http://x"] {
            let error = Access::from_list(&format!("{a}\n{bad}")).unwrap_err();
            assert!(matches!(error, ListError::Line { line: 2, .. }), "{bad}: {error}");
        }
    }

    #[test]
    fn f89_who_is_listed_with_a_journal_may_use_it_and_nobody_else() {
        let (team, all) = (JournalId::from_bytes([1; 32]), JournalId::from_bytes([2; 32]));
        let [writer, reader, other] = [3, 4, 5].map(|byte| DeviceId::from_bytes([byte; 32]));
        let text = format!("{team} write:{writer} read:{reader} # two\n{all}\n");
        let permissions = Access::from_list(&text).unwrap().permissions();
        let of = |device, journal| permissions.permission(device, journal);
        assert_eq!(of(&writer, &team), Permission::Write);
        assert_eq!(of(&reader, &team), Permission::Read);
        assert_eq!(of(&other, &team), Permission::Denied);
        assert_eq!(of(&other, &all), Permission::Write);
        let text = format!("{team} read:* write:{writer}");
        let permissions = Access::from_list(&text).unwrap().permissions();
        assert_eq!(permissions.permission(&other, &team), Permission::Read);
        assert_eq!(permissions.permission(&writer, &team), Permission::Write);
        let text = format!("{team} read:*\n{team} write:{writer}\n{team}");
        let permissions = Access::from_list(&text).unwrap().permissions();
        assert_eq!(permissions.permission(&other, &team), Permission::Read, "on several lines");
        assert_eq!(permissions.permission(&writer, &team), Permission::Write);
        for bad in ["reads:*", "read", "read:", "write:12", "read :*", "*"] {
            let error = Access::from_list(&format!("{all}\n{team} {bad}")).unwrap_err();
            assert!(matches!(error, ListError::Permission { line: 2, .. }), "{bad}: {error}");
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
            let access =
                Access::Listed(Listed { journals: listed.clone(), permissions: Permissions::default() });
            assert_eq!(open(&access, address), Ok(Admission::Listed(listed)));
        }
    }
}
