//! A frame of entries: what the receiver can make out by itself is not sent.
//!
//! A record that has the usual form is sent as its device's place in a table of the frame, what comes before
//! it, the difference in time, and facts with signature. It is expanded to exactly the bytes that it was made
//! from before anything is checked. Any other record is sent whole.

use crate::codec::cbor::{DecodeError, Reader, Writer};
use crate::fact::entry::{EpochTag, KIND_PLAIN, VERSION, entry_id};
use crate::fact::unchecked::EntryError;
use crate::ids::{DeviceId, EntryId, JournalId};
use crate::limits::{AFTER, ENTRIES_PER_FRAME, FRAME_PAYLOAD_BYTES, SAFE_INTEGER, SIGNATURE_BYTES};

/// Entries of one frame, in the bytes in which they are sent: whoever sends many small ones must not have more
/// memory taken for them than a few times what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// The devices that entries of usual form are by, each with its head.
    devices: Vec<u8>,
    count: usize,
    items: Vec<u8>,
}

/// One entry, as it is sent.
enum Short<'b> {
    /// One of another form: its record.
    Whole(&'b [u8]),
    /// One of the usual form.
    Usual { device: usize, before: Before<'b>, timestamp: u64, rest: &'b [u8] },
}

/// What an entry names as coming before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before<'b> {
    Nothing,
    /// The last entry of the same device in the frame.
    Last,
    /// The array of these ids.
    These(&'b [u8]),
}

mod form {
    //! The low two bits of what stands at the head of an entry.
    pub(super) const NOTHING: u64 = 0;
    pub(super) const LAST: u64 = 1;
    pub(super) const THESE: u64 = 2;
    pub(super) const WHOLE: u64 = 3;
}

/// Bytes that a bundle's head takes at most: type, channel, numbers of devices and entries.
const HEAD_BYTES: usize = 16;
/// Bytes of a device in the table.
const DEVICE_BYTES: usize = 34;
/// Bytes of a record at most, without what stands before it and the facts.
const RECORD_HEAD_BYTES: usize = 60;

/// Puts entries together to frames.
#[derive(Debug)]
pub(crate) struct Bundler<'j> {
    journal: &'j JournalId,
    devices: Vec<DeviceId>,
    /// The last entry by each of the devices.
    last: Vec<EntryId>,
    count: usize,
    items: Writer,
    /// Number and time of the last entry.
    number: u64,
    time: u64,
    bytes: usize,
}

impl<'j> Bundler<'j> {
    pub(crate) fn new(journal: &'j JournalId) -> Self {
        Self {
            journal,
            devices: Vec::new(),
            last: Vec::new(),
            count: 0,
            items: Writer::new(),
            number: 0,
            time: 0,
            bytes: HEAD_BYTES,
        }
    }

    /// Takes an entry; the bundle before it, if both do not fit one frame. Numbers ascend.
    pub(crate) fn push(&mut self, number: u64, record: &[u8]) -> Option<Bundle> {
        let parts = Parts::of(record, self.journal);
        let mut bytes = self.bytes_of(record, parts.as_ref());
        let mut before = None;
        if self.bytes.saturating_add(bytes) > FRAME_PAYLOAD_BYTES || self.count >= ENTRIES_PER_FRAME {
            before = self.take();
            bytes = self.bytes_of(record, parts.as_ref());
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.count = self.count.saturating_add(1);
        self.items.unsigned(number.saturating_sub(self.number).saturating_sub(1));
        self.number = number;
        match parts {
            Some(parts) => self.keep(record, &parts),
            None => {
                self.items.unsigned(form::WHOLE).bytes(record);
            }
        }
        before
    }

    fn place(&self, parts: &Parts<'_>) -> Option<usize> {
        self.devices.iter().position(|device| *device == parts.device)
    }

    fn before<'r>(&self, place: Option<usize>, parts: &Parts<'r>) -> Before<'r> {
        let last = place.and_then(|place| self.last.get(place));
        match parts.after.as_slice() {
            [] => Before::Nothing,
            [one] if last == Some(one) => Before::Last,
            _ => Before::These(parts.after_bytes),
        }
    }

    fn keep(&mut self, record: &[u8], parts: &Parts<'_>) {
        let place = self.place(parts);
        let before = self.before(place, parts);
        let id = entry_id(self.journal, record);
        let place = place.unwrap_or_else(|| {
            self.devices.push(parts.device);
            self.last.push(id);
            self.last.len().saturating_sub(1)
        });
        if let Some(last) = self.last.get_mut(place) {
            *last = id;
        }
        let form = match before {
            Before::Nothing => form::NOTHING,
            Before::Last => form::LAST,
            Before::These(_) => form::THESE,
        };
        self.items.unsigned((place as u64).saturating_mul(4).saturating_add(form));
        // Both are below 2^53.
        self.items.integer(parts.timestamp.cast_signed().saturating_sub(self.time.cast_signed()));
        self.time = parts.timestamp;
        if let Before::These(ids) = before {
            self.items.canonical(ids);
        }
        self.items.bytes(parts.rest);
    }

    /// How many bytes an entry takes at most.
    fn bytes_of(&self, record: &[u8], parts: Option<&Parts<'_>>) -> usize {
        let Some(parts) = parts else { return record.len().saturating_add(16) };
        let place = self.place(parts);
        let named = match self.before(place, parts) {
            Before::These(_) => parts.after.len().saturating_mul(34),
            Before::Nothing | Before::Last => 0,
        };
        let table = if place.is_some() { 0 } else { DEVICE_BYTES };
        parts.rest.len().saturating_add(named).saturating_add(table).saturating_add(32)
    }

    /// What was put together and not given out; nothing if that is nothing.
    pub(crate) fn take(&mut self) -> Option<Bundle> {
        let full = core::mem::replace(self, Self::new(self.journal));
        let mut devices = Writer::with_capacity(full.devices.len().saturating_mul(DEVICE_BYTES));
        for device in &full.devices {
            devices.bytes(device.as_bytes());
        }
        let bundle =
            Bundle { devices: devices.into_bytes(), count: full.count, items: full.items.into_bytes() };
        (full.count > 0).then_some(bundle)
    }
}

