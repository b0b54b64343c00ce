//! Who looks at which instance now.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use daas_core::access::LoggedIn;
use daas_core::audit::{AuditAction, Target, TargetKind};
use daas_core::model::{App, AppId, InstanceId, Timestamp, UserId};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::people::{Named, nothing};
use super::view::PageView;
use crate::Services;
use crate::http::{Body, Call, Problem, json};
use crate::tunnel::OpenTunnel;

#[derive(Serialize)]
struct LiveView {
    id: String,
    user: Named<UserId>,
    instance_id: InstanceId,
    app: Named<AppId>,
    since: String,
    address: String,
    bytes_in: u64,
    bytes_out: u64,
}

/// Names that were looked up already.
#[derive(Default)]
struct Names {
    users: HashMap<UserId, String>,
    apps: HashMap<InstanceId, Named<AppId>>,
}

impl Names {
    /// Nothing where the user or the instance has just gone.
    async fn of(
        &mut self,
        services: &Services,
        tunnel: &OpenTunnel,
    ) -> Option<(Named<UserId>, Named<AppId>)> {
        let (user, instance) = (tunnel.about.user, tunnel.about.instance);
        let name = match self.users.entry(user) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => new
                .insert(services.store.user(user).await.ok()?.name)
                .clone(),
        };
        let app = match self.apps.entry(instance) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => {
                let app = services.store.instance(instance).await.ok()?.app;
                let App { id, name, .. } = services.store.app(app).await.ok()?;
                new.insert(Named { id, name }).clone()
            }
        };
        Some((Named { id: user, name }, app))
    }
}

pub(super) async fn list(call: Call, _: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let (mut names, mut items) = (Names::default(), Vec::new());
    for tunnel in services.tunnels.registry().list() {
        let Some((user, app)) = names.of(services, &tunnel).await else {
            continue;
        };
        items.push(LiveView {
            id: tunnel.id.to_string(),
            user,
            instance_id: tunnel.about.instance,
            app,
            since: tunnel.since.rfc3339(),
            address: tunnel.about.address.to_string(),
            bytes_in: tunnel.statistics.bytes_to_gateway,
            bytes_out: tunnel.statistics.bytes_to_browser,
        });
    }
    let page = PageView {
        items,
        next_cursor: None,
    };
    json(StatusCode::OK, &page)
}

pub(super) async fn end(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let none = || Problem::from(daas_core::Error::NotFound { what: "tunnel" });
    let id: u64 = call.id().parse().map_err(|_| none())?;
    let open = services.tunnels.registry().list();
    let open = open.into_iter().find(|open| open.id == id);
    let open = open.ok_or_else(none)?;
    let target = Target::new(TargetKind::Tunnel, id, &open.about.instance.to_string());
    let entry = who
        .caller
        .by()
        .did(AuditAction::TunnelEnd, target, Timestamp::now());
    services.store.note(entry).await?;
    services.tunnels.end_tunnel(id);
    Ok(nothing())
}
