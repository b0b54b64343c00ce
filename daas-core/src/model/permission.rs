//! What somebody may do.

use serde::{Deserialize, Serialize};

use super::{AppId, Role};

/// One thing that somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Launch an application.
    AppsLaunch,
    /// See the instances of all people, and that they are looked at.
    InstancesReadAll,
    /// Stop and delete the instances of all people, and end that they are looked at.
    InstancesEndAll,
    /// See hosts and how busy they are.
    HostsRead,
    /// Have hosts emptied, and take them back.
    HostsManage,
    /// See who looks at which instance.
    SessionsReadAll,
    /// Make, change and remove users, and the rules for them.
    UsersManage,
    /// Make, change and remove groups, and the rules for them.
    GroupsManage,
    /// Set quotas.
    QuotasManage,
    /// Read the audit log.
    AuditRead,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AppsLaunch,
        Self::InstancesReadAll,
        Self::InstancesEndAll,
        Self::HostsRead,
        Self::HostsManage,
        Self::SessionsReadAll,
        Self::UsersManage,
        Self::GroupsManage,
        Self::QuotasManage,
        Self::AuditRead,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppsLaunch => "apps_launch",
            Self::InstancesReadAll => "instances_read_all",
            Self::InstancesEndAll => "instances_end_all",
            Self::HostsRead => "hosts_read",
            Self::HostsManage => "hosts_manage",
            Self::SessionsReadAll => "sessions_read_all",
            Self::UsersManage => "users_manage",
            Self::GroupsManage => "groups_manage",
            Self::QuotasManage => "quotas_manage",
            Self::AuditRead => "audit_read",
        }
    }
}

impl Role {
    /// All of them, the one that may do least first.
    pub const ALL: [Self; 3] = [Self::User, Self::Operator, Self::Admin];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// What the role alone lets somebody do.
    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        use Permission as P;
        match permission {
            P::AppsLaunch => true,
            P::InstancesReadAll
            | P::InstancesEndAll
            | P::HostsRead
            | P::HostsManage
            | P::SessionsReadAll => {
                matches!(self, Self::Operator | Self::Admin)
            }
            P::UsersManage | P::GroupsManage | P::QuotasManage | P::AuditRead => {
                matches!(self, Self::Admin)
            }
        }
    }
}

/// Whether a rule gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It gives.
    Allow,
    /// It takes.
    Deny,
}

/// What a user or the members of a group may do beyond their roles, or may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// About what.
    pub permission: Permission,
    /// For this application only. There are such rules about launching alone.
    pub app_id: Option<AppId>,
    /// Whether it gives or takes.
    pub effect: Effect,
}

/// What one person may do: role and rules together.
///
/// A rule about the person wins over those about their groups, and these over the role.
/// Where several of the same kind speak, one that takes wins. Where nothing speaks, they may
/// not. Rules take nothing from administrators: somebody has to be able to mend all rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    role: Role,
    own: Vec<Rule>,
    of_groups: Vec<Rule>,
}

impl Rights {
    /// Of somebody with a role, the rules about them, and those about all their groups.
    #[must_use]
    pub const fn new(role: Role, own: Vec<Rule>, of_groups: Vec<Rule>) -> Self {
        Self {
            role,
            own,
            of_groups,
        }
    }

    /// Whether they may, in general.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.decide(permission, None)
    }

    /// Whether they may launch an application.
    #[must_use]
    pub fn may_launch(&self, app: AppId) -> bool {
        self.decide(Permission::AppsLaunch, Some(app))
    }

    /// All that they may do in general.
    #[must_use]
    pub fn permissions(&self) -> Vec<Permission> {
        let all = Permission::ALL.into_iter();
        all.filter(|permission| self.may(*permission)).collect()
    }

    /// Whether they may do whatever the other may, so that they gain nothing by acting as
    /// the other.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        let mut all = Permission::ALL.into_iter();
        self.role >= other.role
            && all.all(|permission| self.may(permission) || !other.may(permission))
    }

    /// Whether they may themselves do what a rule would give.
    #[must_use]
    pub fn may_give(&self, rule: &Rule) -> bool {
        rule.effect == Effect::Deny || self.decide(rule.permission, rule.app_id)
    }

    fn decide(&self, permission: Permission, app: Option<AppId>) -> bool {
        if self.role == Role::Admin {
            return true;
        }
        said_by(&self.own, permission, app)
            .or_else(|| said_by(&self.of_groups, permission, app))
            .unwrap_or_else(|| self.role.has(permission))
    }
}

