//! Entries and facts judged against a claimed root: each reason, their order, and what counts as proved.

#![cfg(not(target_arch = "wasm32"))]

mod forge;

use std::sync::Arc;

use forge::{EntryParts, FactParts, NULL, SIGNATURE_BYTES, journal, key};
use isoroot::{
    AuthorityId, AuthorityRule, DeviceId, EntryId, Expected, Fact, FactClaim, FactId, Genesis, MerkleMap,
    MerkleVerifier, NotUnderRoot, PUSH_VERSION, Push, PushError, Rejection, Root, Shown, SignedRoot,
    SignerPolicy, Standing, Submission, UncheckedEntry, Verification, VerifyError, WallTime,
};

/// The clock here, in microseconds.
const NOW: u64 = 1_000_000_000;
const AHEAD: u64 = 300_000_000;
const PEER: u8 = 9;
const NONCE: [u8; 32] = [7; 32];

fn nobody(_: &EntryId) -> bool {
    false
}

fn wall() -> Option<WallTime> {
    Some(WallTime::from_micros(NOW))
}

fn id_of(record: &[u8]) -> EntryId {
    UncheckedEntry::new(record.to_vec()).id(&journal())
}

/// Ids of entries that nobody has seen.
fn others() -> Vec<EntryId> {
    (0..20u8).map(|i| id_of(&[i])).collect()
}

fn record(seed: u8, predicate: &str, timestamp: u64) -> Vec<u8> {
    let facts = [Fact::new(predicate, 1i64), Fact::new("second", "two")];
    let draft = isoroot::Draft::new(key(seed).device(), &facts).unwrap();
    isoroot::Entry::sign(&journal(), &key(seed), &[], timestamp, &draft).unwrap().record().to_vec()
}

/// Who is trusted in these tests.
#[derive(Clone, Copy)]
struct Trust {
    push: bool,
    standing: Standing,
    certified: bool,
    authorities: AuthorityRule,
    refuses_ahead: bool,
}

impl Trust {
    const OPEN: Self = Self {
        push: true,
        standing: Standing::Writer,
        certified: true,
        authorities: AuthorityRule::Any,
        refuses_ahead: false,
    };
}

impl SignerPolicy for Trust {
    fn may_push(&self, _: &DeviceId) -> bool {
        self.push
    }
    fn standing(&self, device: &DeviceId, _: u64) -> Standing {
        // The peer that hands over is no matter here.
        if *device == key(PEER).device() { Standing::Writer } else { self.standing }
    }
    fn is_certified(&self, _: &AuthorityId, _: &DeviceId) -> bool {
        self.certified
    }
    fn authorities(&self) -> AuthorityRule {
        self.authorities
    }
    fn refuses_ahead(&self) -> bool {
        self.refuses_ahead
    }
}

fn verifier(trust: Trust) -> MerkleVerifier {
    MerkleVerifier::with_policy(journal(), Arc::new(trust))
}

enum Signature {
    Good,
    Flipped,
    Zero,
}

/// An entry that is handed over and everything around it, each part of which may be bad.
struct Case {
    parts: EntryParts,
    signature: Signature,
    named: Option<EntryId>,
    trust: Trust,
    proved: bool,
}

impl Case {
    fn good() -> Self {
        let parts = EntryParts { timestamp: forge::uint(NOW), ..EntryParts::valid() };
        let (named, trust) = (None, Trust::OPEN);
        Self { parts, signature: Signature::Good, named, trust, proved: true }
    }

    fn judge(self) -> Verification<isoroot::Entry> {
        let mut record = self.parts.record();
        let at = record.len() - SIGNATURE_BYTES;
        match self.signature {
            Signature::Good => {}
            Signature::Flipped => record[at + 3] ^= 4,
            Signature::Zero => record[at..].fill(0),
        }
        let id = id_of(&record);
        let map = MerkleMap::from_ids([others(), vec![id]].concat());
        let rest = MerkleMap::from_ids(others());
        let proof = if self.proved { map.prove(&[id]) } else { rest.prove(&[id]) };
        let entry = Submission { record, id: self.named, proof: Some(proof.unwrap().to_bytes()) };
        let claimed = if self.proved { map.root() } else { rest.root() };
        let push = push(claimed, vec![entry], Shown::Each);
        verifier(self.trust).verify_push(push, &expected(), &nobody, wall()).unwrap()
    }
}

fn push(claimed: Root, entries: Vec<Submission>, shown: Shown) -> Push {
    let signed = SignedRoot::sign(journal(), &key(PEER), claimed, WallTime::from_micros(5), NONCE, None);
    Push { version: PUSH_VERSION, journal: journal(), claimed, signed, entries, shown }
}

