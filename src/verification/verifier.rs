//! The verifier: entries and facts that somebody hands over, judged one by one against a claimed root.

use std::sync::Arc;

use crate::crypto::hash::Hash;
use crate::crypto::sign;
use crate::error::Code;
use crate::fact::candidate::{Candidate, Outline};
use crate::fact::entry::{Entry, EpochTag, entry_id};
use crate::fact::statement::Fact;
use crate::ids::{AuthorityId, DeviceId, EntryId, FactId, JournalId};
use crate::limits::{AHEAD, PROOF_IDS, RECORD_BYTES};
use crate::merkle::map::MerkleMap;
use crate::merkle::proof::Proof;
use crate::time::WallTime;
use crate::verification::policy::{AuthorityRule, OpenPolicy, SignerPolicy, Standing};
use crate::verification::rejection::{NotUnderRoot, Rejection};
use crate::verification::verified::{Unproved, Verified};

/// An entry that is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Submission {
    /// Its bytes, as signed.
    pub record: Vec<u8>,
    /// The id that it is said to have, if one is named.
    pub id: Option<EntryId>,
    /// The bytes of a [`Proof`] about its id alone. Looked at only under [`Shown::Each`].
    pub proof: Option<Vec<u8>>,
}

/// How entries are shown to be under the claimed root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Shown {
    /// Not at all: what is authentic is unproved.
    #[default]
    Not,
    /// Together they are all that is under it.
    FullSet,
    /// Each by a proof of its own; one that has none is unproved.
    Each,
    /// All by one proof, these bytes, about the ids of all that are handed over.
    Together(Vec<u8>),
}

/// A fact that is handed over with its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactClaim {
    /// The name of the fact.
    pub id: FactId,
    /// What it is said to say; nothing where the entry is to tell.
    pub says: Option<Fact>,
    /// The whole entry's bytes, as signed.
    pub record: Vec<u8>,
    /// The bytes of a [`Proof`] about the entry's id; without one the fact is unproved.
    pub proof: Option<Vec<u8>>,
}

/// A fact that an authentic entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedFact {
    /// Its name.
    pub id: FactId,
    /// The device that signed it.
    pub device: DeviceId,
    /// The entry's timestamp: hybrid logical clock in microseconds since 1970.
    pub entry_timestamp: u64,
    /// The fact.
    pub fact: Fact,
}

/// What is rejected, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Zero-based place among what was handed over.
    pub place: usize,
    /// The id of the bytes, entry or not.
    pub id: EntryId,
    /// The first reason.
    pub reason: Rejection,
}

/// The verdicts on all that was handed over, each in the order of handing over.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification<T> {
    /// What is authentic, and proved to be under the claimed root.
    pub verified: Vec<Verified<T>>,
    /// What is authentic, and came without a proof.
    pub unproved: Vec<Unproved<T>>,
    /// What is neither.
    pub rejected: Vec<Rejected>,
    /// How many came more than once: each is judged once, where it came first.
    pub duplicates: usize,
}

/// Why nothing at all was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Over 10,000 were handed over at once.
    #[error("{0} were handed over at once, of at most {PROOF_IDS}")]
    TooMany(usize),
    /// The clock could not be read.
    #[error("the clock cannot be read, so nothing can be told of what is ahead of it")]
    Clock,
}

impl VerifyError {
    /// The stable code.
    pub fn code(self) -> Code {
        Code::new(match self {
            Self::TooMany(_) => "TOO_MANY",
            Self::Clock => "CLOCK",
        })
    }
}

/// Judges entries of one journal. Cheap to clone; holds no state but whom to trust.
#[derive(Clone)]
pub struct MerkleVerifier {
    journal: JournalId,
    policy: Arc<dyn SignerPolicy>,
}

/// What is looked for besides the records themselves.
struct Circumstances<'a> {
    claimed: &'a Hash,
    is_known: &'a dyn Fn(&EntryId) -> bool,
    wall: WallTime,
}

