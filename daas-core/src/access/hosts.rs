//! Hosts, as those manage them who may.

use serde_json::json;

use super::by::changed;
use super::{Access, By};
use crate::audit::{AuditAction, Target, TargetKind};
use crate::error::Result;
use crate::model::{HostName, Permission, Timestamp};

impl Access {
    /// Has a host emptied, so that nothing is placed or started on it any more, or takes it
    /// back. What runs there goes on. Whether there is such a host, the caller knows.
    ///
    /// # Errors
    /// [`Error::Forbidden`](crate::Error::Forbidden).
    pub async fn drain_host(
        &self,
        by: &By,
        host: &HostName,
        drained: bool,
        now: Timestamp,
    ) -> Result<()> {
        by.needs(Permission::HostsManage)?;
        let target = Target::named(TargetKind::Host, host.as_str());
        let entry = by.did(AuditAction::HostDrain, target, now);
        let (before, after) = (
            json!({ "drained": !drained }),
            json!({ "drained": drained }),
        );
        let entry = changed(entry, Some(&before), Some(&after));
        self.store.set_drained(host.clone(), drained, entry).await
    }
}
