//! The catalogue.

use std::collections::HashSet;
use std::time::Duration;

use daas_core::access::LoggedIn;
use daas_core::chain;
use daas_core::model::App;
use hyper::{Response, StatusCode};
use tokio::time::timeout;

use super::view::{AppView, PageView};
use crate::Services;
use crate::http::{Body, Call, Problem, json};

/// Time to ask for images: the catalogue is there also when the hypervisor is not.
const IMAGES_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn list(call: Call, _: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let mut apps = services.store.apps().await?;
    apps.retain(|app| services.settings.apps.contains(&app.slug));
    let ready = images(services, &apps).await;
    let items = apps
        .iter()
        .map(|app| AppView::new(app, ready.contains(&app.image)));
    let page = PageView {
        items: items.collect(),
        next_cursor: None,
    };
    json(StatusCode::OK, &page)
}

/// The images that are present.
async fn images(services: &Services, apps: &[App]) -> HashSet<String> {
    let mut ready = HashSet::new();
    let asked = timeout(IMAGES_TIMEOUT, async {
        for app in apps {
            match services.hypervisor.has_image(&app.image).await {
                Ok(true) => drop(ready.insert(app.image.clone())),
                Ok(false) => {}
                // What one is not told, one is not told of the others either.
                Err(error) => {
                    tracing::debug!(error = chain(&error), "images are not known");
                    return;
                }
            }
        }
    });
    drop(asked.await);
    ready
}
