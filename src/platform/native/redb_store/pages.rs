//! Holds pages to the checksums that redb keeps of them: all but those of a long file that have hashes of ours.
//!
//! redb looks at checksums when it walks a file whole, and not otherwise. A bit that is wrong in the
//! id of a journal, or in the key or value of a note, would then be taken for what was written: the
//! journal for one without entries, the device for another. So before redb opens the file all tables
//! are walked here, redb's own too, from the header downwards, but for two kinds of pages:
//!
//! - The leaves of entries and packed ids. They are many, and told by their hashes and numbers. The
//!   branches above them are held to their checksums: redb would follow a wrong one anywhere, and
//!   what it then finds in its cache can make it panic twice at once, which ends the process.
//! - Checkpoints, which have a hash of their own and can be made anew.
//!
//! Read here is redb's file format 3, as its `docs/design.md` tells it. Of a file in any other, or with
//! a header that is wrong, redb is left to say so.

use std::io;

use redb::{StorageBackend, TableHandle};
use twox_hash::XxHash3_128;

use super::backend::SharedBackend;
use super::file::{ENTRIES, IDS, NOTES, store_error};
use crate::error::StoreError;

const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
const FORMAT: u8 = 3;
/// Where things are in the header, which is the magic bytes, flags, sizes, and two commit slots.
const FLAGS: usize = 9;
const PAGE_SIZE: usize = 12;
const REGION_HEADER: usize = 16;
const REGION_PAGES: usize = 20;
const SLOTS: [usize; 2] = [64, 192];
const HEADER_LEN: usize = 320;
/// The second slot is the one that counts.
const SECOND_SLOT: u8 = 1;
/// The slot that counts was made durable before it was named so.
const TWO_PHASES: u8 = 4;
/// Where things are in a slot.
const HAS_ROOTS: [usize; 2] = [1, 2];
const ROOTS: [usize; 2] = [8, 40];
const SLOT_CHECKSUM: usize = 112;
/// Where things are in a table's definition.
const NORMAL: u8 = 3;
const HAS_ROOT: usize = 9;
const ROOT: usize = 10;
const KEY_WIDTH: usize = 42;
const VALUE_WIDTH: usize = 47;
/// Kinds of pages.
const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// The keys of notes that are passed over: from here …
const CHECKPOINTS: &[u8] = b"checkpoint/";
/// … to before here.
const BEHIND_CHECKPOINTS: &[u8] = b"checkpoint0";

/// Holds the file's pages to their checksums, all but those of entries, packed ids and checkpoints.
///
/// # Errors
/// [`StoreError::Damaged`] with the table in which a page is not what was written; that of reading.
pub(super) fn verify(file: &SharedBackend) -> Result<(), StoreError> {
    let len = file.len().map_err(failed)?;
    if len < HEADER_LEN as u64 {
        return Ok(());
    }
    let mut header = vec![0; HEADER_LEN];
    file.read(0, &mut header).map_err(failed)?;
    let Some((pages, [tables, own])) = Pages::from_header(file, len, &header) else { return Ok(()) };
    pages.verify_tables(tables)?;
    pages.verify_tables(own)
}

fn failed(error: io::Error) -> StoreError {
    store_error(redb::StorageError::from(error))
}

fn wrong(table: &[u8]) -> StoreError {
    let table = String::from_utf8_lossy(table);
    StoreError::Damaged(format!("a page of the table {table:?} is not what was written"))
}

/// A page, and the checksum of what is in it.
#[derive(Clone, Copy)]
struct Child {
    page: u64,
    checksum: u128,
}

impl Child {
    fn at(bytes: &[u8], page: usize, checksum: usize) -> Option<Self> {
        Some(Self { page: u64_at(bytes, page)?, checksum: u128_at(bytes, checksum)? })
    }
}

/// How many bytes each key and each value of a table has, where they all have as many.
#[derive(Clone, Copy, Default)]
struct Widths {
    key: Option<usize>,
    value: Option<usize>,
}

/// Where a file has its pages.
struct Pages<'f> {
    file: &'f SharedBackend,
    len: u64,
    page_size: u64,
    /// Pages in front of those of each region.
    region_header: u64,
    region_pages: u64,
}

