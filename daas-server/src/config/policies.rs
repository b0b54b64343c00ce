//! What ends desktops by itself: in general, and for single applications.

use std::time::Duration;

use daas_core::model::{Policies, Policy};

use super::error::ConfigError;
use super::{in_range, raw, wrong_app};

/// Longest time that an end can be put off by at once: a day, in seconds.
const EXTEND_MAX_S: u64 = 24 * 60 * 60;

pub(super) fn extend(raw: &raw::Limits) -> Result<Duration, ConfigError> {
    let range = 0..=EXTEND_MAX_S;
    in_range("limits.extend_s", raw.extend_s, range).map(Duration::from_secs)
}

pub(super) fn general(raw: &raw::Policies) -> Result<Policies, ConfigError> {
    let read = |key, text: &str| {
        let wrong = |error| ConfigError::key(key, format!("`{text}` {error}"));
        Policy::parse(text).map_err(wrong)
    };
    Ok(Policies {
        disconnect: read("policies.on_disconnect", &raw.on_disconnect)?,
        idle: read("policies.on_idle", &raw.on_idle)?,
        lifetime: read("policies.on_lifetime", &raw.on_lifetime)?,
    })
}

/// Those of an application: where it says nothing, the general ones.
pub(super) fn of_app(raw: &raw::App, general: Policies) -> Result<Policies, ConfigError> {
    let read = |key, text: &Option<String>, general| {
        let Some(text) = text else {
            return Ok(general);
        };
        Policy::parse(text)
            .map_err(|error| wrong_app(&raw.slug, &format!("{key} = `{text}` {error}")))
    };
    Ok(Policies {
        disconnect: read("on_disconnect", &raw.on_disconnect, general.disconnect)?,
        idle: read("on_idle", &raw.on_idle, general.idle)?,
        lifetime: read("on_lifetime", &raw.on_lifetime, general.lifetime)?,
    })
}