fn expected() -> Expected {
    Expected { peer: key(PEER).device(), nonce: NONCE }
}

/// 32 bytes that are no point of the curve.
fn no_key() -> [u8; 32] {
    let is_key = |bytes: &[u8; 32]| ed25519_zebra::VerificationKey::try_from(*bytes).is_ok();
    (0..=255).map(|byte| [byte; 32]).find(|bytes| !is_key(bytes)).unwrap()
}

type Spoil = (&'static str, fn(&mut Case));

/// Everything that can be wrong with an entry, in the order in which it is looked for.
fn rules() -> Vec<Spoil> {
    vec![
        ("TOO_LARGE", |case| case.parts.tail = vec![0; 1_048_576]),
        ("UNKNOWN_VERSION", |case| case.parts.version = forge::uint(2)),
        ("SIGNER_MISSING", |case| case.parts.device = vec![NULL]),
        ("SIGNATURE_MISSING", |case| case.signature = Signature::Zero),
        ("MALFORMED", |case| case.parts.after = forge::wide_head(4, 0, 1)),
        ("UNKNOWN_EPOCH", |case| case.parts.epoch = forge::array(&[forge::uint(1), forge::bytes(&[0; 8])])),
        ("WRONG_JOURNAL", |case| {
            let other = Genesis::named("other").journal();
            // Where the epoch is spoiled already, both are.
            if case.parts.epoch == EntryParts::valid().epoch {
                case.parts.epoch = forge::array(&[forge::uint(0), forge::bytes(&other.as_bytes()[..8])]);
            }
        }),
        ("KIND_NOT_ADMITTED", |case| {
            case.parts.kind = forge::uint(1);
            (case.parts.timestamp, case.parts.facts) = (forge::bytes(&[1]), forge::bytes(&[2]));
        }),
        ("BAD_ID", |case| case.named = Some(EntryId::from_bytes([3; 32]))),
        ("KEY_MALFORMED", |case| {
            if case.parts.device != [NULL] {
                case.parts.device = forge::bytes(&no_key());
            }
        }),
        ("UNKNOWN_SIGNER", |case| case.trust.standing = Standing::Unknown),
        ("AUTHORITY_NOT_CERTIFIED", |case| {
            case.trust.certified = false;
            if case.parts.kind == forge::uint(0) {
                let fact = FactParts { authority: forge::bytes(&[8; 32]), ..FactParts::valid() };
                case.parts.facts = EntryParts::with_fact(&fact).facts;
            }
        }),
        ("NOT_UNDER_ROOT", |case| case.proved = false),
        ("BAD_SIGNATURE", |case| {
            if matches!(case.signature, Signature::Good) {
                case.signature = Signature::Flipped;
            }
        }),
        ("AHEAD", |case| {
            case.trust.refuses_ahead = true;
            if case.parts.kind == forge::uint(0) {
                case.parts.timestamp = forge::uint(NOW + AHEAD + 1);
            }
        }),
        ("AUTHORITY_MISSING", |case| case.trust.authorities = AuthorityRule::Present),
    ]
}

/// The code of the one rejection.
fn reason(verification: &Verification<isoroot::Entry>) -> &'static str {
    assert!(verification.verified.is_empty() && verification.unproved.is_empty(), "nothing of it is kept");
    assert_eq!(verification.rejected.len(), 1);
    verification.rejected[0].reason.code().as_str()
}

#[test]
fn f68_every_rule_has_a_reason_of_its_own_and_the_first_wins() {
    let good = Case::good().judge();
    assert_eq!((good.verified.len(), good.rejected.len()), (1, 0), "{:?}", good.rejected);
    let rules = rules();
    for (place, (first, spoil)) in rules.iter().enumerate() {
        let mut case = Case::good();
        spoil(&mut case);
        assert_eq!(reason(&case.judge()), *first, "alone");
        for (second, spoil_too) in &rules[place + 1..] {
            // What is certified wrongly is named, so it is not missing.
            if (*first, *second) == ("AUTHORITY_NOT_CERTIFIED", "AUTHORITY_MISSING") {
                continue;
            }
            let mut case = Case::good();
            spoil(&mut case);
            spoil_too(&mut case);
            assert_eq!(reason(&case.judge()), *first, "with {second}");
            let mut case = Case::good();
            spoil_too(&mut case);
            spoil(&mut case);
            assert_eq!(reason(&case.judge()), *first, "after {second}");
        }
    }
}

