//! Secrets of log-ins that other places check.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;

use crate::browser::{Browser, Page};
use crate::client::{Answer, Client};
use crate::desktop;
use crate::other_places::{
    BEGIN, Grant, LogIn, Way, configure, configure_wrongly, of, write_secret,
};
use crate::search::Value;
use crate::world::{World, canary, texts};

async fn directory_log_in(world: &mut World) {
    let body = json!({"username": "dave", "password": of(world).dave});
    let client = world.try_log_in("log-in of dave", body).await;
    world.people.insert("dave", client.unwrap());
}

/// The value of a cookie that an answer sets.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let all = answer.headers.get_all("set-cookie").iter();
    let mut all = all.filter_map(|cookie| cookie.to_str().unwrap().split_once('='));
    let (_, rest) = all.find(|(found, _)| *found == name)?;
    Some(rest.split(';').next().unwrap().to_owned())
}

/// Sends a browser to the provider.
async fn begin(world: &mut World) -> (LogIn, Url) {
    let client = world.client();
    let begun = world.get("log-in begun", &client, BEGIN).await;
    let url = Url::parse(begun.header("location")).unwrap();
    let parameter = |name| {
        let (_, value) = url.query_pairs().find(|(found, _)| found == name).unwrap();
        value.into_owned()
    };
    let log_in = LogIn {
        cookie: cookie(&begun, "daas_sign_on").unwrap(),
        state: parameter("state"),
        nonce: parameter("nonce"),
        code: None,
        client: None,
    };
    (log_in, url)
}

/// What somebody types at the provider; the page is the last, or where it leads back to.
fn at_provider(world: &World, browser: &mut Browser, url: &Url, fields: &[(&str, &str)]) -> Page {
    let back = format!("{}{BEGIN}/callback", of(world).home().trim_end_matches('/'));
    let page = browser.open(url.as_str(), &back);
    assert_eq!(page.status, 200, "{page:?}");
    browser.submit(&page, fields, &back)
}

/// Brings back what the provider gave; answers where the browser is led to.
async fn come_back(world: &mut World, mut log_in: LogIn, page: &Page) -> String {
    log_in.code = page.parameter("code");
    let mut client = world.client();
    client.cookie = Some(format!("daas_sign_on={}", log_in.cookie));
    let path = format!("{}?{}", page.url.path(), page.url.query().unwrap());
    let label = "back from the provider";
    let answer = world.get(label, &client, &path).await;
    assert_eq!(answer.status, 302, "{answer:?}");
    if let Some(session) = cookie(&answer, "daas_session") {
        client.cookie = Some(format!("daas_session={session}"));
        let about = world
            .get("session of bea", &client, "/api/v1/session")
            .await;
        assert_eq!(about.json()["user"]["name"], "bea");
        client.csrf = about.json()["csrf_token"].as_str().map(str::to_owned);
        log_in.client = Some(client);
    }
    world.places.as_mut().unwrap().log_ins.push(log_in);
    answer.header("location").to_owned()
}

/// Logs somebody in by the provider; answers the browser, which that knows from now on, and
/// where it is led to.
async fn provider_log_in(world: &mut World) -> (Browser, String) {
    let mut browser = Browser::new();
    let (log_in, url) = begin(world).await;
    let bea = of(world).bea.clone();
    let fields = [("login", "bea"), ("password", &bea), ("answer", "log-in")];
    let page = at_provider(world, &mut browser, &url, &fields);
    let place = come_back(world, log_in, &page).await;
    (browser, place)
}

async fn bind_password(world: &mut World, way: Way) -> Vec<Value> {
    let password = configure(world, way);
    directory_log_in(world).await;
    let (_, said) = world.run("check", "", &[]);
    assert!(said.contains("ok       directory"), "{said}");
    assert!(said.contains("ok       provider"), "{said}");
    texts([password])
}

/// As [`bind_password`] has configured it.
async fn client_secret(world: &mut World, way: Way) -> Vec<Value> {
    let (_, place) = provider_log_in(world).await;
    assert_eq!(place, "/");
    texts([of(world).client_secret(way)])
}

pub async fn bind_password_in_a_variable(world: &mut World) -> Vec<Value> {
    bind_password(world, Way::Variables).await
}

pub async fn client_secret_in_a_variable(world: &mut World) -> Vec<Value> {
    client_secret(world, Way::Variables).await
}

pub async fn bind_password_in_the_configuration(world: &mut World) -> Vec<Value> {
    let password = bind_password(world, Way::Configuration).await;
    world.look_at_files("configured");
    password
}

