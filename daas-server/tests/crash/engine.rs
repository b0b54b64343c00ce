//! What an engine has of an installation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use crate::api::Row;

/// An engine, and the name of the installation on it that is looked at.
#[derive(Clone, Debug)]
pub struct Engine {
    /// `None` is the engine of this machine.
    pub socket: Option<PathBuf>,
    pub installation: String,
}

/// What belongs to instances, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The states of containers.
    pub containers: BTreeMap<String, Vec<String>>,
    pub networks: BTreeMap<String, usize>,
    pub volumes: BTreeMap<String, usize>,
}

impl Engine {
    /// What the client answers; nothing where it fails.
    pub fn ask(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("docker");
        if let Some(socket) = &self.socket {
            command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        }
        let output = command.args(arguments).output().unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn list(&self, kind: &[&str], format: &str) -> Option<Vec<(String, String)>> {
        let label = format!("label=daas.installation={}", self.installation);
        let format = format!("{{{{.Label \"daas.instance\"}}}} {format}");
        let arguments = [kind, &["--filter", &label, "--format", &format]].concat();
        let text = self.ask(&arguments)?;
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        // The guard belongs to no instance.
        let lines = lines.filter(|(id, _)| !id.is_empty());
        Some(
            lines
                .map(|(id, rest)| (id.to_owned(), rest.trim().to_owned()))
                .collect(),
        )
    }

    /// All that there is; nothing where the engine does not answer.
    pub fn found(&self) -> Option<Found> {
        let mut found = Found::default();
        for (id, state) in self.list(&["ps", "-a"], "{{.State}}")? {
            found.containers.entry(id).or_default().push(state);
        }
        for (id, _) in self.list(&["network", "ls"], "{{.Name}}")? {
            *found.networks.entry(id).or_default() += 1;
        }
        for id in self.volumes()? {
            *found.volumes.entry(id).or_default() += 1;
        }
        Some(found)
    }

    /// Whose volumes there are, by their names: an engine that was killed while it made one may
    /// have lost its labels.
    fn volumes(&self) -> Option<Vec<String>> {
        let text = self.ask(&["volume", "ls", "--format", "{{.Name}}"])?;
        let begin = format!("{}-", self.installation);
        let own = text.lines().filter_map(|name| name.strip_prefix(&begin));
        let ids = own.filter_map(|rest| Some(rest.rsplit_once('-')?.0.to_owned()));
        Some(ids.collect())
    }

    /// What the engine says of the containers of rows that something is being done about.
    pub fn containers(&self, rows: &[Row]) -> String {
        let format = "{{.Name}} {{json .State}} {{json .NetworkSettings.Networks}}";
        let pending = rows.iter().filter(|row| row.is_pending());
        let texts = pending.map(|row| {
            let label = format!("label=daas.instance={}", row.id);
            let id = self.ask(&["ps", "-aq", "--filter", &label]);
            let id = id.unwrap_or_default();
            self.ask(&["inspect", "-f", format, id.trim()])
                .unwrap_or_else(|| format!("{} has no container\n", row.id))
        });
        texts.collect()
    }

    /// Addresses of containers, and ids of networks, one for each container that runs.
    pub fn places(&self) -> Vec<(String, String)> {
        let label = format!("label=daas.installation={}", self.installation);
        let ids = self.ask(&["ps", "-q", "--filter", &label]).unwrap();
        let format = "{{index .Config.Labels \"daas.instance\"}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{.NetworkID}}{{end}}";
        let mut arguments = vec!["inspect", "-f", format];
        arguments.extend(ids.lines());
        let text = self.ask(&arguments).unwrap();
        let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let of_instances = lines.filter(|words| !words[0].is_empty());
        of_instances
            .map(|words| (words[1].to_owned(), words[2].to_owned()))
            .collect()
    }
}

/// What an engine has to have for a row: containers, each with its state; networks; volumes.
fn wanted(row: &Row, found: &Found) -> Result<(), String> {
    let none = Vec::new();
    let containers = found.containers.get(&row.id).unwrap_or(&none);
    let networks = found.networks.get(&row.id).copied().unwrap_or_default();
    let volumes = found.volumes.get(&row.id).copied().unwrap_or_default();
    let states: Vec<&str> = containers.iter().map(String::as_str).collect();
    let fits = match (row.state.as_str(), &states[..]) {
        ("running", ["running"]) | ("suspended", ["paused"]) => networks == 1 && volumes == 2,
        ("stopped", ["exited" | "created"]) => networks == 1 && volumes == 2,
        // What was stopped before it came to that has next to nothing.
        ("stopped", []) => networks <= 1 && volumes == 0,
        _ => false,
    };
    let Row { id, state, failure } = row;
    let seen = format!("containers {states:?}, {networks} networks, {volumes} volumes");
    fits.then_some(())
        .ok_or(format!("{id} is {state} {failure}: {seen}"))
}

/// In what rows and engine do not agree.
pub fn differences(rows: &[Row], found: &Found) -> Vec<String> {
    let mut all: Vec<String> = rows
        .iter()
        .filter_map(|row| wanted(row, found).err())
        .collect();
    let known: BTreeSet<&String> = rows.iter().map(|row| &row.id).collect();
    let ids = [
        ("a container", found.containers.keys().collect::<Vec<_>>()),
        ("a network", found.networks.keys().collect()),
        ("a volume", found.volumes.keys().collect()),
    ];
    for (what, ids) in ids {
        let orphans = ids.into_iter().filter(|id| !known.contains(id));
        all.extend(orphans.map(|id| format!("{id} is in no row and has {what}")));
    }
    all
}
