//! What is measured, how it is started, and how it is reached.

use std::env;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use super::api::log_in;
use super::link::Link;
use super::process::Process;
use super::script::Spec;
use super::{PEOPLE, Result};

/// What stands between the clients and guacd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing: what the other figures have to be compared with.
    Direct,
    /// A process that passes bytes on and does not look at them.
    Relay,
    /// The tunnel of daas-server.
    Daas,
    /// guacamole-lite, of npm.
    GuacamoleLite,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Relay, Self::Daas, Self::GuacamoleLite];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
            Self::Daas => "daas",
            Self::GuacamoleLite => "guacamole-lite",
        }
    }

    /// Starts it in front of a guacd; `Direct` is nothing to start.
    pub(super) fn start(self, guacd: SocketAddr, limits: bool) -> Result<Option<Process>> {
        let mut command = match self {
            Self::Direct => return Ok(None),
            Self::Relay => Command::new(beside("plain-relay")?),
            Self::Daas => {
                let mut server = Command::new(beside("tunnel-server")?);
                // As daas-server sets it for itself.
                server.env("MALLOC_MMAP_THRESHOLD_", "1048576");
                server.args(limits.then_some("--limits"));
                server
            }
            Self::GuacamoleLite => {
                let mut node = Command::new("node");
                node.arg(scripts().join("guacamole-lite.js"))
                    .env("NODE_ENV", "production");
                node
            }
        };
        Process::start(command.arg(guacd.to_string())).map(Some)
    }

    /// How to reach it for each of these scripts.
    pub(super) async fn ways(self, address: SocketAddr, specs: &[Spec]) -> Result<Vec<Way>> {
        let ways = specs.iter();
        Ok(match self {
            Self::Direct | Self::Relay => ways.map(|&spec| Way::Bare(spec)).collect(),
            Self::Daas => {
                let mut people = Vec::new();
                for number in 0..PEOPLE.min(specs.len()) {
                    people.push(log_in(address, number).await?);
                }
                let way = |(spec, more): (_, &String)| Way::WebSocket {
                    path: format!("/api/v1/tunnel?script={spec}"),
                    more: more.clone(),
                };
                ways.zip(people.iter().cycle()).map(way).collect()
            }
            Self::GuacamoleLite => {
                let way = |token| Way::WebSocket {
                    path: format!("/?token={token}"),
                    more: String::new(),
                };
                tokens(specs)?.into_iter().map(way).collect()
            }
        })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|target| target.name() == name);
        found.ok_or_else(|| format!("no such target: {name}"))
    }
}

/// How one connection is opened.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Bare(Spec),
    WebSocket {
        path: String,
        /// More lines of the head.
        more: String,
    },
}

impl Way {
    pub(super) async fn open(&self, address: SocketAddr) -> Result<Link> {
        match self {
            Self::Bare(spec) => Link::bare(address, *spec).await,
            Self::WebSocket { path, more } => Link::web_socket(address, path, more).await,
        }
    }
}

/// A program that was built along with this one.
pub(super) fn beside(name: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("load")
}

/// guacamole-lite takes its parameters as tokens, which its own code encrypts.
fn tokens(specs: &[Spec]) -> Result<Vec<String>> {
    let mut command = Command::new("node");
    command.arg(scripts().join("tokens.js"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let specs: Vec<_> = specs.iter().map(Spec::to_string).collect();
    if let Some(mut input) = child.stdin.take() {
        input.write_all(specs.join("\n").as_bytes())?;
    }
    let output = String::from_utf8(child.wait_with_output()?.stdout)?;
    let tokens: Vec<_> = output.lines().map(str::to_owned).collect();
    match tokens.len() == specs.len() {
        true => Ok(tokens),
        false => Err("tokens.js did not make a token for each script".into()),
    }
}
