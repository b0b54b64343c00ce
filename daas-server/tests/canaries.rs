//! Secrets that sing where they get: each is driven through the server as people and programs
//! do it, while the server logs all it can, and then looked for in everything that came out of
//! it and in every file that is left, in each form in which something may write it.
//!
//! The environment of the server is not looked at: the first password is given there, and the
//! system shows it to nobody but the server's own user.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]
#![allow(
    unreachable_pub,
    reason = "modules of a test have nobody else to serve"
)]

#[allow(dead_code, reason = "it is made for more tests")]
#[path = "server/support/client.rs"]
mod client;
#[path = "../../daas-core/tests/support/docker.rs"]
mod docker;
#[path = "../../daas-core/tests/support/guacd.rs"]
mod guacd;
#[path = "support/mod.rs"]
mod sockets;

#[path = "canaries/desktop.rs"]
mod desktop;
#[path = "canaries/engine.rs"]
mod engine;
#[path = "canaries/people.rs"]
mod people;
#[path = "canaries/search.rs"]
mod search;
#[path = "canaries/tokens.rs"]
mod tokens;
#[path = "canaries/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use rusqlite::Connection;
use search::{Search, Value};
use world::{Drive, Record, World};

/// Longest wait for an answer: passwords are hashed slowly.
async fn within<T>(future: impl Future<Output = T>) -> T {
    let answered = tokio::time::timeout(Duration::from_secs(30), future).await;
    answered.expect("it takes too long")
}

/// What the database may hold of a canary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    /// SHA-256, of what nobody guesses.
    Hash,
    /// Argon2id, of what people choose.
    PasswordHash,
    /// Encrypted: the server has to know it again.
    Sealed,
}

struct Canary {
    name: &'static str,
    drive: Drive,
    kept: Kept,
    /// The only places where it may be seen, and where it has to be.
    seen: &'static [&'static str],
}

/// `name: function, what is kept, [where it is seen]`, in the order in which it happens.
macro_rules! canaries {
    ($($name:literal: $drive:path, $kept:ident, [$($seen:literal),*];)*) => {
        &[$(Canary {
            name: $name,
            drive: |world| Box::pin($drive(world)),
            kept: Kept::$kept,
            seen: &[$($seen),*],
        }),*]
    };
}

const CANARIES: &[Canary] = canaries! {
    "first password, of DAAS_ADMIN_PASSWORD": people::first_password, PasswordHash, [];
    "first password, a random one": people::random_first_password, PasswordHash,
        ["a server without a password"];
    "password set with the account": people::set_with_the_account, PasswordHash, [];
    "password set by an administrator": people::set_by_an_administrator, PasswordHash, [];
    "invitation": people::invitation, Nothing, ["user invited"];
    "invitation of an account that is there": people::invitation_again, Hash, ["invited again"];
    "invitation of a command": people::invitation_of_a_command, Hash, ["user add dora --invite"];
    "password chosen through an invitation": people::chosen_through_an_invitation, PasswordHash,
        [];
    "password changed by oneself": people::changed_by_oneself, PasswordHash, [];
    "password typed for user add": people::typed_for_user_add, PasswordHash, [];
    "password typed for user passwd": people::typed_for_user_passwd, PasswordHash, [];
    "wrong password": people::wrong_password, Nothing, [];
    "password typed as a name": people::typed_as_a_name, Nothing, [];
    "secret of the second factor": people::second_factor, Sealed, ["second factor begun"];
    "wrong code": people::wrong_code, Nothing, [];
    "recovery codes": people::recovery_codes, Nothing, ["second factor confirmed"];
    "wrong code at log-in": people::wrong_code_at_log_in, Nothing, [];

    "cookie of the session": tokens::session_cookie, Hash, ["log-in of admin"];
    "CSRF token": tokens::csrf_token, Nothing, ["log-in of admin", "who am I"];
    "API token": tokens::api_token, Hash, ["token made"];
    "API token of a command": tokens::api_token_of_a_command, Hash,
        ["token create --user admin --name script --scope audit_read"];
    "secret in a header": tokens::in_headers, Nothing, [];
    "secret in the query": tokens::in_the_query, Nothing, [];
    "secret in the path": tokens::in_the_path, Nothing, [];
    "secret in a broken request": tokens::in_broken_requests, Nothing, [];
    "secret in JSON of another kind": tokens::as_wrong_json, Nothing, [];
    "secret in what is no JSON": tokens::as_no_json, Nothing, [];
    "secret that is too long": tokens::too_long, Nothing, [];
    "secret in a misspelt variable": tokens::in_misspelt_variables, Nothing, [];
    // Secrets of the configuration belong here: the password of the server at a directory, and
    // its secret at an OpenID provider, by value and by file.

    "password of a desktop": desktop::desktop_password, Sealed, [];
    "ticket for a tunnel": desktop::ticket, Nothing, ["ticket"];
    "id of a connection of guacd": desktop::id_of_guacd, Nothing, [];
    "private key of TLS": desktop::tls_key, Nothing, ["file tls.key"];
    "private key of TLS that is broken": desktop::broken_tls_key, Nothing, ["file broken.key"];
    "key of the vault": desktop::vault_key, Nothing, ["before: file data/daas.keys"];
    "key of the vault after the rotation": desktop::vault_key_after_rotation, Nothing,
        ["running: file data/daas.keys", "ended: file data/daas.keys"];
};