/// What rules of one kind say, if they say anything.
fn said_by(rules: &[Rule], permission: Permission, app: Option<AppId>) -> Option<bool> {
    let about = rules.iter().filter(|rule| {
        rule.permission == permission && (rule.app_id.is_none() || rule.app_id == app)
    });
    about
        .map(|rule| rule.effect == Effect::Allow)
        .reduce(|all, allows| all && allows)
}

/// What a token for programs is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read the catalogue.
    AppsRead,
    /// Read instances.
    InstancesRead,
    /// Launch, start, stop and delete instances.
    InstancesWrite,
    /// Read users and groups.
    UsersRead,
    /// Make, change and remove users and groups.
    UsersWrite,
    /// Read the audit log.
    AuditRead,
    /// Read hosts.
    HostsRead,
    /// Have hosts emptied, and take them back.
    HostsWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AppsRead,
        Self::InstancesRead,
        Self::InstancesWrite,
        Self::UsersRead,
        Self::UsersWrite,
        Self::AuditRead,
        Self::HostsRead,
        Self::HostsWrite,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppsRead => "apps_read",
            Self::InstancesRead => "instances_read",
            Self::InstancesWrite => "instances_write",
            Self::UsersRead => "users_read",
            Self::UsersWrite => "users_write",
            Self::AuditRead => "audit_read",
            Self::HostsRead => "hosts_read",
            Self::HostsWrite => "hosts_write",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAUNCH: Permission = Permission::AppsLaunch;

    fn rule(permission: Permission, app_id: Option<AppId>, effect: Effect) -> Rule {
        Rule {
            permission,
            app_id,
            effect,
        }
    }

    fn rights(own: &[Rule], of_groups: &[Rule]) -> Rights {
        Rights::new(Role::User, own.to_vec(), of_groups.to_vec())
    }

    #[test]
    fn words_are_those_of_json() {
        for role in Role::ALL {
            assert_eq!(serde_json::json!(role), role.as_str());
        }
    }

    #[test]
    fn who_wins() {
        let (app, other) = (AppId::random(), AppId::random());
        let allow = rule(LAUNCH, None, Effect::Allow);
        let deny = rule(LAUNCH, None, Effect::Deny);
        let deny_app = rule(LAUNCH, Some(app), Effect::Deny);
        let allow_app = rule(LAUNCH, Some(app), Effect::Allow);
        for (own, of_groups, may_app, may_other) in [
            (&[][..], &[][..], true, true),
            (&[], &[deny], false, false),
            (&[], &[deny, allow], false, false),
            (&[allow], &[deny], true, true),
            (&[allow, deny], &[], false, false),
            (&[deny_app], &[allow], false, true),
            (&[allow_app], &[deny], true, false),
            (&[], &[deny_app, allow], false, true),
        ] {
            let rights = rights(own, of_groups);
            assert_eq!(rights.may_launch(app), may_app, "{own:?} {of_groups:?}");
            assert_eq!(rights.may_launch(other), may_other, "{own:?} {of_groups:?}");
        }
    }

    #[test]
    fn nothing_is_taken_from_administrators() {
        let deny = Permission::ALL.map(|permission| rule(permission, None, Effect::Deny));
        let admin = Rights::new(Role::Admin, deny.to_vec(), deny.to_vec());
        assert_eq!(admin.permissions(), Permission::ALL);
        let user = rights(&deny, &[]);
        assert!(user.permissions().is_empty());
    }

    #[test]
    fn nobody_gives_or_takes_over_more_than_they_have() {
        let manage = rule(Permission::UsersManage, None, Effect::Allow);
        let audit = rule(Permission::AuditRead, None, Effect::Allow);
        let manager = rights(&[manage], &[]);
        assert!(manager.may_give(&manage));
        assert!(!manager.may_give(&audit));
        assert!(manager.may_give(&rule(Permission::AuditRead, None, Effect::Deny)));
        assert!(manager.cover(&rights(&[], &[])));
        assert!(!manager.cover(&rights(&[audit], &[])));
        assert!(!manager.cover(&Rights::new(Role::Operator, vec![], vec![])));
        assert!(!manager.cover(&Rights::new(Role::Admin, vec![], vec![])));
    }
}