#[test]
fn f69_who_may_write_and_for_whom_is_told_by_the_policy_alone() {
    let judge = |trust: Trust, authority: Vec<u8>| {
        let mut case = Case::good();
        let fact = FactParts { authority, ..FactParts::valid() };
        (case.parts.facts, case.trust) = (EntryParts::with_fact(&fact).facts, trust);
        let judged = case.judge();
        judged.rejected.first().map(|rejected| rejected.reason.clone())
    };
    let other = || forge::bytes(&[8; 32]);
    let authority = AuthorityId::from_bytes([8; 32]);
    assert_eq!(judge(Trust::OPEN, other()), None, "in an open journal an authority is a claim");
    let outsider = Trust { standing: Standing::NotAMember, ..Trust::OPEN };
    assert_eq!(judge(outsider, vec![NULL]), Some(Rejection::NotAMember { epoch: 0 }));
    let strict = Trust { certified: false, ..Trust::OPEN };
    assert_eq!(judge(strict, vec![NULL]), None, "its own authority needs no certificate");
    assert_eq!(judge(strict, other()), Some(Rejection::AuthorityNotCertified { fact: 0, authority }));
    let present = Trust { authorities: AuthorityRule::Present, ..Trust::OPEN };
    assert_eq!(judge(present, vec![NULL]), Some(Rejection::AuthorityMissing { fact: 0 }));
    assert_eq!(judge(present, other()), None);
    let signers = Trust { authorities: AuthorityRule::Signers, ..Trust::OPEN };
    assert_eq!(judge(signers, vec![NULL]), None);
    assert_eq!(judge(signers, other()), Some(Rejection::AuthorityNotSigners { fact: 0 }));
}

fn submissions(records: &[Vec<u8>]) -> Vec<Submission> {
    records.iter().map(|record| Submission { record: record.clone(), id: None, proof: None }).collect()
}

/// Records of three devices and their ids.
fn three() -> (Vec<Vec<u8>>, Vec<EntryId>) {
    let records: Vec<_> = (1..=3).map(|seed| record(seed, "p", NOW)).collect();
    let ids = records.iter().map(|record| id_of(record)).collect();
    (records, ids)
}

#[test]
fn c6_verified_is_what_is_proved_and_nothing_else() {
    let (records, ids) = three();
    let verifier = MerkleVerifier::open(journal());
    let map = MerkleMap::from_ids([others(), ids.clone()].concat());
    let judge = |claimed: Root, entries: Vec<Submission>, shown: Shown| {
        verifier.verify_entries(&claimed.hash, entries, &shown, &|id| *id == ids[2], wall()).unwrap()
    };
    let kept = |verification: &Verification<isoroot::Entry>| -> (usize, usize, usize) {
        (verification.verified.len(), verification.unproved.len(), verification.rejected.len())
    };

    let nothing = judge(map.root(), submissions(&records), Shown::Not);
    assert_eq!(kept(&nothing), (0, 3, 0), "authentic, and not checked is not verified");
    assert!(nothing.unproved[2].is_known() && !nothing.unproved[1].is_known());

    let set = MerkleMap::from_ids(ids.clone()).root();
    let full = judge(set, submissions(&records), Shown::FullSet);
    assert_eq!(kept(&full), (3, 0, 0));
    assert_eq!(full.verified.iter().map(|entry| entry.id()).collect::<Vec<_>>(), ids);
    assert!(full.verified[2].is_known() && !full.verified[0].is_known());
    for missing in [submissions(&records[..2]), submissions(&[]), submissions(&[record(4, "p", NOW)])] {
        let count = missing.len();
        let judged = judge(set, missing, Shown::FullSet);
        assert_eq!(kept(&judged), (0, 0, count));
        let other =
            |rejected: &isoroot::Rejected| rejected.reason == Rejection::NotUnderRoot(NotUnderRoot::OtherSet);
        assert!(judged.rejected.iter().all(other));
    }

    let mut each = submissions(&records);
    each[0].proof = Some(map.prove(&[ids[0]]).unwrap().to_bytes());
    each[1].proof = Some(map.prove(&[ids[0]]).unwrap().to_bytes());
    let judged = judge(map.root(), each, Shown::Each);
    assert_eq!(kept(&judged), (1, 1, 1), "proved; without a proof; with that of another");
    assert_eq!((judged.verified[0].id(), judged.unproved[0].id()), (ids[0], ids[2]));
    assert!(matches!(judged.rejected[0].reason, Rejection::NotUnderRoot(NotUnderRoot::Proof(_))));

    let together = map.prove(&ids).unwrap().to_bytes();
    let judged = judge(map.root(), submissions(&records), Shown::Together(together.clone()));
    assert_eq!(kept(&judged), (3, 0, 0));
    let judged = judge(map.root(), submissions(&records[..2]), Shown::Together(together.clone()));
    assert_eq!(kept(&judged), (0, 0, 2), "a proof about others");
    let judged =
        judge(MerkleMap::from_ids(others()).root(), submissions(&records), Shown::Together(together));
    assert_eq!(kept(&judged), (0, 0, 3), "under another root");
    let absent = MerkleMap::from_ids([others(), ids[..2].to_vec()].concat());
    let proof = absent.prove(&ids).unwrap().to_bytes();
    let judged = judge(absent.root(), submissions(&records), Shown::Together(proof));
    assert_eq!(kept(&judged), (2, 0, 1));
    assert_eq!(judged.rejected[0].reason, Rejection::NotUnderRoot(NotUnderRoot::Absent));
    assert_eq!(judged.rejected[0].place, 2);
}

