//! How instances are told from other guests.
//!
//! A guest is named `<installation>-<id>`, and has the tags `daas-<id>`, `daas-at-<installation>`
//! and `daas-port-<port>` once it is finished. Cloning takes a name and a description, but no
//! tags: until they are set, name and description say whose it is. A clone that somebody makes
//! by hand has the same tags, but not the same name, and so is theirs.

use super::config::Installation;
use crate::hypervisor::Spec;
use crate::model::InstanceId;

/// What tags say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) id: InstanceId,
    pub(super) port: u16,
}

/// Marks of one installation.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    installation: Installation,
}

impl Marks {
    pub(super) const fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// Name of the guest of an instance.
    pub(super) fn name(&self, id: InstanceId) -> String {
        format!("{}-{id}", self.installation)
    }

    /// The instance whose name this is.
    pub(super) fn named(&self, name: &str) -> Option<InstanceId> {
        let rest = name.strip_prefix(self.installation.as_str())?;
        rest.strip_prefix('-')?.parse().ok()
    }

    pub(super) fn tags(&self, id: InstanceId, port: u16) -> String {
        let installation = &self.installation;
        format!("daas-{id};daas-at-{installation};daas-port-{port}")
    }

    /// What tags say, where they are of this installation and of one instance.
    pub(super) fn tagged(&self, tags: &str) -> Option<Marked> {
        let (mut ids, mut ports, mut is_here) = (Vec::new(), Vec::new(), false);
        for tag in tags.split([';', ',', ' ']) {
            let Some(rest) = tag.strip_prefix("daas-") else {
                continue;
            };
            if let Some(at) = rest.strip_prefix("at-") {
                is_here |= at == self.installation.as_str();
            } else if let Some(port) = rest.strip_prefix("port-") {
                ports.extend(port.parse::<u16>().ok());
            } else {
                ids.extend(rest.parse::<InstanceId>().ok());
            }
        }
        match (is_here, &ids[..], &ports[..]) {
            (true, [id], [port]) => Some(Marked {
                id: *id,
                port: *port,
            }),
            _ => None,
        }
    }

    /// What is noted of a guest: a line for us, and the name for people.
    pub(super) fn description(&self, spec: &Spec) -> String {
        let plain = |c: &char| !c.is_control();
        let name: String = spec.name.chars().filter(plain).take(100).collect();
        format!("{}\n{name}", self.line(spec.id))
    }

    fn line(&self, id: InstanceId) -> String {
        format!("daas installation={} instance={id}", self.installation)
    }

    /// Whether a description is that of an instance's guest.
    pub(super) fn described(&self, description: &str, id: InstanceId) -> bool {
        let line = self.line(id);
        description.lines().any(|one| one.trim_end() == line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::model::Resources;
    use crate::secret::Secret;

    fn marks(name: &str) -> Marks {
        Marks::new(name.parse().unwrap())
    }

    #[test]
    fn marks_lead_back() {
        let (marks, id) = (marks("lab-1"), InstanceId::random());
        let name = marks.name(id);
        assert!(name.len() <= 63);
        assert_eq!(marks.named(&name), Some(id));
        let tags = marks.tags(id, 3389);
        assert_eq!(marks.tagged(&tags), Some(Marked { id, port: 3389 }));
        // The cluster may sort and separate them differently, and people add some.
        let mut sorted: Vec<&str> = tags.split(';').collect();
        sorted.reverse();
        let with_others = format!("blue, {} daas", sorted.join(","));
        assert_eq!(marks.tagged(&with_others), Some(Marked { id, port: 3389 }));
        let spec = Spec {
            id,
            image: String::new(),
            name: "A\r\nname".to_owned(),
            resources: Resources {
                cpu_millis: 0,
                memory_mib: 0,
                disk_mib: 0,
            },
            port: 3389,
            password: Secret::new("s3cr3t".to_owned()),
            width: 0,
            height: 0,
        };
        let description = marks.description(&spec);
        assert!(description.ends_with("\nAname"));
        assert!(marks.described(&format!("{description}\n"), id));
        assert!(!marks.described(&description, InstanceId::random()));
        assert!(!description.contains("s3cr3t"));
    }

    #[test]
    fn what_others_made_is_not_ours() {
        let (own, id) = (marks("lab"), InstanceId::random());
        for other in ["lab-1", "la", "b"] {
            assert_eq!(own.named(&marks(other).name(id)), None);
            assert_eq!(own.tagged(&marks(other).tags(id, 1)), None);
        }
        assert_eq!(own.named("Copy-of-lab"), None);
        let twice = format!("{};daas-{}", own.tags(id, 1), InstanceId::random());
        for tags in [
            "",
            "daas",
            &format!("daas-{id}"),
            "daas-at-lab;daas-port-1",
            &twice,
        ] {
            assert_eq!(own.tagged(tags), None, "{tags}");
        }
    }
}
