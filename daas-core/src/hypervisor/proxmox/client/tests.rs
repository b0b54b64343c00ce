//! What answers are taken for, whatever is in them.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn answer(status: u16, reason: &str, body: &str) -> Answer {
    Answer {
        status,
        reason: tidy(reason),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn refused(status: u16, reason: &str, body: &str) -> Refusal {
    match data(answer(status, reason, body), true) {
        Err(Fault::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_reason_phrase_is_read_first() {
    let older = refused(500, "VM is locked (clone)", r#"{"data":null}"#);
    let newer = refused(
        500,
        "VM is locked (clone)",
        r#"{"data":null,"message":"VM is locked (clone)\n"}"#,
    );
    assert_eq!(older, newer);
    assert_eq!(older.text, "VM is locked (clone)");
    let behind_a_proxy = refused(
        500,
        "Internal Server Error",
        r#"{"data":null,"message":"VM 100 not running\n"}"#,
    );
    assert_eq!(behind_a_proxy.text, "VM 100 not running");
    let empty = refused(401, "No ticket", "");
    assert_eq!(Fault::Refused(empty).class(), Class::Permission);
}

#[test]
fn what_is_wrong_with_parameters_is_told() {
    let body = r#"{"data":null,"errors":{"upid":"no such task\n"}}"#;
    let refusal = refused(400, "Parameter verification failed.", body);
    assert_eq!(
        refusal.to_string(),
        "status 400: Parameter verification failed. upid: no such task"
    );
    assert_eq!(Fault::Refused(refusal).class(), Class::Gone);
}

#[test]
fn a_success_has_data() {
    assert_eq!(
        data(answer(200, "OK", r#"{"data":[1]}"#), false).unwrap(),
        json!([1])
    );
    assert_eq!(
        data(answer(200, "OK", r#"{"data":null}"#), true).unwrap(),
        json!(null)
    );
    for body in ["", "<html>", "[]", r#"{"x":1}"#] {
        let reading = data(answer(200, "OK", body), false).unwrap_err();
        assert_eq!(reading.class(), Class::Fatal, "{body}");
        let changing = data(answer(200, "OK", body), true).unwrap_err();
        assert_eq!(changing.class(), Class::Unknown, "{body}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let credentials = Credentials::Token {
        id: "daas@pve!main".to_owned(),
        secret: Secret::new("s3cr3t-uuid".to_owned()),
    };
    let pins = vec!["ab".repeat(32).parse().unwrap()];
    let endpoints = vec!["127.0.0.1".parse().unwrap()];
    let settings = Settings::new(endpoints, credentials, Trust::Fingerprints(pins));
    let client = Client::new(settings).unwrap();
    let form = Form::new().with("cipassword", "s3cr3t-too");
    let (id, secret) = ("daas@pve!main", Secret::new("s3cr3t-uuid".to_owned()));
    let headers = session::token_headers(id, &secret).unwrap();
    let asked = ask(&Call::new(Method::POST, &["x"], form.clone()), headers).unwrap();
    let shown = format!("{client:?} {form:?} {asked:?}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn forms_are_in_the_body_or_in_the_query() {
    let form = || Form::new().with("a", "1 2");
    let of = |method| ask(&Call::new(method, &["x"], form()), Headers::new()).unwrap();
    for method in [Method::POST, Method::PUT] {
        let ask = of(method);
        assert_eq!(ask.path.expose(), "/api2/json/x");
        assert_eq!(ask.body.unwrap().expose(), "a=1%202");
    }
    for method in [Method::GET, Method::DELETE] {
        let ask = of(method);
        assert_eq!(ask.path.expose(), "/api2/json/x?a=1%202");
        assert!(ask.body.is_none());
    }
    let long = Form::new().with("a", "x".repeat(BODY_MAX));
    let refused = ask(&Call::new(Method::POST, &["x"], long), Headers::new());
    assert!(matches!(refused, Err(Fault::Invalid(_))));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}|\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let key = "data|message|errors|vmid|type|node|status|exitstatus|result|name|port|ticket\
                   |ip-addresses|ip-address|inet|template|tags|lock|[a-z]{1,4}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..8)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_panics(
        status in 100..1000_u16, reason in "\\PC{0,40}", body in any::<Vec<u8>>(), changes: bool
    ) {
        let answer = Answer { status, reason, body: Bytes::from(body) };
        if let Err(fault) = data(answer, changes) {
            let _ = (fault.class(), fault.to_string(), fault.text());
        }
    }

    #[test]
    fn no_json_panics(status in 100..1000_u16, value in any_json(), changes: bool) {
        let text = value.to_string();
        if let Err(fault) = data(answer(status, "", &text), changes) {
            let _ = (fault.class(), fault.to_string());
        }
        let _ = lenient::list::<Resource>(value.clone());
        let _ = lenient::list::<ListedGuest>(value.clone());
        let _ = lenient::list::<Snapshot>(value.clone());
        let _ = lenient::list::<TaskEntry>(value.clone());
        let _ = serde_json::from_value::<Current>(value.clone());
        let status = serde_json::from_value::<TaskStatus>(value.clone()).unwrap_or_default();
        let _ = status.ended();
        let _ = serde_json::from_value::<Version>(value.clone()).unwrap_or_default().major();
        let _ = upid(&value);
        let _ = session::Ticket::read(&value);
    }

    #[test]
    fn no_text_of_an_error_panics(text in "\\PC{0,200}", status in 400..1000_u16, changes: bool) {
        let _ = classify::classify(classify::Origin::Task, &text);
        let _ = classify::classify(classify::Origin::Status { status, changes }, &text);
        prop_assert!(tidy(&text).len() <= 1024);
    }
}
