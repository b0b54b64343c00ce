//! Snapshots.

use serde::Deserialize;

use super::cluster::must_be_list;
use super::guests::parts;
use super::lenient::{de_count, de_some_text, de_text, de_truth, list};
use super::{Client, Fault, Form, Guest, Kind, Upid, upid};

/// A snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// Its name.
    #[serde(deserialize_with = "de_text")]
    pub name: String,
    /// What somebody noted.
    #[serde(deserialize_with = "de_text")]
    pub description: String,
    /// When it was made, in seconds since 1970.
    #[serde(rename = "snaptime", deserialize_with = "de_count")]
    pub made_at: u64,
    /// Whether memory is in it.
    #[serde(rename = "vmstate", deserialize_with = "de_truth")]
    pub with_memory: bool,
    /// `prepare` or `delete` where it is not complete: it is being made or removed, or that
    /// failed half-way.
    #[serde(rename = "snapstate", deserialize_with = "de_some_text")]
    pub unfinished: Option<String>,
}

/// Snapshots.
impl Client {
    /// The snapshots of a guest. Its present state is listed too by the interface, but is none.
    ///
    /// # Errors
    /// `Gone` where it is not on that node; those of every call: see [`Fault`].
    pub async fn snapshots(&self, guest: &Guest) -> Result<Vec<Snapshot>, Fault> {
        let number = guest.vmid.to_string();
        let path = parts(guest, &number, &["snapshot"]);
        let mut all: Vec<Snapshot> = list(must_be_list(self.get(&path, Form::new()).await?)?);
        all.retain(|snapshot| !matches!(snapshot.name.as_str(), "" | "current"));
        Ok(all)
    }

    /// Begins to make one; with memory, where that is wanted and possible.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn snapshot(
        &self,
        guest: &Guest,
        name: &str,
        description: &str,
        with_memory: bool,
    ) -> Result<Upid, Fault> {
        let number = guest.vmid.to_string();
        let form = Form::new()
            .with("snapname", name)
            .with("description", description)
            .on("vmstate", with_memory && guest.kind == Kind::Qemu);
        upid(
            &self
                .post(&parts(guest, &number, &["snapshot"]), form)
                .await?,
        )
    }

    /// Begins to go back to one. The guest is stopped; it runs afterwards where memory is in
    /// it, or where that is wanted.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn rollback(&self, guest: &Guest, name: &str, start: bool) -> Result<Upid, Fault> {
        let number = guest.vmid.to_string();
        let path = parts(guest, &number, &["snapshot", name, "rollback"]);
        upid(&self.post(&path, Form::new().on("start", start)).await?)
    }

    /// Begins to remove one.
    ///
    /// # Errors
    /// `Gone` where there is none of that name; those of every call: see [`Fault`].
    pub async fn delete_snapshot(&self, guest: &Guest, name: &str) -> Result<Upid, Fault> {
        let number = guest.vmid.to_string();
        let path = parts(guest, &number, &["snapshot", name]);
        upid(&self.delete(&path, Form::new()).await?)
    }
}