/// One that passed all but its signature.
struct Passed {
    place: usize,
    candidate: Candidate,
    is_proved: bool,
}

impl MerkleVerifier {
    /// A verifier for an open journal, where every device may write.
    pub fn open(journal: JournalId) -> Self {
        Self::with_policy(journal, Arc::new(OpenPolicy))
    }

    /// A verifier that trusts whom `policy` says.
    pub fn with_policy(journal: JournalId, policy: Arc<dyn SignerPolicy>) -> Self {
        Self { journal, policy }
    }

    /// The journal.
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    pub(in crate::verification) fn policy(&self) -> &dyn SignerPolicy {
        &*self.policy
    }

    /// Judges whole entries against the hash of a claimed root.
    ///
    /// `is_known` says which entries are here already. `wall` is the clock here, nothing if it cannot be
    /// read: it decides marks, and what to refuse where the policy wants that.
    ///
    /// # Errors
    /// When nothing can be judged.
    pub fn verify_entries(
        &self,
        claimed: &Hash,
        entries: Vec<Submission>,
        shown: &Shown,
        is_known: &dyn Fn(&EntryId) -> bool,
        wall: Option<WallTime>,
    ) -> Result<Verification<Entry>, VerifyError> {
        let wall = readable(entries.len(), wall)?;
        let around = Circumstances { claimed, is_known, wall };
        let ids: Vec<_> = entries.iter().map(|entry| entry_id(&self.journal, &entry.record)).collect();
        let together = Together::of(claimed, shown, &ids);
        let is_first = firsts(&ids);
        let mut verification = Verification::new();
        let mut passed = Vec::with_capacity(entries.len());
        for (((place, entry), id), is_first) in entries.into_iter().enumerate().zip(ids).zip(is_first) {
            if !is_first {
                verification.duplicates = verification.duplicates.saturating_add(1);
                continue;
            }
            let own = entry.proof.as_deref();
            match self.examine(entry.record, id, entry.id, || together.shows(&around, &id, own)) {
                Ok((candidate, is_proved)) => passed.push(Passed { place, candidate, is_proved }),
                Err(reason) => verification.rejected.push(Rejected { place, id, reason }),
            }
        }
        self.conclude(&around, passed, &mut verification);
        Ok(verification)
    }

    /// Judges facts, each with its whole entry and a proof about that, against the hash of a claimed root.
    /// Two facts of one entry come as two claims.
    ///
    /// The rest is as in [`verify_entries`](Self::verify_entries).
    ///
    /// # Errors
    /// When nothing can be judged.
    pub fn verify_facts(
        &self,
        claimed: &Hash,
        facts: Vec<FactClaim>,
        is_known: &dyn Fn(&EntryId) -> bool,
        wall: Option<WallTime>,
    ) -> Result<Verification<SignedFact>, VerifyError> {
        readable(facts.len(), wall)?;
        let mut all = Verification::new();
        let names: Vec<_> = facts.iter().map(|claim| claim.id).collect();
        for ((place, claim), is_first) in facts.into_iter().enumerate().zip(firsts(&names)) {
            if !is_first {
                all.duplicates = all.duplicates.saturating_add(1);
                continue;
            }
            let shown = Shown::Each;
            let entry = Submission { record: claim.record, id: Some(claim.id.entry), proof: claim.proof };
            let judged = self.verify_entries(claimed, vec![entry], &shown, is_known, wall)?;
            let (id, says) = (claim.id, claim.says.as_ref());
            for Rejected { id, reason, .. } in judged.rejected {
                all.rejected.push(Rejected { place, id, reason });
            }
            for entry in &judged.verified {
                match fact_of(entry, id, says) {
                    Ok(fact) => all.verified.push(entry.with(fact)),
                    Err(reason) => all.rejected.push(Rejected { place, id: id.entry, reason }),
                }
            }
            for entry in &judged.unproved {
                match fact_of(entry, id, says) {
                    Ok(fact) => all.unproved.push(entry.with(fact)),
                    Err(reason) => all.rejected.push(Rejected { place, id: id.entry, reason }),
                }
            }
        }
        Ok(all)
    }

