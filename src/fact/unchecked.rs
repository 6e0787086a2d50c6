//! An entry as it comes from outside, and every reason to refuse it.

use crate::codec::cbor::{DecodeError, Reader};
use crate::crypto::sign;
use crate::fact::entry::{
    Entry, EpochTag, Head, KIND_CONTROL, KIND_PLAIN, KIND_SEALED, Place, Span, VERSION, entry_id,
    signed_message, split_record,
};
use crate::fact::statement::FactView;
use crate::ids::{DeviceId, EntryId, EpochId, JournalId};
use crate::limits::{AFTER, FACTS_PER_ENTRY, RECORD_BYTES, SAFE_INTEGER};

/// Bytes that claim to be an entry of a journal.
#[derive(Clone, Debug)]
pub struct UncheckedEntry {
    record: Vec<u8>,
}

/// Why bytes are no entry of the journal, or none that this version admits. First failure wins, in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Over 1,048,576 bytes.
    #[error("the record takes {bytes} bytes, of at most {RECORD_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not the canonical bytes of an entry.
    #[error("the record is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// It names an epoch that is not known here.
    #[error("the entry names epoch {0}, which is not known here")]
    UnknownEpoch(u64),
    /// It belongs to another journal, by the epoch that it names.
    #[error("the entry belongs to another journal")]
    WrongJournal,
    /// It is sealed or steers the journal, which an open journal of this version does not admit.
    #[error("entries of kind {0} are not admitted here")]
    KindNotAdmitted(u64),
    /// The signature is not the device's over these bytes in this journal.
    #[error("the signature is not that of the named device")]
    BadSignature,
}

impl EntryError {
    /// Whether an honest peer of a newer version could have sent it: then it is refused by its id,
    /// while everything else is a breach of the protocol.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::UnknownEpoch(_) | Self::KindNotAdmitted(_) => true,
            Self::TooLarge { .. } | Self::Malformed(_) | Self::WrongJournal | Self::BadSignature => false,
        }
    }
}

/// A record that is well formed; its signature is not checked yet.
struct Parsed {
    head: Head,
    facts_at: usize,
    places: Vec<Place>,
}

impl UncheckedEntry {
    /// Bytes to be checked.
    pub fn new(record: Vec<u8>) -> Self {
        Self { record }
    }

    /// The id that the bytes have in `journal`, entry or not.
    pub fn id(&self, journal: &JournalId) -> EntryId {
        entry_id(journal, &self.record)
    }

    /// Checks everything about one entry of an open journal.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn check(self, journal: &JournalId) -> Result<Entry, EntryError> {
        let parsed = parse(journal, &self.record)?;
        let (body, signature) = split_record(&self.record).ok_or(EntryError::BadSignature)?;
        let message = signed_message(journal, &EpochId::from(*journal), body);
        if !sign::verify(&parsed.head.device, &message, signature) {
            return Err(EntryError::BadSignature);
        }
        Ok(entry(self.id(journal), parsed, self.record))
    }

    /// Checks many entries of an open journal, their signatures together; one verdict each, the same
    /// as [`check`](Self::check) gives.
    pub fn check_all(journal: &JournalId, entries: Vec<Self>) -> Vec<Result<Entry, EntryError>> {
        Self::judge_all(journal, entries).into_iter().map(|(_, verdict)| verdict).collect()
    }

    /// The same, with the id of each record, entry or not.
    pub(crate) fn judge_all(
        journal: &JournalId,
        entries: Vec<Self>,
    ) -> Vec<(EntryId, Result<Entry, EntryError>)> {
        let mut batch = sign::Batch::default();
        let parsed: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                let id = entry.id(journal);
                let parsed = parse(journal, &entry.record).and_then(|parsed| {
                    let (body, signature) = split_record(&entry.record).ok_or(EntryError::BadSignature)?;
                    let message = signed_message(journal, &EpochId::from(*journal), body);
                    batch.push(&parsed.head.device, &message, signature);
                    Ok((parsed, entry.record))
                });
                (id, parsed)
            })
            .collect();
        let mut verdicts = batch.verify().into_iter();
        let mut conclude = |id, (parsed, record)| match verdicts.next() {
            Some(true) => Ok(entry(id, parsed, record)),
            Some(false) | None => Err(EntryError::BadSignature),
        };
        let judged = parsed.into_iter().map(|(id, parsed)| {
            let verdict = parsed.and_then(|parsed| conclude(id, parsed));
            (id, verdict)
        });
        judged.collect()
    }

    /// Reads a record that was checked before it was stored: its bytes are held to `id`, which binds
    /// the signature too, and the signature is not checked again.
    ///
    /// # Errors
    /// [`EntryError::Malformed`] and the like when the store returned other bytes than it was given;
    /// [`EntryError::BadSignature`] when they do not hash to `id`.
    pub(crate) fn reload(self, journal: &JournalId, id: &EntryId) -> Result<Entry, EntryError> {
        if self.id(journal) != *id {
            return Err(EntryError::BadSignature);
        }
        let parsed = parse(journal, &self.record)?;
        Ok(entry(*id, parsed, self.record))
    }
}

fn entry(id: EntryId, parsed: Parsed, record: Vec<u8>) -> Entry {
    Entry { id, head: parsed.head, facts_at: parsed.facts_at, places: parsed.places, record: record.into() }
}

