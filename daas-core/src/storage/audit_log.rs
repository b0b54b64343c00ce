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

/// Entries that are read at once.
const AT_ONCE: u32 = 500;

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

/// Reads a log of any length, the oldest entry first, without ever holding all of it.
#[derive(Debug)]
pub struct Walk {
    query: AuditQuery,
    more: bool,
}

impl Walk {
    /// Over all entries that are like this.
    #[must_use]
    pub const fn new(filter: Filter) -> Self {
        Self {
            query: AuditQuery {
                filter,
                order: Order::OldestFirst,
                behind: None,
                limit: AT_ONCE,
            },
            more: true,
        }
    }

    /// The next entries; none at the end.
    ///
    /// # Errors
    /// Those of the log; calling it again tries again.
    pub async fn next(&mut self, log: &dyn AuditLog) -> Result<Vec<Kept>> {
        if !self.more {
            return Ok(Vec::new());
        }
        let kept = log.entries(self.query.clone()).await?;
        self.more = kept.len() == AT_ONCE as usize;
        if let Some((last, _)) = kept.last() {
            self.query.behind = Some(last.seq);
        }
        Ok(kept)
    }
}