pub async fn client_secret_in_the_configuration(world: &mut World) -> Vec<Value> {
    client_secret(world, Way::Configuration).await
}

pub async fn wrong_secrets(world: &mut World) -> Vec<Value> {
    let mut all = Vec::new();
    for way in [Way::Variables, Way::Files] {
        all.extend(configure_wrongly(world, way));
        let body = json!({"username": "dave", "password": of(world).dave});
        let refused = world.try_log_in("no log-in of dave", body).await;
        assert_eq!(refused.unwrap_err(), 500);
        let (_, place) = provider_log_in(world).await;
        assert_eq!(place, "/?sign_on_error=failed");
        let (_, said) = world.run("check", "", &[]);
        assert!(said.contains("MISSING  directory"), "{said}");
    }
    texts(all)
}

pub async fn bind_password_in_a_file(world: &mut World) -> Vec<Value> {
    bind_password(world, Way::Files).await
}

pub async fn client_secret_in_a_file(world: &mut World) -> Vec<Value> {
    client_secret(world, Way::Files).await
}

pub async fn password_of_the_directory(world: &mut World) -> Vec<Value> {
    directory_log_in(world).await;
    texts([of(world).dave.clone()])
}

pub async fn wrong_password(world: &mut World) -> Vec<Value> {
    let wrong = canary();
    for name in ["dave", "bea", "nobody", "dave,ou=people", "*"] {
        let body = json!({"username": name, "password": wrong});
        let refused = world.try_log_in("log-in refused", body).await;
        assert_eq!(refused.unwrap_err(), 401, "{name}");
    }
    texts([wrong])
}

/// What people type at the provider, which this server never sees; and one who says no.
pub async fn typed_at_the_provider(world: &mut World) -> Vec<Value> {
    let (wrong, mut browser) = (canary(), Browser::new());
    let (log_in, url) = begin(world).await;
    let fields = [("login", "bea"), ("password", &wrong), ("answer", "log-in")];
    let page = at_provider(world, &mut browser, &url, &fields);
    assert_eq!(page.status, 401);
    let page = at_provider(world, &mut browser, &url, &[("answer", "deny")]);
    let place = come_back(world, log_in, &page).await;
    assert_eq!(place, "/?sign_on_error=denied");
    texts([wrong, of(world).bea.clone()])
}

/// An answer of the provider comes to the wrong browser, twice, or was made up.
pub async fn in_callbacks(world: &mut World) -> Vec<Value> {
    let (canary, place) = (canary(), format!("{BEGIN}/callback"));
    let mut client = world.client();
    let state = URL_SAFE_NO_PAD.encode([7; 32]);
    for cookie in [None, Some(state.as_str()), Some(&canary)] {
        client.cookie = cookie.map(|cookie| format!("daas_sign_on={cookie}"));
        for query in [
            format!("code={canary}&state={canary}"),
            format!("code={canary}&state={state}"),
            format!("error={canary}&error_description={canary}&iss={canary}"),
            format!("id_token={canary}&access_token={canary}"),
            canary.clone(),
        ] {
            let path = format!("{place}?{query}");
            let answer = world.get("odd callback", &client, &path).await;
            assert_eq!(answer.header("location"), "/?sign_on_error=expired");
            let other = format!("/api/v1/sign-on/oidc/other/callback?{query}");
            world.get("odd callback", &client, &other).await;
        }
    }
    texts([canary])
}

/// Of all log-ins, the answers of the provider: brought back once more, they are good for
/// nothing, and are in the log as little as before.
pub async fn codes(world: &mut World) -> Vec<Value> {
    let log_ins = of(world).log_ins.iter();
    let answers = log_ins.filter_map(|log_in| Some((log_in.state.clone(), log_in.code.clone()?)));
    let answers: Vec<(String, String)> = answers.collect();
    let client = world.client();
    for (state, code) in &answers {
        let path = format!("{BEGIN}/callback?code={code}&state={state}");
        let answer = world.get("brought back again", &client, &path).await;
        assert_eq!(answer.header("location"), "/?sign_on_error=expired");
    }
    // Three that let in, and two whose server had a wrong secret.
    assert_eq!(answers.len(), 5);
    texts(answers.into_iter().map(|(_, code)| code))
}

/// Something of each log-in.
fn of_log_ins(world: &World, what: fn(&LogIn) -> &str) -> Vec<Value> {
    let all = of(world).log_ins.iter();
    all.map(|log_in| Value::Token(what(log_in).to_owned()))
        .collect()
}

pub async fn states(world: &mut World) -> Vec<Value> {
    of_log_ins(world, |log_in| &log_in.state)
}

