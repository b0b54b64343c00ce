//! What is kept about what was done.

use async_trait::async_trait;

use crate::audit::{Entry, Export, Filter, Format, NewEntry};
use crate::error::{Error, Result};

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

/// Exports a log of any length piece by piece.
#[derive(Debug)]
pub struct ExportWalk {
    walk: Walk,
    export: Export<Vec<u8>>,
}

impl ExportWalk {
    /// Of all entries that are like this.
    ///
    /// # Errors
    /// [`Error::Backend`] where it cannot be written.
    pub fn new(format: Format, filter: Filter) -> Result<Self> {
        Ok(Self {
            walk: Walk::new(filter),
            export: Export::new(format, Vec::new()).map_err(unwritten)?,
        })
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Those of the log, and as for [`new`](Self::new).
    pub async fn next(&mut self, log: &dyn AuditLog) -> Result<Option<Vec<u8>>> {
        for (entry, hash) in &self.walk.next(log).await? {
            self.export.write(entry, hash).map_err(unwritten)?;
        }
        let piece = std::mem::take(self.export.out());
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

fn unwritten(error: std::io::Error) -> Error {
    Error::Backend {
        backend: "the audit log",
        operation: "writing an export",
        source: error.into(),
    }
}
