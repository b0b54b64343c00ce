//! What the rest of the server asks of open tunnels.

use std::time::Duration;

use async_trait::async_trait;
use daas_core::access::LoggedIn;
use daas_core::model::{InstanceId, Why};
use daas_core::session::StopReason;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use tokio::time::timeout;

use crate::http::{Body, Problem};
use crate::tunnel::{Registry, Which};

/// Time for viewers to be told that the server ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Opens tunnels; those that are open are in its registry.
#[async_trait]
pub trait Tunnels: Send + Sync + 'static {
    /// Answers `GET /api/v1/tunnel`. Session and origin were checked; the ticket was not.
    async fn open(
        &self,
        request: Request<Incoming>,
        who: LoggedIn,
    ) -> Result<Response<Body>, Problem>;
    /// All that are open.
    fn registry(&self) -> &Registry;

    /// How many look at an instance.
    fn count(&self, instance: InstanceId) -> usize {
        self.registry().count(Which::Instance(instance))
    }

    /// How many are open.
    fn total(&self) -> usize {
        self.registry().count(Which::All)
    }

    /// The sessions (by hash) that have one open: they are in use, though they ask for
    /// nothing else.
    fn sessions(&self) -> Vec<[u8; 32]> {
        self.registry().sessions()
    }

    /// Ends those of a session, as it was logged out.
    fn end_session(&self, session: [u8; 32]) {
        let which = Which::Session(session);
        self.registry().close(which, StopReason::LoggedOut);
    }

    /// Ends one, by its number, as somebody wanted who may.
    fn end_tunnel(&self, id: u64) {
        let which = Which::Tunnel(id);
        self.registry().close(which, StopReason::Revoked);
    }

    /// Ends those of an instance, as it is to stop.
    fn end_instance(&self, instance: InstanceId) {
        let which = Which::Instance(instance);
        self.registry().close(which, StopReason::InstanceStopped);
    }

    /// Ends those of an instance, as the hours of its owner are used up.
    fn end_out_of_time(&self, instance: InstanceId) {
        let which = Which::Instance(instance);
        self.registry().close(which, StopReason::OutOfTime);
    }

    /// Ends those of an instance, as one of its policies wanted.
    fn end_due(&self, instance: InstanceId, why: Why) {
        let reason = match why {
            // Nobody looks at it here, but perhaps by another server.
            Why::Disconnect => StopReason::InstanceStopped,
            Why::Idle => StopReason::Idle,
            Why::Lifetime => StopReason::LifetimeOver,
        };
        self.registry().close(Which::Instance(instance), reason);
    }

    /// Tells all viewers that the server ends, and ends them; within a few seconds.
    async fn stop(&self) {
        self.registry().close(Which::All, StopReason::ShuttingDown);
        let told = timeout(FAREWELL, self.registry().wait_for_none(Which::All));
        drop(told.await);
    }
}

/// A server without tunnels.
#[derive(Clone, Debug, Default)]
pub struct NoTunnels(Registry);

#[async_trait]
impl Tunnels for NoTunnels {
    async fn open(
        &self,
        request: Request<Incoming>,
        _: LoggedIn,
    ) -> Result<Response<Body>, Problem> {
        if request.headers().contains_key(UPGRADE) {
            let detail = "This server was built without tunnels.";
            return Err(Problem::because(StatusCode::NOT_IMPLEMENTED, detail));
        }
        let mut response = Problem::because(
            StatusCode::UPGRADE_REQUIRED,
            "This address is for WebSockets.",
        )
        .into_response();
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        Ok(response)
    }

    fn registry(&self) -> &Registry {
        &self.0
    }
}
