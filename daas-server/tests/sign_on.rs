//! Log-ins that another place checks, by the program itself: OpenLDAP's slapd, and
//! oidc-provider of npm. Where one of them cannot run its tests say `SKIPPED: <reason>` and
//! pass; with `DAAS_REQUIRE_SIGN_ON=1` they fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "../../daas-core/tests/support/browser.rs"]
mod browser;
#[path = "support/program.rs"]
mod program;
#[path = "../../daas-core/tests/support/provider.rs"]
mod provider;
#[path = "../../daas-core/tests/support/slapd.rs"]
mod slapd;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use browser::{Browser, Page};
use provider::Provider;
use serde_json::{Value, json};
use slapd::{BASE, GROUPS, PEOPLE, SEARCHER, SEARCHER_PASSWORD, Slapd};

const PASSWORD: &str = "correct horse";
const ADMIN_PASSWORD: &str = "given horse";
const CLIENT_SECRET: &str = "known to both of us";

/// The program, with a configuration and a folder of its own.
struct Installation {
    folder: tempfile::TempDir,
    port: u16,
}

impl Installation {
    fn new() -> Self {
        // Providers have to know where people come back to, so the port is chosen before.
        let chosen = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: chosen.local_addr().unwrap().port(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn configure(&self, text: &str) {
        fs::write(self.folder.path().join("daas.toml"), text).unwrap();
    }

    fn command(&self, name: &str) -> Command {
        let mut command = program::program(self.folder.path());
        command.args([name, "--config", "daas.toml", "--port"]);
        command.arg(self.port.to_string());
        command
    }

    fn run(&self, name: &str) -> Output {
        self.command(name).output().unwrap()
    }

    fn serve(&self) -> Server<'_> {
        let mut command = self.command("serve");
        command.env("DAAS_ADMIN_PASSWORD", ADMIN_PASSWORD);
        command.env("DAAS_LOG__FILTER", "debug");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        for line in lines.by_ref() {
            let line = line.unwrap();
            add_line(&log, &line);
            if line.contains("listening on http://") {
                break;
            }
        }
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.for_each(|line| line.iter().for_each(|line| add_line(&kept, line)))
        });
        Server {
            installation: self,
            child,
            log,
        }
    }
}

fn add_line(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap();
    log.push_str(line);
    log.push('\n');
}

fn printed(output: &Output) -> String {
    let bytes = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(bytes).unwrap()
}

/// A server that ends with the test.
struct Server<'a> {
    installation: &'a Installation,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Somebody's session, by the page's own interface.
struct Session {
    cookie: String,
    csrf: String,
    about: Value,
}

