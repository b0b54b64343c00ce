//! What is kept about what was done.

use async_trait::async_trait;

use crate::audit::{Entry, Filter, NewEntry};
use crate::error::Result;

/// Which way to read the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest entry first.
    #[default]
    NewestFirst,
    /// The oldest entry first.
    OldestFirst,
}

/// Which entries to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only those that are like this.
    pub filter: Filter,
    /// Which way.
    pub order: Order,
    /// Only those behind the entry with this number, in that order.
    pub behind: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

/// An entry, and its hash in the chain.
pub type Kept = (Entry, [u8; 32]);

/// The audit log. Entries are added and never changed or removed: the storage itself refuses
/// it.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Adds an entry at the end.
    async fn note(&self, entry: NewEntry) -> Result<()>;
    /// Reads entries.
    async fn entries(&self, query: AuditQuery) -> Result<Vec<Kept>>;
}
