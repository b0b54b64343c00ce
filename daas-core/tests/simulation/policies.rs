//! Policies, and who keeps them.

use std::sync::Arc;
use std::time::Duration;

use daas_core::lifecycle::Lifecycle;
use daas_core::model::{App, Ending, Policies, Policy, Timestamp};
use daas_core::storage::Instances as _;
use tokio::time::sleep;

use crate::hypervisor::RIGID;
use crate::life::Life;
use crate::store::Store;
use crate::support;

/// How often it is looked what is due.
pub const POLICIES: Duration = Duration::from_secs(7);

/// Policies that are short, so that much ends by them.
pub fn apps() -> [App; 3] {
    let policy = |action, after_s| Some(Policy { action, after_s });
    let with = |slug, policies| App {
        policies,
        ..support::app(slug)
    };
    let brief = Policies {
        disconnect: policy(Ending::Suspend, 30),
        idle: policy(Ending::Stop, 50),
        lifetime: policy(Ending::Delete, 90),
    };
    let rigid = Policies {
        idle: policy(Ending::Suspend, 25),
        ..Policies::default()
    };
    [
        with("desktop", Policies::default()),
        with("brief", brief),
        with(RIGID, rigid),
    ]
}

/// Keeps policies as the server does.
pub struct Keeping {
    pub life: Arc<Life>,
    pub store: Arc<Store>,
    pub lifecycle: Lifecycle,
}

impl Keeping {
    pub async fn run(&self) {
        loop {
            sleep(POLICIES).await;
            let (now, used) = (Timestamp::now(), self.life.used());
            if now >= self.life.world.inner().policies_until {
                return;
            }
            if self.store.note_use(used).await.is_err() {
                continue;
            }
            let Ok(begun) = self.lifecycle.begin_due(now).await else {
                continue;
            };
            for begun in begun {
                self.life.viewers().remove(&begun.instance.id);
            }
            self.life.world.inner().policies_kept = now;
        }
    }
}