impl Server<'_> {
    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log says something: its lines come a little later than answers.
    fn says(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "no {text:?} in {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks for something; answers status, cookies that were set, and body.
    fn ask(
        &self,
        method: &str,
        path: &str,
        session: Option<&Session>,
        body: Option<Value>,
    ) -> (u16, Vec<String>, Value) {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .proxy(None);
        let agent = ureq::Agent::new_with_config(config.build());
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(self.installation.url(path))
            .header("origin", self.installation.url(""))
            .header("content-type", "application/json");
        if let Some(session) = session {
            request = request
                .header("cookie", &session.cookie)
                .header("x-csrf-token", &session.csrf);
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut answer = agent.run(request.body(body).unwrap()).unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter();
        let cookies = cookies.map(|cookie| cookie.to_str().unwrap().to_owned());
        let (status, cookies) = (answer.status().as_u16(), cookies.collect());
        let text = answer.body_mut().read_to_string().unwrap();
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        (status, cookies, value)
    }

    fn log_in(&self, name: &str, password: &str) -> Result<Session, (u16, Value)> {
        let body = json!({"username": name, "password": password});
        let (status, cookies, about) = self.ask("POST", "/api/v1/session", None, Some(body));
        if status != 200 {
            return Err((status, about));
        }
        let cookie = cookies[0].split(';').next().unwrap().to_owned();
        let csrf = about["csrf_token"].as_str().unwrap().to_owned();
        Ok(Session {
            cookie,
            csrf,
            about,
        })
    }

    /// The session of a browser, if it has one.
    fn session_of(&self, browser: &Browser) -> Option<Session> {
        let value = browser.cookie("daas_session")?;
        let mut session = Session {
            cookie: format!("daas_session={value}"),
            csrf: String::new(),
            about: Value::Null,
        };
        let (status, _, about) = self.ask("GET", "/api/v1/session", Some(&session), None);
        assert_eq!(status, 200, "{about}");
        session.csrf = about["csrf_token"].as_str().unwrap().to_owned();
        session.about = about;
        Some(session)
    }

    fn add_group(&self, admin: &Session, name: &str, external: &str) -> String {
        let body = json!({"name": name, "external": [external]});
        let (status, _, group) = self.ask("POST", "/api/v1/groups", Some(admin), Some(body));
        assert_eq!(status, 201, "{group}");
        group["id"].as_str().unwrap().to_owned()
    }

    fn members(&self, admin: &Session, group: &str) -> Vec<String> {
        let path = format!("/api/v1/groups/{group}");
        let (status, _, group) = self.ask("GET", &path, Some(admin), None);
        assert_eq!(status, 200, "{group}");
        let members = group["users"].as_array();
        let name = |member: &Value| member["name"].as_str().unwrap().to_owned();
        members.unwrap().iter().map(name).collect()
    }
}

fn directory(slapd: &Slapd) -> String {
    let url = slapd.url();
    format!(
        "[ldap]\nurl = \"{url}\"\nbind_dn = \"{SEARCHER}\"\n\
         bind_password = \"{SEARCHER_PASSWORD}\"\nbase_dn = \"{PEOPLE}\"\n\
         group_base_dn = \"{GROUPS}\"\n"
    )
}

#[test]
fn people_of_a_directory() {
    let Some(slapd) = Slapd::start() else {
        return;
    };
    let ada = slapd.add_person("ada", PASSWORD);
    slapd.add_person("admin", PASSWORD);
    slapd.add_group("staff", &[&ada]);
    let installation = Installation::new();
    installation.configure(&directory(&slapd));
    let server = installation.serve();
    let methods = server.ask("GET", "/api/v1/sign-on", None, None).2;
    assert_eq!(methods, json!({"local": true, "ldap": true, "oidc": []}));

    let admin = server
        .log_in("admin", ADMIN_PASSWORD)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let staff = server.add_group(&admin, "Staff of ours", "staff");
    // The name is known here, so the directory is not asked.
    assert_eq!(server.log_in("admin", PASSWORD).err().unwrap().0, 401);

    for (name, password) in [("ada", "wrong"), ("nobody", PASSWORD), ("ada", "")] {
        let (status, problem) = server.log_in(name, password).err().unwrap();
        assert_eq!((status, &problem["code"]), (401, &json!("wrong")), "{name}");
    }
    let session = server
        .log_in("ada", PASSWORD)
        .unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(session.about["user"]["name"], "ada");
    assert_eq!(server.members(&admin, &staff), ["ada"]);
    // Once more, and it is the same account.
    let again = server
        .log_in("ADA", PASSWORD)
        .unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(again.about["user"]["id"], session.about["user"]["id"]);
    for secret in [PASSWORD, ADMIN_PASSWORD, SEARCHER_PASSWORD] {
        assert!(!server.log().contains(secret), "{}", server.log());
    }
}

#[test]
fn a_directory_that_is_gone() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    slapd.add_person("ada", PASSWORD);
    let installation = Installation::new();
    installation.configure(&directory(&slapd));
    let output = printed(&installation.run("check"));
    assert!(
        output.contains("ok       directory      127.0.0.1:"),
        "{output}"
    );
    let server = installation.serve();
    slapd.stop();
    let (status, problem) = server.log_in("ada", PASSWORD).err().unwrap();
    assert_eq!(status, 503, "{problem}");
    assert!(
        problem["detail"].as_str().unwrap().contains("directory"),
        "{problem}"
    );
    // Whoever has a password here gets in all the same.
    assert!(server.log_in("admin", ADMIN_PASSWORD).is_ok());
    let output = printed(&installation.run("check"));
    assert!(
        output.contains("MISSING  directory      127.0.0.1:"),
        "{output}"
    );
    assert!(output.contains("cannot connect"), "{output}");
    assert!(!output.contains(SEARCHER_PASSWORD), "{output}");
}

