//! The catalogue.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use daas_core::access::Caller;
use daas_core::model::{App, Permission};
use daas_core::storage::QuotaOf;
use hyper::{Response, StatusCode};
use tokio::time::timeout;

use super::people::id;
use super::users::set_quota_of;
use super::view::{AppView, PageView};
use crate::Services;
use crate::http::{Body, Call, Problem, json};

/// Time to ask for images: the catalogue is there also when hosts are not.
const IMAGES_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn list(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let sets_quotas = caller.rights.may(Permission::QuotasManage);
    let mut apps = services.store.apps().await?;
    apps.retain(|app| {
        let may_see = sets_quotas || caller.rights.may_launch(app.id);
        may_see && services.settings.apps.contains(&app.slug)
    });
    let quotas = match sets_quotas {
        true => Some(services.store.app_quotas().await?),
        false => None,
    };
    let quotas = quotas.map(|quotas| quotas.into_iter().collect::<HashMap<_, _>>());
    let ready = images(services, &apps).await;
    let items = apps.iter().map(|app| {
        let quota = quotas.as_ref();
        let quota = quota.map(|quotas| quotas.get(&app.id).copied().unwrap_or_default());
        AppView::new(app, ready.contains(&app.image), quota)
    });
    let page = PageView {
        items: items.collect(),
        next_cursor: None,
    };
    json(StatusCode::OK, &page)
}

/// What one person may have of an application.
pub(super) async fn set_quota(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let of = QuotaOf::App(id(&call, "application")?);
    set_quota_of(of, call, caller).await
}

/// The images that are present on some host.
async fn images(services: &Services, apps: &[App]) -> HashSet<String> {
    let mut ready = HashSet::new();
    let asked = timeout(IMAGES_TIMEOUT, async {
        for app in apps {
            if services.fleet().has_image(&app.image).await {
                ready.insert(app.image.clone());
            }
        }
    });
    drop(asked.await);
    ready
}
