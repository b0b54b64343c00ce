//! What is left of instances that have no container: a server that was killed may have asked
//! for a network, and whoever comes after it looks before the engine has made that.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Docker;
use super::fault::Fault;
use super::names::Labels;
use super::raw::with_labels;
use crate::hypervisor::{Observed, PowerState};
use crate::model::InstanceId;

/// A network or a volume.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Labelled {
    pub(super) name: String,
    #[serde(default)]
    labels: Option<Labels>,
}

impl Docker {
    /// All volumes with some labels.
    pub(super) async fn volumes(&self, labels: &[String]) -> Result<Vec<Labelled>, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Volumes {
            #[serde(default)]
            volumes: Option<Vec<Labelled>>,
        }
        let path = format!("/volumes?{}", with_labels(labels));
        let Volumes { volumes } = self.raw.get(&path).await?;
        Ok(volumes.unwrap_or_default())
    }

    /// Adds instances of which there is something, but no container.
    pub(super) async fn add_what_is_left(&self, all: &mut Vec<Observed>) -> Result<(), Fault> {
        let of_all = self.names.of_all();
        let networks = format!("/networks?{}", with_labels(&of_all));
        let mut labelled: Vec<Labelled> = self.raw.get(&networks).await?;
        labelled.extend(self.volumes(&of_all).await?);
        let labels = labelled.into_iter().filter_map(|thing| thing.labels);
        let ids = labels.filter_map(|labels| self.names.instance_of(&labels));
        let mut left: BTreeSet<InstanceId> = ids.collect();
        for observed in all.iter() {
            left.remove(&observed.id);
        }
        all.extend(left.into_iter().map(|id| Observed {
            id,
            power: PowerState::Absent,
            endpoint: None,
        }));
        Ok(())
    }
}