#[test]
fn configurations_that_cannot_be_used() {
    let installation = Installation::new();
    let provider = "[[oidc]]\nid = \"corp\"\nname = \"Corp\"\nissuer = \"https://login.example.org\"\n\
                    client_id = \"daas\"\n";
    for (text, expected) in [
        (
            "[ldap]\nbase_dn = \"dc=x\"\n".to_owned(),
            "ldap.url: is needed",
        ),
        (
            "[ldap]\nur = \"ldaps://x\"\n".to_owned(),
            "unknown key `ur`; did you mean `url`?",
        ),
        (
            "[ldap]\nbind_password = 4711\n".to_owned(),
            "a text in quotes is wanted",
        ),
        (
            format!("{provider}client_secret = 4711\n"),
            "a text in quotes is wanted",
        ),
        (
            format!("[ldap]\nurl = \"ldap://ldap.example.org\"\nbase_dn = \"{BASE}\"\n"),
            "[ldap] cannot be used: ",
        ),
        (format!("{provider}{provider}"), "`corp` is there twice"),
        (
            provider.replace("https:", "http:"),
            "[[oidc]] `corp` cannot be used: ",
        ),
        (
            format!("{provider}client_secret_file = \"not-there\"\n"),
            "[[oidc]] `corp` cannot be used: ",
        ),
        (
            format!("{provider}secret = \"x\"\n"),
            "unknown key `secret`",
        ),
    ] {
        installation.configure(&text);
        let mut command = installation.command("serve");
        let output = command
            .env("DAAS_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .output()
            .unwrap();
        let said = printed(&output);
        assert!(!output.status.success(), "{text}");
        assert!(said.contains(expected), "{text}: {said}");
        assert!(!said.contains("4711"), "{said}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let installation = Installation::new();
    installation.configure(
        "[ldap]\nurl = \"ldaps://ldap.example.org\"\nbind_dn = \"cn=x\"\nbind_password = \"hush\"\n\
         [[oidc]]\nid = \"corp\"\nname = \"Corp\"\nissuer = \"https://login.example.org\"\n\
         client_id = \"daas\"\nclient_secret = \"hush\"\n",
    );
    let shown = printed(&installation.run("config"));
    assert!(shown.contains("ldaps://ldap.example.org"), "{shown}");
    assert!(shown.contains("https://login.example.org"), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
}

/// A provider, and an installation that it knows.
fn corp(claims: Value) -> Option<(Provider, Installation)> {
    let installation = Installation::new();
    let provider = Provider::start(&json!({
        "clients": [{
            "client_id": "daas",
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [installation.url("/api/v1/sign-on/oidc/corp/callback")],
            "post_logout_redirect_uris": [installation.url("/")],
        }],
        "people": [{ "login": "ada", "password": PASSWORD, "claims": claims }],
        "consent": false,
    }))?;
    let issuer = &provider.issuer;
    let secret = installation.folder.path().join("secret");
    fs::write(&secret, CLIENT_SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    installation.configure(&format!(
        "[[oidc]]\nid = \"corp\"\nname = \"Corp & Co\"\nissuer = \"{issuer}\"\nclient_id = \"daas\"\n\
         client_secret_file = \"secret\"\nscopes = [\"openid\", \"profile\", \"email\", \"groups\"]\n"
    ));
    Some((provider, installation))
}

fn ada() -> Value {
    json!({
        "sub": "u-1815", "preferred_username": "ada", "email": "ada@example.org",
        "groups": ["staff"],
    })
}

const BEGIN: &str = "/api/v1/sign-on/oidc/corp";

/// Up to where the provider leads back to, but not yet there.
fn at_provider(installation: &Installation, browser: &mut Browser) -> Page {
    let back = installation.url("/api/v1/sign-on/oidc/corp/callback");
    let page = browser.open(&installation.url(BEGIN), &back);
    if page.url.as_str().starts_with(&back) {
        return page;
    }
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("id=\"password\""), "{page:?}");
    let fields = [
        ("login", "ada"),
        ("password", PASSWORD),
        ("answer", "log-in"),
    ];
    browser.submit(&page, &fields, &back)
}

/// Where the page is at last.
fn come_back(installation: &Installation, browser: &mut Browser, page: &Page) -> String {
    let home = installation.url("/?");
    let page = browser.open(page.url.as_str(), &home);
    let url = page.url.as_str();
    url.strip_prefix(&installation.url("")).unwrap().to_owned()
}

#[test]
fn people_of_a_provider() {
    let Some((_provider, installation)) = corp(ada()) else {
        return;
    };
    let output = printed(&installation.run("check"));
    assert!(
        output.contains("ok       provider       corp answers"),
        "{output}"
    );
    let server = installation.serve();
    let methods = server.ask("GET", "/api/v1/sign-on", None, None).2;
    let oidc = json!([{"id": "corp", "name": "Corp & Co"}]);
    assert_eq!(methods, json!({"local": true, "ldap": false, "oidc": oidc}));
    let admin = server
        .log_in("admin", ADMIN_PASSWORD)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let staff = server.add_group(&admin, "Staff of ours", "staff");

    let mut browser = Browser::new();
    let page = at_provider(&installation, &mut browser);
    assert_eq!(come_back(&installation, &mut browser, &page), "/");
    let session = server.session_of(&browser).expect("a session");
    assert_eq!(session.about["user"]["name"], "ada");
    assert_eq!(session.about["user"]["role"], "user");
    assert_eq!(server.members(&admin, &staff), ["ada"]);
    assert!(
        browser.cookie("daas_sign_on").is_none(),
        "it has done its work"
    );

    // What is kept for logging out is there after a restart, and sealed.
    let database = fs::read(installation.folder.path().join("data/daas.sqlite3")).unwrap();
    let log = server.log();
    drop(server);
    let server = installation.serve();
    let (status, _, answer) = server.ask("DELETE", "/api/v1/session", Some(&session), None);
    assert_eq!(status, 200, "{answer}");
    let url = answer["log_out_url"].as_str().unwrap();
    let (_, token) = url.split_once("id_token_hint=").expect("the token");
    let token = token.split('&').next().unwrap();
    assert!(!holds(&database, token.as_bytes()));
    for secret in [
        token,
        CLIENT_SECRET,
        PASSWORD,
        page.parameter("code").unwrap().as_str(),
    ] {
        assert!(!log.contains(secret), "{log}");
        assert!(!server.log().contains(secret), "{}", server.log());
    }
    let (status, ..) = server.ask("GET", "/api/v1/session", Some(&session), None);
    assert_eq!(status, 401);

    // The provider ends its own session, and leads back to the page.
    let home = installation.url("/");
    let page = browser.open(url, &home);
    let xsrf = page.attribute("name=\"xsrf\"", "value");
    let page = browser.submit(&page, &[("xsrf", &xsrf), ("logout", "yes")], &home);
    assert_eq!(page.url.as_str(), home);
    let page = browser.open(&installation.url(BEGIN), &installation.url("/api"));
    assert!(
        page.url.as_str().starts_with(&installation.url(BEGIN)),
        "{page:?}"
    );
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn answers_are_for_the_browser_that_began_and_good_once() {
    let Some((_provider, installation)) = corp(ada()) else {
        return;
    };
    let server = installation.serve();
    // Somebody makes another person's browser end a log-in of theirs.
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    let page = at_provider(&installation, &mut attacker);
    let end = come_back(&installation, &mut victim, &page);
    assert_eq!(end, "/?sign_on_error=expired");
    // And where that browser has begun one of its own.
    at_provider(&installation, &mut victim);
    let page = at_provider(&installation, &mut attacker);
    let end = come_back(&installation, &mut victim, &page);
    assert_eq!(end, "/?sign_on_error=expired");
    assert!(server.session_of(&victim).is_none());
    // It has leaked, so it is not good for the one who began, either.
    let end = come_back(&installation, &mut attacker, &page);
    assert_eq!(end, "/?sign_on_error=expired");

    let page = at_provider(&installation, &mut attacker);
    let kept = attacker.clone();
    assert_eq!(come_back(&installation, &mut attacker, &page), "/");
    let end = come_back(&installation, &mut kept.clone(), &page);
    assert_eq!(end, "/?sign_on_error=expired", "twice");
    // With another state, or none.
    let begin = at_provider(&installation, &mut attacker);
    for query in ["", "?code=x", "?state=x&code=x", "?error=access_denied"] {
        let mut url = begin.clone();
        url.url.set_query(query.strip_prefix('?'));
        let end = come_back(&installation, &mut attacker.clone(), &url);
        assert_eq!(end, "/?sign_on_error=expired", "{query}");
    }
}

#[test]
fn people_who_are_not_let_in() {
    let Some((provider, installation)) = corp(ada()) else {
        return;
    };
    let server = installation.serve();
    let mut browser = Browser::new();
    // At the provider they say no.
    let back = installation.url("/api/v1/sign-on/oidc/corp/callback");
    let page = browser.open(&installation.url(BEGIN), &back);
    let page = browser.submit(&page, &[("answer", "deny")], &back);
    let end = come_back(&installation, &mut browser, &page);
    assert_eq!(end, "/?sign_on_error=denied");

    // An administrator disables them.
    let page = at_provider(&installation, &mut browser);
    assert_eq!(come_back(&installation, &mut browser, &page), "/");
    let session = server.session_of(&browser).unwrap();
    let admin = server
        .log_in("admin", ADMIN_PASSWORD)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let id = session.about["user"]["id"].as_str().unwrap();
    let path = format!("/api/v1/users/{id}");
    let change = json!({"disabled": true});
    let (status, ..) = server.ask("PATCH", &path, Some(&admin), Some(change));
    assert_eq!(status, 200);
    let page = at_provider(&installation, &mut browser);
    let end = come_back(&installation, &mut browser, &page);
    assert_eq!(end, "/?sign_on_error=disabled");
    let (status, ..) = server.ask("GET", "/api/v1/session", Some(&session), None);
    assert_eq!(status, 401);

    // There is no such provider, and then there is none at all.
    let none = server.ask("GET", "/api/v1/sign-on/oidc/other", None, None);
    assert_eq!(none.0, 404);
    let page = at_provider(&installation, &mut browser);
    drop(provider);
    let end = come_back(&installation, &mut browser, &page);
    assert_eq!(end, "/?sign_on_error=failed");
    let output = printed(&installation.run("check"));
    assert!(
        output.contains("MISSING  provider       corp: "),
        "{output}"
    );
    assert!(!output.contains(CLIENT_SECRET), "{output}");
    drop(server);
    let server = installation.serve();
    let mut browser = Browser::new();
    let page = browser.open(&installation.url(BEGIN), &installation.url("/?"));
    assert_eq!(
        page.url.query(),
        Some("sign_on_error=failed"),
        "{}",
        server.log()
    );
}

#[test]
fn names_of_others_cannot_be_taken() {
    let claims = json!({"sub": "u-1", "preferred_username": "admin"});
    let Some((_provider, installation)) = corp(claims) else {
        return;
    };
    let server = installation.serve();
    let mut browser = Browser::new();
    let page = at_provider(&installation, &mut browser);
    let end = come_back(&installation, &mut browser, &page);
    assert_eq!(end, "/?sign_on_error=denied");
    server.says("the name admin is taken");
    assert!(server.session_of(&browser).is_none());
}
