//! Appends entries in large groups, two under way at a time, in order.

use std::collections::VecDeque;
use std::task::Poll;

use crate::cli::batches::Batch;
use crate::driver::error::NodeError;
use crate::driver::node::{Appended, SyncNode};
use crate::fact::entry::Draft;
use crate::limits::COMMIT_ENTRIES;
use crate::platform::send::BoxFuture;

/// Bytes of a group.
const GROUP_BYTES: usize = 1_048_576;
/// Groups under way at a time: while one is being stored, the next is signed.
const UNDER_WAY: usize = 2;

/// What is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) facts: u64,
    pub(super) entries: u64,
    /// Number of the line that the last fact comes from; 0 if there is none.
    pub(super) last_line: u64,
}

impl Written {
    fn add(&mut self, facts: usize, last_line: u64) {
        self.facts = self.facts.saturating_add(facts as u64);
        self.entries = self.entries.saturating_add(1);
        self.last_line = last_line;
    }
}

/// A group under way, and what has been written once it is durable.
struct Group {
    append: BoxFuture<'static, Result<Vec<Appended>, NodeError>>,
    then: Written,
}

/// See the module.
pub(super) struct Writing {
    node: SyncNode,
    drafts: Vec<Draft>,
    bytes: usize,
    groups: VecDeque<Group>,
    /// With the drafts and the groups.
    planned: Written,
    written: Written,
}

impl Writing {
    pub(super) fn new(node: SyncNode) -> Self {
        Self {
            node,
            drafts: Vec::new(),
            bytes: 0,
            groups: VecDeque::new(),
            planned: Written::default(),
            written: Written::default(),
        }
    }

    /// What is durable so far.
    pub(super) fn written(&self) -> Written {
        self.written
    }

    /// Takes entries, and waits while enough are under way.
    pub(super) async fn add(&mut self, batches: Vec<Batch>) -> Result<(), NodeError> {
        for Batch { draft, last_line } in batches {
            self.planned.add(draft.fact_count(), last_line);
            self.bytes = self.bytes.saturating_add(draft.size());
            self.drafts.push(draft);
            if self.drafts.len() >= COMMIT_ENTRIES || self.bytes >= GROUP_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends on what has been taken, without waiting for a full group.
    pub(super) async fn send(&mut self) -> Result<(), NodeError> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        while self.groups.len() >= UNDER_WAY {
            self.settled().await?;
        }
        let (node, drafts) = (self.node.clone(), std::mem::take(&mut self.drafts));
        self.bytes = 0;
        let mut append: BoxFuture<'static, _> = Box::pin(async move { node.append_all(drafts).await });
        // Polled once, so that the command is on its way before that of the next group.
        match futures::poll!(&mut append) {
            Poll::Ready(appended) => {
                appended?;
                self.written = self.planned;
            }
            Poll::Pending => self.groups.push_back(Group { append, then: self.planned }),
        }
        Ok(())
    }

    /// Waits until the oldest group is durable; for ever if none is under way. Dropping it loses nothing.
    pub(super) async fn settled(&mut self) -> Result<(), NodeError> {
        match self.groups.front_mut() {
            Some(oldest) => drop((&mut oldest.append).await?),
            None => std::future::pending().await,
        }
        if let Some(oldest) = self.groups.pop_front() {
            self.written = oldest.then;
        }
        Ok(())
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.groups.is_empty()
    }

    /// Waits until everything that was taken is durable.
    pub(super) async fn finish(&mut self) -> Result<(), NodeError> {
        self.send().await?;
        while !self.is_idle() {
            self.settled().await?;
        }
        Ok(())
    }
}