/// A record of the usual form, taken apart: plain, of the journal's only epoch.
struct Parts<'r> {
    device: DeviceId,
    after: Vec<EntryId>,
    /// The array of these ids.
    after_bytes: &'r [u8],
    timestamp: u64,
    /// Facts and signature.
    rest: &'r [u8],
}

impl<'r> Parts<'r> {
    /// Nothing if the record has another form. Whether it is sound is not looked at.
    fn of(record: &'r [u8], journal: &JournalId) -> Option<Self> {
        let r = &mut Reader::new(record);
        r.array_of("body", 6).ok()?;
        let epoch = EpochTag::open(journal);
        if (r.unsigned().ok()?, r.unsigned().ok()?) != (VERSION, KIND_PLAIN) {
            return None;
        }
        let device = DeviceId::from_bytes(r.array_of_bytes("device").ok()?);
        r.array_of("epoch", 2).ok()?;
        if (r.unsigned().ok()?, r.array_of_bytes("tag").ok()?) != (epoch.number, epoch.tag) {
            return None;
        }
        let position = r.position();
        let len = r.array("predecessors", AFTER).ok()?;
        let after = r.items(len, |r| r.array_of_bytes("id").map(EntryId::from_bytes)).ok()?;
        let after_bytes = r.since(position);
        r.array_of("payload", 2).ok()?;
        let timestamp = r.bounded("timestamp", SAFE_INTEGER).ok()?;
        let rest = record.get(r.position()..).filter(|rest| rest.len() > SIGNATURE_BYTES)?;
        Some(Self { device, after, after_bytes, timestamp, rest })
    }
}

/// Reads the entries of a frame one by one.
struct Items<'r, 'b> {
    reader: &'r mut Reader<'b>,
    left: usize,
    /// How many devices there are.
    devices: usize,
    number: u64,
    time: u64,
}

impl<'b> Items<'_, 'b> {
    /// The next one and its number; nothing behind the last.
    fn next(&mut self) -> Result<Option<(u64, Short<'b>)>, DecodeError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let r = &mut *self.reader;
        let position = r.position();
        self.number = self.number.saturating_add(r.bounded("number", SAFE_INTEGER)?).saturating_add(1);
        let head = r.bounded("form of an entry", 4 * ENTRIES_PER_FRAME as u64)?;
        if self.number > SAFE_INTEGER || (head & 3 == form::WHOLE && head != form::WHOLE) {
            return Err(Reader::out_of_bounds(position, "number or form of an entry"));
        }
        if head == form::WHOLE {
            return Ok(Some((self.number, Short::Whole(r.bytes()?))));
        }
        let device = usize::try_from(head / 4).unwrap_or(usize::MAX);
        let timestamp = self.time.checked_add_signed(r.integer()?).filter(|time| *time <= SAFE_INTEGER);
        let (true, Some(timestamp)) = (device < self.devices, timestamp) else {
            return Err(Reader::out_of_bounds(position, "device or time of an entry"));
        };
        self.time = timestamp;
        let before = match head & 3 {
            form::NOTHING => Before::Nothing,
            form::LAST => Before::Last,
            _ => {
                let position = r.position();
                for _ in 0..r.array("ids", AFTER)? {
                    r.array_of_bytes::<32>("32 bytes of an entry's id")?;
                }
                Before::These(r.since(position))
            }
        };
        Ok(Some((self.number, Short::Usual { device, before, timestamp, rest: r.bytes()? })))
    }
}

