//! Groups, as those manage them who may.

use serde_json::{Value, json};

use super::by::changed;
use super::users::{may_give, named};
use super::{Access, By};
use crate::audit::{AuditAction, Target, TargetKind};
use crate::error::{Error, Result};
use crate::model::{Group, GroupId, Permission, Rule, Timestamp, UserId};
use crate::storage::Subject;

/// Longest description in characters.
const DESCRIPTION_MAX: usize = 500;
/// Most groups elsewhere that one group stands for, and the longest name of one.
const EXTERNAL_MAX: usize = 50;
const EXTERNAL_NAME_MAX: usize = 256;
/// Most users of a group that are set at once.
const MEMBERS_MAX: usize = 10_000;

/// What is to change of a group; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// Its name.
    pub name: Option<String>,
    /// One line about it.
    pub description: Option<String>,
    /// Groups of directories and OpenID providers whose members are in it.
    pub external: Option<Vec<String>>,
}

fn target(group: &Group) -> Target {
    Target::new(TargetKind::Group, group.id, &group.name)
}

fn about(group: &Group) -> Value {
    json!({
        "name": group.name, "description": group.description, "external": group.external,
    })
}

impl GroupChange {
    fn apply(self, group: &mut Group) -> Result<()> {
        if let Some(name) = self.name {
            named("name", &name)?;
            group.name = name;
        }
        if let Some(description) = self.description {
            check_description(&description)?;
            group.description = description;
        }
        if let Some(external) = self.external {
            check_external(&external)?;
            group.external = external;
        }
        Ok(())
    }
}

fn invalid(field: &'static str, reason: impl Into<String>) -> Error {
    let reason = reason.into();
    Error::Invalid { field, reason }
}

fn check_description(description: &str) -> Result<()> {
    if description.chars().count() > DESCRIPTION_MAX {
        let reason = format!("must have at most {DESCRIPTION_MAX} characters");
        return Err(invalid("description", reason));
    }
    if description.chars().any(char::is_control) {
        return Err(invalid("description", "must be one line"));
    }
    Ok(())
}

fn check_external(external: &[String]) -> Result<()> {
    if external.len() > EXTERNAL_MAX {
        let reason = format!("must have at most {EXTERNAL_MAX} names");
        return Err(invalid("external", reason));
    }
    let wrong = |name: &String| name.trim().is_empty() || name.chars().count() > EXTERNAL_NAME_MAX;
    if external.iter().any(wrong) {
        let reason = format!("each name must have 1 to {EXTERNAL_NAME_MAX} characters");
        return Err(invalid("external", reason));
    }
    Ok(())
}

impl Access {
    /// Makes a group.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::Invalid`], [`Error::AlreadyExists`].
    pub async fn create_group(&self, by: &By, new: GroupChange, now: Timestamp) -> Result<Group> {
        by.needs(Permission::GroupsManage)?;
        let mut group = Group {
            id: GroupId::random(),
            name: String::new(),
            description: String::new(),
            external: Vec::new(),
            created_at: now,
        };
        let name = new.name.clone().unwrap_or_default();
        new.apply(&mut group)?;
        named("name", &name)?;
        let entry = by.did(AuditAction::GroupCreate, target(&group), now);
        let entry = changed(entry, None, Some(&about(&group)));
        self.store.add_group(group.clone(), entry).await?;
        Ok(group)
    }

    /// The group, if whoever acts may do all that its rules give.
    async fn managed_group(&self, by: &By, id: GroupId) -> Result<Group> {
        by.needs(Permission::GroupsManage)?;
        let group = self.store.group(id).await?;
        may_give(by, &self.store.rules(Subject::Group(id)).await?)?;
        Ok(group)
    }

    /// Changes a group.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NotFound`],
    /// [`Error::AlreadyExists`] for the name.
    pub async fn change_group(
        &self,
        by: &By,
        id: GroupId,
        change: GroupChange,
        now: Timestamp,
    ) -> Result<Group> {
        let old = self.managed_group(by, id).await?;
        let mut new = old.clone();
        change.apply(&mut new)?;
        let entry = by.did(AuditAction::GroupChange, target(&old), now);
        let entry = changed(entry, Some(&about(&old)), Some(&about(&new)));
        self.store.change_group(new.clone(), entry).await?;
        Ok(new)
    }

    /// Removes a group.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn delete_group(&self, by: &By, id: GroupId, now: Timestamp) -> Result<()> {
        let group = self.managed_group(by, id).await?;
        let entry = by.did(AuditAction::GroupDelete, target(&group), now);
        let entry = changed(entry, Some(&about(&group)), None);
        self.store.delete_group(id, entry).await
    }

    /// Sets who is in a group.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`] where the group or a user is not there,
    /// [`Error::Invalid`] where there are too many.
    pub async fn set_members(
        &self,
        by: &By,
        id: GroupId,
        users: Vec<UserId>,
        now: Timestamp,
    ) -> Result<()> {
        let group = self.managed_group(by, id).await?;
        if users.len() > MEMBERS_MAX {
            let reason = format!("must have at most {MEMBERS_MAX}");
            return Err(invalid("user_ids", reason));
        }
        let before = self.store.members(id).await?;
        let before: Vec<UserId> = before.into_iter().map(|(id, _)| id).collect();
        let entry = by.did(AuditAction::GroupChange, target(&group), now);
        let (old, new) = (json!({ "members": before }), json!({ "members": users }));
        let entry = changed(entry, Some(&old), Some(&new));
        self.store.set_members(id, users, entry).await
    }

    /// Sets the rules about the members of a group.
    ///
    /// # Errors
    /// As for users.
    pub async fn set_group_rules(
        &self,
        by: &By,
        id: GroupId,
        rules: Vec<Rule>,
        now: Timestamp,
    ) -> Result<()> {
        let group = self.managed_group(by, id).await?;
        self.set_rules(by, Subject::Group(id), target(&group), rules, now)
            .await
    }
}
