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

#[path = "../../daas-core/tests/support/browser.rs"]
mod browser;
#[allow(dead_code, reason = "it is made for more tests")]
#[path = "server/support/client.rs"]
mod client;
#[path = "../../daas-core/tests/support/docker.rs"]
mod docker;
#[path = "../../daas-core/tests/support/guacd.rs"]
mod guacd;
#[path = "support/program.rs"]
mod program;
#[path = "../../daas-core/tests/support/provider.rs"]
mod provider;
#[path = "../../daas-core/tests/support/slapd.rs"]
mod slapd;
#[path = "support/mod.rs"]
mod sockets;

#[path = "canaries/desktop.rs"]
mod desktop;
#[path = "canaries/engine.rs"]
mod engine;
#[path = "canaries/hosts.rs"]
mod hosts;
#[path = "canaries/other_places.rs"]
mod other_places;
#[path = "canaries/people.rs"]
mod people;
#[path = "canaries/search.rs"]
mod search;
#[path = "canaries/sign_on.rs"]
mod sign_on;
#[path = "canaries/tokens.rs"]
mod tokens;
#[path = "canaries/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use other_places::Places;
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

    "password of a desktop": desktop::desktop_password, Sealed, [];
    "ticket for a tunnel": desktop::ticket, Nothing, ["ticket"];
    "id of a connection of guacd": desktop::id_of_guacd, Nothing, [];
    "private key of TLS": desktop::tls_key, Nothing, ["file tls.key"];
    "private key of TLS that is broken": desktop::broken_tls_key, Nothing, ["file broken.key"];
    "token of a cluster": hosts::token_of_a_cluster, Nothing, ["file pve-token"];
    "private key for an engine elsewhere": hosts::key_for_an_engine, Nothing,
        ["file engine.key"];
    "key of the vault": desktop::vault_key, Nothing, ["before: file data/daas.keys"];
    "key of the vault after the rotation": desktop::vault_key_after_rotation, Nothing,
        ["running: file data/daas.keys", "ended: file data/daas.keys"];
};

