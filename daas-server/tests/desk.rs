//! The commands for administrators, beside a server that runs and without one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

#[allow(dead_code, unreachable_pub, reason = "it is made for more tests")]
#[path = "server/support/client.rs"]
mod client;
#[path = "support/program.rs"]
mod program;

use client::Client;
use program::{Server, program};

const DEADLINE: Duration = Duration::from_secs(10);
const PASSWORD: &str = "given horse";

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it takes too long")
}

/// What a command printed, and its exit code.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// An installation in a folder of its own.
struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    /// With its first user.
    fn new() -> Self {
        let installation = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        drop(installation.serve());
        installation
    }

    fn program(&self) -> Command {
        program(self.folder.path())
    }

    fn run(&self, line: &str, input: &str) -> Ran {
        let mut command = self.program();
        command.args(line.split(' '));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that wants no input may have ended.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that works, and answers what it prints.
    fn done(&self, line: &str, input: &str) -> String {
        let ran = self.run(line, input);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.out
    }

    /// Runs a command that does not work, and answers why.
    fn refused(&self, line: &str, input: &str) -> String {
        let ran = self.run(line, input);
        assert_ne!(ran.code, 0, "{line}: {ran:?}");
        ran.err
    }

    fn serve(&self) -> Server {
        let mut command = self.program();
        command.args(["serve", "--port", "0"]);
        command.env("DAAS_ADMIN_PASSWORD", PASSWORD);
        Server::start(&mut command)
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("data/daas.sqlite3")
    }
}

async fn log_in(server: &Server, name: &str, password: &str) -> Option<Client> {
    let mut client = Client::new(server.address);
    let body = json!({"username": name, "password": password});
    let answer = client.post("/api/v1/session", &body).await;
    if answer.status == 401 {
        return None;
    }
    client.log_in(name, password).await;
    Some(client)
}

#[tokio::test]
async fn users_are_made_and_listed() {
    let installation = Installation::new();
    let server = installation.serve();
    let made = installation.done("user add ada --role operator", "first horse\n");
    assert_eq!(made, "The user ada is made.\n");
    let ada = log_in(&server, "ada", "first horse").await.unwrap();
    assert_eq!(
        ada.get("/api/v1/session").await.json()["user"]["role"],
        "operator"
    );
    let listed = installation.done("user list", "");
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..3], ["NAME", "ROLE", "STATE"]);
    assert_eq!(lines[1][..4], ["ada", "operator", "active", "here"]);
    assert_eq!(lines[2][..5], ["admin", "admin", "active", "here", "never"]);
    assert_eq!(lines.len(), 3);
}

#[test]
fn what_cannot_be_is_told() {
    let installation = Installation::new();
    for (line, input, expected) in [
        ("user add admin", "first horse\n", "user exists already"),
        ("user add ada", "short\n", "8 to 1024 characters"),
        ("user add ada", "", "there is no password"),
        ("user add ada --role king", "", "possible values: user"),
        (
            "user add ada --group none",
            "first horse",
            "there is no group \"none\"",
        ),
        ("user passwd ada", "first horse", "there is no user \"ada\""),
        ("user disable ada", "", "there is no user \"ada\""),
        ("user disable admin", "", "last administrator"),
        ("token create --user admin --name x", "", "--scope <SCOPES>"),
        (
            "token create --user admin --name x --scope all",
            "",
            "possible values: apps_read",
        ),
        (
            "token create --user admin --name x --scope apps_read --days 0",
            "",
            "must be between 1 and 366",
        ),
        ("audit verify --expect 12", "", "64 hexadecimal digits"),
        ("audit export --from yesterday", "", "--from <FROM>"),
    ] {
        let said = installation.refused(line, input);
        assert!(said.contains(expected), "{line}: {said}");
    }
    // No mistake made anybody.
    assert_eq!(installation.done("user list", "").lines().count(), 2);
}

#[tokio::test]
async fn a_server_that_runs_follows_at_once() {
    let installation = Installation::new();
    installation.done("user add ada", "first horse\n");
    let server = installation.serve();
    let ada = log_in(&server, "ada", "first horse").await.unwrap();
    installation.done("user passwd ada", "second horse\n");
    assert_eq!(ada.get("/api/v1/session").await.status, 401);
    assert!(log_in(&server, "ada", "first horse").await.is_none());
    let ada = log_in(&server, "ada", "second horse").await.unwrap();
    let said = installation.done("user disable ada", "");
    assert_eq!(said, "ada is disabled.\n");
    assert_eq!(ada.get("/api/v1/session").await.status, 401);
    assert!(log_in(&server, "ada", "second horse").await.is_none());
    installation.done("user enable ada", "");
    assert!(log_in(&server, "ada", "second horse").await.is_some());
}

#[tokio::test]
async fn a_link_opens_an_account() {
    let installation = Installation::new();
    let server = installation.serve();
    let printed = installation.done("user add ada --invite", "");
    let (_, token) = printed.split_once("/#/invitation/").unwrap();
    let token = token.lines().next().unwrap();
    let body = json!({"token": token, "password": "chosen horse"});
    let client = Client::new(server.address);
    let accepted = client.post("/api/v1/invitations", &body).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert!(log_in(&server, "ada", "chosen horse").await.is_some());
}

