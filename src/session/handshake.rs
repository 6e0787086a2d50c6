//! How two nodes prove to each other who they are.
//!
//! `Hello` → `HelloAck` → `Auth`. Both signatures cover, under a label that names the signer's role,
//! the whole transcript: versions offered and chosen, both nonces, both identities and stores, the address
//! dialled and the transport's binding. So a handshake can't be replayed, reflected, passed on to a
//! third party or talked down to an older version.

use crate::crypto::hash::{self, Hash};
use crate::crypto::sign::{self, DeviceKey};
use crate::ids::{DeviceId, StoreId};
use crate::session::failure::PeerError;
use crate::session::message::{Hello, HelloAck, SUITE, VERSION};

/// Hash over everything that both sides have said: what they sign.
fn transcript(hello: &Hello, ack: &HelloAck, binding: &[u8]) -> Hash {
    let hello = crate::session::message::Message::Hello(hello.clone()).encode();
    let ack = ack.unsigned();
    let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
    hash::labelled("handshake", &[&length(&hello), &hello, &length(&ack), &ack, &length(binding), binding])
}

/// What the accepting side signs.
fn acceptor_message(transcript: &Hash) -> Hash {
    hash::labelled("handshake/acceptor", &[transcript])
}

/// What the dialling side signs, once it has seen the other's signature.
fn dialler_message(transcript: &Hash, acceptor_signature: &[u8; 64]) -> Hash {
    hash::labelled("handshake/dialler", &[transcript, acceptor_signature])
}

/// The dialling side, after its hello.
#[derive(Debug)]
pub(crate) struct Dialler {
    pub(crate) hello: Hello,
    /// The device that must answer, if one is expected.
    pub(crate) expected: Option<DeviceId>,
    pub(crate) binding: Vec<u8>,
}

impl Dialler {
    /// Checks the answer; the signature for `Auth`.
    pub(crate) fn finish(&self, ack: &HelloAck, key: &DeviceKey) -> Result<[u8; 64], PeerError> {
        let (lowest, highest) = self.hello.versions;
        if !(lowest..=highest).contains(&ack.version) {
            return Err(PeerError::Version { lowest: ack.version, highest: ack.version });
        }
        if ack.suite != self.hello.suite {
            return Err(PeerError::Suite { offered: ack.suite });
        }
        let transcript = transcript(&self.hello, ack, &self.binding);
        if !sign::verify(&ack.device, &acceptor_message(&transcript), &ack.signature) {
            return Err(PeerError::Unauthenticated);
        }
        if let Some(expected) = self.expected
            && expected != ack.device
        {
            return Err(PeerError::WrongDevice { expected, found: ack.device });
        }
        Ok(key.sign(&dialler_message(&transcript, &ack.signature)))
    }
}

/// The accepting side, after its answer.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) device: DeviceId,
    /// The dialling side's store.
    pub(crate) store: StoreId,
    expected_message: Hash,
}

impl Acceptor {
    /// Answers a hello. `names` are the addresses under which this node may be dialled, if they are
    /// known; `nonce` is 32 fresh random bytes, `store` that of this side.
    pub(crate) fn answer(
        hello: &Hello,
        names: Option<&[String]>,
        nonce: [u8; 32],
        binding: &[u8],
        (key, store): (&DeviceKey, StoreId),
    ) -> Result<(Self, HelloAck), PeerError> {
        let (lowest, highest) = hello.versions;
        if !(lowest..=highest).contains(&VERSION) {
            return Err(PeerError::Version { lowest, highest });
        }
        if hello.suite != SUITE {
            return Err(PeerError::Suite { offered: hello.suite });
        }
        if names.is_some_and(|names| !names.contains(&hello.address)) {
            return Err(PeerError::Address { dialled: hello.address.clone() });
        }
        let (device, signature) = (key.device(), [0; 64]);
        let mut ack = HelloAck { version: VERSION, suite: SUITE, nonce, device, store, signature };
        let transcript = transcript(hello, &ack, binding);
        ack.signature = key.sign(&acceptor_message(&transcript));
        let expected_message = dialler_message(&transcript, &ack.signature);
        Ok((Self { device: hello.device, store: hello.store, expected_message }, ack))
    }