#[test]
fn f71_what_comes_twice_at_once_is_judged_once() {
    let (records, ids) = three();
    let verifier = MerkleVerifier::open(journal());
    let root = MerkleMap::from_ids(ids.clone()).root();
    let twice = submissions(&[records.clone(), records].concat());
    let judged = verifier.verify_entries(&root.hash, twice, &Shown::FullSet, &nobody, wall()).unwrap();
    assert_eq!((judged.verified.len(), judged.duplicates), (3, 3));
    let bad = submissions(&[vec![1], vec![1], vec![2]]);
    let judged = verifier.verify_entries(&root.hash, bad, &Shown::Not, &nobody, wall()).unwrap();
    assert_eq!((judged.rejected.len(), judged.duplicates), (2, 1));
    assert_eq!(judged.rejected.iter().map(|rejected| rejected.place).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn row22_a_rejected_variant_does_not_keep_out_the_good_one() {
    let (good, verifier) = (record(1, "p", NOW), MerkleVerifier::open(journal()));
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    let root = MerkleMap::from_ids(vec![id_of(&good), id_of(&bad)]).root();
    let both = submissions(&[bad, good.clone()]);
    let judged = verifier.verify_entries(&root.hash, both, &Shown::FullSet, &nobody, wall()).unwrap();
    assert_eq!(judged.verified.len(), 1);
    assert_eq!(judged.verified[0].id(), id_of(&good));
    assert_eq!(judged.rejected[0].reason, Rejection::BadSignature);
}

#[test]
fn f67_an_entry_300_000_ms_ahead_is_not_ahead_and_one_more_is() {
    for (timestamp, ahead) in [(NOW + AHEAD, false), (NOW + AHEAD + 1, true), (NOW + AHEAD + 1_000, true)] {
        let mut case = Case::good();
        case.parts.timestamp = forge::uint(timestamp);
        let judged = case.judge();
        assert_eq!(judged.verified.len(), 1, "the clock decides nothing but a mark");
        assert_eq!(judged.verified[0].is_ahead(), ahead);
        let mut case = Case::good();
        (case.parts.timestamp, case.trust.refuses_ahead) = (forge::uint(timestamp), true);
        let judged = case.judge();
        assert_eq!(judged.rejected.len(), usize::from(ahead), "unless the policy refuses");
        if ahead {
            assert_eq!(judged.rejected[0].reason, Rejection::Ahead { micros: timestamp - NOW });
        }
    }
}

#[test]
fn f72_without_a_clock_nothing_is_judged() {
    let verifier = MerkleVerifier::open(journal());
    let entries = submissions(&[record(1, "p", NOW)]);
    let judged = verifier.verify_entries(&[0; 32], entries, &Shown::Not, &nobody, None);
    assert_eq!(judged, Err(VerifyError::Clock));
    let push = push(Root::EMPTY, Vec::new(), Shown::FullSet);
    let judged = verifier.verify_push(push, &expected(), &nobody, None);
    assert_eq!(judged, Err(PushError::Verify(VerifyError::Clock)));
    assert_eq!(verifier.verify_facts(&[0; 32], Vec::new(), &nobody, None), Err(VerifyError::Clock));
}

#[test]
fn f78_too_many_at_once_are_not_judged() {
    let verifier = MerkleVerifier::open(journal());
    let many = vec![Submission::default(); 10_001];
    let judged = verifier.verify_entries(&[0; 32], many, &Shown::Not, &nobody, wall());
    assert_eq!(judged, Err(VerifyError::TooMany(10_001)));
}

#[test]
fn f67_facts_are_judged_one_by_one_with_their_entry_and_proof() {
    let (records, ids) = three();
    let verifier = MerkleVerifier::open(journal());
    let map = MerkleMap::from_ids([others(), ids.clone()].concat());
    let proof = |id: EntryId| Some(map.prove(&[id]).unwrap().to_bytes());
    let claim = |place: usize, index: u16, says: Option<Fact>| FactClaim {
        id: FactId { entry: ids[place], index },
        says,
        record: records[place].clone(),
        proof: proof(ids[place]),
    };
    let claims = vec![
        claim(0, 0, Some(Fact::new("p", 1i64))),
        claim(0, 1, None),
        claim(1, 2, None),
        claim(1, 0, Some(Fact::new("p", 2i64))),
        FactClaim { record: records[0].clone(), ..claim(2, 0, None) },
        FactClaim { proof: None, ..claim(2, 1, None) },
        claim(0, 0, None),
    ];
    let judged = verifier.verify_facts(&map.root().hash, claims, &|id| *id == ids[0], wall()).unwrap();
    let facts: Vec<_> = judged.verified.iter().map(|fact| (fact.id.index, fact.fact.clone())).collect();
    assert_eq!(facts, [(0, Fact::new("p", 1i64)), (1, Fact::new("second", "two"))]);
    assert!(judged.verified.iter().all(|fact| fact.is_known() && fact.device == key(1).device()));
    assert_eq!(judged.unproved.len(), 1);
    assert_eq!(judged.unproved[0].fact, Fact::new("second", "two"));
    let reasons: Vec<_> = judged.rejected.iter().map(|rejected| (rejected.place, &rejected.reason)).collect();
    let bad_id = Rejection::BadId { found: ids[0] };
    assert_eq!(
        reasons,
        [
            (2, &Rejection::NoSuchFact { index: 2, facts: 2 }),
            (3, &Rejection::OtherFact { index: 0 }),
            (4, &bad_id)
        ]
    );
    assert_eq!(judged.duplicates, 1);
}

#[test]
fn f74_each_check_of_an_envelope_is_made_and_in_their_order() {
    type Spoil = (PushError, fn(&mut Push, &mut Trust, &mut Expected));
    let root = MerkleMap::from_ids(others()).root();
    let other = MerkleMap::from_ids(others()[1..].to_vec()).root();
    // Signed anew after each change, but where the signature itself is the matter.
    let rules: Vec<Spoil> = vec![
        (PushError::Version(2), |push, _, _| push.version = 2),
        (PushError::Peer { signer: key(PEER).device(), peer: key(3).device() }, |_, _, expected| {
            expected.peer = key(3).device();
        }),
        (PushError::NotAllowed, |_, trust, _| trust.push = false),
        (PushError::WrongJournal, |push, _, _| push.signed.journal = Genesis::named("other").journal()),
        (PushError::NotFresh, |_, _, expected| expected.nonce[31] ^= 1),
        (PushError::OtherEpoch(4), |push, _, _| push.signed.epoch = 4),
        (PushError::OtherRoot, |push, _, _| {
            push.claimed = MerkleMap::from_ids(others()[1..].to_vec()).root()
        }),
        (PushError::BadSignature, |push, _, _| push.signed.signature[5] ^= 1),
    ];
    assert_ne!(root, other);
    for (place, (first, spoil)) in rules.iter().enumerate() {
        for (second, spoil_too) in &rules[place..] {
            let (mut push, mut trust) = (push(root, Vec::new(), Shown::Not), Trust::OPEN);
            let mut expected = expected();
            spoil(&mut push, &mut trust, &mut expected);
            if first != second {
                spoil_too(&mut push, &mut trust, &mut expected);
            }
            let judged = verifier(trust).verify_push(push, &expected, &nobody, wall());
            assert_eq!(judged.as_ref(), Err(first), "with {second}");
        }
    }
    let member = MerkleVerifier::with_policy(journal(), Arc::new(Nobody));
    let judged = member.verify_push(push(root, Vec::new(), Shown::Not), &expected(), &nobody, wall());
    assert_eq!(judged, Err(PushError::NotAMember { epoch: 0 }));
    let judged =
        verifier(Trust::OPEN).verify_push(push(root, Vec::new(), Shown::Not), &expected(), &nobody, wall());
    assert!(judged.is_ok());
}

/// A journal without members.
struct Nobody;

impl SignerPolicy for Nobody {
    fn standing(&self, _: &DeviceId, _: u64) -> Standing {
        Standing::NotAMember
    }
}
