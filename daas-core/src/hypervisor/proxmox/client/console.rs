//! The screen of a guest, as its node sees it.

use serde_json::Value;

use super::cluster::unreadable;
use super::guests::parts;
use super::lenient::{count, text};
use super::{Call, Client, Endpoint, Fault, Form, Guest};
use crate::secret::Secret;

/// A listener on a node that waits for one connection, for ten seconds.
#[derive(Clone, Debug)]
pub struct Console {
    /// Where the listener is: the endpoint that was asked, whatever node the guest is on.
    pub endpoint: Endpoint,
    /// Its port.
    pub port: u16,
    /// What opens the connection.
    pub ticket: Secret<String>,
    /// What the server on it asks for; eight characters of it count.
    pub password: Secret<String>,
}

/// The screen of a guest.
impl Client {
    /// Opens a listener for a connection of [`vncwebsocket`](Self::vncwebsocket).
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn vncproxy(&self, guest: &Guest) -> Result<Console, Fault> {
        let number = guest.vmid.to_string();
        let path = parts(guest, &number, &["vncproxy"]);
        // Not of use for containers, whose list of parameters is closed.
        let form = Form::new()
            .with("websocket", 1)
            .on("generate-password", guest.kind == super::Kind::Qemu);
        let call = Call::new(hyper::Method::POST, &path, form);
        let (endpoint, data) = self.call_at(call).await?;
        console(endpoint, &data).ok_or_else(|| unreadable("it is no console"))
    }
}

fn console(endpoint: Endpoint, data: &Value) -> Option<Console> {
    let port = u16::try_from(count(data.get("port")?)?).ok()?;
    let ticket = text(data.get("ticket")?).filter(|ticket| !ticket.is_empty())?;
    let password = data.get("password").and_then(text);
    // Before there was a password of its own, the ticket was that.
    let password = password.filter(|password| !password.is_empty());
    let password = password.unwrap_or_else(|| ticket.clone());
    (5900..=5999).contains(&port).then(|| Console {
        endpoint,
        port,
        ticket: Secret::new(ticket),
        password: Secret::new(password),
    })
}