pub async fn nonces(world: &mut World) -> Vec<Value> {
    of_log_ins(world, |log_in| &log_in.nonce)
}

pub async fn cookies(world: &mut World) -> Vec<Value> {
    of_log_ins(world, |log_in| &log_in.cookie)
}

fn sessions(world: &World) -> Vec<Client> {
    let all = of(world).log_ins.iter();
    all.filter_map(|log_in| log_in.client.clone()).collect()
}

pub async fn session_cookies(world: &mut World) -> Vec<Value> {
    let all = sessions(world).into_iter().map(|client| {
        let cookie = client.cookie.unwrap();
        let (_, value) = cookie.split_once('=').unwrap();
        Value::Token(value.to_owned())
    });
    all.collect()
}

fn of_grants(world: &World, what: fn(Grant) -> String) -> Vec<String> {
    let grants = of(world).grants();
    assert_eq!(grants.len(), sessions(world).len());
    grants.into_iter().map(what).collect()
}

pub async fn verifiers(world: &mut World) -> Vec<Value> {
    let codes = of_grants(world, |grant| grant.code);
    let log_ins = of(world).log_ins.iter();
    let known: Vec<_> = log_ins.filter_map(|log_in| log_in.code.clone()).collect();
    assert!(codes.iter().all(|code| known.contains(code)), "{codes:?}");
    let all = of_grants(world, |grant| grant.code_verifier);
    all.into_iter().map(Value::Token).collect()
}

pub async fn access_tokens(world: &mut World) -> Vec<Value> {
    texts(of_grants(world, |grant| grant.access_token))
}

/// A token whole, and what can be torn off it.
fn jwt(token: &str) -> Vec<Value> {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let texts = [token, claims, signature].map(str::to_owned);
    let bytes = [claims, signature].map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let texts = texts.into_iter().map(Value::Text);
    texts.chain(bytes.map(Value::Bytes)).collect()
}

/// Those of sessions that last.
pub async fn id_tokens(world: &mut World) -> Vec<Value> {
    let tokens = of_grants(world, |grant| grant.id_token);
    tokens.iter().flat_map(|token| jwt(token)).collect()
}

/// Logs the newest session out here, and then at the provider.
async fn log_out(world: &mut World, mut browser: Browser) -> Vec<Value> {
    let client = sessions(world).pop().unwrap();
    let token = of_grants(world, |grant| grant.id_token).pop().unwrap();
    let request = ("DELETE", "/api/v1/session");
    let answer = world.send("logged out", &client, request, None).await;
    let url = answer.json()["log_out_url"].as_str().unwrap().to_owned();
    assert!(url.contains(&format!("id_token_hint={token}")), "{url}");
    let home = of(world).home();
    let page = browser.open(&url, &home);
    let xsrf = page.attribute("name=\"xsrf\"", "value");
    let page = browser.submit(&page, &[("xsrf", &xsrf), ("logout", "yes")], &home);
    assert_eq!(page.url.as_str(), home);
    jwt(&token)
}

pub async fn id_token_of_a_log_out(world: &mut World) -> Vec<Value> {
    let (browser, _) = provider_log_in(world).await;
    log_out(world, browser).await
}

/// The key of the vault is a new one when the token is needed.
pub async fn id_token_after_rotation(world: &mut World) -> Vec<Value> {
    let (browser, _) = provider_log_in(world).await;
    let old = desktop::vault_key(world).await;
    let said = world.command("secrets rotate", "");
    // Three that last, and this one.
    assert!(said.starts_with("4 secrets are sealed"), "{said}");
    let new = desktop::vault_key(world).await;
    assert_ne!(format!("{old:?}"), format!("{new:?}"));
    log_out(world, browser).await
}

/// Runs all that reads the configuration, which cannot be used.
fn all_refuse(world: &mut World, lines: &[&str]) {
    for line in lines {
        let (code, said) = world.run(line, "", &[]);
        assert_ne!(code, 0, "{line}: {said}");
    }
}

