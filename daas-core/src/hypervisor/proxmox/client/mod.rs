//! A client for the interface of Proxmox VE 7, 8 and 9.
//!
//! It knows calls and errors, and nothing of instances. Each call is made once; whether to
//! make it again is for whoever asked to decide, by the [`Class`] of the [`Fault`]. Two
//! exceptions change nothing: an endpoint that cannot be connected to is followed by the
//! next, and a ticket that is no longer good by a new one.

mod agent;
mod classify;
mod cluster;
mod console;
mod fault;
mod form;
mod frames;
mod guests;
mod http;
pub(crate) mod lenient;
mod session;
mod settings;
mod snapshots;
mod tasks;
mod tls;
mod upid;
mod websocket;

pub use agent::Interface;
pub use cluster::{Kind, NodeStatus, Pool, Resource, ResourceKind, Version};
pub use console::Console;
pub use fault::{Class, Fault, Refusal};
pub use form::Form;
pub use guests::{CloneSpec, Current, Guest, GuestConfig, ListedGuest, Power};
pub use settings::{Credentials, Endpoint, Fingerprint, SettingError, Settings, Trust};
pub use snapshots::Snapshot;
pub use tasks::{TaskEntry, TaskStatus};
pub use upid::{ParseUpidError, Upid};
pub use websocket::WebSocket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Method;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::http::{Answer, Ask, Http, NoAnswer, tidy};
use self::session::{Headers, Ticket};
use self::upid::is_node;
use crate::secret::Secret;

/// Calls to one node at a time: it has three workers, and others call it too.
const CALLS_PER_NODE: usize = 4;
/// Most bytes of an answer.
const ANSWER_MAX: usize = 8 * 1024 * 1024;
/// Most bytes that a node takes.
const BODY_MAX: usize = 512 * 1024;
/// Most parameters of which a refusal tells something.
const PARAMETERS_MAX: usize = 32;

/// A client for one cluster. Clones share everything.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    http: Http,
    /// The endpoint that was connected to last.
    preferred: AtomicUsize,
    /// Held while a ticket is asked for.
    ticket: tokio::sync::Mutex<Option<(u64, Ticket)>>,
    /// How many there were.
    tickets: AtomicU64,
    /// For each node, and for what any node answers.
    permits: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A call: what is asked of whom.
#[derive(Debug)]
pub(super) struct Call<'a> {
    method: Method,
    /// Parts of the path behind `/api2/json`.
    path: &'a [&'a str],
    form: Form,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a [&'a str], form: Form) -> Self {
        Self { method, path, form }
    }

    fn changes(&self) -> bool {
        self.method != Method::GET
    }

    /// The node that does the work, where a path names one.
    fn node(&self) -> Option<&'a str> {
        match self.path {
            ["nodes", node, ..] => Some(node),
            _ => None,
        }
    }
}

