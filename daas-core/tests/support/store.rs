//! A storage in a folder of its own, and rows to put into it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "not every test uses all of it; a failed test may panic"
)]

use std::path::PathBuf;
use std::sync::Arc;

use daas_core::Secret;
use daas_core::audit::chain::Verifier;
use daas_core::audit::{Actor, AuditAction, Entry, NewEntry, Outcome, Target, TargetKind};
use daas_core::model::{
    App, AppId, AppKind, Group, GroupId, Instance, InstanceId, LogIn, Policies, Protocol, Quota,
    Resources, Role, Session, SessionId, Timestamp, User, UserId,
};
use daas_core::storage::{AuditQuery, Order, Sqlite, Store};
use tempfile::TempDir;

pub const T0: Timestamp = Timestamp(1_700_000_000_000);
pub const NO_LIMIT: Quota = Quota {
    instances: None,
    cpu_millis: None,
    memory_mib: None,
    disk_mib: None,
    hours_week: None,
};

pub fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub fn user(name: &str) -> User {
    User::new(name, Role::User, "hash".to_owned(), T0)
}

pub fn admin(name: &str) -> User {
    User::new(name, Role::Admin, "hash".to_owned(), T0)
}

pub fn app(slug: &str) -> App {
    App {
        id: AppId::random(),
        slug: slug.to_owned(),
        name: format!("The {slug} – 世界"),
        description: String::new(),
        icon: "desktop".to_owned(),
        kind: AppKind::Desktop,
        image: "image".to_owned(),
        protocol: Protocol::Vnc,
        port: 5901,
        log_in: LogIn::default(),
        resources: Resources {
            cpu_millis: 2000,
            memory_mib: 2048,
            disk_mib: 1024,
        },
        policies: Policies::default(),
        hosts: Vec::new(),
        created_at: T0,
    }
}

pub fn instance(owner: UserId, app: AppId, at: Timestamp) -> Instance {
    Instance::requested(Some(owner), app, secret("secret"), at)
}

/// A session that is good for a second.
pub fn session(user: UserId, n: u8) -> Session {
    Session {
        hash: [n; 32],
        id: SessionId::random(),
        user,
        created_at: T0,
        used_at: T0,
        expires_at: T0.plus_ms(1000),
        address: "192.0.2.1".to_owned(),
        user_agent: "a browser".to_owned(),
        provider: None,
    }
}

pub fn group(name: &str, external: &[&str]) -> Group {
    Group {
        id: GroupId::random(),
        name: name.to_owned(),
        description: String::new(),
        external: external.iter().map(|name| (*name).to_owned()).collect(),
        created_at: T0,
    }
}

/// What the audit log is to say.
pub fn entry(action: AuditAction) -> NewEntry {
    NewEntry {
        at: T0,
        actor: Actor::system(),
        address: None,
        action,
        target: Target::named(TargetKind::User, "somebody"),
        outcome: Outcome::Done,
        before: None,
        after: None,
    }
}

pub struct Fixture {
    pub store: Arc<dyn Store>,
    /// A user.
    pub owner: UserId,
    pub app: AppId,
    pub folder: TempDir,
}

/// A storage with one user and one application.
pub async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let (db, keys) = (folder.path().join("db"), folder.path().join("keys"));
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&db, &keys).await.unwrap());
    let owner = user("owner");
    let made = entry(AuditAction::UserCreate);
    store.add_user(owner.clone(), vec![], made).await.unwrap();
    let app = store.put_app(app("app")).await.unwrap();
    Fixture {
        store,
        owner: owner.id,
        app,
        folder,
    }
}

impl Fixture {
    pub fn db(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    pub async fn launch(&self) -> InstanceId {
        let instance = instance(self.owner, self.app, T0);
        let id = instance.id;
        self.store
            .add_instance(instance, NO_LIMIT.into())
            .await
            .unwrap();
        id
    }

    pub async fn add(&self, user: User) -> UserId {
        let (id, made) = (user.id, entry(AuditAction::UserCreate));
        self.store.add_user(user, vec![], made).await.unwrap();
        id
    }

    pub async fn add_group(&self, group: Group) -> GroupId {
        let (id, made) = (group.id, entry(AuditAction::GroupCreate));
        self.store.add_group(group, made).await.unwrap();
        id
    }

    /// All entries of the log, whose chain is right.
    pub async fn audit(&self) -> Vec<Entry> {
        audit(&*self.store).await
    }
}

/// All entries of the log, the oldest first, whose chain is right.
pub async fn audit(store: &dyn Store) -> Vec<Entry> {
    let query = AuditQuery {
        order: Order::OldestFirst,
        limit: u32::MAX,
        ..AuditQuery::default()
    };
    let (mut verifier, mut entries) = (Verifier::new(), Vec::new());
    for (entry, hash) in store.entries(query).await.unwrap() {
        verifier.check(&entry, &hash).unwrap();
        entries.push(entry);
    }
    verifier.finish().unwrap();
    entries
}
