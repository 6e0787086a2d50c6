//! Upkeep: small packs are merged, in the background and a few at a time.
//!
//! A merge is one transaction, which reads the packs, looks whether they are what was planned for, puts one
//! in the place of the last and deletes the others. So it happens whole or not at all, whatever other tabs
//! do meanwhile: who reads finds the one form or the other, with the same numbers, ids and bytes; and who
//! appends never touches what is there.

use core::cell::RefCell;
use core::time::Duration;
use std::rc::{Rc, Weak};

use futures::future::{AbortHandle, Aborted, abortable};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{IdbDatabase, IdbObjectStore, IdbTransaction};

use super::Inner;
use super::database::PACKS;
use super::pack::{Extent, Reader, merged};
use super::plan::{Merge, Plan};
use super::transaction;
use crate::error::StoreError;
use crate::ids::JournalId;
use crate::platform::traits::{Durability, Timer};
use crate::platform::web::timer::WebTimer;

/// What the page has for itself before each merge in the background.
const PAUSE: Duration = Duration::from_millis(20);

/// What is to be merged, and the task that does.
#[derive(Default)]
pub(super) struct Upkeep {
    plans: RefCell<Vec<(JournalId, Plan)>>,
    task: RefCell<Option<AbortHandle>>,
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Upkeep {
    fn next(&self) -> Option<(JournalId, Merge)> {
        let mut plans = self.plans.borrow_mut();
        plans.iter_mut().find_map(|(journal, plan)| Some((*journal, plan.next()?)))
    }

    fn forget(&self, journal: JournalId) {
        self.plans.borrow_mut().retain(|(planned, _)| *planned != journal);
    }
}

/// Takes note of packs of a journal, in the order of their numbers. If there is something to merge by now,
/// it is done soon.
pub(super) fn see(store: &Rc<Inner>, journal: JournalId, packs: &[Extent]) {
    let upkeep = &store.upkeep;
    let due = {
        let mut plans = upkeep.plans.borrow_mut();
        if !plans.iter().any(|(planned, _)| *planned == journal) {
            plans.push((journal, Plan::default()));
        }
        let Some((_, plan)) = plans.iter_mut().find(|(planned, _)| *planned == journal) else { return };
        packs.iter().for_each(|pack| plan.see(*pack));
        plan.is_due()
    };
    if due && upkeep.task.borrow().is_none() {
        let (task, handle) = abortable(work(Rc::downgrade(store)));
        upkeep.task.replace(Some(handle));
        spawn_local(async move {
            // That it was aborted is nobody's news.
            let _: Result<(), Aborted> = task.await;
        });
    }
}

/// Merges until nothing is to be merged, or the store is gone.
async fn work(store: Weak<Inner>) {
    loop {
        WebTimer.sleep(PAUSE).await;
        let Some(store) = store.upgrade() else { return };
        match step(&store).await {
            Ok(true) => {}
            Ok(false) => {
                store.upkeep.task.replace(None);
                return;
            }
            Err(error) => {
                tracing::warn!(code = %error.code(), %error, "small packs were not merged");
            }
        }
    }
}

/// Does the next merge, if there is one.
pub(super) async fn step(store: &Inner) -> Result<bool, StoreError> {
    let Some((journal, merge)) = store.upkeep.next() else { return Ok(false) };
    let done = merge_packs(store, journal, merge).await;
    if !matches!(done, Ok(true)) {
        // What is there is something else than was thought, or nothing can be written.
        store.upkeep.forget(journal);
    }
    done.map(|_| true)
}

/// Whether the packs are one now. They are left alone if they are not those that were seen.
async fn merge_packs(store: &Inner, journal: JournalId, merge: Merge) -> Result<bool, StoreError> {
    if let Some(error) = &*store.failed.borrow() {
        return Err(error.clone());
    }
    let extent = merge.extent;
    let limit = u32::try_from(merge.packs).unwrap_or(u32::MAX);
    let ask = move |packs: &IdbObjectStore| {
        packs.get_all_with_key_and_limit(&extent.keys(journal, false)?.into(), limit)
    };
    let decide = move |transaction: &IdbTransaction, found: &JsValue| {
        let found: &Array = found.unchecked_ref();
        let pack = match merged(&Reader::new(journal), found, extent) {
            Ok(Some(pack)) => pack,
            other => return Ok(other.map(|_| false)),
        };
        if found.length() > 1 {
            let packs = transaction.object_store(PACKS)?;
            packs.put_with_key(&pack.value, &pack.key)?;
            packs.delete(&extent.keys(journal, true)?.into())?;
        }
        Ok(Ok(true))
    };
    let decide: Rc<transaction::Decide> = Rc::new(decide);
    // Nothing is promised to anybody: whether a power cut undoes it makes no difference.
    let write = async |database: &IdbDatabase| {
        transaction::update(database, &[PACKS], Durability::Relaxed, &ask, Rc::clone(&decide)).await
    };
    Ok(store.database.with(write).await?.is_none())
}
