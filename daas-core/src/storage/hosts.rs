//! What is kept about hosts.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::audit::NewEntry;
use crate::error::Result;
use crate::fleet::Committed;
use crate::model::HostName;

/// Which hosts are being emptied, and how much is promised on each.
#[async_trait]
pub trait Hosts: Send + Sync + 'static {
    /// The hosts that are being emptied: nothing is placed or started on them.
    async fn drained_hosts(&self) -> Result<BTreeSet<HostName>>;
    /// Has a host emptied, or takes it back, with an entry of the audit log; both are kept, or
    /// neither. Where it is so already, nothing is written.
    async fn set_drained(&self, host: HostName, drained: bool, entry: NewEntry) -> Result<()>;
    /// How much is promised on each host; on none for those that do not know theirs.
    async fn committed(&self) -> Result<Vec<(Option<HostName>, Committed)>>;
    /// Notes for all instances that do not know their host that it is this one; answers how
    /// many there were. From then on they stay there whatever becomes the first host.
    async fn settle_hosts(&self, first: HostName) -> Result<u64>;
}
