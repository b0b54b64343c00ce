//! Who somebody is, by the claims of a provider.

use serde_json::Value;
use url::Url;

use super::config::Settings;
use super::error::OidcError;
use super::http::{Call, Http};
use super::token::Claims;
use crate::access::sign_on::Identity;
use crate::secret::Secret;

/// Longest document with claims, in bytes.
const CLAIMS_MAX: u64 = 256 * 1024;
/// Longest name of a person or a group, in bytes.
const NAME_MAX: usize = 256;
/// Longest address: RFC 5321, section 4.5.3.1.3, without the brackets.
const EMAIL_MAX: usize = 254;
/// Most groups that count.
const GROUPS_MAX: usize = 1000;

/// Whether a claim is missing that [`identity`] would use.
pub(super) fn is_partial(claims: &Claims, settings: &Settings) -> bool {
    let wanted = [
        &settings.name_claim,
        &settings.groups_claim,
        &settings.email_claim,
    ];
    wanted.iter().any(|name| !claims.contains_key(*name))
}

/// Adds what the provider tells besides; what the token tells stands. OpenID Connect Core,
/// section 5.3.
pub(super) async fn complete(
    http: &Http,
    place: Url,
    access_token: &Secret<String>,
    subject: &str,
    claims: &mut Claims,
) -> Result<(), OidcError> {
    let bearer = Secret::new(format!("Bearer {}", access_token.expose()));
    let call = Call {
        authorization: Some(bearer),
        ..Call::get(place, CLAIMS_MAX)
    };
    let body = http.call(call).await?.json("its claims")?;
    let more = serde_json::from_slice::<Claims>(&body);
    let more = more.map_err(|_| OidcError::refused("its claims cannot be read"))?;
    // It may be about anybody: section 5.3.2.
    if more.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(OidcError::refused("its claims are about somebody else"));
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    Ok(())
}

/// Who a subject is.
pub(super) fn identity(
    subject: String,
    claims: &Claims,
    settings: &Settings,
) -> Result<Identity, OidcError> {
    let name = claims.get(&settings.name_claim).and_then(Value::as_str);
    let name = name.filter(|name| is_text(name, NAME_MAX));
    let name = name.ok_or_else(|| {
        let claim = &settings.name_claim;
        OidcError::refused(format!("there is no name in the claim {claim:?}"))
    })?;
    let email = claims.get(&settings.email_claim).and_then(Value::as_str);
    let email = email.filter(|email| is_text(email, EMAIL_MAX));
    Ok(Identity {
        provider: settings.id.clone(),
        subject,
        name: name.to_owned(),
        email: email.map(str::to_owned),
        groups: groups(claims.get(&settings.groups_claim)),
    })
}

/// Texts of a list; others are passed over. A text alone is a list of one, as some providers
/// write it. Of too many the first in their order count.
fn groups(claim: Option<&Value>) -> Vec<String> {
    let values = match claim {
        Some(Value::Array(values)) => values.as_slice(),
        Some(value @ Value::String(_)) => std::slice::from_ref(value),
        _ => &[],
    };
    let texts = values.iter().filter_map(Value::as_str);
    let texts = texts.filter(|text| is_text(text, NAME_MAX));
    let mut groups: Vec<_> = texts.map(str::to_owned).collect();
    if groups.len() < values.len() || groups.len() > GROUPS_MAX {
        tracing::warn!(given = values.len(), "not all groups of a provider count");
    }
    groups.sort_unstable();
    groups.dedup();
    groups.truncate(GROUPS_MAX);
    groups
}

fn is_text(text: &str, max: usize) -> bool {
    let fits = (1..=max).contains(&text.len());
    fits && !text.trim().is_empty() && !text.chars().any(char::is_control)
}