/// Where the name of somebody who is planted is seen, as it is no secret: what looks at these
/// places can see.
const OPEN: &[&str] = &[
    "/api/v1/users?limit=200",
    "user list",
    "server: log",
    "audit list",
    "audit as JSON Lines",
    "audit as CSV",
    "audit export",
    "audit export --format csv",
];

/// Start of the names of the database and of its log, where it is seen as well.
const DATABASE: [&str; 2] = [
    "running: file data/daas.sqlite3",
    "ended: file data/daas.sqlite3",
];

/// The values of one canary.
struct Driven {
    canary: &'static Canary,
    values: Vec<Value>,
}

async fn drive_all(world: &mut World) -> Vec<Driven> {
    let mut driven = Vec::new();
    for canary in CANARIES {
        let values = (canary.drive)(world).await;
        assert!(!values.is_empty(), "{}", canary.name);
        driven.push(Driven { canary, values });
    }
    driven
}

fn is_at(label: &str, place: &str) -> bool {
    label == place || label.ends_with(&format!(": {place}"))
}

/// Where some values are, and in which form.
fn places<'a>(values: &[Value], records: &'a [Record]) -> BTreeSet<(&'a str, &'static str)> {
    let search = Search::new(values);
    let all = records.iter().flat_map(|record| {
        let found = search.in_bytes(&record.bytes).into_iter();
        found.map(|found| (record.label.as_str(), found.form))
    });
    all.collect()
}

/// What is wrong with where one canary is.
fn wrong(driven: &Driven, records: &[Record]) -> Vec<String> {
    let Canary { name, seen, .. } = driven.canary;
    let found = places(&driven.values, records);
    let allowed = |label: &str| seen.iter().any(|place| is_at(label, place));
    let leaks = found.iter().filter(|(label, _)| !allowed(label));
    let missing = seen
        .iter()
        .filter(|place| !found.iter().any(|(label, _)| is_at(label, place)));
    leaks
        .map(|(label, form)| format!("{name}: in {label:?}, {form}"))
        .chain(missing.map(|place| format!("{name}: not in {place:?}")))
        .collect()
}

/// Of tokens there is the hash, which shows that the database was looked at where they are.
fn check_hashes(driven: &Driven, records: &[Record]) {
    let hashes = driven.values.iter().filter_map(Value::hash);
    let hashes: Vec<Value> = hashes.map(|hash| Value::Bytes(hash.to_vec())).collect();
    assert!(!hashes.is_empty(), "{}", driven.canary.name);
    let found = places(&hashes, records);
    let kept = found
        .iter()
        .any(|(label, form)| label.starts_with(DATABASE[1]) && *form == "raw");
    assert!(kept, "{}: {found:?}", driven.canary.name);
}

fn column(world: &World, sql: &str) -> Vec<String> {
    let database = Connection::open(world.path("data/daas.sqlite3")).unwrap();
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What the columns hold in which secrets are, hashed or encrypted.
fn check_columns(world: &World) {
    let hashes = column(
        world,
        "SELECT password_hash FROM users WHERE password_hash <> ''",
    );
    assert!(hashes.len() >= 5, "{}", hashes.len());
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$")));
    for sql in [
        "SELECT totp FROM users WHERE totp <> ''",
        "SELECT password FROM instances",
    ] {
        let sealed = column(world, sql);
        assert_eq!(sealed.len(), 1, "{sql}");
        assert!(sealed[0].starts_with("v1."), "{sql}");
    }
}

fn check_planted(planted: &[Value], records: &[Record]) {
    let seen = places(planted, records);
    for place in OPEN {
        let is_seen = seen.iter().any(|(label, _)| label == place);
        assert!(is_seen, "not in {place:?}: {seen:?}");
    }
    for place in DATABASE {
        let is_seen = seen.iter().any(|(label, _)| label.starts_with(place));
        assert!(is_seen, "not in {place:?}: {seen:?}");
    }
}

async fn nothing_sings(format: &str) {
    let no_engine = [
        ("DAAS_LOG__FORMAT", format),
        ("DAAS_DOCKER__SOCKET", "no-engine"),
    ];
    let mut world = World::start(&no_engine).await;
    let driven = drive_all(&mut world).await;
    let planted = tokens::planted(&mut world).await;
    people::code_lets_in(&mut world).await;
    desktop::look_around(&mut world).await;
    world.look_at_files("running");
    world.end_server("server");
    world.look_at_files("ended");
    check_columns(&world);
    check_planted(&planted, &world.records);
    let records = &world.records;
    let wrong: Vec<String> = driven.iter().flat_map(|one| wrong(one, records)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for one in driven.iter().filter(|one| one.canary.kept == Kept::Hash) {
        check_hashes(one, records);
    }
    let bytes: usize = records.iter().map(|record| record.bytes.len()).sum();
    let values: usize = driven.iter().map(|one| one.values.len()).sum();
    println!(
        "{} canaries of {values} values, {} places of {bytes} bytes: seen where they may be",
        driven.len(),
        records.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sings_in_a_log_for_people() {
    nothing_sings("plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sings_in_a_log_of_json() {
    nothing_sings("json").await;
}

#[test]
fn there_are_enough_canaries() {
    let names: BTreeSet<&str> = CANARIES.iter().map(|canary| canary.name).collect();
    assert_eq!(names.len(), CANARIES.len());
    assert!(names.len() >= 20);
}