impl<'f> Pages<'f> {
    /// The pages of a file, and the roots of the two trees that hold its tables: ours and redb's own.
    /// Nothing where redb itself looks closer, or refuses.
    fn from_header(file: &'f SharedBackend, len: u64, header: &[u8]) -> Option<(Self, [Option<Child>; 2])> {
        let flags = *header.get(FLAGS)?;
        // Without two phases redb walks the file.
        if !header.starts_with(MAGIC) || flags & TWO_PHASES == 0 {
            return None;
        }
        let [first, second] = SLOTS;
        let slot = header.get(if flags & SECOND_SLOT == 0 { first } else { second }..)?;
        let summed = slot.get(..SLOT_CHECKSUM)?;
        if slot.first() != Some(&FORMAT) || u128_at(slot, SLOT_CHECKSUM)? != XxHash3_128::oneshot(summed) {
            return None;
        }
        let mut roots = [None; 2];
        for ((root, flag), at) in roots.iter_mut().zip(HAS_ROOTS).zip(ROOTS) {
            if *slot.get(flag)? != 0 {
                *root = Some(Child::at(slot, at, at + 8)?);
            }
        }
        let page_size = u64::from(u32_at(header, PAGE_SIZE)?);
        let region_header = u64::from(u32_at(header, REGION_HEADER)?);
        let region_pages = u64::from(u32_at(header, REGION_PAGES)?);
        Some((Self { file, len, page_size, region_header, region_pages }, roots))
    }

