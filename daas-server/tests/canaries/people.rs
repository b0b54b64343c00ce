//! Passwords and second factors.

use daas_core::access::sign_on::TotpSecret;
use daas_core::model::Timestamp;
use serde_json::json;

use crate::search::Value;
use crate::world::{World, canary, texts};

/// Milliseconds of a step of the codes.
const STEP_MS: i64 = 30_000;

async fn id_of(world: &mut World, name: &str) -> String {
    let admin = world.admin();
    let path = format!("/api/v1/users?q={name}");
    let found = world.get("users", &admin, &path).await;
    found.json()["items"][0]["id"].as_str().unwrap().to_owned()
}

pub async fn first_password(world: &mut World) -> Vec<Value> {
    let password = world.kept["first password"].clone();
    world.log_in("admin", &password).await;
    let admin = world.admin();
    world.get("who am I", &admin, "/api/v1/session").await;
    texts([password])
}

/// What is printed where no password is given; it is a server of its own.
pub async fn random_first_password(world: &mut World) -> Vec<Value> {
    let printed = world.other_server("a server without a password", &[], true);
    let (_, password) = printed.split_once("with the password ").unwrap();
    texts([password.lines().next().unwrap().to_owned()])
}

pub async fn set_with_the_account(world: &mut World) -> Vec<Value> {
    let (admin, password) = (world.admin(), canary());
    let body = json!({"name": "ada", "role": "user", "password": password});
    let made = world.post("user made", &admin, "/api/v1/users", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    world.log_in("ada", &password).await;
    texts([password])
}

pub async fn set_by_an_administrator(world: &mut World) -> Vec<Value> {
    let (admin, password) = (world.admin(), canary());
    let path = format!("/api/v1/users/{}", id_of(world, "ada").await);
    let body = json!({"password": password}).to_string();
    let set = world
        .send("user changed", &admin, ("PATCH", &path), Some(body))
        .await;
    assert_eq!(set.status, 200, "{set:?}");
    world.log_in("ada", &password).await;
    world.kept.insert("ada", password.clone());
    texts([password])
}

pub async fn invitation(world: &mut World) -> Vec<Value> {
    let admin = world.admin();
    let body = json!({"name": "bob", "role": "user"});
    let made = world
        .post("user invited", &admin, "/api/v1/users", body)
        .await;
    let token = made.json()["invitation"]["token"].clone();
    let token = token.as_str().unwrap().to_owned();
    world.kept.insert("invitation", token.clone());
    vec![Value::Token(token)]
}

pub async fn invitation_again(world: &mut World) -> Vec<Value> {
    let admin = world.admin();
    let body = json!({"name": "eve", "role": "user", "password": canary()});
    world.post("user made", &admin, "/api/v1/users", body).await;
    let path = format!("/api/v1/users/{}/invitation", id_of(world, "eve").await);
    let made = world
        .send("invited again", &admin, ("POST", &path), None)
        .await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    vec![Value::Token(token)]
}

pub async fn chosen_through_an_invitation(world: &mut World) -> Vec<Value> {
    let password = canary();
    let body = json!({"token": world.kept["invitation"], "password": password});
    let client = world.client();
    let path = "/api/v1/invitations";
    let taken = world
        .post("invitation accepted", &client, path, body.clone())
        .await;
    assert_eq!(taken.status, 200, "{taken:?}");
    let again = world.post("accepted again", &client, path, body).await;
    assert_eq!(again.status, 404);
    world.log_in("bob", &password).await;
    world.kept.insert("bob", password.clone());
    texts([password])
}

pub async fn changed_by_oneself(world: &mut World) -> Vec<Value> {
    let (bob, password) = (world.people["bob"].clone(), canary());
    let body = json!({"current": world.kept["bob"], "new": password});
    let path = "/api/v1/profile/password";
    let changed = world.post("password changed", &bob, path, body).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    world.log_in("bob", &password).await;
    texts([password])
}

pub async fn typed_for_user_add(world: &mut World) -> Vec<Value> {
    let password = canary();
    world.command("user add carol --role operator", &format!("{password}\n"));
    world.log_in("carol", &password).await;
    texts([password])
}

pub async fn typed_for_user_passwd(world: &mut World) -> Vec<Value> {
    let password = canary();
    world.command("user passwd carol", &format!("{password}\n"));
    world.log_in("carol", &password).await;
    let nobody = canary();
    let (code, _) = world.run("user passwd nobody", &format!("{nobody}\n"), &[]);
    assert_ne!(code, 0);
    let (code, _) = world.run("user add carol", &format!("{nobody}\n"), &[]);
    assert_ne!(code, 0);
    texts([password, nobody])
}

pub async fn invitation_of_a_command(world: &mut World) -> Vec<Value> {
    let printed = world.command("user add dora --invite", "");
    let (_, token) = printed.split_once("/#/invitation/").unwrap();
    vec![Value::Token(token.lines().next().unwrap().to_owned())]
}

/// At each place that asks for a password.
pub async fn wrong_password(world: &mut World) -> Vec<Value> {
    let (bob, wrong) = (world.people["bob"].clone(), canary());
    for name in ["bob", "nobody"] {
        let body = json!({"username": name, "password": wrong});
        let refused = world.try_log_in("log-in refused", body).await;
        assert_eq!(refused.unwrap_err(), 401);
    }
    for (path, body) in [
        (
            "/api/v1/profile/password",
            json!({"current": wrong, "new": wrong}),
        ),
        ("/api/v1/profile/totp", json!({"password": wrong})),
    ] {
        let refused = world.post("password refused", &bob, path, body).await;
        assert_eq!(refused.status, 401, "{path}: {refused:?}");
    }
    texts([wrong])
}

/// It happens to everybody who types without looking.
pub async fn typed_as_a_name(world: &mut World) -> Vec<Value> {
    let (alone, before) = (canary(), canary());
    let names = [
        alone.clone(),
        format!("{before}\tada"),
        alone.to_uppercase(),
    ];
    for name in names {
        let body = json!({"username": name, "password": "something else"});
        let refused = world.try_log_in("log-in refused", body).await;
        assert_eq!(refused.unwrap_err(), 401);
    }
    texts([alone, before])
}

/// Of a secret, the code of a step.
fn code(secret: &str, step: i64) -> String {
    let secret = TotpSecret::parse(secret).unwrap();
    let (now, before) = (Timestamp(step * STEP_MS), Some(step as u64 - 1));
    let mut codes = (0..1_000_000).map(|code| format!("{code:06}"));
    let code = codes.find(|code| secret.check(code, now, before) == Some(step as u64));
    code.unwrap()
}

fn present_step() -> i64 {
    Timestamp::now().0 / STEP_MS
}

/// Bytes of a text in base32.
fn base32(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let value = |byte: &u8| alphabet.iter().position(|known| known == byte).unwrap() as u64;
    let eights = text.as_bytes().chunks(8);
    eights
        .flat_map(|eight| {
            let bits = eight.iter().fold(0, |bits, byte| bits << 5 | value(byte));
            bits.to_be_bytes()[3..].to_vec()
        })
        .collect()
}

pub async fn second_factor(world: &mut World) -> Vec<Value> {
    let ada = world.people["ada"].clone();
    let body = json!({"password": world.kept["ada"]});
    let path = "/api/v1/profile/totp";
    let begun = world.post("second factor begun", &ada, path, body).await;
    let secret = begun.json()["secret"].as_str().unwrap().to_owned();
    world.kept.insert("totp", secret.clone());
    vec![Value::Bytes(base32(&secret)), Value::Text(secret)]
}

pub async fn wrong_code(world: &mut World) -> Vec<Value> {
    let (ada, wrong) = (world.people["ada"].clone(), canary());
    let body = json!({"code": wrong});
    let path = "/api/v1/profile/totp/confirm";
    let refused = world.post("code refused", &ada, path, body).await;
    assert_eq!(refused.status, 401);
    texts([wrong])
}

pub async fn recovery_codes(world: &mut World) -> Vec<Value> {
    let ada = world.people["ada"].clone();
    let code = code(&world.kept["totp"], present_step());
    let path = "/api/v1/profile/totp/confirm";
    let label = "second factor confirmed";
    let confirmed = world.post(label, &ada, path, json!({"code": code})).await;
    let codes = confirmed.json()["recovery_codes"].clone();
    let codes: Vec<String> = serde_json::from_value(codes).unwrap();
    let body = json!({"username": "ada", "password": world.kept["ada"]});
    let refused = world
        .try_log_in("log-in without a code", body.clone())
        .await;
    assert_eq!(refused.unwrap_err(), 401);
    let with = |code: &str| {
        let mut body = body.clone();
        body["totp"] = code.into();
        body
    };
    let taken = world
        .try_log_in("log-in by recovery", with(&codes[0]))
        .await;
    world.people.insert("ada", taken.unwrap());
    let again = world
        .try_log_in("log-in by recovery", with(&codes[0]))
        .await;
    assert_eq!(again.unwrap_err(), 401);
    codes.into_iter().map(Value::Text).collect()
}

pub async fn wrong_code_at_log_in(world: &mut World) -> Vec<Value> {
    let wrong = canary();
    let body = json!({"username": "ada", "password": world.kept["ada"], "totp": wrong});
    let refused = world.try_log_in("log-in refused", body).await;
    assert_eq!(refused.unwrap_err(), 401);
    texts([wrong])
}

/// The sealed secret of the second factor still opens: a code of it lets somebody in.
pub async fn code_lets_in(world: &mut World) {
    // One behind those that were used.
    let code = code(&world.kept["totp"], present_step() + 1);
    let body = json!({"username": "ada", "password": world.kept["ada"], "totp": code});
    let label = "log-in by a code";
    world.try_log_in(label, body).await.unwrap();
}