    /// Everything about one record but its signature, in the order of [`Rejection`]; whether it is proved.
    fn examine(
        &self,
        record: Vec<u8>,
        id: EntryId,
        named: Option<EntryId>,
        shown: impl FnOnce() -> Result<bool, NotUnderRoot>,
    ) -> Result<(Candidate, bool), Rejection> {
        if record.len() > RECORD_BYTES {
            return Err(Rejection::TooLarge { bytes: record.len() });
        }
        let outline = Outline::of(&record);
        if let Some(version) = outline.version
            && version != crate::fact::entry::VERSION
        {
            return Err(Rejection::Version(version));
        }
        if outline.version.is_some() && !outline.names_signer {
            return Err(Rejection::SignerMissing);
        }
        if outline.version.is_some() && !outline.is_signed {
            return Err(Rejection::SignatureMissing);
        }
        let candidate = Candidate::read(&self.journal, record)?;
        if named.is_some_and(|named| named != id) {
            return Err(Rejection::BadId { found: id });
        }
        let device = candidate.device();
        if !sign::is_key(&device) {
            return Err(Rejection::KeyMalformed);
        }
        let epoch = EpochTag::open(&self.journal).number;
        match self.policy.standing(&device, epoch) {
            Standing::Writer => {}
            Standing::Unknown => return Err(Rejection::UnknownSigner),
            Standing::NotAMember => return Err(Rejection::NotAMember { epoch }),
        }
        for (authority, place) in candidate.authorities().zip(0u16..) {
            if let Some(authority) = authority
                && !self.policy.is_certified(&authority, &device)
            {
                return Err(Rejection::AuthorityNotCertified { fact: place, authority });
            }
        }
        let is_proved = shown().map_err(Rejection::NotUnderRoot)?;
        Ok((candidate, is_proved))
    }

    /// Signatures, all together, and what comes after them.
    fn conclude(
        &self,
        around: &Circumstances<'_>,
        passed: Vec<Passed>,
        verification: &mut Verification<Entry>,
    ) {
        let (places, candidates): (Vec<_>, Vec<_>) = passed
            .into_iter()
            .map(|Passed { place, candidate, is_proved }| ((place, candidate.id(), is_proved), candidate))
            .unzip();
        let checked = Candidate::check_all(&self.journal, candidates);
        for ((place, id, is_proved), entry) in places.into_iter().zip(checked) {
            match entry.map_err(Rejection::from).and_then(|entry| self.last(around, entry)) {
                Ok((entry, ahead)) => {
                    let known = (around.is_known)(&id);
                    match is_proved {
                        true => verification.verified.push(Verified::new(entry, known, ahead)),
                        false => verification.unproved.push(Unproved::new(entry, known, ahead)),
                    }
                }
                Err(reason) => verification.rejected.push(Rejected { place, id, reason }),
            }
        }
        verification.rejected.sort_by_key(|rejected| rejected.place);
    }

    /// The mark of time and the authorities; whether the entry is ahead.
    fn last(&self, around: &Circumstances<'_>, entry: Entry) -> Result<(Entry, bool), Rejection> {
        let ahead = entry.timestamp() > around.wall.after(AHEAD).as_micros();
        if ahead && self.policy.refuses_ahead() {
            let micros = entry.timestamp().saturating_sub(around.wall.as_micros());
            return Err(Rejection::Ahead { micros });
        }
        let rule = self.policy.authorities();
        if rule == AuthorityRule::Any {
            return Ok((entry, ahead));
        }
        let own = AuthorityId::from_bytes(*entry.device().as_bytes());
        let signers = self.policy.authority_of(&entry.device());
        for ((_, authority), place) in entry.topics().zip(0u16..) {
            if rule == AuthorityRule::Present && authority.is_none() {
                return Err(Rejection::AuthorityMissing { fact: place });
            }
            if rule == AuthorityRule::Signers && authority.unwrap_or(own) != signers {
                return Err(Rejection::AuthorityNotSigners { fact: place });
            }
        }
        Ok((entry, ahead))
    }
}

