//! Tunnels as the rest of the server sees them: a ticket is taken, the target is decided
//! here and by nobody else, and the registry knows what is open.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use daas_core::access::{Access, LoggedIn, Token};
use daas_core::audit::{self, AuditAction, TargetKind};
use daas_core::fleet::Fleet;
use daas_core::gateway::{Display, Gateway, Status, Target, Way};
use daas_core::model::{App, HostName, Instance, InstanceState, Protocol, Timestamp};
use daas_core::session::{Settings, farewell};
use daas_core::storage::{Store, Used};
use daas_core::{Error, chain};
use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::{Request, Response};
use tokio::runtime::Handle;

use crate::http::{Body, Problem};
use crate::tunnel::{About, Registry, Resize, Tunnel, Which, parse_display, spawn_tunnel};
use crate::tunnels::Tunnels;
use crate::websocket::{Origins, Refusal, accept};

/// Most tunnels of one person.
const TUNNELS_MAX: usize = 32;

/// Opens tunnels, and knows those that are open.
#[allow(missing_debug_implementations, reason = "backends need not have one")]
pub struct OpenTunnels {
    /// Takes tickets.
    pub access: Access,
    /// Knows instances.
    pub store: Arc<dyn Store>,
    /// Resizes desktops.
    pub fleet: Fleet,
    /// Connects to desktops.
    pub gateway: Arc<dyn Gateway>,
    /// The same for those on hosts that have their own.
    pub gateways: HashMap<HostName, Arc<dyn Gateway>>,
    /// That of tunnels.
    pub runtime: Handle,
    /// All that are open.
    pub registry: Registry,
}

/// Why a viewer gets no desktop, as the page is told over the WebSocket.
struct Denied(Status, &'static str);

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } => Self(
                Status::ClientUnauthorized,
                "The ticket is not good (any more). Open the desktop again.",
            ),
            error => {
                tracing::warn!(error = chain(&error), "a tunnel could not be opened");
                Self(Status::ServerError, "Something went wrong in the server.")
            }
        }
    }
}

impl OpenTunnels {
    async fn tunnel(
        &self,
        ticket: &str,
        display: Display,
        who: &LoggedIn,
    ) -> Result<Tunnel, Denied> {
        let ticket: Token = ticket
            .parse()
            .map_err(|()| Denied::from(Error::NotFound { what: "ticket" }))?;
        let now = Timestamp::now();
        let id = self.access.take_ticket(&who.session, &ticket, now).await?;
        let about = About {
            instance: id,
            user: who.caller.user.id,
            session: who.session.hash,
            address: who.caller.address,
        };
        if self.registry.count(Which::User(about.user)) >= TUNNELS_MAX {
            return Err(Denied(
                Status::ClientTooMany,
                "Too many desktops of yours are open. Close some of them.",
            ));
        }
        // From here on it is looked at: what would end it for that comes before this, or too late.
        let used = Used {
            instance: id,
            seen_at: now,
            input_at: None,
        };
        self.store.note_use(vec![used]).await?;
        let instance = self.store.instance(id).await?;
        let app = self.store.app(instance.app).await?;
        // It may have stopped since the ticket was given.
        let runs = instance.state == InstanceState::Running && instance.is_of(about.user);
        let way = runs.then(|| self.way(&instance, &app)).flatten();
        let way = way.ok_or(Denied(
            Status::UpstreamNotFound,
            "The desktop does not run (any more).",
        ))?;
        let resize = self.resize(&instance);
        let own = instance
            .host
            .as_ref()
            .and_then(|host| self.gateways.get(host));
        let gateway = Arc::clone(own.unwrap_or(&self.gateway));
        let target = audit::Target::new(TargetKind::Instance, id, &app.name);
        let entry = who.caller.by().did(AuditAction::InstanceOpen, target, now);
        self.store.note(entry).await?;
        Ok(Tunnel {
            gateway,
            target: Target {
                protocol: app.protocol,
                way,
                log_in: app.log_in,
                read_only: false,
            },
            display,
            about,
            resize,
            settings: Settings::default(),
        })
    }

    fn way(&self, instance: &Instance, app: &App) -> Option<Way> {
        match app.protocol {
            Protocol::Console => Some(Way::Console {
                hypervisor: self.fleet.hypervisor_of(instance).ok()?,
                instance: instance.id,
            }),
            Protocol::Vnc | Protocol::Rdp | Protocol::Ssh => Some(Way::Address {
                endpoint: instance.endpoint?,
                password: instance.password.clone(),
            }),
        }
    }

    fn resize(&self, instance: &Instance) -> Option<Resize> {
        let id = instance.id;
        let hypervisor = self.fleet.hypervisor_of(instance).ok()?;
        Some(Arc::new(move |size| {
            let hypervisor = hypervisor.clone();
            Box::pin(async move {
                if let Err(error) = hypervisor.resize(id, size.width, size.height).await {
                    tracing::debug!(instance = %id, error = chain(&error), "not resized");
                }
            })
        }))
    }
}

fn ticket(query: &str) -> &str {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find_map(|(key, value)| (key == "ticket").then_some(value))
        .unwrap_or_default()
}

fn refused(refusal: Refusal) -> Response<Body> {
    let mut response = Problem::because(refusal.status, refusal.reason).into_response();
    if let Some((name, value)) = refusal.header {
        response.headers_mut().insert(name, value);
    }
    response
}

#[async_trait]
impl Tunnels for OpenTunnels {
    async fn open(
        &self,
        mut request: Request<Incoming>,
        who: LoggedIn,
    ) -> Result<Response<Body>, Problem> {
        // The policy has found the origin to be right.
        let origin = request.headers().get(ORIGIN).cloned();
        let origin = origin.as_ref().and_then(|origin| origin.to_str().ok());
        let origins = Origins::new(origin);
        let query = request.uri().query().unwrap_or_default().to_owned();
        let display = parse_display(&query)
            .map_err(|error| Problem::field(error.parameter, "is not valid"))?;
        let (response, socket) = match accept(&mut request, &origins) {
            Ok(accepted) => accepted,
            Err(refusal) => return Ok(refused(refusal)),
        };
        match self.tunnel(ticket(&query), display, &who).await {
            Ok(tunnel) => {
                let registry = self.registry.clone();
                drop(spawn_tunnel(&self.runtime, socket, tunnel, registry));
            }
            Err(Denied(status, text)) => {
                self.runtime.spawn(async move {
                    // A page sees why only where the WebSocket opens at first.
                    if let Ok(socket) = socket.await {
                        let (mut sink, _stream) = socket.split();
                        farewell(&mut sink, status, text).await;
                    }
                });
            }
        }
        Ok(response.map(|()| Body::empty()))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }
}
