//! What each route answers whom. The table is written by hand, from what people should be
//! able to do and not from how the server finds out.

use std::collections::BTreeSet;

use daas_core::access::sign_on::oidc::{Oidc, OidcConfig};
use daas_core::access::{By, TOKEN_PREFIX};
use daas_core::model::{App, Policies, Role, Scope, Session, Timestamp, User, UserId};
use daas_server::{SignOn, routes};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{Options, PASSWORD, Server, fixtures, until};

/// Things of a new owner, and somebody and something that may be managed.
struct World {
    number: u64,
    owner: User,
    client: Client,
    instance: String,
    session: Session,
    token: String,
    user: String,
    invitation: String,
    group: String,
    app: String,
}

type Body = fn(&World) -> Value;

/// One route, and what it answers.
struct Line {
    method: &'static str,
    path: &'static str,
    /// Nobody, the owner of the thing, another user, an operator, an administrator.
    answers: [u16; 5],
    /// What lets a token do the same as its owner; without one, no token does.
    scope: Option<Scope>,
    body: Option<Body>,
    /// What is done to the instance before.
    before: Option<&'static str>,
}

const fn line(method: &'static str, path: &'static str, answers: [u16; 5]) -> Line {
    Line {
        method,
        path,
        answers,
        scope: None,
        body: None,
        before: None,
    }
}

impl Line {
    const fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    const fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    const fn after(mut self, action: &'static str) -> Self {
        self.before = Some(action);
        self
    }

    /// The route, without what is asked for in the query.
    fn route(&self) -> (&'static str, &'static str) {
        let path = self.path.split('?').next().unwrap();
        (self.method, path)
    }

    fn is_unsafe(&self) -> bool {
        self.method != "GET"
    }

    /// Whether it answers whoever asks.
    fn is_public(&self) -> bool {
        self.answers[0] != 401 || self.path == "/api/v1/session" && self.method == "POST"
    }
}

/// The id of a provider, which the configuration chooses.
const PROVIDER: &str = "corp";
/// The name of the one host.
const HOST: &str = "fake";
/// A state of the instance that is kept, where a line is about one.
const SNAPSHOT: &str = "before";
/// Everybody is answered the same.
const ALL: [u16; 5] = [200; 5];
/// Whoever is logged in.
const IN: [u16; 5] = [401, 200, 200, 200, 200];
/// Whoever is logged in; with nothing to say.
const IN_NO_CONTENT: [u16; 5] = [401, 204, 204, 204, 204];
const OPERATORS: [u16; 5] = [401, 403, 403, 200, 200];
const ADMINS: [u16; 5] = [401, 403, 403, 403, 200];
const ADMINS_CREATED: [u16; 5] = [401, 403, 403, 403, 201];
const ADMINS_NO_CONTENT: [u16; 5] = [401, 403, 403, 403, 204];
/// Others do not learn that it is there.
const OWNER_NO_CONTENT: [u16; 5] = [401, 204, 404, 404, 404];
/// The owner does it, others who see it may not.
const OWNER_ACTS: [u16; 5] = [401, 202, 404, 403, 403];
/// The same, and it is done when it is answered.
const OWNER_DOES: [u16; 5] = [401, 204, 404, 403, 403];
/// The owner does it, and whoever may end what others have.
const OWNER_OR_OPERATOR_ACTS: [u16; 5] = [401, 202, 404, 202, 202];

fn no_limits(_: &World) -> Value {
    json!({
        "instances": null, "cpu_millis": null, "memory_mib": null, "disk_mib": null,
        "hours_week": null,
    })
}

fn no_items(_: &World) -> Value {
    json!({"items": []})
}

fn password(_: &World) -> Value {
    json!({"password": PASSWORD})
}

