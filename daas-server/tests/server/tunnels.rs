//! Tunnels behind the whole server.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use daas_core::Secret;
use daas_core::access::LoggedIn;
use daas_core::gateway::{Gateway, Guacd, GuacdConfig, Target};
use daas_core::model::{Endpoint, InstanceId, Protocol};
use daas_core::session::Settings;
use daas_server::tunnel::{About, Registry, Tunnel, parse_display, spawn_tunnel};
use daas_server::websocket::{Origins, accept};
use daas_server::{Body, Problem, Tunnels};
use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::{Request, Response};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::guacd::{self, VNC_1_6};
use crate::sockets;
use crate::support::{Options, Server, within};

/// All tunnels lead to one guacd, without a ticket.
struct OneGuacd {
    gateway: Arc<dyn Gateway>,
    registry: Registry,
    runtime: Handle,
}

#[async_trait]
impl Tunnels for OneGuacd {
    async fn open(
        &self,
        mut request: Request<Incoming>,
        who: LoggedIn,
    ) -> Result<Response<Body>, Problem> {
        let origin = request.headers()[ORIGIN].to_str().unwrap().to_owned();
        let (response, socket) = accept(&mut request, &Origins::new([origin])).unwrap();
        let tunnel = Tunnel {
            gateway: self.gateway.clone(),
            target: Target::new(
                Protocol::Vnc,
                Endpoint {
                    address: IpAddr::from([10, 1, 2, 3]),
                    port: 5901,
                },
                Secret::new("secret".to_owned()),
            ),
            display: parse_display("").unwrap(),
            about: About {
                instance: InstanceId::random(),
                user: who.caller.user.id,
                address: who.caller.address,
                session: who.session.hash,
            },
            resize: None,
            settings: Settings::default(),
        };
        let registry = self.registry.clone();
        drop(spawn_tunnel(&self.runtime, socket, tunnel, registry));
        Ok(response.map(|()| Body::empty()))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// The threads that answer requests have no part in a tunnel once it is open: they may be as
/// busy as they like, or gone.
#[tokio::test]
async fn an_open_tunnel_does_not_need_the_threads_for_requests() {
    let (own, requests) = (runtime(), runtime());
    let guacd = guacd::Guacd::start().await;
    let gateway = Guacd::new(GuacdConfig::new(vec![guacd.address()]));
    let options = Options {
        tunnels: Arc::new(OneGuacd {
            gateway: Arc::new(gateway),
            registry: Registry::new(),
            runtime: own.handle().clone(),
        }),
        ..Options::default()
    };
    let server = requests.spawn(Server::start_with(options)).await.unwrap();
    let alice = server.log_in("alice").await;
    let (origin, cookie) = (alice.origin.as_deref(), alice.cookie.as_deref());
    let head = sockets::head_of("/api/v1/tunnel", server.address, origin, cookie);
    let (stream, answer) = sockets::request(server.address, &head).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    let mut client = sockets::Client { stream };
    assert!(client.next().await.text().starts_with("0.,36."));
    let (mut peer, _) = within(guacd.accept_session(VNC_1_6)).await;
    requests.shutdown_background();
    for _ in 0..20 {
        peer.send(b"4.sync,1.1;").await;
        assert_eq!(client.next().await.text(), "4.sync,1.1;");
        client.text("4.sync,1.1;").await;
        peer.expect(&["sync", "1"]).await;
    }
    own.shutdown_background();
}
