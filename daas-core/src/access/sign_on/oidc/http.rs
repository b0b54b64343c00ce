//! Calls to a provider. All of them go through a gate, as the client blocks.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use ureq::Agent;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use url::Url;

use super::config::Settings;
use super::error::{OidcError, quoted};
use crate::blocking::Gate;
use crate::secret::Secret;

/// Calls at a time; others wait.
const CALLS: usize = 8;
/// Longest head of an answer, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// Certificates that are trusted.
pub(super) struct Roots(Vec<Certificate<'static>>);

impl Roots {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Those of the system.
    pub(super) fn system() -> Result<Self, OidcError> {
        let found = rustls_native_certs::load_native_certs();
        let certs = found.certs.iter();
        let certs = certs.map(|cert| Certificate::from_der(cert.as_ref()).to_owned());
        Self::usable(certs.collect(), "this system trusts no certificates")
    }

    /// Those of a file.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, OidcError> {
        let mut certs = Vec::new();
        for item in parse_pem(pem) {
            let item = item.map_err(|_| OidcError::misconfigured("`ca_file`: this is no PEM"))?;
            if let PemItem::Certificate(cert) = item {
                certs.push(cert);
            }
        }
        Self::usable(certs, "`ca_file`: there is no certificate in it")
    }

    /// The client passes over what it cannot use without a word.
    fn usable(certs: Vec<Certificate<'static>>, none: &str) -> Result<Self, OidcError> {
        let parsed = certs.iter().map(|cert| cert.der().to_vec().into());
        let (added, _) = RootCertStore::empty().add_parsable_certificates(parsed);
        if added == 0 {
            return Err(OidcError::misconfigured(none));
        }
        Ok(Self(certs))
    }
}

/// What a provider answered: a body of at most so many bytes.
pub(super) struct Answer {
    pub(super) status: u16,
    content_type: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The body of a success, where it says that it is JSON.
    pub(super) fn json(self, what: &str) -> Result<Vec<u8>, OidcError> {
        if self.status != 200 {
            return Err(self.failure(what));
        }
        if !self.is_json() {
            let found = quoted(&self.content_type);
            return Err(OidcError::refused(format!("{what}: {found} is not JSON")));
        }
        Ok(self.body)
    }

    /// What an answer means that is no success.
    pub(super) fn failure(&self, what: &str) -> OidcError {
        let text = format!("{what}: status {}", self.status);
        match self.status {
            408 | 429 | 500.. => OidcError::Unavailable(text),
            300..400 => OidcError::Refused(format!("{text}, and redirects are not followed")),
            _ => OidcError::Refused(text),
        }
    }

    /// `application/json`, and those that are built on it (RFC 6839, section 3.1).
    pub(super) fn is_json(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        let kind = essence.strip_prefix("application/");
        kind.is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
    }
}

/// A client for one provider.
pub(super) struct Http {
    agent: Agent,
    gate: Gate,
    patience: Duration,
}

/// One call.
pub(super) struct Call {
    pub(super) url: Url,
    pub(super) authorization: Option<Secret<String>>,
    /// A form to be posted.
    pub(super) form: Option<Secret<String>>,
    /// Longest body of the answer, in bytes.
    pub(super) max: u64,
}

impl Call {
    pub(super) const fn get(url: Url, max: u64) -> Self {
        Self {
            url,
            authorization: None,
            form: None,
            max,
        }
    }
}

impl Http {
    pub(super) fn new(settings: &Settings, roots: Roots) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(roots.0)))
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()));
        let mut config = Agent::config_builder()
            .tls_config(tls.build())
            .https_only(!settings.is_local)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Log-ins are rare, and the other side may have closed a connection by then.
            .max_idle_connections(0)
            .max_response_header_size(HEAD_MAX)
            .timeout_global(Some(settings.timeout))
            .user_agent(concat!("daas/", env!("CARGO_PKG_VERSION")));
        if settings.is_local {
            // A proxy of the environment is another machine.
            config = config.proxy(None);
        }
        Self {
            agent: Agent::new_with_config(config.build()),
            gate: Gate::new(CALLS),
            patience: settings.timeout * 2,
        }
    }

    /// Makes a call. Whoever waits for others to end does so no longer than a call may take.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, OidcError> {
        let place = call.url.clone();
        let agent = self.agent.clone();
        let answer = self.gate.run(move || send(&agent, call));
        match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(answer)) => answer.map_err(|error| failed(&place, error)),
            Ok(Err(error)) => Err(OidcError::unavailable(error.to_string())),
            Err(_) => Err(OidcError::unavailable("too many calls to it at once")),
        }
    }
}

fn send(agent: &Agent, call: Call) -> Result<Answer, ureq::Error> {
    let authorization = call.authorization.as_ref().map(Secret::expose);
    let response = match call.form {
        None => {
            let mut request = agent.get(call.url.as_str());
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value);
            }
            request.header(ACCEPT, "application/json").call()?
        }
        Some(form) => {
            let mut request = agent.post(call.url.as_str());
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value);
            }
            request
                .header(ACCEPT, "application/json")
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .send(form.expose())?
        }
    };
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    Ok(Answer {
        status: response.status().as_u16(),
        content_type: content_type.unwrap_or_default().to_owned(),
        body: response
            .into_body()
            .into_with_config()
            .limit(call.max)
            .read_to_vec()?,
    })
}

fn failed(place: &Url, error: ureq::Error) -> OidcError {
    let place = place.host_str().unwrap_or_default();
    match error {
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
            OidcError::refused(format!("{place} sends too much"))
        }
        error => OidcError::unavailable(format!("{place}: {}", quoted(&error.to_string()))),
    }
}