fn table() -> Vec<Line> {
    use Scope as S;
    vec![
        line("GET", "/healthz", ALL),
        line("GET", "/readyz", ALL),
        line("GET", "/metrics", ALL),
        line("GET", "/api/v1/openapi.json", ALL),
        line("GET", "/api/v1/sign-on", ALL),
        // The provider does not answer, and nothing has begun there.
        line("GET", "/api/v1/sign-on/oidc/corp", [302; 5]),
        line("GET", "/api/v1/sign-on/oidc/corp/callback", [302; 5]),
        line("POST", "/api/v1/session", ALL)
            .body(|world| json!({"username": world.owner.name, "password": PASSWORD})),
        line("GET", "/api/v1/session", IN),
        line("DELETE", "/api/v1/session", IN_NO_CONTENT),
        line("POST", "/api/v1/invitations", ALL)
            .body(|world| json!({"token": world.invitation, "password": "another horse"})),
        line("POST", "/api/v1/profile/password", IN)
            .body(|_| json!({"current": PASSWORD, "new": "another horse"})),
        line("POST", "/api/v1/profile/totp", IN).body(password),
        // Nobody has a second factor, or has begun to get one.
        line(
            "POST",
            "/api/v1/profile/totp/confirm",
            [401, 404, 404, 404, 404],
        )
        .body(|_| json!({"code": "123456"})),
        line(
            "POST",
            "/api/v1/profile/totp/disable",
            [401, 404, 404, 404, 404],
        )
        .body(password),
        line("GET", "/api/v1/profile/sessions", IN),
        line("DELETE", "/api/v1/profile/sessions", IN_NO_CONTENT),
        line(
            "DELETE",
            "/api/v1/profile/sessions/{session}",
            OWNER_NO_CONTENT,
        ),
        line("GET", "/api/v1/profile/quota", IN),
        line("GET", "/api/v1/tokens", IN),
        line("POST", "/api/v1/tokens", [401, 201, 201, 201, 201])
            .body(|_| json!({"name": "x", "scopes": ["apps_read"], "expires_in_days": 1})),
        line("DELETE", "/api/v1/tokens/{token}", OWNER_NO_CONTENT),
        line("GET", "/api/v1/apps", IN).scope(S::AppsRead),
        line("PUT", "/api/v1/apps/{app}/quota", ADMINS)
            .scope(S::UsersWrite)
            .body(no_limits),
        line("GET", "/api/v1/instances", IN).scope(S::InstancesRead),
        line("GET", "/api/v1/instances?all=true", OPERATORS).scope(S::InstancesRead),
        line("POST", "/api/v1/instances", [401, 201, 201, 201, 201])
            .scope(S::InstancesWrite)
            .body(|world| json!({"app_id": world.app})),
        line(
            "GET",
            "/api/v1/instances/{instance}",
            [401, 200, 404, 200, 200],
        )
        .scope(S::InstancesRead),
        line(
            "DELETE",
            "/api/v1/instances/{instance}",
            OWNER_OR_OPERATOR_ACTS,
        )
        .scope(S::InstancesWrite),
        line("POST", "/api/v1/instances/{instance}/start", OWNER_ACTS)
            .scope(S::InstancesWrite)
            .after("stop"),
        line(
            "POST",
            "/api/v1/instances/{instance}/stop",
            OWNER_OR_OPERATOR_ACTS,
        )
        .scope(S::InstancesWrite),
        line("POST", "/api/v1/instances/{instance}/suspend", OWNER_ACTS).scope(S::InstancesWrite),
        line("POST", "/api/v1/instances/{instance}/resume", OWNER_ACTS)
            .scope(S::InstancesWrite)
            .after("suspend"),
        line(
            "GET",
            "/api/v1/instances/{instance}/timeline",
            [401, 200, 404, 200, 200],
        )
        .scope(S::InstancesRead),
        line(
            "GET",
            "/api/v1/instances/{instance}/snapshots",
            [401, 200, 404, 200, 200],
        )
        .scope(S::InstancesRead),
        line("POST", "/api/v1/instances/{instance}/snapshots", OWNER_DOES)
            .scope(S::InstancesWrite)
            .body(|_| json!({"name": "another"})),
        line(
            "DELETE",
            "/api/v1/instances/{instance}/snapshots/{snapshot}",
            OWNER_DOES,
        )
        .scope(S::InstancesWrite),
        line(
            "POST",
            "/api/v1/instances/{instance}/snapshots/{snapshot}/rollback",
            OWNER_DOES,
        )
        .scope(S::InstancesWrite)
        .after("stop"),
        line(
            "POST",
            "/api/v1/instances/{instance}/extend",
            [401, 200, 404, 403, 403],
        )
        .scope(S::InstancesWrite),
        line(
            "POST",
            "/api/v1/instances/{instance}/tunnel",
            [401, 200, 404, 403, 403],
        ),
        // Without an upgrade; those with one are tried for themselves.
        line("GET", "/api/v1/tunnel", [401, 426, 426, 426, 426]),
        line("GET", "/api/v1/events", IN),
        line("GET", "/api/v1/users", ADMINS).scope(S::UsersRead),
        line("POST", "/api/v1/users", ADMINS_CREATED)
            .scope(S::UsersWrite)
            .body(|world| json!({"name": format!("new-{}", world.number), "role": "user"})),
        line("GET", "/api/v1/users/{user}", ADMINS).scope(S::UsersRead),
        line("PATCH", "/api/v1/users/{user}", ADMINS)
            .scope(S::UsersWrite)
            .body(|_| json!({"disabled": true})),
        line("DELETE", "/api/v1/users/{user}", ADMINS_NO_CONTENT).scope(S::UsersWrite),
        line("POST", "/api/v1/users/{user}/invitation", ADMINS_CREATED).scope(S::UsersWrite),
        line("DELETE", "/api/v1/users/{user}/sessions", ADMINS_NO_CONTENT).scope(S::UsersWrite),
        line("PUT", "/api/v1/users/{user}/quota", ADMINS)
            .scope(S::UsersWrite)
            .body(no_limits),
        line("PUT", "/api/v1/users/{user}/rules", ADMINS)
            .scope(S::UsersWrite)
            .body(no_items),
        line("GET", "/api/v1/groups", ADMINS).scope(S::UsersRead),
        line("POST", "/api/v1/groups", ADMINS_CREATED)
            .scope(S::UsersWrite)
            .body(|world| json!({"name": format!("new-{}", world.number)})),
        line("GET", "/api/v1/groups/{group}", ADMINS).scope(S::UsersRead),
        line("PATCH", "/api/v1/groups/{group}", ADMINS)
            .scope(S::UsersWrite)
            .body(|_| json!({"description": "others"})),
        line("DELETE", "/api/v1/groups/{group}", ADMINS_NO_CONTENT).scope(S::UsersWrite),
        line("PUT", "/api/v1/groups/{group}/quota", ADMINS)
            .scope(S::UsersWrite)
            .body(no_limits),
        line("PUT", "/api/v1/groups/{group}/rules", ADMINS)
            .scope(S::UsersWrite)
            .body(no_items),
        line("PUT", "/api/v1/groups/{group}/members", ADMINS)
            .scope(S::UsersWrite)
            .body(|world| json!({"user_ids": [world.user]})),
        line("GET", "/api/v1/hosts", OPERATORS).scope(S::HostsRead),
        line("PATCH", "/api/v1/hosts/fake", OPERATORS)
            .scope(S::HostsWrite)
            .body(|_| json!({"drained": false})),
        line("GET", "/api/v1/sessions", OPERATORS),
        // Nobody looks at anything here; with somebody who does, it is tried for itself.
        line(
            "DELETE",
            "/api/v1/sessions/{tunnel}",
            [401, 403, 403, 404, 404],
        ),
        line("GET", "/api/v1/audit", ADMINS).scope(S::AuditRead),
        line("GET", "/api/v1/audit/export", ADMINS).scope(S::AuditRead),
    ]
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Owner,
    Other,
    Operator,
    Admin,
}

