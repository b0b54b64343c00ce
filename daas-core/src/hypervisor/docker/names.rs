//! Names and labels of what is made on the engine.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::config::Installation;
use crate::model::InstanceId;

/// Whose something is.
pub(super) const INSTALLATION: &str = "daas.installation";
/// Which instance it belongs to.
pub(super) const INSTANCE: &str = "daas.instance";
/// Port on which the desktop listens.
pub(super) const PORT: &str = "daas.port";
/// The slug of its application, and whose it was when it was made.
pub(super) const APP: &str = "daas.app";
pub(super) const OWNER: &str = "daas.owner";
/// What the guard was started with.
pub(super) const GUARD: &str = "daas.guard";

/// Begin of the names of all bridges of instances.
pub(super) const BRIDGES: &str = "daas-";

/// Labels as the engine lists them.
pub(super) type Labels = HashMap<String, String>;

/// Names and labels of one installation.
#[derive(Clone, Debug)]
pub(super) struct Names {
    installation: Installation,
}

impl Names {
    pub(super) const fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// Name of the container and of the network of an instance.
    pub(super) fn instance(&self, id: InstanceId) -> String {
        format!("{}-{id}", self.installation)
    }

    /// Names of the volumes of an instance: of its password, and of its home. Those that are found
    /// are used again: where the container is gone, and where an engine was killed while it created
    /// one.
    pub(super) fn volumes(&self, id: InstanceId) -> [String; 2] {
        let name = self.instance(id);
        ["secrets", "home"].map(|what| format!("{name}-{what}"))
    }

    /// Name of the guard.
    pub(super) fn guard(&self) -> String {
        format!("{}-guard", self.installation)
    }

    /// Name of the guard's tables of rules.
    pub(super) fn table(&self) -> String {
        format!("daas_{}", self.installation).replace('-', "_")
    }

    /// Labels of what belongs to an instance.
    pub(super) fn labels(&self, id: InstanceId) -> Value {
        json!({ INSTALLATION: self.installation.as_str(), INSTANCE: id.to_string() })
    }

    /// What to filter by for all of the installation.
    pub(super) fn of_all(&self) -> Vec<String> {
        vec![format!("{INSTALLATION}={}", self.installation)]
    }

    /// What to filter by for one instance.
    pub(super) fn of_one(&self, id: InstanceId) -> Vec<String> {
        let mut filter = self.of_all();
        filter.push(format!("{INSTANCE}={id}"));
        filter
    }

    /// Whether labels are of this installation.
    pub(super) fn owns(&self, labels: &Labels) -> bool {
        labels.get(INSTALLATION).map(String::as_str) == Some(self.installation.as_str())
    }

    /// The instance that labels name, if they are of this installation.
    pub(super) fn instance_of(&self, labels: &Labels) -> Option<InstanceId> {
        let id = labels.get(INSTANCE).filter(|_| self.owns(labels))?;
        id.parse().ok()
    }
}
