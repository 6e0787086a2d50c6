//! Evidence: all that somebody needs who has a root to see that an entry is in the journal, or is not.

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::crypto::hash::Hash;
use crate::error::{Code, Fault};
use crate::fact::entry::Entry;
use crate::fact::unchecked::{EntryError, UncheckedEntry};
use crate::ids::{EntryId, JournalId};
use crate::limits::{EVIDENCE_BYTES, RECORD_BYTES};
use crate::merkle::proof::{Proof, ProofError};
use crate::merkle::subtree::Root;

/// The version that evidence begins with.
const VERSION: u64 = 1;

/// What somebody can be handed who trusts a root and has no journal: an entry with the proof that it is in,
/// or an id with the proof that it is not.
///
/// A fact is proved by its whole entry. That an id is not in says nothing about what its entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    journal: JournalId,
    id: EntryId,
    record: Option<Vec<u8>>,
    proof: Proof,
}

/// What evidence shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This entry is in the journal. Its device has signed it.
    In(Entry),
    /// No entry with this id is in the journal.
    NotIn(EntryId),
}

/// Why evidence does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Malformed: more bytes than evidence takes.
    #[error("evidence takes at most {EVIDENCE_BYTES} bytes, not {bytes}")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// Malformed: not the canonical bytes of evidence.
    #[error("this is no evidence: {0}")]
    Malformed(#[from] DecodeError),
    /// The proof is malformed or false.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// False: the record is no entry of the journal.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// False: the record is another entry than the proof is about.
    #[error("the record is the entry {found}, the proof is about {claimed}")]
    OtherEntry {
        /// What the proof is about.
        claimed: EntryId,
        /// What the record is.
        found: EntryId,
    },
}

impl EvidenceError {
    /// The stable code: `PROOF_MALFORMED` for bytes that are no evidence, `PROOF_FALSE` for evidence that
    /// does not show what it claims.
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } | Self::Malformed(_) => Code::new("PROOF_MALFORMED"),
            Self::Proof(error) => error.code(),
            Self::Entry(_) | Self::OtherEntry { .. } => Code::new("PROOF_FALSE"),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Proof(error) => error.fault(),
            Self::TooLarge { .. } | Self::Malformed(_) | Self::Entry(_) | Self::OtherEntry { .. } => {
                Fault::Peer
            }
        }
    }
}

impl Evidence {
    /// That the entry with this id and record is in, or without a record that it is not.
    pub(crate) fn new(journal: JournalId, id: EntryId, record: Option<Vec<u8>>, proof: Proof) -> Self {
        Self { journal, id, record, proof }
    }

    /// Reads evidence.
    ///
    /// # Errors
    /// When the bytes are none: the codes of these errors are `PROOF_MALFORMED`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > EVIDENCE_BYTES {
            return Err(EvidenceError::TooLarge { bytes: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        reader.array_of("parts of evidence", 5)?;
        let position = reader.position();
        if reader.unsigned()? != VERSION {
            return Err(Reader::out_of_bounds(position, "version").into());
        }
        let journal = JournalId::from_bytes(reader.array_of_bytes("a journal's id of 32 bytes")?);
        let id = EntryId::from_bytes(reader.array_of_bytes("an entry's id of 32 bytes")?);
        let position = reader.position();
        let record = reader.optional(Reader::bytes)?;
        if record.is_some_and(|record| record.len() > RECORD_BYTES) {
            return Err(Reader::out_of_bounds(position, "record").into());
        }
        let proof = reader.bytes()?;
        reader.end()?;
        Ok(Self { journal, id, record: record.map(<[u8]>::to_vec), proof: Proof::from_bytes(proof)? })
    }

    /// Its bytes: canonical CBOR of version, journal, id, record or null, proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(5).unsigned(VERSION).bytes(self.journal.as_bytes()).bytes(self.id.as_bytes());
        match &self.record {
            Some(record) => writer.bytes(record),
            None => writer.null(),
        };
        writer.bytes(&self.proof.to_bytes());
        writer.into_bytes()
    }

    /// The journal that it is said to be about. An entry names its journal itself, so that the check finds
    /// a false one; to a claim that an id is not in, this adds nothing: there the root alone counts.
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    /// The entry that it is about.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Whether it claims that the entry is in.
    pub fn claims_in(&self) -> bool {
        self.record.is_some()
    }

    /// The proof in it.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The root that it would hold for. **It shows nothing by itself**, see [`Proof::claimed_root`].
    ///
    /// # Errors
    /// When the proof is about other ids.
    pub fn claimed_root(&self) -> Result<Root, ProofError> {
        self.proof.claimed_root(&[self.id])
    }

