//! The async driver: runs the sync service's machine over a platform. The only async over the core.

pub(crate) mod check;
pub(crate) mod checkpoint;
pub(crate) mod command;
pub(crate) mod command_loop;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod files;
pub(crate) mod filter;
pub(crate) mod indexed_journal;
pub(crate) mod kept_peers;
pub(crate) mod load;
pub(crate) mod node;
pub(crate) mod proofs;
pub(crate) mod recent;
pub(crate) mod service;
pub(crate) mod statistics;
pub(crate) mod storage;
pub(crate) mod task_group;
pub(crate) mod verification;
mod waits;