const PEOPLE: [Who; 5] = [
    Who::Nobody,
    Who::Owner,
    Who::Other,
    Who::Operator,
    Who::Admin,
];

/// Makes worlds, one for each question, so that no answer depends on another.
struct Maker {
    server: Server,
    admin: Client,
    made: u64,
}

impl Maker {
    async fn new() -> Self {
        let mut options = Options::default();
        options.lifecycle.quota.instances = None;
        let nowhere = OidcConfig::new(PROVIDER, "Corp", "http://127.0.0.1:9", "daas");
        let provider = Oidc::new(nowhere).unwrap();
        options.sign_on = SignOn::default().with_providers(vec![provider]);
        let server = Server::start_with(options).await;
        // So that there is an end to be put off.
        let policies = Policies {
            lifetime: "stop after 8h".parse().ok(),
            ..Policies::default()
        };
        let app = App {
            policies,
            ..fixtures::app("desktop")
        };
        server.store.put_app(app).await.unwrap();
        let admin = server.log_in("admin").await;
        Self {
            server,
            admin,
            made: 0,
        }
    }

    async fn user(&mut self, role: Role) -> User {
        self.made += 1;
        let name = format!("somebody-{}", self.made);
        self.server.add(&name, role).await
    }

    async fn created(&self, path: &str, body: Value) -> Value {
        let answer = self.admin.post(path, &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    async fn world(&mut self, line: &Line) -> World {
        let owner = self.user(Role::User).await;
        let number = self.made;
        let (client, _) = self.server.let_in(&owner).await;
        let (_, session) = self.server.let_in(&owner).await;
        let app = self.server.apps[0].to_string();
        let instance = self.instance(&client, &app, line).await;
        let token = client
            .post(
                "/api/v1/tokens",
                &json!({"name": "x", "scopes": ["apps_read"], "expires_in_days": 1}),
            )
            .await
            .json();
        let name = format!("managed-{number}");
        let made = self
            .created("/api/v1/users", json!({"name": name, "role": "user"}))
            .await;
        let group = self.created("/api/v1/groups", json!({"name": name})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        World {
            number,
            owner,
            client,
            instance,
            session,
            token: text(&token["id"].clone()),
            user: text(&made["user"]["id"]),
            invitation: text(&made["invitation"]["token"]),
            group: text(&group["id"]),
            app,
        }
    }

    /// An instance that runs, or had something done to it.
    async fn instance(&self, client: &Client, app: &str, line: &Line) -> String {
        if !line.path.contains("{instance}") {
            return String::new();
        }
        let body = json!({"app_id": app});
        let launched = client.post("/api/v1/instances", &body).await.json();
        let id = launched["id"].as_str().unwrap().to_owned();
        self.reaches(client, &id, "running").await;
        if line.path.contains("{snapshot}") {
            let path = format!("/api/v1/instances/{id}/snapshots");
            let taken = client.post(&path, &json!({"name": SNAPSHOT})).await;
            assert_eq!(taken.status, 204, "{taken:?}");
        }
        if let Some(action) = line.before {
            client
                .act(&format!("/api/v1/instances/{id}/{action}"))
                .await;
            let state = if action == "stop" {
                "stopped"
            } else {
                "suspended"
            };
            self.reaches(client, &id, state).await;
        }
        id
    }

    async fn reaches(&self, client: &Client, id: &str, state: &str) {
        until(async || {
            let path = format!("/api/v1/instances/{id}");
            let shown = client.get(&path).await.json();
            (shown["state"] == state).then_some(())
        })
        .await;
    }

    async fn client(&mut self, who: Who, world: &World) -> Client {
        let role = match who {
            Who::Nobody => return self.server.anonymous(),
            Who::Owner => return world.client.clone(),
            Who::Other => Role::User,
            Who::Operator => Role::Operator,
            Who::Admin => Role::Admin,
        };
        let user = self.user(role).await;
        self.server.let_in(&user).await.0
    }

    /// A program with a token.
    async fn program(&self, owner: &User, scope: Scope, age_days: i64) -> Client {
        let made = Timestamp::now().plus_ms(-age_days * 24 * 60 * 60 * 1000);
        let by = By::console();
        let token = self
            .server
            .access
            .make_token(&by, owner, scope.as_str(), vec![scope], 1, made);
        let (token, _) = token.await.unwrap();
        let value = format!("Bearer {TOKEN_PREFIX}{}", token.expose());
        let mut program = self.server.anonymous().with("authorization", &value);
        // Programs have no page that they come from.
        program.origin = None;
        program
    }
}

/// Status and detail of what a line answers.
async fn ask(line: &Line, world: &World, client: &Client) -> (u16, String) {
    let path = line
        .path
        .replace("{instance}", &world.instance)
        .replace("{session}", &world.session.id.to_string())
        .replace("{token}", &world.token)
        .replace("{user}", &world.user)
        .replace("{group}", &world.group)
        .replace("{app}", &world.app)
        .replace("{snapshot}", SNAPSHOT)
        .replace("{tunnel}", "1");
    let body = line.body.map(|body| body(world).to_string());
    // The stream of events never ends.
    if line.path == "/api/v1/events" {
        let response = client.open(line.method, &path, body).await;
        return (response.status().as_u16(), String::new());
    }
    // A tunnel asks for the origin though nothing is changed yet.
    let client = match (line.path, &client.origin) {
        ("/api/v1/tunnel", Some(origin)) => client.clone().with("origin", origin),
        _ => client.clone(),
    };
    let answer = client.send(line.method, &path, body).await;
    let problem = answer.status >= StatusCode::BAD_REQUEST;
    let text = if problem {
        answer.text().to_owned()
    } else {
        String::new()
    };
    (answer.status.as_u16(), text)
}

#[test]
fn the_table_has_every_route() {
    let names = |pattern: &str| -> String {
        let parts = pattern.split('/');
        let is_open = |part: &str| part.starts_with('{') || part == PROVIDER || part == HOST;
        let parts = parts.map(|part| if is_open(part) { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let written: BTreeSet<_> = table()
        .iter()
        .map(|line| (line.route().0, names(line.route().1)))
        .collect();
    let real: BTreeSet<_> = routes()
        .map(|route| (route.method, names(route.path)))
        .collect();
    assert_eq!(written, real);
}

/// What is wrong is gathered, so that all of it is seen.
#[derive(Default)]
struct Wrong {
    asked: usize,
    found: Vec<String>,
}

impl Wrong {
    fn check(&mut self, line: &Line, who: &str, expected: u16, (status, text): (u16, String)) {
        self.asked += 1;
        if status != expected {
            let (method, path) = (line.method, line.path);
            let wrong = format!("{method} {path}, {who}: {status} and not {expected}: {text}");
            self.found.push(wrong);
        }
    }

    fn none(self, least: usize) {
        assert_eq!(self.found, Vec::<String>::new());
        assert!(self.asked >= least, "only {} were asked", self.asked);
        println!("{} questions", self.asked);
    }
}

#[tokio::test]
async fn people() {
    let (mut maker, mut wrong) = (Maker::new().await, Wrong::default());
    for line in &table() {
        for (who, expected) in PEOPLE.into_iter().zip(line.answers) {
            let world = maker.world(line).await;
            let client = maker.client(who, &world).await;
            let answer = ask(line, &world, &client).await;
            wrong.check(line, &format!("{who:?}"), expected, answer);
        }
    }
    wrong.none(5 * table().len());
}

/// Tokens do what their owners may, as far as their one scope goes.
#[tokio::test]
async fn programs() {
    let (mut maker, mut wrong) = (Maker::new().await, Wrong::default());
    for line in &table() {
        for scope in Scope::ALL {
            for (who, column) in [(Who::Owner, 1), (Who::Operator, 3), (Who::Admin, 4)] {
                let world = maker.world(line).await;
                let user = match who {
                    Who::Owner => world.owner.clone(),
                    Who::Operator => maker.user(Role::Operator).await,
                    _ => maker.user(Role::Admin).await,
                };
                let program = maker.program(&user, scope, 0).await;
                let expected = match line.scope {
                    // What everybody may, a program may: a page has to be ours, though.
                    _ if line.is_public() && line.is_unsafe() => 403,
                    _ if line.is_public() => line.answers[0],
                    Some(needed) if needed == scope => line.answers[column],
                    _ => 403,
                };
                let answer = ask(line, &world, &program).await;
                wrong.check(line, &format!("{who:?} {scope:?}"), expected, answer);
            }
        }
    }
    wrong.none(21 * table().len());
}

/// Whoever was let in once, and is not any more.
#[tokio::test]
async fn those_who_are_not_good_any_more() {
    let (mut maker, mut wrong) = (Maker::new().await, Wrong::default());
    for line in table().iter().filter(|line| !line.is_public()) {
        let world = maker.world(line).await;
        let admin = maker.user(Role::Admin).await;
        let scope = line.scope.unwrap_or(Scope::AppsRead);
        let (session, program) = (
            maker.server.let_in(&admin).await.0,
            maker.program(&admin, scope, 0).await,
        );
        let old = maker.program(&admin, scope, 2).await;
        let answer = ask(line, &world, &old).await;
        wrong.check(line, "an old token", 401, answer);
        disable(&maker, admin.id).await;
        for (who, client) in [("disabled", session), ("token of a disabled one", program)] {
            let answer = ask(line, &world, &client).await;
            wrong.check(line, who, 401, answer);
        }
        let (logged_out, _) = maker.server.let_in(&world.owner).await;
        assert_eq!(logged_out.delete("/api/v1/session").await.status, 204);
        let answer = ask(line, &world, &logged_out).await;
        wrong.check(line, "logged out", 401, answer);
    }
    wrong.none(4 * 45);
}

async fn disable(maker: &Maker, id: UserId) {
    let body = json!({"disabled": true}).to_string();
    let path = format!("/api/v1/users/{id}");
    let answer = maker.admin.send("PATCH", &path, Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Requests that a page of others makes a browser send, with the cookie of an administrator.
#[tokio::test]
async fn forged_requests() {
    let (mut maker, mut wrong) = (Maker::new().await, Wrong::default());
    for line in table().iter().filter(|line| line.is_unsafe()) {
        let world = maker.world(line).await;
        for origin in [None, Some("null"), Some("https://example.org")] {
            let mut page = maker.client(Who::Admin, &world).await;
            page.origin = origin.map(str::to_owned);
            let answer = ask(line, &world, &page).await;
            wrong.check(line, &format!("{origin:?}"), 403, answer);
        }
        if line.is_public() {
            continue;
        }
        let other = maker.client(Who::Admin, &world).await;
        for csrf in [None, Some(String::new()), other.csrf] {
            let mut page = maker.client(Who::Admin, &world).await;
            page.csrf = csrf;
            let answer = ask(line, &world, &page).await;
            wrong.check(line, "the wrong token", 403, answer);
        }
    }
    wrong.none(150);
}