/// Secrets that are written wrongly in the file.
pub async fn in_broken_configurations(world: &mut World) -> Vec<Value> {
    let (text, number) = (canary(), 1_234_567_890_123_456_789_u64);
    let before = world.config.replace("broken.toml");
    let provider =
        "[[oidc]]\nid = \"x\"\nname = \"X\"\nissuer = \"https://x\"\nclient_id = \"x\"\n";
    for (section, key) in [(provider, "client_secret"), ("[ldap]\n", "bind_password")] {
        for line in [
            format!("{key} = {text}"),
            format!("{key} = \"{text}"),
            format!("{key} = '{text}"),
            format!("{key} = \"\"\"{text}"),
            format!("{key} = \"\\x{text}\""),
            format!("{key} = \"a\"{text}\""),
            format!("{key} \"{text}\""),
            format!("{key}: {text}"),
            format!("{key} = [\"{text}\"]"),
            format!("{key} = {{ is = \"{text}\" }}"),
            format!("{key}s = \"{text}\""),
            format!("timeout_s = \"{text}\""),
            format!("{key} = \"a\"\n{key} = \"{text}\""),
            format!("{key} = 2026-01-01T00:00:00Z{text}"),
            format!("{key} = {number}.5"),
            format!("{key} = 0x{number}"),
            format!("{key} = {number}"),
        ] {
            fs::write(world.path("broken.toml"), format!("{section}{line}\n")).unwrap();
            all_refuse(world, &["config", "check", "user list", "serve"]);
        }
    }
    world.config = before;
    texts([text, number.to_string()])
}

/// A whole section, or one of another name.
pub async fn in_wrong_variables(world: &mut World) -> Vec<Value> {
    let (text, number) = (canary(), 1_234_567_890_123_456_789_u64);
    let before = world.config.take();
    for (name, value) in [
        ("DAAS_LDAP", text.clone()),
        ("DAAS_LDAP", format!("{{bind_passwort = \"{text}\"}}")),
        ("DAAS_LDAP", format!("{{bind_password = {number}}}")),
        ("DAAS_LDAP__BIND_PASSWORT", text.clone()),
        ("DAAS_LDAP__PASSWORD", text.clone()),
        ("DAAS_LDAP__BIND_PASSWORD__FILE", text.clone()),
        ("DAAS_OIDC", text.clone()),
        (
            "DAAS_OIDC",
            format!("[{{id = \"x\", client_secret = {number}}}]"),
        ),
        ("DAAS_OIDC", format!("[{{client_secret = \"{text}\"}}]")),
        ("DAAS_OIDC", format!("[[\"{text}\"]]")),
        ("DAAS_OIDC__CLIENT_SECRET", text.clone()),
        ("DAAS_OIDC__0__CLIENT_SECRET", text.clone()),
    ] {
        for line in ["config", "check", "user list"] {
            let (code, said) = world.run(line, "", &[(name, &value)]);
            assert_ne!(code, 0, "{name}: {said}");
        }
    }
    world.config = before;
    texts([text, number.to_string()])
}

/// As part of an address, as it is done elsewhere.
pub async fn in_addresses(world: &mut World) -> Vec<Value> {
    let canary = canary();
    let before = world.config.replace("broken.toml");
    for (scheme, host) in [
        ("ldap", "127.0.0.1:1"),
        ("ldaps", "127.0.0.1"),
        ("http", "[::1]:1"),
    ] {
        let address = format!("{scheme}://bea:{canary}@{host}");
        let broken = match scheme {
            "http" => format!(
                "[[oidc]]\nid = \"x\"\nname = \"X\"\nissuer = \"{address}\"\nclient_id = \"x\"\n"
            ),
            _ => format!("[ldap]\nurl = \"{address}\"\nbase_dn = \"dc=x\"\n"),
        };
        fs::write(world.path("broken.toml"), broken).unwrap();
        all_refuse(world, &["check", "serve"]);
    }
    world.config = before;
    texts([canary])
}

/// Files that are no text, too long, or open to everybody.
pub async fn in_broken_files(world: &mut World) -> Vec<Value> {
    let canary = canary();
    let before = world.config.replace("broken.toml");
    let provider = of(world).client(Way::Files).join("\n");
    let provider = format!("[[oidc]]\n{provider}\nclient_secret_file = \"broken-secret\"\n");
    let directory = of(world).directory();
    let directory = format!("{directory}bind_password_file = \"broken-secret\"\n");
    let no_text = [b"\xff\xfe", canary.as_bytes()].concat();
    for (config, bytes, mode) in [
        (&provider, &no_text[..], 0o600),
        (&directory, &no_text, 0o600),
        (&directory, canary.as_bytes(), 0o644),
        (&provider, canary.as_bytes(), 0o644),
        (&provider, canary.repeat(200).as_bytes(), 0o600),
        (&directory, canary.repeat(200).as_bytes(), 0o600),
    ] {
        fs::write(world.path("broken.toml"), config).unwrap();
        write_secret(&world.path("broken-secret"), bytes, mode);
        all_refuse(world, &["check", "serve"]);
    }
    world.config = before;
    texts([canary])
}