fn parse(journal: &JournalId, record: &[u8]) -> Result<Parsed, EntryError> {
    if record.len() > RECORD_BYTES {
        return Err(EntryError::TooLarge { bytes: record.len() });
    }
    let too_short = DecodeError::Expected { expected: "body and signature", position: 0 };
    let (body, _) = split_record(record).ok_or(too_short)?;
    let reader = &mut Reader::new(body);
    reader.array_of("parts of an entry", 6)?;
    let position = reader.position();
    if reader.unsigned()? != VERSION {
        return Err(Reader::out_of_bounds(position, "version of the entry").into());
    }
    let position = reader.position();
    let kind = reader.unsigned()?;
    if ![KIND_PLAIN, KIND_SEALED, KIND_CONTROL].contains(&kind) {
        return Err(Reader::out_of_bounds(position, "kind of the entry").into());
    }
    let device = DeviceId::from_bytes(reader.array_of_bytes("32 bytes of a device")?);
    reader.array_of("parts of an epoch", 2)?;
    let epoch =
        EpochTag { number: reader.unsigned()?, tag: reader.array_of_bytes("8 bytes of an epoch's id")? };
    let after = read_after(reader)?;
    reader.array_of("parts of a payload", 2)?;
    let (timestamp, facts_at, places) = match kind {
        KIND_PLAIN => {
            let timestamp = reader.bounded("timestamp of the entry", SAFE_INTEGER)?;
            let facts_at = reader.position();
            (timestamp, facts_at, read_facts(reader, &device)?)
        }
        KIND_SEALED => {
            reader.bytes()?;
            reader.bytes()?;
            (0, 0, Vec::new())
        }
        _ => {
            reader.unsigned()?;
            reader.bytes()?;
            (0, 0, Vec::new())
        }
    };
    reader.end()?;
    let open = EpochTag::open(journal);
    if epoch.number != open.number {
        return Err(EntryError::UnknownEpoch(epoch.number));
    }
    if epoch.tag != open.tag {
        return Err(EntryError::WrongJournal);
    }
    if kind != KIND_PLAIN {
        return Err(EntryError::KindNotAdmitted(kind));
    }
    Ok(Parsed { head: Head { device, after, timestamp }, facts_at, places })
}

fn read_after(reader: &mut Reader<'_>) -> Result<Vec<EntryId>, DecodeError> {
    let len = reader.array("predecessors", AFTER)?;
    let mut after: Vec<EntryId> = Vec::with_capacity(len);
    for _ in 0..len {
        let position = reader.position();
        let id = EntryId::from_bytes(reader.array_of_bytes("32 bytes of an entry's id")?);
        if after.last().is_some_and(|last| *last >= id) {
            let rule = "predecessors ascending, each once";
            return Err(DecodeError::NotCanonical { rule, position });
        }
        after.push(id);
    }
    Ok(after)
}

fn read_facts(reader: &mut Reader<'_>, device: &DeviceId) -> Result<Vec<Place>, DecodeError> {
    let position = reader.position();
    let len = reader.array("facts", FACTS_PER_ENTRY)?;
    if len == 0 {
        return Err(Reader::out_of_bounds(position, "facts"));
    }
    let mut places = Vec::with_capacity(len);
    for _ in 0..len {
        let start = reader.position();
        let fact = FactView::read(reader, device)?;
        let predicate = Span::of_predicate(start, fact.predicate.len());
        places.push(Place { predicate, authority: fact.authority });
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sign::DeviceKey;
    use crate::fact::entry::Draft;
    use crate::fact::genesis::Genesis;
    use crate::fact::statement::Fact;

    #[test]
    fn c2_a_stored_record_is_held_to_its_id() {
        let (journal, key) = (Genesis::named("notes").journal(), DeviceKey::from_seed([1; 32]));
        let draft = Draft::new(key.device(), &[Fact::new("p", 1i64)]).unwrap();
        let entry = draft.sign(&journal, &key, &[], 0);
        let reload = |record: &[u8]| UncheckedEntry::new(record.to_vec()).reload(&journal, &entry.id());
        assert_eq!(reload(entry.record()).as_ref(), Ok(&entry));
        for bit in 0..entry.record().len() * 8 {
            let mut record = entry.record().to_vec();
            record[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(reload(&record), Err(EntryError::BadSignature), "bit {bit}");
        }
        let elsewhere = Genesis::named("other").journal();
        let stored = UncheckedEntry::new(entry.record().to_vec());
        assert_eq!(stored.reload(&elsewhere, &entry.id()), Err(EntryError::BadSignature));
    }

    #[test]
    fn c2_judging_names_every_record_also_what_is_no_entry() {
        let journal = Genesis::named("notes").journal();
        let records = [UncheckedEntry::new(vec![1, 2, 3]), UncheckedEntry::new(Vec::new())];
        let ids: Vec<_> = records.iter().map(|record| record.id(&journal)).collect();
        let judged = UncheckedEntry::judge_all(&journal, records.to_vec());
        assert!(judged.iter().map(|(id, _)| id).eq(&ids));
        assert!(judged.iter().all(|(_, verdict)| matches!(verdict, Err(EntryError::Malformed(_)))));
    }
}
