//! What lies between redb and the file: one file for several databases, and a view that leaves it untouched.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{BackendError, StorageBackend};

/// One backend that several databases can be opened on, one after the other.
#[derive(Clone, Debug)]
pub(super) struct SharedBackend(Arc<RwLock<Option<Arc<dyn StorageBackend>>>>);

impl SharedBackend {
    pub(super) fn new(backend: impl StorageBackend) -> Self {
        Self(Arc::new(RwLock::new(Some(Arc::new(backend)))))
    }

    /// Lets go of the backend, for all who share it.
    pub(super) fn release(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn get(&self) -> io::Result<Arc<dyn StorageBackend>> {
        let backend = self.0.read().unwrap_or_else(PoisonError::into_inner);
        backend.clone().ok_or_else(|| io::Error::other("the file was let go of"))
    }
}

impl StorageBackend for SharedBackend {
    fn len(&self) -> io::Result<u64> {
        self.get()?.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.get()?.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.get()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.get()?.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.get()?.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.get()?.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.get()?.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.get()?.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.get()?.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.get()?.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.get()?.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.get()?.query_lock_range(start, end)
    }
}

/// Bytes of one block of an [`Overlay`]: redb's page size, so that a page is one block.
const BLOCK: u64 = 4_096;

/// A view of a file that keeps all writes in memory.
///
/// redb writes to every file that it opens, and repairs one that was not closed. Through this view
/// a store of a newer format is looked at without being touched, and one whose disk has failed goes
/// on being read. It takes no locks: the caller holds the store's own.
pub(super) struct Overlay {
    base: SharedBackend,
    state: Mutex<OverlayState>,
}

struct OverlayState {
    len: u64,
    /// How much of the base still shows: it does not come back when the view shrinks and grows.
    base_len: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(super) fn new(base: SharedBackend) -> io::Result<Self> {
        let len = base.len()?;
        let state = OverlayState { len, base_len: len, blocks: BTreeMap::new() };
        Ok(Self { base, state: Mutex::new(state) })
    }

    /// Runs `work` on the state, which no panic leaves half changed.
    fn with<T>(&self, work: impl FnOnce(&mut OverlayState) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The bytes of a block as the base has them, zeros beyond its end.
    fn base_block(&self, base_len: u64, block: u64) -> io::Result<Vec<u8>> {
        let start = block.saturating_mul(BLOCK);
        let mut bytes = vec![0; size(BLOCK)];
        let there = size(base_len.saturating_sub(start).min(BLOCK));
        if let Some(part @ [_, ..]) = bytes.get_mut(..there) {
            self.base.read(start, part)?;
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The blocks that `len` bytes at `offset` touch: for each its number, where the bytes start in it,
/// and where in the whole.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset.saturating_add(done as u64);
        let piece = (done < len).then(|| (at / BLOCK, size(at % BLOCK), done));
        done = done.saturating_add(size(BLOCK - at % BLOCK));
        piece
    })
}

/// A length that is at most [`BLOCK`].
fn size(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|state| state.len))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|state| {
            if offset.saturating_add(out.len() as u64) > state.len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let total = out.len();
            for (block, start, done) in pieces(offset, total) {
                let Some(out) = out.get_mut(done..) else { break };
                let kept = match state.blocks.get(&block) {
                    Some(kept) => kept,
                    None => &self.base_block(state.base_len, block)?,
                };
                out.iter_mut().zip(kept.iter().skip(start)).for_each(|(out, byte)| *out = *byte);
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|state| {
            if len < state.len {
                state.blocks.retain(|block, _| block.saturating_mul(BLOCK) < len);
                if let Some(last) = state.blocks.get_mut(&(len / BLOCK)) {
                    last.iter_mut().skip(size(len % BLOCK)).for_each(|byte| *byte = 0);
                }
                state.base_len = state.base_len.min(len);
            }
            state.len = len;
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|state| {
            for (block, start, done) in pieces(offset, data.len()) {
                let mut bytes = match state.blocks.remove(&block) {
                    Some(bytes) => bytes,
                    None => self.base_block(state.base_len, block)?,
                };
                let data = data.iter().skip(done);
                bytes.iter_mut().skip(start).zip(data).for_each(|(byte, data)| *byte = *data);
                state.blocks.insert(block, bytes);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn an_overlay_reads_like_a_file_and_leaves_its_base_alone() {
        let base = SharedBackend::new(InMemoryBackend::new());
        base.set_len(10_000).unwrap();
        base.write(0, &[1; 10_000]).unwrap();
        let overlay = Overlay::new(base.clone()).unwrap();
        let mut model = vec![1_u8; 10_000];
        // Writes across blocks, shrinking into a written and an untouched block, growing again.
        for (offset, len, resize) in [
            (4_000_u64, 200_usize, 12_000_u64),
            (0, 9_000, 9_000),
            (8_190, 4, 8_195),
            (1, 1, 20_000),
            (5_000, 9_000, 4_100),
            (3, 2, 13_000),
        ] {
            overlay.write(offset, &vec![2; len]).unwrap();
            model[offset as usize..offset as usize + len].fill(2);
            overlay.set_len(resize).unwrap();
            model.resize(resize as usize, 0);
            let mut bytes = vec![9; model.len()];
            overlay.read(0, &mut bytes).unwrap();
            assert_eq!(bytes, model);
            let mut part = vec![9; 3_000];
            overlay.read(1_000, &mut part).unwrap();
            assert_eq!(part, model[1_000..4_000]);
        }
        assert!(overlay.read(12_999, &mut [0; 2]).is_err());
        let mut bytes = vec![0; 10_000];
        base.read(0, &mut bytes).unwrap();
        assert_eq!(bytes, [1; 10_000]);
    }
}