impl<T> Verification<T> {
    fn new() -> Self {
        Self { verified: Vec::new(), unproved: Vec::new(), rejected: Vec::new(), duplicates: 0 }
    }
}

/// The clock, if all can be judged.
fn readable(count: usize, wall: Option<WallTime>) -> Result<WallTime, VerifyError> {
    if count > PROOF_IDS {
        return Err(VerifyError::TooMany(count));
    }
    wall.ok_or(VerifyError::Clock)
}

/// What is shown of all entries at once, found out once.
enum Together {
    /// Nothing.
    Not,
    /// Each has a proof of its own.
    Each,
    /// All, or none.
    All(Result<(), NotUnderRoot>),
    /// Those of these ids, ascending, that are marked so.
    Some(Vec<(EntryId, bool)>),
}

impl Together {
    fn of(claimed: &Hash, shown: &Shown, ids: &[EntryId]) -> Self {
        match shown {
            Shown::Not => Self::Not,
            Shown::Each => Self::Each,
            Shown::FullSet => {
                let root = MerkleMap::from_ids(ids.to_vec()).root();
                Self::All(if root.hash == *claimed { Ok(()) } else { Err(NotUnderRoot::OtherSet) })
            }
            Shown::Together(proof) => {
                let ids = ascending(ids);
                let inside = Proof::from_bytes(proof).and_then(|proof| proof.verify(claimed, &ids));
                match inside {
                    Ok(inside) => Self::Some(ids.into_iter().zip(inside).collect()),
                    Err(error) => Self::All(Err(error.into())),
                }
            }
        }
    }

    /// Whether the entry is shown to be under the claimed root; false without any proof.
    fn shows(
        &self,
        around: &Circumstances<'_>,
        id: &EntryId,
        own: Option<&[u8]>,
    ) -> Result<bool, NotUnderRoot> {
        match self {
            Self::Not => Ok(false),
            Self::All(all) => all.clone().map(|()| true),
            Self::Some(inside) => {
                let place = inside.binary_search_by(|(known, _)| known.cmp(id)).ok();
                match place.and_then(|place| inside.get(place)) {
                    Some((_, true)) => Ok(true),
                    _ => Err(NotUnderRoot::Absent),
                }
            }
            Self::Each => {
                let Some(proof) = own else { return Ok(false) };
                match Proof::from_bytes(proof)?.verify(around.claimed, &[*id])?.first() {
                    Some(true) => Ok(true),
                    _ => Err(NotUnderRoot::Absent),
                }
            }
        }
    }
}

/// For each whether it is the first of its like.
fn firsts<T: Ord>(names: &[T]) -> Vec<bool> {
    let mut order: Vec<_> = names.iter().zip(0usize..).collect();
    order.sort();
    let mut firsts = vec![true; names.len()];
    for ((name, _), (next, place)) in order.iter().zip(order.iter().skip(1)) {
        if name == next
            && let Some(first) = firsts.get_mut(*place)
        {
            *first = false;
        }
    }
    firsts
}

/// Each id once, in order.
fn ascending(ids: &[EntryId]) -> Vec<EntryId> {
    let mut ids = ids.to_vec();
    crate::merkle::prefix::sort(&mut ids);
    ids.dedup();
    ids
}

/// The fact of an entry at a place, if it says what it is said to say.
fn fact_of(entry: &Entry, id: FactId, says: Option<&Fact>) -> Result<SignedFact, Rejection> {
    let facts = entry.facts().map_err(Rejection::Malformed)?;
    let count = facts.len();
    let fact = facts.into_iter().nth(id.index.into());
    let fact = fact.ok_or(Rejection::NoSuchFact { index: id.index, facts: count })?;
    if says.is_some_and(|says| *says != fact) {
        return Err(Rejection::OtherFact { index: id.index });
    }
    Ok(SignedFact { id, device: entry.device(), entry_timestamp: entry.timestamp(), fact })
}
