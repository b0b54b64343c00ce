//! What a cluster has.

use serde::Deserialize;
use serde_json::Value;

use super::lenient::{de_count, de_number, de_some_text, de_text, de_truth, list, text};
use super::{Client, Fault, Form};

/// What kind of guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A virtual machine.
    Qemu,
    /// A container.
    Lxc,
}

impl Kind {
    /// As paths have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Lxc => "lxc",
        }
    }
}

/// Which version runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Version {
    /// Such as `9.1.2`.
    #[serde(deserialize_with = "de_text")]
    pub version: String,
    /// Such as `9.1`.
    #[serde(deserialize_with = "de_text")]
    pub release: String,
}

impl Version {
    /// The number before the first dot.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.version.split(['.', '-']).next()?.parse().ok()
    }
}

/// What to list of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// Guests of both kinds.
    Guests,
    /// Nodes.
    Nodes,
    /// Storages, once for each node.
    Storages,
}

/// A guest, node or storage in the list of a cluster.
///
/// Who has a number and where, its lock, its tags and its pool are those of the moment. Name,
/// status, whether it is a template, and all that is measured come from what each node tells
/// the others every ten seconds: they are late, and missing of what is new.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// `qemu`, `lxc`, `node` or `storage`.
    #[serde(rename = "type", deserialize_with = "de_text")]
    pub kind: String,
    /// Number of a guest; zero of others.
    #[serde(deserialize_with = "de_count")]
    pub vmid: u64,
    /// The node.
    #[serde(deserialize_with = "de_text")]
    pub node: String,
    /// Name of a guest.
    #[serde(deserialize_with = "de_some_text")]
    pub name: Option<String>,
    /// Name of a storage.
    #[serde(deserialize_with = "de_some_text")]
    pub storage: Option<String>,
    /// Whether a storage is there from all nodes that list it.
    #[serde(deserialize_with = "de_truth")]
    pub shared: bool,
    /// `running`, `stopped`, `online`, …
    #[serde(deserialize_with = "de_text")]
    pub status: String,
    /// Whether a guest is there to be cloned.
    #[serde(deserialize_with = "de_truth")]
    pub template: bool,
    /// Its tags, with semicolons between them.
    #[serde(deserialize_with = "de_text")]
    pub tags: String,
    /// Its pool.
    #[serde(deserialize_with = "de_some_text")]
    pub pool: Option<String>,
    /// What is being done to it.
    #[serde(deserialize_with = "de_some_text")]
    pub lock: Option<String>,
    /// Used part of its processors.
    #[serde(deserialize_with = "de_number")]
    pub cpu: f64,
    /// Processors that it has.
    #[serde(deserialize_with = "de_count")]
    pub maxcpu: u64,
    /// Memory that is used, in bytes.
    #[serde(deserialize_with = "de_count")]
    pub mem: u64,
    /// Memory that it has, in bytes.
    #[serde(deserialize_with = "de_count")]
    pub maxmem: u64,
}

impl Resource {
    /// What kind of guest it is, where it is one.
    #[must_use]
    pub fn guest_kind(&self) -> Option<Kind> {
        match self.kind.as_str() {
            "qemu" => Some(Kind::Qemu),
            "lxc" => Some(Kind::Lxc),
            _ => None,
        }
    }
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    /// Seconds since its start.
    #[serde(deserialize_with = "de_count")]
    pub uptime: u64,
    /// Used part of its processors.
    #[serde(deserialize_with = "de_number")]
    pub cpu: f64,
    /// The version that runs on it.
    #[serde(deserialize_with = "de_text")]
    pub pveversion: String,
}

/// A pool of guests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pool {
    /// Its name.
    #[serde(rename = "poolid", deserialize_with = "de_text")]
    pub id: String,
    /// What somebody noted.
    #[serde(deserialize_with = "de_some_text")]
    pub comment: Option<String>,
}

/// What a cluster has.
impl Client {
    /// Which version runs.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn version(&self) -> Result<Version, Fault> {
        let data = self.get(&["version"], Form::new()).await?;
        Ok(serde_json::from_value(data).unwrap_or_default())
    }

    /// What the whole cluster has; of guests, those that may be seen.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn resources(&self, kind: ResourceKind) -> Result<Vec<Resource>, Fault> {
        let kind = match kind {
            ResourceKind::Guests => "vm",
            ResourceKind::Nodes => "node",
            ResourceKind::Storages => "storage",
        };
        let form = Form::new().with("type", kind);
        Ok(list(must_be_list(
            self.get(&["cluster", "resources"], form).await?,
        )?))
    }

    /// A number that no guest has; or whether nobody has a certain one. It is not reserved.
    ///
    /// # Errors
    /// `Conflict` where somebody has it; those of every call: see [`Fault`].
    pub async fn next_id(&self, vmid: Option<u32>) -> Result<u32, Fault> {
        let form = Form::new().maybe("vmid", vmid);
        let data = self.get(&["cluster", "nextid"], form).await?;
        let number = super::lenient::count(&data).and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| unreadable("it is no number of a guest"))
    }

    /// What a node says of itself.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn node_status(&self, node: &str) -> Result<NodeStatus, Fault> {
        let data = self.get(&["nodes", node, "status"], Form::new()).await?;
        Ok(serde_json::from_value(data).unwrap_or_default())
    }

    /// Names of the nodes.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn nodes(&self) -> Result<Vec<String>, Fault> {
        let data = must_be_list(self.get(&["nodes"], Form::new()).await?)?;
        let nodes: Vec<Value> = list(data);
        let names = nodes.iter().filter_map(|node| text(node.get("node")?));
        Ok(names.collect())
    }

    /// The pools that may be seen.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn pools(&self) -> Result<Vec<Pool>, Fault> {
        Ok(list(must_be_list(
            self.get(&["pools"], Form::new()).await?,
        )?))
    }
}

/// A list that is none is not an empty one: then everything would be gone.
pub(super) fn must_be_list(data: Value) -> Result<Value, Fault> {
    if data.is_array() {
        Ok(data)
    } else {
        Err(unreadable("it is no list"))
    }
}

pub(super) fn unreadable(what: &str) -> Fault {
    Fault::Unreadable {
        what: what.to_owned(),
        changes: false,
    }
}