    /// Checks the dialling side's proof.
    pub(crate) fn finish(&self, signature: &[u8; 64]) -> Result<DeviceId, PeerError> {
        if sign::verify(&self.device, &self.expected_message, signature) {
            Ok(self.device)
        } else {
            Err(PeerError::Unauthenticated)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(key: &DeviceKey) -> Hello {
        let address = "hub.example:443".to_owned();
        Hello {
            versions: (1, 1),
            suite: SUITE,
            nonce: [7; 32],
            device: key.device(),
            store: store(1),
            address,
        }
    }

    fn store(byte: u8) -> StoreId {
        StoreId::from_bytes([byte; 16])
    }

    fn keys() -> [DeviceKey; 3] {
        [1, 2, 3].map(|seed| DeviceKey::from_seed([seed; 32]))
    }

    #[test]
    fn d7_both_sides_prove_who_they_are() {
        let [alice, bob, _] = keys();
        let dialler = Dialler { hello: hello(&alice), expected: Some(bob.device()), binding: vec![] };
        let (acceptor, ack) = Acceptor::answer(&dialler.hello, None, [8; 32], &[], (&bob, store(2))).unwrap();
        let auth = dialler.finish(&ack, &alice).unwrap();
        assert_eq!(acceptor.finish(&auth), Ok(alice.device()));
    }

    #[test]
    fn d7_whatever_differs_between_the_ends_is_noticed() {
        let [alice, bob, mallory] = keys();
        let dialler = Dialler { hello: hello(&alice), expected: None, binding: vec![1] };
        let answer = |hello: &Hello, binding: &[u8]| {
            Acceptor::answer(hello, None, [8; 32], binding, (&bob, store(2))).unwrap()
        };
        let unauthenticated = Err(PeerError::Unauthenticated);
        let mut heard: Vec<Hello> = vec![dialler.hello.clone(); 5];
        heard[0].nonce[31] ^= 1;
        heard[1].device = mallory.device();
        heard[2].address = "elsewhere:443".into();
        heard[3].versions = (1, 2);
        heard[4].store = store(3);
        for hello in &heard {
            let (_, ack) = answer(hello, &[1]);
            assert_eq!(dialler.finish(&ack, &alice), unauthenticated, "{hello:?}");
        }
        let (_, ack) = answer(&dialler.hello, &[2]);
        assert_eq!(dialler.finish(&ack, &alice), unauthenticated, "another transport");
        let (acceptor, ack) = answer(&dialler.hello, &[1]);
        let mut altered = [ack.clone(), ack.clone(), ack.clone(), ack.clone()];
        altered[0].nonce[0] ^= 1;
        altered[1].device = mallory.device();
        altered[2].signature[0] ^= 1;
        altered[3].store = store(3);
        for ack in &altered {
            assert_eq!(dialler.finish(ack, &alice), unauthenticated, "{ack:?}");
        }
        let auth = dialler.finish(&ack, &mallory).unwrap();
        assert_eq!(acceptor.finish(&auth), Err(PeerError::Unauthenticated), "another's key");
        assert_eq!(acceptor.finish(&ack.signature), Err(PeerError::Unauthenticated), "reflected");
        let dialler = Dialler { expected: Some(mallory.device()), ..dialler };
        assert!(matches!(dialler.finish(&ack, &alice), Err(PeerError::WrongDevice { .. })));
    }

    #[test]
    fn d7_foreign_addresses_and_versions_are_refused() {
        let [alice, bob, _] = keys();
        let mut hello = hello(&alice);
        let names = ["other.example:443".to_owned()];
        let refused = Acceptor::answer(&hello, Some(&names), [8; 32], &[], (&bob, store(2))).unwrap_err();
        assert_eq!(refused, PeerError::Address { dialled: hello.address.clone() });
        hello.versions = (2, 3);
        let refused = Acceptor::answer(&hello, None, [8; 32], &[], (&bob, store(2))).unwrap_err();
        assert_eq!(refused, PeerError::Version { lowest: 2, highest: 3 });
        hello.versions = (0, 3);
        hello.suite = 1;
        let refused = Acceptor::answer(&hello, None, [8; 32], &[], (&bob, store(2))).unwrap_err();
        assert_eq!(refused, PeerError::Suite { offered: 1 });
    }
}