    /// Checks the claim against a root that is trusted: the proof, and if there is an entry that it is
    /// what its id says and that its device has signed it.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn verify(&self, root: &Hash) -> Result<Verdict, EvidenceError> {
        let Some(record) = &self.record else {
            self.proof.verify_exclusion(root, &self.id)?;
            return Ok(Verdict::NotIn(self.id));
        };
        self.proof.verify_inclusion(root, &self.id)?;
        let entry = UncheckedEntry::new(record.clone()).check(&self.journal)?;
        match entry.id() {
            found if found == self.id => Ok(Verdict::In(entry)),
            found => Err(EvidenceError::OtherEntry { claimed: self.id, found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sign::DeviceKey;
    use crate::fact::entry::Draft;
    use crate::fact::genesis::Genesis;
    use crate::fact::statement::Fact;
    use crate::merkle::map::MerkleMap;

    fn entry(text: &str) -> Entry {
        let key = DeviceKey::from_seed([1; 32]);
        let draft = Draft::new(key.device(), &[Fact::new("p", text)]).unwrap();
        Entry::sign(&journal(), &key, &[], 1, &draft).unwrap()
    }

    fn journal() -> JournalId {
        Genesis::named("evidence").journal()
    }

    fn evidence(entry: &Entry, map: &MerkleMap) -> Evidence {
        let record = map.contains(&entry.id()).then(|| entry.record().to_vec());
        Evidence::new(journal(), entry.id(), record, map.prove(&[entry.id()]).unwrap())
    }

    #[test]
    fn c5_evidence_shows_an_entry_or_that_there_is_none() {
        let (one, two, other) = (entry("one"), entry("two"), entry("other"));
        let map = MerkleMap::from_ids(vec![one.id(), two.id()]);
        let root = map.root();
        let shown = evidence(&one, &map);
        assert_eq!(shown.verify(&root.hash), Ok(Verdict::In(one.clone())));
        let absent = evidence(&other, &map);
        assert_eq!(absent.verify(&root.hash), Ok(Verdict::NotIn(other.id())));
        for evidence in [&shown, &absent] {
            assert_eq!(Evidence::from_bytes(&evidence.to_bytes()).as_ref(), Ok(evidence));
            assert_eq!(evidence.claimed_root(), Ok(root));
            assert_eq!(evidence.claims_in(), *evidence == shown);
            let false_root = evidence.verify(&MerkleMap::new().root().hash).unwrap_err();
            assert_eq!(false_root, ProofError::OtherRoot { found: root.hash }.into());
        }
    }

    #[test]
    fn c5_evidence_with_another_part_is_false() {
        let (one, two) = (entry("one"), entry("two"));
        let map = MerkleMap::from_ids(vec![one.id()]);
        let root = map.root().hash;
        let (shown, absent) = (evidence(&one, &map), evidence(&two, &map));
        let with = |change: &dyn Fn(&mut Evidence)| {
            let mut changed = shown.clone();
            change(&mut changed);
            let changed = Evidence::from_bytes(&changed.to_bytes()).unwrap();
            let error = changed.verify(&root).unwrap_err();
            assert_eq!((error.code(), error.fault()), (Code::new("PROOF_FALSE"), Fault::Peer));
            error
        };
        let other = with(&|evidence| evidence.record = Some(two.record().to_vec()));
        assert_eq!(other, EvidenceError::OtherEntry { claimed: one.id(), found: two.id() });
        assert_eq!(with(&|evidence| evidence.record = None), ProofError::Present.into());
        let forged = with(&|evidence| *evidence.record.as_mut().unwrap().last_mut().unwrap() ^= 1);
        assert_eq!(forged, EntryError::BadSignature.into());
        let journal = with(&|evidence| evidence.journal = Genesis::named("other").journal());
        assert_eq!(journal, EntryError::WrongJournal.into());
        let unfit = with(&|evidence| evidence.record = Some(vec![0]));
        assert!(matches!(unfit, EvidenceError::Entry(EntryError::Malformed(_))), "{unfit:?}");
        assert!(matches!(with(&|evidence| evidence.id = two.id()), EvidenceError::Proof(_)));
        let mut claimed = absent;
        claimed.record = Some(two.record().to_vec());
        assert_eq!(claimed.verify(&root), Err(ProofError::Absent.into()));
    }

    #[test]
    fn c5_bytes_that_are_no_evidence_are_malformed_and_none_harms() {
        let (one, two) = (entry("one"), entry("two"));
        let map = MerkleMap::from_ids(vec![one.id()]);
        for of in [&one, &two] {
            let bytes = evidence(of, &map).to_bytes();
            let malformed = |bytes: &[u8]| {
                let error = Evidence::from_bytes(bytes).unwrap_err();
                assert_eq!(error.code(), Code::new("PROOF_MALFORMED"), "{error}");
            };
            for len in 0..bytes.len() {
                malformed(&bytes[..len]);
            }
            malformed(&[&bytes[..], &[0]].concat());
            malformed(&[&[0x85, 0x02], &bytes[2..]].concat());
            malformed(&vec![0; EVIDENCE_BYTES + 1]);
            let mut flipped = bytes.clone();
            for bit in 0..bytes.len() * 8 {
                flipped[bit / 8] ^= 1 << (bit % 8);
                let checked = Evidence::from_bytes(&flipped).and_then(|read| read.verify(&map.root().hash));
                // In a claim of absence the journal is the sender's word, and no part of what is shown;
                // and with another id it may be as true, but of that one.
                let absent = of.id() == two.id();
                match checked {
                    Ok(Verdict::NotIn(id)) if id == two.id() => {
                        assert!(absent && (4..36).contains(&(bit / 8)))
                    }
                    Ok(Verdict::NotIn(_)) => assert!(absent && (38..70).contains(&(bit / 8))),
                    checked => assert!(checked.is_err(), "bit {bit}"),
                }
                flipped[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn c5_evidence_holds_the_largest_record_and_proof() {
        let deep = [0, 255].map(|bit: usize| {
            let mut bytes = [0; 32];
            bytes[bit / 8] ^= 1;
            EntryId::from_bytes(bytes)
        });
        let proof = MerkleMap::from_ids(deep.to_vec()).prove(&deep[..1]).unwrap();
        // Hashes all the way would take 32 bytes more for each of 256 forks.
        let most = proof.to_bytes().len() + 256 * 32;
        assert!(RECORD_BYTES + most + 128 <= EVIDENCE_BYTES);
        let large = Evidence::new(journal(), deep[0], Some(vec![7; RECORD_BYTES]), proof.clone());
        assert_eq!(Evidence::from_bytes(&large.to_bytes()).as_ref(), Ok(&large));
        let larger = Evidence::new(journal(), deep[0], Some(vec![7; RECORD_BYTES + 1]), proof);
        assert!(Evidence::from_bytes(&larger.to_bytes()).is_err());
    }
}
