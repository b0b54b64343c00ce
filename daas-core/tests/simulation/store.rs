//! The real storage, which answers late, not at all, or kills the server.

use std::sync::Arc;

use async_trait::async_trait;
use daas_core::audit::NewEntry;
use daas_core::fleet::Bounds;
use daas_core::model::{Action, App, AppId, Instance, InstanceId, Quota, Timestamp, UserId};
use daas_core::storage::{Begun, Instances, Outcome, Sqlite, Transition, Used, Waiting};
use daas_core::{Error, Result};

use crate::check;
use crate::life::Life;

pub struct Store {
    pub life: Arc<Life>,
    pub store: Arc<Sqlite>,
}

fn broken() -> Error {
    Error::Unavailable {
        backend: "the disk",
        operation: "a call",
        source: None,
    }
}

impl Store {
    async fn call<T>(&self, name: &str, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.life.call(name, broken, call).await
    }
}

#[async_trait]
impl Instances for Store {
    async fn put_app(&self, app: App) -> Result<AppId> {
        self.call("put_app", self.store.put_app(app)).await
    }

    async fn apps(&self) -> Result<Vec<App>> {
        self.call("apps", self.store.apps()).await
    }

    async fn app(&self, id: AppId) -> Result<App> {
        self.call("app", self.store.app(id)).await
    }

    async fn add_instance(&self, instance: Instance, bounds: Bounds) -> Result<()> {
        let name = format!("add {}", instance.id);
        let call = self.store.add_instance(instance, bounds);
        self.call(&name, call).await
    }

    async fn adopt(&self, instance: Instance) -> Result<Instance> {
        let name = format!("adopt {}", instance.id);
        self.call(&name, self.store.adopt(instance)).await
    }

    async fn instance(&self, id: InstanceId) -> Result<Instance> {
        self.call("instance", self.store.instance(id)).await
    }

    async fn instances(&self, owner: Option<UserId>) -> Result<Vec<Instance>> {
        self.call("instances", self.store.instances(owner)).await
    }

    async fn add_waiting(&self, instance: Instance, most: u32, bounds: Bounds) -> Result<bool> {
        let name = format!("add waiting {}", instance.id);
        let call = self.store.add_waiting(instance, most, bounds);
        self.call(&name, call).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>> {
        self.call("waiting", self.store.waiting()).await
    }

    async fn claim(
        &self,
        app: AppId,
        owner: UserId,
        general: Quota,
        now: Timestamp,
    ) -> Result<Option<Instance>> {
        let call = self.store.claim(app, owner, general, now);
        self.call("claim", call).await
    }

    async fn discard(&self, id: InstanceId, now: Timestamp) -> Result<Option<Instance>> {
        let name = format!("discard {id}");
        self.call(&name, self.store.discard(id, now)).await
    }

    async fn ownerless_instances(&self) -> Result<Vec<InstanceId>> {
        let call = self.store.ownerless_instances();
        self.call("ownerless", call).await
    }

    async fn begin(
        &self,
        id: InstanceId,
        action: Action,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<Instance> {
        let name = format!("begin {action} {id}");
        let call = self.store.begin(id, action, bounds, now);
        self.call(&name, call).await
    }

    async fn stop_out_of_time(&self, general: Quota, now: Timestamp) -> Result<Vec<Instance>> {
        let call = self.store.stop_out_of_time(general, now);
        self.call("out of time", call).await
    }

    async fn note_use(&self, used: Vec<Used>) -> Result<()> {
        let call = async {
            self.store.note_use(used.clone()).await?;
            self.life.world.promise_use(&used);
            Ok(())
        };
        self.call("note use", call).await
    }

    async fn extend(&self, id: InstanceId, until: Timestamp, entry: NewEntry) -> Result<Instance> {
        let name = format!("extend {id}");
        let call = async {
            let extended = self.store.extend(id, until, entry).await?;
            self.life.world.promise_extension(id, until);
            Ok(extended)
        };
        self.call(&name, call).await
    }

    async fn begin_due(&self, now: Timestamp) -> Result<Vec<Begun>> {
        let call = async {
            let begun = self.store.begin_due(now).await?;
            for begun in &begun {
                check::not_early(&self.life, begun, now);
            }
            Ok(begun)
        };
        self.call("begin due", call).await
    }

    async fn finish(
        &self,
        id: InstanceId,
        revision: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Instance> {
        let name = format!("finish {id} {outcome:?}");
        let call = self.store.finish(id, revision, outcome, now);
        self.call(&name, call).await
    }

    async fn record(
        &self,
        id: InstanceId,
        revision: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Instance> {
        let name = format!("record {id} {outcome:?}");
        let call = self.store.record(id, revision, outcome, now);
        self.call(&name, call).await
    }

    async fn transitions(&self, id: InstanceId) -> Result<Vec<Transition>> {
        self.call("transitions", self.store.transitions(id)).await
    }
}
