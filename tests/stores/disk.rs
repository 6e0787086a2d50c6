//! A disk in memory that fails, and that loses what was not flushed when the power goes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What was flushed.
    durable: Vec<u8>,
    /// What was written since, in order.
    pending: Vec<Write>,
    /// Operations done: writes, changes of length, flushes.
    operations: u64,
    fault: Option<(u64, Fault)>,
}

#[derive(Clone, Debug)]
enum Write {
    Bytes(u64, Vec<u8>),
    Len(u64),
}

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The power goes: nothing works from then on.
    PowerCut,
    /// This one fails and the next work again; a failed flush throws away what it was to flush, as
    /// Linux does.
    Once,
    /// There is no room from then on, but for flushes.
    Full,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A disk with these bytes.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        let state = State { seen: bytes.clone(), durable: bytes, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Lets the `n`th operation from now, counted from 0, go wrong.
    pub(crate) fn fail_at(&self, n: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.operations + n, fault));
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The disk as it is found after a power cut: of the writes that were not flushed, each may be
    /// there, or torn, or not. `luck` tells which.
    pub(crate) fn after_power_cut(&self, luck: u64) -> Self {
        let state = self.state();
        let mut bytes = state.durable.clone();
        let last = state.pending.len().saturating_sub(1);
        let mut random = luck;
        for (no, write) in state.pending.iter().enumerate() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The extremes first, then chance.
            let kept = match luck {
                0 => Kept::None,
                1 => Kept::All,
                2 if no == last => Kept::All,
                2 => Kept::None,
                3 if no == last => Kept::None,
                3 => Kept::All,
                _ => [Kept::None, Kept::All, Kept::Torn][(random >> 33) as usize % 3],
            };
            apply(&mut bytes, write, kept);
        }
        Self::holding(bytes)
    }
}

#[derive(Clone, Copy, Debug)]
enum Kept {
    None,
    All,
    /// The first sectors of it.
    Torn,
}

fn apply(bytes: &mut Vec<u8>, write: &Write, kept: Kept) {
    match (write, kept) {
        (_, Kept::None) | (Write::Len(_), Kept::Torn) => {}
        (Write::Len(len), Kept::All) => bytes.resize(*len as usize, 0),
        (Write::Bytes(offset, data), kept) => {
            let len = if matches!(kept, Kept::Torn) { data.len() / 2 / 512 * 512 } else { data.len() };
            let (start, end) = (*offset as usize, *offset as usize + len);
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(&data[..len]);
        }
    }
}

impl State {
    /// Counts an operation; an error if it is to go wrong.
    fn operation(&mut self, flush: bool) -> io::Result<()> {
        let now = self.operations;
        self.operations += 1;
        let Some((at, fault)) = self.fault else { return Ok(()) };
        match fault {
            Fault::PowerCut if now >= at => {
                self.operations = now;
                Err(io::Error::other("the power is gone"))
            }
            Fault::Once if now == at => {
                if flush {
                    self.pending.clear();
                    self.seen = self.durable.clone();
                }
                Err(io::Error::other("the disk failed once"))
            }
            Fault::Full if now >= at && !flush => Err(io::ErrorKind::StorageFull.into()),
            Fault::PowerCut | Fault::Once | Fault::Full => Ok(()),
        }
    }

    fn write(&mut self, write: Write) {
        apply(&mut self.seen, &write, Kept::All);
        self.pending.push(write);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let bytes = state.seen.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.operation(false)?;
        state.write(Write::Len(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operation(true)?;
        state.durable = state.seen.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.operation(false)?;
        state.write(Write::Bytes(offset, data.to_vec()));
        Ok(())
    }
}
