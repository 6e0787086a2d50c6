//! What a peer's device may do with a journal, and who decides that.

use core::fmt::Debug;

use litemap::LiteMap;

use crate::ids::{DeviceId, JournalId};

/// What a device may do with a journal over a connection.
///
/// Who may write may also read: to find out what is missing tells what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Permission {
    /// Nothing. It is not even told whether the journal is here.
    Denied,
    /// It gets entries. What it sends is not taken in, whoever has signed it.
    Read,
    /// It gets entries and hands over entries, its own and others'.
    #[default]
    Write,
}

impl Permission {
    /// Its name: `denied`, `read` or `write`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Decides what a device may do with a journal. It is asked when the device opens the journal, and again
/// before each message about it: what it answers holds from the next message on.
///
/// The device is the one that has proved to hold its key, never one that a message names. Who has *signed* an
/// entry is another question: see [`SignerPolicy`](crate::SignerPolicy).
pub trait PermissionPolicy: Debug + Send + Sync {
    /// What this device may do with this journal. Called often: it must not wait.
    fn permission(&self, device: &DeviceId, journal: &JournalId) -> Permission;
}

/// A table of permissions: a policy as data.
///
/// Of what was set, the most exact holds: for the device in the journal, for all devices in the journal, for
/// the device in all journals, for all.
///
/// ```
/// use isoroot::{DeviceKey, Genesis, Permission, PermissionPolicy, Permissions};
///
/// let (team, writer) = (Genesis::named("team").journal(), DeviceKey::from_seed([1; 32]).device());
/// let mut permissions = Permissions::of_all(Permission::Denied);
/// permissions.set(Some(team), None, Permission::Read);
/// permissions.set(Some(team), Some(writer), Permission::Write);
/// let other = DeviceKey::from_seed([2; 32]).device();
/// assert_eq!(permissions.permission(&writer, &team), Permission::Write);
/// assert_eq!(permissions.permission(&other, &team), Permission::Read);
/// assert_eq!(permissions.permission(&writer, &Genesis::named("other").journal()), Permission::Denied);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Permissions(LiteMap<(Option<JournalId>, Option<DeviceId>), Permission>);

impl Permissions {
    /// The same for every device in every journal.
    pub fn of_all(permission: Permission) -> Self {
        let mut permissions = Self::default();
        permissions.set(None, None, permission);
        permissions
    }

    /// Sets what a device, or every device, may do with a journal, or with every journal.
    pub fn set(&mut self, journal: Option<JournalId>, device: Option<DeviceId>, permission: Permission) {
        self.0.insert((journal, device), permission);
    }
}

impl PermissionPolicy for Permissions {
    /// The most exact that was set. Where nothing is set for anybody, everyone may write.
    fn permission(&self, device: &DeviceId, journal: &JournalId) -> Permission {
        let (journal, device) = (Some(*journal), Some(*device));
        let exact_first = [(journal, device), (journal, None), (None, device), (None, None)];
        exact_first.iter().find_map(|who| self.0.get(who)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f89_the_most_exact_permission_holds_and_without_any_everyone_may_write() {
        let (journals, devices) = (
            [1, 2].map(|byte| JournalId::from_bytes([byte; 32])),
            [3, 4].map(|byte| DeviceId::from_bytes([byte; 32])),
        );
        let ([here, there], [one, other]) = (journals, devices);
        assert_eq!(Permissions::default().permission(&one, &here), Permission::Write);
        // Set in every order, the answers are the same.
        let all = [
            (None, None, Permission::Denied),
            (None, Some(one), Permission::Read),
            (Some(here), None, Permission::Write),
            (Some(here), Some(one), Permission::Denied),
        ];
        for first in 0..all.len() {
            let mut permissions = Permissions::default();
            for (journal, device, permission) in all.iter().cycle().skip(first).take(all.len()) {
                permissions.set(*journal, *device, *permission);
            }
            assert_eq!(permissions.permission(&one, &here), Permission::Denied);
            assert_eq!(permissions.permission(&other, &here), Permission::Write);
            assert_eq!(permissions.permission(&one, &there), Permission::Read);
            assert_eq!(permissions.permission(&other, &there), Permission::Denied);
        }
        assert!(Permission::Denied < Permission::Read && Permission::Read < Permission::Write);
    }
}