/// Those of log-ins that other places check, which have to be there.
const OF_OTHER_PLACES: &[Canary] = canaries! {
    "first password": people::first_password, PasswordHash, [];
    "bind password in a variable": sign_on::bind_password_in_a_variable, Nothing, [];
    "client secret in a variable": sign_on::client_secret_in_a_variable, Nothing, [];
    "bind password in the configuration": sign_on::bind_password_in_the_configuration, Nothing,
        ["configured: file daas.toml"];
    "client secret in the configuration": sign_on::client_secret_in_the_configuration, Nothing,
        ["configured: file daas.toml"];
    "wrong secrets for both": sign_on::wrong_secrets, Nothing, [];
    "bind password in a file": sign_on::bind_password_in_a_file, Nothing, ["file bind-password"];
    "client secret in a file": sign_on::client_secret_in_a_file, Nothing, ["file client-secret"];
    "password of somebody in the directory": sign_on::password_of_the_directory, Nothing, [];
    "wrong password for the directory": sign_on::wrong_password, Nothing, [];
    "password typed as a name": people::typed_as_a_name, Nothing, [];
    "passwords typed at the provider": sign_on::typed_at_the_provider, Nothing, [];
    "secret in a callback": sign_on::in_callbacks, Nothing, [];
    "authorization codes": sign_on::codes, Nothing, [];
    "states": sign_on::states, Nothing, ["log-in begun"];
    "nonces": sign_on::nonces, Nothing, ["log-in begun"];
    "cookies of log-ins that have begun": sign_on::cookies, Nothing, ["log-in begun"];
    "verifiers": sign_on::verifiers, Nothing, [];
    "access tokens": sign_on::access_tokens, Nothing, [];
    "cookies of the sessions": sign_on::session_cookies, Hash, ["back from the provider"];
    "ID tokens": sign_on::id_tokens, Sealed, [];
    "ID token of whoever logs out": sign_on::id_token_of_a_log_out, Sealed, ["logged out"];
    "ID token after the rotation": sign_on::id_token_after_rotation, Sealed, ["logged out"];
    "key of the vault": desktop::vault_key, Nothing,
        ["running: file data/daas.keys", "ended: file data/daas.keys"];
    "secret in a broken configuration": sign_on::in_broken_configurations, Nothing, [];
    "secret in a wrong variable": sign_on::in_wrong_variables, Nothing, [];
    "secret in an address": sign_on::in_addresses, Nothing, [];
    "secret in a broken file": sign_on::in_broken_files, Nothing, ["file broken-secret"];
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

async fn drive_all(world: &mut World, canaries: &'static [Canary]) -> Vec<Driven> {
    let mut driven = Vec::new();
    for canary in canaries {
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

/// Columns that hold what the server has to know again, and how many there are in each.
fn check_sealed(world: &World, expected: &[(&str, usize)]) {
    for (sql, many) in expected {
        let sealed = column(world, sql);
        assert_eq!(sealed.len(), *many, "{sql}");
        assert!(sealed.iter().all(|text| text.starts_with("v1.")), "{sql}");
    }
}

/// Passwords that are kept.
fn check_passwords(world: &World, least: usize) {
    let sql = "SELECT password_hash FROM users WHERE password_hash <> ''";
    let hashes = column(world, sql);
    assert!(hashes.len() >= least, "{}", hashes.len());
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$")));
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

/// Looks everywhere, and ends the server.
async fn look(world: &mut World) {
    desktop::look_around(world).await;
    world.look_at_files("running");
    world.end_server("server");
    world.look_at_files("ended");
}

/// Each is where it may be, and nowhere else.
fn check(driven: &[Driven], planted: &[Value], records: &[Record]) {
    check_planted(planted, records);
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

async fn nothing_sings(format: &str) {
    let no_engine = [
        ("DAAS_LOG__FORMAT", format),
        ("DAAS_DOCKER__SOCKET", "no-engine"),
    ];
    let mut world = World::start(&no_engine).await;
    let driven = drive_all(&mut world, CANARIES).await;
    let planted = tokens::planted(&mut world).await;
    people::code_lets_in(&mut world).await;
    look(&mut world).await;
    check_passwords(&world, 5);
    let (factors, desktops) = (
        "SELECT totp FROM users WHERE totp <> ''",
        "SELECT password FROM instances",
    );
    check_sealed(&world, &[(factors, 1), (desktops, 1)]);
    check(&driven, &planted, &world.records);
}

/// The same where other places check log-ins, if they can be had.
async fn nothing_sings_of_other_places(format: &str) {
    let Some(places) = Places::start() else {
        return;
    };
    let listen = places.listen();
    let settings = [
        ("DAAS_LOG__FORMAT", format),
        ("DAAS_DOCKER__SOCKET", "no-engine"),
        ("DAAS_SERVER__LISTEN", &listen),
    ];
    let mut world = World::start(&settings).await;
    world.places = Some(places);
    let driven = drive_all(&mut world, OF_OTHER_PLACES).await;
    let planted = tokens::planted(&mut world).await;
    look(&mut world).await;
    // Those of the first user and of the one who is planted.
    check_passwords(&world, 2);
    let of_others = "SELECT password_hash FROM users WHERE name IN ('bea', 'dave')";
    assert_eq!(column(&world, of_others), ["", ""]);
    let id_tokens = "SELECT id_token FROM sessions WHERE id_token <> ''";
    check_sealed(&world, &[(id_tokens, 3)]);
    check(&driven, &planted, &world.records);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sings_in_a_log_for_people() {
    nothing_sings("plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sings_in_a_log_of_json() {
    nothing_sings("json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sings_of_other_places_in_a_log_for_people() {
    nothing_sings_of_other_places("plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sings_of_other_places_in_a_log_of_json() {
    nothing_sings_of_other_places("json").await;
}

#[test]
fn there_are_enough_canaries() {
    for canaries in [CANARIES, OF_OTHER_PLACES] {
        let names: BTreeSet<&str> = canaries.iter().map(|canary| canary.name).collect();
        assert_eq!(names.len(), canaries.len());
        assert!(names.len() >= 20);
    }
}