impl Bundle {
    /// Bytes that it takes in a frame, but for heads.
    pub(super) fn bytes(&self) -> usize {
        self.devices.len().saturating_add(self.items.len())
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        w.array(self.devices.len() / DEVICE_BYTES).canonical(&self.devices);
        w.unsigned(self.count as u64).canonical(&self.items);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let devices = r.array("devices", ENTRIES_PER_FRAME)?;
        let position = r.position();
        for _ in 0..devices {
            r.array_of_bytes::<32>("32 bytes of a device")?;
        }
        let table = r.since(position);
        let position = r.position();
        let count = usize::try_from(r.bounded("entries", ENTRIES_PER_FRAME as u64)?).unwrap_or_default();
        // A device without an entry is no use.
        if devices > count {
            return Err(Reader::out_of_bounds(position, "devices"));
        }
        let start = r.position();
        let mut seen = vec![false; devices];
        let mut items = Items { reader: r, left: count, devices, number: 0, time: 0 };
        loop {
            let position = items.reader.position();
            let Some((_, short)) = items.next()? else { break };
            if let Short::Usual { device, before, .. } = short
                && let Some(seen) = seen.get_mut(device)
            {
                if before == Before::Last && !*seen {
                    return Err(Reader::out_of_bounds(position, "an entry before this one"));
                }
                *seen = true;
            }
        }
        Ok(Self { devices: table.to_vec(), count, items: r.since(start).to_vec() })
    }

    /// The entries' numbers and records. Nothing about them has been checked, but that there are more bytes
    /// than those of a signature: what is less would take much more memory than it came in.
    ///
    /// # Errors
    /// When there are not.
    pub(crate) fn expand(self, journal: &JournalId) -> Result<Vec<(u64, Vec<u8>)>, EntryError> {
        let devices = self.devices.len() / DEVICE_BYTES;
        let reader = &mut Reader::new(&self.items);
        let mut items = Items { reader, left: self.count, devices, number: 0, time: 0 };
        while let Some((_, short)) = items.next()? {
            let (Short::Whole(rest) | Short::Usual { rest, .. }) = short;
            if rest.len() <= SIGNATURE_BYTES {
                let (expected, position) = ("body and signature", 0);
                return Err(DecodeError::Expected { expected, position }.into());
            }
        }
        let epoch = EpochTag::open(journal);
        // Where the last entry of each device stands.
        let mut last: Vec<Option<usize>> = vec![None; devices];
        let mut entries: Vec<(u64, Vec<u8>)> = Vec::with_capacity(self.count);
        let reader = &mut Reader::new(&self.items);
        let mut items = Items { reader, left: self.count, devices, number: 0, time: 0 };
        while let Some((number, short)) = items.next()? {
            let record = match short {
                Short::Whole(record) => record.to_vec(),
                Short::Usual { device, before, timestamp, rest } => {
                    let author = self.devices.chunks(DEVICE_BYTES).nth(device).unwrap_or_default();
                    let follows = last.get(device).copied().flatten().and_then(|at| entries.get(at));
                    let ids = if let Before::These(ids) = before { ids.len() } else { DEVICE_BYTES };
                    let head = RECORD_HEAD_BYTES.saturating_add(ids);
                    let mut w = Writer::with_capacity(rest.len().saturating_add(head));
                    w.array(6).unsigned(VERSION).unsigned(KIND_PLAIN).canonical(author);
                    w.array(2).unsigned(epoch.number).bytes(&epoch.tag);
                    match (before, follows) {
                        (Before::These(ids), _) => w.canonical(ids),
                        (Before::Last, Some((_, record))) => {
                            w.array(1).bytes(entry_id(journal, record).as_bytes())
                        }
                        (Before::Nothing | Before::Last, _) => w.array(0),
                    };
                    w.array(2).unsigned(timestamp).canonical(rest);
                    if let Some(last) = last.get_mut(device) {
                        *last = Some(entries.len());
                    }
                    w.into_bytes()
                }
            };
            entries.push((number, record));
        }
        Ok(entries)
    }
}