impl Client {
    /// A client that has not asked anything yet.
    ///
    /// # Errors
    /// Where a setting is not as it has to be.
    pub fn new(settings: Settings) -> Result<Self, SettingError> {
        if settings.endpoints.is_empty() {
            return Err(SettingError::new("endpoints", "there are none"));
        }
        settings.credentials.check()?;
        let tls = tls::config(&settings.trust)?;
        let http = Http::new(tls, settings.connect_timeout, settings.call_timeout);
        let shared = Shared {
            settings,
            http,
            preferred: AtomicUsize::new(0),
            ticket: tokio::sync::Mutex::new(None),
            tickets: AtomicU64::new(0),
            permits: Mutex::new(HashMap::new()),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// How it was set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    async fn get(&self, path: &[&str], form: Form) -> Result<Value, Fault> {
        self.call(Call::new(Method::GET, path, form)).await
    }

    async fn post(&self, path: &[&str], form: Form) -> Result<Value, Fault> {
        self.call(Call::new(Method::POST, path, form)).await
    }

    async fn put(&self, path: &[&str], form: Form) -> Result<Value, Fault> {
        self.call(Call::new(Method::PUT, path, form)).await
    }

    async fn delete(&self, path: &[&str], form: Form) -> Result<Value, Fault> {
        self.call(Call::new(Method::DELETE, path, form)).await
    }

    /// Makes a call and answers its data.
    async fn call(&self, call: Call<'_>) -> Result<Value, Fault> {
        self.call_at(call).await.map(|(_, data)| data)
    }

    /// The same, with the endpoint that answered.
    async fn call_at(&self, call: Call<'_>) -> Result<(Endpoint, Value), Fault> {
        if let Some(node) = call.node().filter(|node| !is_node(node)) {
            return Err(Fault::Invalid(format!("{node:?} is no name of a node")));
        }
        let permits = self.permits(call.node().unwrap_or_default());
        let patience = self.shared.settings.call_timeout * 2;
        let permit = timeout(patience, permits.acquire_owned()).await;
        let _permit = permit.ok().and_then(Result::ok).ok_or(Fault::Crowded)?;
        let (held, endpoint, answer) = self.ask(&call).await?;
        // A ticket that is no longer good; nothing has happened.
        if answer.status == 401 && held.is_some() {
            self.forget(held).await;
            let (_, endpoint, answer) = self.ask(&call).await?;
            return Ok((endpoint, data(answer, call.changes())?));
        }
        Ok((endpoint, data(answer, call.changes())?))
    }

    fn permits(&self, node: &str) -> Arc<Semaphore> {
        let permits = self.shared.permits.lock();
        let mut permits = permits.unwrap_or_else(PoisonError::into_inner);
        let entry = permits.entry(node.to_owned());
        let new = || Arc::new(Semaphore::new(CALLS_PER_NODE));
        Arc::clone(entry.or_insert_with(new))
    }

    /// Asks with the usual headers; answers also which ticket that was, if any.
    async fn ask(&self, call: &Call<'_>) -> Result<(Option<u64>, Endpoint, Answer), Fault> {
        let (ticket, headers) = self.headers(call.changes()).await?;
        let ask = ask(call, headers)?;
        let (endpoint, answer) = self.ask_any(&ask, call.changes()).await?;
        Ok((ticket, endpoint, answer))
    }

    /// Asks the first endpoint that can be connected to.
    async fn ask_any(&self, ask: &Ask, changes: bool) -> Result<(Endpoint, Answer), Fault> {
        let endpoints = &self.shared.settings.endpoints;
        let first = self.shared.preferred.load(Ordering::Relaxed);
        let mut last: crate::error::BoxError = "there are no endpoints".into();
        for turn in 0..endpoints.len() {
            let index = (first + turn) % endpoints.len();
            match self.shared.http.ask(&endpoints[index], ask).await {
                Ok(answer) => {
                    self.shared.preferred.store(index, Ordering::Relaxed);
                    return Ok((endpoints[index].clone(), answer));
                }
                Err(NoAnswer::Unconnected(source)) => last = source,
                Err(NoAnswer::Lost(source)) => return Err(Fault::Lost { changes, source }),
            }
        }
        Err(Fault::Unreachable(last))
    }

    async fn headers(&self, changes: bool) -> Result<(Option<u64>, Headers), Fault> {
        let form = match &self.shared.settings.credentials {
            Credentials::Token { id, secret } => {
                return Ok((None, session::token_headers(id, secret)?));
            }
            credentials @ Credentials::Password { .. } => session::log_in(credentials),
        };
        let mut held = self.shared.ticket.lock().await;
        if let Some((number, ticket)) = held.as_ref().filter(|(_, ticket)| ticket.is_fresh()) {
            return Ok((Some(*number), ticket.headers(changes)?));
        }
        let call = Call::new(
            Method::POST,
            &["access", "ticket"],
            form.unwrap_or_default(),
        );
        let ask = ask(&call, Headers::new())?;
        // A ticket that nobody has does no harm.
        let (_, answer) = self.ask_any(&ask, false).await?;
        let ticket = Ticket::read(&data(answer, false)?)?;
        let number = self.shared.tickets.fetch_add(1, Ordering::Relaxed);
        let (_, ticket) = held.insert((number, ticket));
        Ok((Some(number), ticket.headers(changes)?))
    }

    /// Gives a ticket up, unless somebody has got another one in the meantime.
    async fn forget(&self, ticket: Option<u64>) {
        let mut held = self.shared.ticket.lock().await;
        if held.as_ref().map(|(number, _)| *number) == ticket {
            *held = None;
        }
    }
}

fn ask(call: &Call<'_>, headers: Headers) -> Result<Ask, Fault> {
    let mut path = format!("/api2/json{}", form::path(call.path));
    let form = call.form.encoded();
    let has_body = call.method == Method::POST || call.method == Method::PUT;
    if form.expose().len() > BODY_MAX {
        return Err(Fault::Invalid("the parameters are too long".to_owned()));
    }
    if !has_body && !call.form.is_empty() {
        path.push('?');
        path.push_str(form.expose());
    }
    Ok(Ask {
        method: call.method.clone(),
        path: Secret::new(path),
        headers,
        body: has_body.then_some(form),
        max: ANSWER_MAX,
    })
}

/// The data of an answer, or why there are none.
fn data(answer: Answer, changes: bool) -> Result<Value, Fault> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if !(200..300).contains(&answer.status) {
        return Err(Fault::Refused(refusal(&answer, body, changes)));
    }
    match body {
        Some(Value::Object(mut body)) if body.contains_key("data") => {
            Ok(body.remove("data").unwrap_or_default())
        }
        _ => Err(Fault::Unreadable {
            what: "it is no JSON with data".to_owned(),
            changes,
        }),
    }
}

/// What is said in the reason phrase counts; the body has the same text in newer versions
/// only. Where a phrase is the usual one for its status, the body may say more.
fn refusal(answer: &Answer, body: Option<Value>, changes: bool) -> Refusal {
    let body = body.unwrap_or_default();
    let usual = hyper::StatusCode::from_u16(answer.status);
    let usual = usual.ok().and_then(|status| status.canonical_reason());
    let message = body.get("message").and_then(Value::as_str).map(tidy);
    let message = message.filter(|message| !message.is_empty());
    let says_nothing = answer.reason.is_empty() || Some(answer.reason.as_str()) == usual;
    let text = match message {
        Some(message) if says_nothing => message,
        _ => answer.reason.clone(),
    };
    let errors = body.get("errors").and_then(Value::as_object);
    let parameters = errors.into_iter().flatten().take(PARAMETERS_MAX);
    let parameters = parameters.map(|(name, wrong)| {
        let wrong = lenient::text(wrong).unwrap_or_default();
        (tidy(name), tidy(&wrong))
    });
    Refusal {
        status: answer.status,
        text,
        parameters: parameters.collect(),
        changes,
    }
}

/// The name of a task in an answer.
fn upid(data: &Value) -> Result<Upid, Fault> {
    let text = data.as_str().unwrap_or_default();
    text.parse().map_err(|_| Fault::Unreadable {
        what: "it is no name of a task".to_owned(),
        changes: true,
    })
}

#[cfg(test)]
mod tests;
