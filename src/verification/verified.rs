//! What was judged, in types that only judging makes.

use core::ops::Deref;

/// Something that was proved to be under a claimed root, and is authentic.
///
/// Whoever takes one needs to check nothing more, and there is no way to make one up:
///
/// ```compile_fail
/// fn make_up(entry: isoroot::Entry) -> isoroot::Verified<isoroot::Entry> {
///     isoroot::Verified { value: entry, known: false, ahead: false }
/// }
/// ```
///
/// A journal's verifier applies what is verified, and nothing that is only authentic:
///
/// ```
/// async fn apply(node: isoroot::SyncNode, entry: isoroot::Verified<isoroot::Entry>) {
///     drop(node.verifier().apply(vec![entry]).await);
/// }
/// ```
///
/// ```compile_fail
/// async fn apply(node: isoroot::SyncNode, entry: isoroot::Entry) {
///     drop(node.verifier().apply(vec![entry]).await);
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T> {
    value: T,
    known: bool,
    ahead: bool,
}

/// Something that is authentic, and for which no proof came: it may be under the claimed root or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Unproved<T> {
    value: T,
    known: bool,
    ahead: bool,
}

/// The same for what is proved and what is not.
macro_rules! judged {
    ($name:ident) => {
        impl<T> $name<T> {
            pub(in crate::verification) fn new(value: T, known: bool, ahead: bool) -> Self {
                Self { value, known, ahead }
            }

            /// Whether its entry was in the journal here already, so that applying it changes nothing.
            pub fn is_known(&self) -> bool {
                self.known
            }

            /// Whether its entry is over 300,000 ms ahead of the clock here: a mark, no verdict.
            pub fn is_ahead(&self) -> bool {
                self.ahead
            }

            /// What was judged.
            pub fn into_inner(self) -> T {
                self.value
            }

            pub(in crate::verification) fn with<U>(&self, value: U) -> $name<U> {
                $name { value, known: self.known, ahead: self.ahead }
            }
        }

        impl<T> Deref for $name<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.value
            }
        }
    };
}

judged!(Verified);
judged!(Unproved);
