//! What the rest of the server asks of open tunnels.

use async_trait::async_trait;
use daas_core::access::LoggedIn;
use daas_core::model::InstanceId;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};

use crate::http::{Body, Problem};

/// Opens tunnels and knows those that are open.
#[async_trait]
pub trait Tunnels: Send + Sync + 'static {
    /// Answers `GET /api/v1/tunnel`. Session and origin were checked; the ticket was not.
    async fn open(
        &self,
        request: Request<Incoming>,
        who: LoggedIn,
    ) -> Result<Response<Body>, Problem>;
    /// How many look at an instance.
    fn count(&self, instance: InstanceId) -> usize;
    /// How many are open.
    fn total(&self) -> usize;
    /// The sessions (by hash) that have one open: they are in use, though they ask for
    /// nothing else.
    fn sessions(&self) -> Vec<[u8; 32]>;
    /// Ends those of a session, as it was logged out.
    fn end_session(&self, session: [u8; 32]);
    /// Ends those of an instance, as it is to stop.
    fn end_instance(&self, instance: InstanceId);
    /// Tells all viewers that the server ends, and ends them; within a few seconds.
    async fn stop(&self);
}

/// A server without tunnels.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTunnels;

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

    fn count(&self, _: InstanceId) -> usize {
        0
    }

    fn total(&self) -> usize {
        0
    }

    fn sessions(&self) -> Vec<[u8; 32]> {
        Vec::new()
    }

    fn end_session(&self, _: [u8; 32]) {}

    fn end_instance(&self, _: InstanceId) {}

    async fn stop(&self) {}
}