    /// The bytes of a page, if the file is so long.
    fn read(&self, page: u64) -> Result<Option<Vec<u8>>, StoreError> {
        // 20 bits of place in the region, 20 of the region, 5 at the top for its size.
        let size = page >> 59;
        let place = page & (0xF_FFFF >> size);
        let region = page >> 20 & 0xF_FFFF;
        let len = self.page_size << size;
        let start = (|| {
            let pages = self.region_header.checked_add(self.region_pages)?.checked_mul(region)?;
            let before =
                pages.checked_add(self.region_header)?.checked_add(1)?.checked_mul(self.page_size)?;
            place.checked_mul(len)?.checked_add(before)
        })();
        let Some(start) = start.filter(|start| start.checked_add(len).is_some_and(|end| end <= self.len))
        else {
            return Ok(None);
        };
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        self.file.read(start, &mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Holds a tree of tables to its checksums, and the tables.
    fn verify_tables(&self, root: Option<Child>) -> Result<(), StoreError> {
        let list = b"list of tables";
        let mut tables = Vec::new();
        self.verify_tree(list, root, Widths::default(), u32::MAX, &mut |name, definition| {
            tables.push((name.to_vec(), table(definition)));
        })?;
        for (name, table) in tables {
            let (root, widths) = table.ok_or_else(|| wrong(list))?;
            let hashed = [ENTRIES.name(), IDS.name()].iter().any(|hashed| hashed.as_bytes() == name);
            let levels = if hashed { self.branch_levels(&name, root, widths)? } else { u32::MAX };
            self.verify_tree(&name, root, widths, levels, &mut |_, _| {})?;
        }
        Ok(())
    }

    /// How many levels of branches are above the leaves of a tree: as many as above its first.
    fn branch_levels(&self, name: &[u8], root: Option<Child>, widths: Widths) -> Result<u32, StoreError> {
        let mut levels = 0;
        let mut first = root;
        while let Some(child) = first {
            let page = self.read(child.page)?.ok_or_else(|| wrong(name))?;
            if page.first() != Some(&BRANCH) {
                break;
            }
            let mut children = Vec::new();
            verified_branch(&page, widths.key, child.checksum, false, &mut children)
                .ok_or_else(|| wrong(name))?;
            levels += 1;
            first = children.first().copied();
        }
        Ok(levels)
    }

    /// Holds so many levels of a tree to their checksums, and shows its rows, if they are among these.
    fn verify_tree(
        &self,
        name: &[u8],
        root: Option<Child>,
        widths: Widths,
        levels: u32,
        show: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let skip = name == NOTES.name().as_bytes();
        // No tree has more pages than the file: one that goes round in circles ends.
        let mut left = self.len / self.page_size.max(1);
        let mut waiting: Vec<Child> = root.into_iter().collect();
        // Level by level, and in the order of the file where it was written in order.
        for _ in 0..levels {
            if waiting.is_empty() {
                break;
            }
            let mut below = Vec::new();
            for child in waiting {
                left = left.checked_sub(1).ok_or_else(|| wrong(name))?;
                let page = self.read(child.page)?.ok_or_else(|| wrong(name))?;
                let read = match page.first() {
                    Some(&LEAF) => verified_leaf(&page, widths, child.checksum, show),
                    Some(&BRANCH) => verified_branch(&page, widths.key, child.checksum, skip, &mut below),
                    _ => None,
                };
                read.ok_or_else(|| wrong(name))?;
            }
            waiting = below;
        }
        Ok(())
    }
}

/// Root and widths of a table, from its definition.
fn table(definition: &[u8]) -> Option<(Option<Child>, Widths)> {
    let width = |at: usize| {
        let width = u32_at(definition, at + 1)?;
        Some(if *definition.get(at)? == 0 { None } else { Some(usize::try_from(width).ok()?) })
    };
    if definition.first() != Some(&NORMAL) {
        return None;
    }
    let root = Child::at(definition, ROOT, ROOT + 8)?;
    let root = (*definition.get(HAS_ROOT)? != 0).then_some(root);
    Some((root, Widths { key: width(KEY_WIDTH)?, value: width(VALUE_WIDTH)? }))
}

/// Shows the rows of a leaf: keys stand behind each other, then values, and before both where they end,
/// unless all have one width.
fn verified_leaf(
    page: &[u8],
    widths: Widths,
    checksum: u128,
    show: &mut dyn FnMut(&[u8], &[u8]),
) -> Option<()> {
    let count = usize::from(u16_at(page, 2)?);
    let ends = |width: Option<usize>| if width.is_none() { 4 * count } else { 0 };
    let value_ends = 4 + ends(widths.key);
    let keys = value_ends + ends(widths.value);
    let end = |width: Option<usize>, start: usize, ends: usize, at: usize| match width {
        Some(width) => start.checked_add(width.checked_mul(at + 1)?),
        None => usize::try_from(u32_at(page, ends + 4 * at)?).ok(),
    };
    let last = count.checked_sub(1)?;
    let values = end(widths.key, keys, 4, last)?;
    let used = page.get(..end(widths.value, values, value_ends, last)?)?;
    if XxHash3_128::oneshot(used) != checksum {
        return None;
    }
    let (mut key_start, mut value_start) = (keys, values);
    for at in 0..count {
        let key_end = end(widths.key, keys, 4, at)?;
        let value_end = end(widths.value, values, value_ends, at)?;
        show(page.get(key_start..key_end)?, page.get(value_start..value_end)?);
        (key_start, value_start) = (key_end, value_end);
    }
    Some(())
}

/// Collects the children of a branch: their checksums stand behind each other, then their pages, then
/// the keys that part them, and before these where they end, unless all have one width.
fn verified_branch(
    page: &[u8],
    key_width: Option<usize>,
    checksum: u128,
    skip_checkpoints: bool,
    children: &mut Vec<Child>,
) -> Option<()> {
    let count = usize::from(u16_at(page, 2)?);
    let pages = 8 + 16 * (count + 1);
    let ends = pages + 8 * (count + 1);
    let keys = if key_width.is_none() { ends + 4 * count } else { ends };
    let end = |at: usize| match key_width {
        Some(width) => keys.checked_add(width.checked_mul(at + 1)?),
        None => usize::try_from(u32_at(page, ends + 4 * at)?).ok(),
    };
    let used = page.get(..end(count.checked_sub(1)?)?)?;
    if XxHash3_128::oneshot(used) != checksum {
        return None;
    }
    let key = |at: usize| {
        let start = if at == 0 { keys } else { end(at - 1)? };
        page.get(start..end(at)?)
    };
    for at in 0..=count {
        // A child has the keys above the one before it, up to the one behind it.
        let above = at.checked_sub(1).and_then(key);
        let checkpoints =
            above.is_some_and(|above| above >= CHECKPOINTS) && (at < count && key(at)? < BEHIND_CHECKPOINTS);
        if !(skip_checkpoints && checkpoints) {
            children.push(Child::at(page, pages + 8 * at, 8 + 16 * at)?);
        }
    }
    Some(())
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

fn u128_at(bytes: &[u8], at: usize) -> Option<u128> {
    array_at(bytes, at).map(u128::from_le_bytes)
}
