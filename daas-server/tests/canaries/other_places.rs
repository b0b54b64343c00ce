//! Other places that say who somebody is, and what the server is told of them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::client::Client;
use crate::provider::Provider;
use crate::slapd::{GROUPS, PEOPLE, SEARCHER, Slapd};
use crate::world::{World, canary};

/// How secrets get to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Variables,
    Configuration,
    Files,
}

/// What was seen of a log-in at the provider, from where the browser is.
pub struct LogIn {
    /// The cookie that the browser comes back with.
    pub cookie: String,
    pub state: String,
    pub nonce: String,
    pub code: Option<String>,
    /// Of the session, if there is one.
    pub client: Option<Client>,
}

/// What the provider gave to the server, which no browser sees.
#[derive(Deserialize)]
pub struct Grant {
    pub code: String,
    pub code_verifier: String,
    pub id_token: String,
    pub access_token: String,
}

pub struct Places {
    slapd: Slapd,
    provider: Provider,
    /// Not that of the server.
    folder: tempfile::TempDir,
    port: u16,
    /// One for each way.
    client_secrets: [String; 3],
    /// Whom the directory knows.
    pub dave: String,
    /// Whom the provider knows.
    pub bea: String,
    pub log_ins: Vec<LogIn>,
}

impl Places {
    /// Starts both; says so where one of them cannot.
    pub fn start() -> Option<Self> {
        let [dave, bea] = [canary(), canary()];
        let slapd = Slapd::start()?;
        slapd.add_person("dave", &dave);
        // Providers have to know where people come back to, so the port is chosen before.
        let chosen = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = chosen.local_addr().unwrap().port();
        let home = format!("http://127.0.0.1:{port}");
        let client_secrets = [canary(), canary(), canary()];
        let clients = client_secrets.iter().enumerate().map(|(number, secret)| {
            json!({
                "client_id": format!("daas{number}"),
                "client_secret": secret,
                "redirect_uris": [format!("{home}{BEGIN}/callback")],
                "post_logout_redirect_uris": [format!("{home}/")],
            })
        });
        let folder = tempfile::tempdir().unwrap();
        let provider = Provider::start(&json!({
            "clients": clients.collect::<Vec<_>>(),
            "people": [{
                "login": "bea", "password": bea,
                "claims": {"sub": "u-1", "preferred_username": "bea", "groups": ["staff"]},
            }],
            "consent": false,
            "record": folder.path().join("grants"),
        }))?;
        Some(Self {
            slapd,
            provider,
            folder,
            port,
            client_secrets,
            dave,
            bea,
            log_ins: Vec::new(),
        })
    }

    /// Where the server has to listen.
    pub fn listen(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn home(&self) -> String {
        format!("http://{}/", self.listen())
    }

    pub fn client_secret(&self, way: Way) -> String {
        self.client_secrets[way as usize].clone()
    }

    /// All that it gave, in order.
    pub fn grants(&self) -> Vec<Grant> {
        let text = fs::read_to_string(self.folder.path().join("grants")).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Lines for the directory, but for its password.
    pub fn directory(&self) -> String {
        let url = self.slapd.url();
        format!(
            "[ldap]\nurl = \"{url}\"\nbind_dn = \"{SEARCHER}\"\nbase_dn = \"{PEOPLE}\"\n\
             group_base_dn = \"{GROUPS}\"\n"
        )
    }

    /// Lines for the provider, but for the secret.
    pub fn client(&self, way: Way) -> Vec<String> {
        let (issuer, number) = (&self.provider.issuer, way as usize);
        vec![
            "id = \"corp\"".to_owned(),
            "name = \"Corp\"".to_owned(),
            format!("issuer = \"{issuer}\""),
            format!("client_id = \"daas{number}\""),
        ]
    }
}

/// Where a log-in at the provider begins.
pub const BEGIN: &str = "/api/v1/sign-on/oidc/corp";
const PASSWORD: &str = "DAAS_LDAP__BIND_PASSWORD";
const PROVIDERS: &str = "DAAS_OIDC";

pub fn of(world: &World) -> &Places {
    world.places.as_ref().unwrap()
}

pub fn write_secret(path: &Path, bytes: &[u8], mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The server as it is told of both, with secrets that may be wrong ones.
fn tell(world: &mut World, way: Way, bind: &str, client: &str) {
    let (mut directory, mut provider) = (of(world).directory(), of(world).client(way));
    world.unset(PASSWORD);
    world.unset(PROVIDERS);
    match way {
        Way::Variables => {
            world.set(PASSWORD, bind);
            provider.push(format!("client_secret = \"{client}\""));
            world.set(PROVIDERS, &format!("[{{{}}}]", provider.join(", ")));
            provider.clear();
        }
        Way::Configuration => {
            directory += &format!("bind_password = \"{bind}\"\n");
            provider.push(format!("client_secret = \"{client}\""));
        }
        Way::Files => {
            directory += "bind_password_file = \"bind-password\"\n";
            provider.push("client_secret_file = \"client-secret\"".to_owned());
            for (name, secret) in [("bind-password", bind), ("client-secret", client)] {
                write_secret(&world.path(name), format!("{secret}\n").as_bytes(), 0o600);
            }
        }
    }
    if !provider.is_empty() {
        directory += &format!("[[oidc]]\n{}\n", provider.join("\n"));
    }
    fs::write(world.path("daas.toml"), directory).unwrap();
    world.config = Some("daas.toml");
    world.restart();
}

/// The server with both places, whose secrets it gets in some way; the one of the directory is
/// a new one, which is answered.
pub fn configure(world: &mut World, way: Way) -> String {
    let bind = canary();
    let change = format!("replace: userPassword\nuserPassword: {bind}");
    of(world).slapd.change(SEARCHER, &change);
    let client = of(world).client_secret(way);
    tell(world, way, &bind, &client);
    bind
}

/// The same with secrets that the places do not know.
pub fn configure_wrongly(world: &mut World, way: Way) -> [String; 2] {
    let wrong = [canary(), canary()];
    tell(world, way, &wrong[0], &wrong[1]);
    wrong
}
