//! `daas-server user`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use daas_core::access::{By, Invited, NewUser, UserChange};
use daas_core::model::{GroupId, Role, Source, Timestamp, UserId};
use daas_core::storage::{Account, AccountsQuery};

use super::{CommandError, Desk, password};

/// Accounts that are read at once.
const AT_ONCE: u32 = 200;

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make a user. The password is asked for, or read from the standard input.
    Add(Add),
    /// Set somebody's password, or print a link to choose one. Their sessions end.
    Passwd {
        /// Whose.
        name: String,
        #[command(flatten)]
        password: password::Source,
    },
    /// Refuse that somebody logs in. Their sessions end; their desktops stay.
    Disable {
        /// Whom.
        name: String,
    },
    /// Let somebody log in again.
    Enable {
        /// Whom.
        name: String,
    },
    /// List all users.
    List,
}

/// A new user.
#[derive(Debug, Args)]
pub struct Add {
    /// The name to log in with.
    name: String,
    /// What they may do.
    #[arg(long, default_value = "user", value_parser = role_parser())]
    role: Role,
    /// A group that they are in; may be given more than once.
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    #[command(flatten)]
    password: password::Source,
}

fn role_parser() -> impl TypedValueParser<Value = Role> {
    let words = PossibleValuesParser::new(Role::ALL.map(Role::as_str));
    words.map(|text| {
        let mut all = Role::ALL.into_iter();
        all.find(|role| role.as_str() == text).unwrap_or(Role::User)
    })
}

impl User {
    pub(super) fn with_input(self) -> Result<Self, CommandError> {
        Ok(match self {
            Self::Add(mut add) => {
                add.password = add.password.read(&add.name)?;
                Self::Add(add)
            }
            Self::Passwd { name, password } => Self::Passwd {
                password: password.read(&name)?,
                name,
            },
            other => other,
        })
    }

    pub(super) async fn run(self, desk: &Desk) -> Result<(), CommandError> {
        match self {
            Self::Add(new) => add(desk, new).await,
            Self::Passwd { name, password } => passwd(desk, &name, password).await,
            Self::Disable { name } => set_disabled(desk, &name, true).await,
            Self::Enable { name } => set_disabled(desk, &name, false).await,
            Self::List => list(desk).await,
        }
    }
}

async fn add(desk: &Desk, new: Add) -> Result<(), CommandError> {
    let groups = groups(desk, &new.groups).await?;
    let new = NewUser {
        name: new.name,
        role: new.role,
        password: new.password.into_password(),
        groups,
    };
    let by = By::console();
    let made = desk.access.create_user(&by, new, Timestamp::now());
    let (account, invited) = made.await?;
    println!("The user {} is made.", account.user.name);
    print_link(desk, invited.as_ref());
    Ok(())
}

async fn groups(desk: &Desk, names: &[String]) -> Result<Vec<GroupId>, CommandError> {
    let all = desk.store.groups().await?;
    let ids = names.iter().map(|name| {
        let mut all = all.iter();
        let found = all.find(|(group, _)| group.name.eq_ignore_ascii_case(name));
        let (group, _) = found.ok_or_else(|| CommandError::NoGroup(name.clone()))?;
        Ok(group.id)
    });
    ids.collect()
}

async fn passwd(desk: &Desk, name: &str, password: password::Source) -> Result<(), CommandError> {
    let user = desk.user(name).await?;
    match password.into_password() {
        Some(password) => {
            let change = UserChange {
                password: Some(password),
                ..UserChange::default()
            };
            apply(desk, user.id, change).await?;
            println!("The password of {} is set.", user.name);
        }
        None => {
            let by = By::console();
            let invited = desk.access.invite(&by, user.id, Timestamp::now()).await?;
            print_link(desk, Some(&invited));
        }
    }
    Ok(())
}

async fn set_disabled(desk: &Desk, name: &str, disabled: bool) -> Result<(), CommandError> {
    let user = desk.user(name).await?;
    let change = UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    };
    apply(desk, user.id, change).await?;
    let done = if disabled { "disabled" } else { "enabled" };
    println!("{} is {done}.", user.name);
    Ok(())
}

async fn apply(desk: &Desk, id: UserId, change: UserChange) -> Result<(), CommandError> {
    let (by, now) = (By::console(), Timestamp::now());
    desk.access.change_user(&by, id, change, now).await?;
    Ok(())
}

fn print_link(desk: &Desk, invited: Option<&Invited>) {
    if let Some(invited) = invited {
        let (origin, token) = (&desk.origin, invited.token.expose());
        println!("They choose a password at this address:");
        println!("{origin}/#/invitation/{token}");
        println!("It is good until {}.", invited.expires_at.rfc3339());
    }
}

async fn list(desk: &Desk) -> Result<(), CommandError> {
    line(["NAME", "ROLE", "STATE", "FROM", "LAST LOG-IN", "GROUPS"]);
    let mut query = AccountsQuery {
        limit: AT_ONCE,
        ..AccountsQuery::default()
    };
    loop {
        let accounts = desk.store.accounts(query.clone()).await?;
        accounts.iter().for_each(print);
        match accounts.last() {
            Some(last) if accounts.len() == AT_ONCE as usize => query.after = Some(last.user.id),
            _ => return Ok(()),
        }
    }
}

fn print(account: &Account) {
    let user = &account.user;
    let groups: Vec<&str> = account.groups.iter().map(|(_, name)| &**name).collect();
    let last = user.last_login_at;
    line([
        &user.name,
        user.role.as_str(),
        if user.disabled { "disabled" } else { "active" },
        match user.source {
            Source::Local => "here",
            Source::Oidc => "oidc",
            Source::Ldap => "ldap",
        },
        &last.map_or_else(|| "never".to_owned(), Timestamp::rfc3339),
        &groups.join(", "),
    ]);
}

fn line([name, role, state, source, last, groups]: [&str; 6]) {
    let line = format!("{name:<24} {role:<9} {state:<9} {source:<5} {last:<25} {groups}");
    println!("{}", line.trim_end());
}