#[tokio::test]
async fn a_token_lets_a_program_in() {
    let installation = Installation::new();
    let server = installation.serve();
    let made = installation.run(
        "token create --user admin --name backup --scope apps_read --days 3",
        "",
    );
    let token = made.out.trim();
    assert!(token.starts_with("daas_") && !made.err.contains(token));
    let program = Client::new(server.address).with("authorization", &format!("Bearer {token}"));
    assert_eq!(program.get("/api/v1/apps").await.status, 200);
    program.get("/api/v1/users").await.problem(403);
}

async fn start_totp(client: &Client) -> String {
    let body = json!({"password": PASSWORD});
    let begun = client.post("/api/v1/profile/totp", &body).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    begun.json()["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn keys_are_rotated_beside_a_server() {
    let installation = Installation::new();
    let server = installation.serve();
    let admin = log_in(&server, "admin", PASSWORD).await.unwrap();
    let secret = start_totp(&admin).await;
    let database = Connection::open(installation.database()).unwrap();
    let sealed = || -> String {
        let sql = "SELECT totp_pending FROM users WHERE name = 'admin'";
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let before = sealed();
    assert!(!before.contains(&secret));
    let said = installation.done("secrets rotate", "");
    assert!(said.starts_with("1 secrets are sealed with"), "{said}");
    let after = sealed();
    let key = |sealed: &str| sealed.split('.').nth(1).unwrap().to_owned();
    assert_ne!(key(&before), key(&after));
    let path = installation.folder.path().join("data");
    let key_file = std::fs::read_dir(path).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        path.extension()
            .is_some_and(|kind| kind == "keys")
            .then_some(path)
    });
    let keys = std::fs::read_to_string(key_file.unwrap()).unwrap();
    assert!(keys.contains(&key(&after)) && !keys.contains(&key(&before)));
    // The server goes on with the new key: what is sealed now opens later, too.
    start_totp(&admin).await;
    assert_eq!(key(&sealed()), key(&after));
    installation.done("secrets rotate", "");
    drop(server);
    let server = installation.serve();
    assert!(log_in(&server, "admin", PASSWORD).await.is_some());
}

#[test]
fn a_log_that_was_tampered_with_is_found_out() {
    let installation = Installation::new();
    let head = |printed: &str| -> String {
        let (_, head) = printed.split_once("head ").unwrap();
        head.trim().to_owned()
    };
    installation.done("user add ada", "first horse\n");
    let whole = installation.done("audit verify", "");
    assert!(whole.starts_with("The audit log is whole: 2 entries.\n"));
    let noted = head(&whole);
    installation.done("user disable ada", "");
    installation.done(&format!("audit verify --expect {noted}"), "");
    let strange = format!("audit verify --expect {}", "0".repeat(63) + "1");
    let said = installation.refused(&strange, "");
    assert!(said.contains("the expected head is not there"), "{said}");
    let database = Connection::open(installation.database()).unwrap();
    let change = "UPDATE audit SET actor = 'nobody' WHERE seq = 2";
    let refused = database.execute(change, []).unwrap_err();
    assert!(refused.to_string().contains("never changed"), "{refused}");
    let tamper = format!("DROP TRIGGER audit_is_never_changed; {change}");
    database.execute_batch(&tamper).unwrap();
    let said = installation.refused("audit verify", "");
    assert!(said.contains("the audit log is broken"), "{said}");
    assert!(said.contains('2'), "{said}");
}

#[tokio::test]
async fn the_log_is_taken_along() {
    let installation = Installation::new();
    installation.done("user add ada", "first horse\n");
    installation.done("user disable ada", "");
    let lines = installation.done("audit export", "");
    let entries: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let actions: Vec<&str> = entries
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    let expected = ["user.create", "user.create", "user.change", "audit.export"];
    assert_eq!(actions, expected);
    assert!(!lines.contains("horse") && !lines.contains("argon2"));
    let some = "audit export --format csv --actor console --action user.change --output log.csv";
    assert_eq!(installation.done(some, ""), "");
    let file = installation.folder.path().join("log.csv");
    let csv = std::fs::read_to_string(&file).unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("user.change"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // A file that is there is not written over.
    installation.refused(some, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), csv);
}

/// What takes effect without a request is found by looking now and then.
#[tokio::test]
async fn streams_of_who_is_disabled_end() {
    let installation = Installation::new();
    installation.done("user add ada", "first horse\n");
    let server = installation.serve();
    let ada = log_in(&server, "ada", "first horse").await.unwrap();
    let mut events = client::Events::open(&ada).await;
    let start = Instant::now();
    let end = async {
        while events.next().await.is_some() {}
        start.elapsed()
    };
    let disable = async {
        sleep(Duration::from_millis(50)).await;
        tokio::task::spawn_blocking(move || installation.done("user disable ada", ""))
            .await
            .unwrap();
        start.elapsed()
    };
    let (ended, disabled) = tokio::join!(within(end), disable);
    assert!(ended >= Duration::from_millis(50));
    println!(
        "ended {:?} after the command",
        ended.saturating_sub(disabled)
    );
}
