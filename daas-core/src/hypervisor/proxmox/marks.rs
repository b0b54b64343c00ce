//! How instances are told from other guests.
//!
//! A guest is named `<installation>-<id>`, and has the tags `daas-<id>`, `daas-at-<installation>`
//! and `daas-port-<port>` or `daas-console` once it is finished. Cloning takes a name and a
//! description, but no tags: until they are set, name and description say whose it is. A clone
//! that somebody makes by hand has the same tags, but not the same name, and so is theirs.

use super::config::Installation;
use crate::hypervisor::Spec;
use crate::model::{InstanceId, Reach, UserId};

/// The end of a tag, in the place of a port.
const CONSOLE: &str = "console";
/// The beginning of the line of a description that says whose it is.
const OWNER: &str = "owner=";

/// What tags say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) id: InstanceId,
    pub(super) reach: Reach,
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

    pub(super) fn tags(&self, id: InstanceId, reach: Reach) -> String {
        let installation = &self.installation;
        let reach = match reach {
            Reach::Port(port) => format!("port-{port}"),
            Reach::Console => CONSOLE.to_owned(),
        };
        format!("daas-{id};daas-at-{installation};daas-{reach}")
    }

    /// What tags say, where they are of this installation and of one instance.
    pub(super) fn tagged(&self, tags: &str) -> Option<Marked> {
        let (mut ids, mut reaches, mut is_here) = (Vec::new(), Vec::new(), false);
        for tag in tags.split([';', ',', ' ']) {
            let Some(rest) = tag.strip_prefix("daas-") else {
                continue;
            };
            if let Some(at) = rest.strip_prefix("at-") {
                is_here |= at == self.installation.as_str();
            } else if let Some(port) = rest.strip_prefix("port-") {
                reaches.extend(port.parse().ok().map(Reach::Port));
            } else if rest == CONSOLE {
                reaches.push(Reach::Console);
            } else {
                ids.extend(rest.parse::<InstanceId>().ok());
            }
        }
        match (is_here, &ids[..], &reaches[..]) {
            (true, &[id], &[reach]) => Some(Marked { id, reach }),
            _ => None,
        }
    }

    /// What a description says of the application and of whose it was.
    pub(super) fn origin(description: &str) -> (String, Option<UserId>) {
        let mut lines = description.lines().skip(1);
        let app = lines.next().unwrap_or_default().trim_end().to_owned();
        let owner = lines.find_map(|line| line.trim_end().strip_prefix(OWNER)?.parse().ok());
        (app, owner)
    }

    /// What is noted of a guest: a line for us, the application, and whose it is.
    pub(super) fn description(&self, spec: &Spec) -> String {
        let plain = |c: &char| !c.is_control();
        let app: String = spec.app.chars().filter(plain).take(100).collect();
        let owner = spec.owner.map(|owner| format!("\n{OWNER}{owner}"));
        format!("{}\n{app}{}", self.line(spec.id), owner.unwrap_or_default())
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
        for reach in [Reach::Port(3389), Reach::Console] {
            let tags = marks.tags(id, reach);
            assert_eq!(marks.tagged(&tags), Some(Marked { id, reach }));
        }
        let (tags, reach) = (marks.tags(id, Reach::Port(3389)), Reach::Port(3389));
        // The cluster may sort and separate them differently, and people add some.
        let mut sorted: Vec<&str> = tags.split(';').collect();
        sorted.reverse();
        let with_others = format!("blue, {} daas", sorted.join(","));
        assert_eq!(marks.tagged(&with_others), Some(Marked { id, reach }));
        let owner = UserId::random();
        let spec = Spec {
            id,
            image: String::new(),
            app: "A\r\nname".to_owned(),
            owner: Some(owner),
            resources: Resources {
                cpu_millis: 0,
                memory_mib: 0,
                disk_mib: 0,
            },
            reach,
            password: Secret::new("s3cr3t".to_owned()),
            width: 0,
            height: 0,
        };
        let description = marks.description(&spec);
        assert_eq!(
            Marks::origin(&description),
            ("Aname".to_owned(), Some(owner))
        );
        assert!(marks.described(&format!("{description}\n"), id));
        assert!(!marks.described(&description, InstanceId::random()));
        assert!(!description.contains("s3cr3t"));
    }

    #[test]
    fn what_others_made_is_not_ours() {
        let (own, id) = (marks("lab"), InstanceId::random());
        for other in ["lab-1", "la", "b"] {
            assert_eq!(own.named(&marks(other).name(id)), None);
            assert_eq!(own.tagged(&marks(other).tags(id, Reach::Port(1))), None);
        }
        assert_eq!(own.named("Copy-of-lab"), None);
        let twice = format!(
            "{};daas-{}",
            own.tags(id, Reach::Port(1)),
            InstanceId::random()
        );
        for tags in [
            "",
            "daas",
            &format!("daas-{id}"),
            "daas-at-lab;daas-port-1",
            &twice,
            &format!("{};daas-console", own.tags(id, Reach::Port(1))),
        ] {
            assert_eq!(own.tagged(tags), None, "{tags}");
        }
    }
}
