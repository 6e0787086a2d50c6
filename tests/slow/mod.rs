//! A store whose appends and reads take virtual time, so that what comes meanwhile gathers.

mod wrapped;

use std::time::Duration;

use isoroot::platform::memory::MemoryStore;
use isoroot::platform::{AppendOutcome, Cursor, Durability, StoreError, StoredRecord};
use isoroot::sim::Simulation;
use isoroot::{EntryId, JournalId};
use wrapped::{Call, wrapped_store};

#[derive(Clone)]
pub struct SlowStore {
    pub store: MemoryStore,
    pub world: Simulation,
    pub append: Duration,
    pub read: Duration,
}

impl SlowStore {
    async fn told(&self, call: Call<'_>) {
        match call {
            Call::Append => self.world.sleep(self.append).await,
            Call::Read => self.world.sleep(self.read).await,
            Call::Done(_) | Call::SetNote(_) => {}
        }
    }

    fn given(&self, ids: Vec<EntryId>) -> Result<Vec<EntryId>, StoreError> {
        Ok(ids)
    }
}

wrapped_store!(SlowStore);
