//! A directory that answers whatever it likes.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use daas_core::access::sign_on::SignOnError;
use daas_core::access::sign_on::ldap::{Ldap, LdapConfig};

use super::{attempt, is_wrong, misconfigured, unavailable};

const PASSWORD: &str = "amy's own";

fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, &content].concat()
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, id], operation])
}

fn outcome(tag: u8, code: u8) -> Vec<u8> {
    element(tag, &[&[10, 1, code], &[4, 0], &[4, 0]])
}

fn entry(dn: &str) -> Vec<u8> {
    let attribute = |name: &str, value: &str| {
        let value = element(4, &[value.as_bytes()]);
        element(
            0x30,
            &[&element(4, &[name.as_bytes()]), &element(0x31, &[&value])],
        )
    };
    let list = [attribute("uid", "amy"), attribute("entryUUID", "1")].concat();
    element(
        0x64,
        &[&element(4, &[dn.as_bytes()]), &element(0x30, &[&list])],
    )
}

const BOUND: u8 = 0x61;
const DONE: u8 = 0x65;
const EXTENDED: u8 = 0x78;

/// A directory: to each request, one after the other, it gives the next answer, and none to
/// those beyond.
struct Script {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Script {
    fn new(answers: Vec<Vec<u8>>) -> Self {
        Self::with(move |stream, number| {
            answers
                .get(number)
                .is_none_or(|answer| stream.write_all(answer).is_ok())
        })
    }

    /// What answers says whether to go on.
    fn with(answer: impl Fn(&mut TcpStream, usize) -> bool + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = heard.clone();
        // It ends with the test, whose process does not wait for it.
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &answer, &all);
            }
        });
        Self { port, heard }
    }

    fn config(&self) -> LdapConfig {
        LdapConfig {
            url: format!("ldap://127.0.0.1:{}", self.port),
            user_dn: "uid={name},dc=x".to_owned(),
            timeout_s: 1,
            ..LdapConfig::default()
        }
    }

    fn searching(&self) -> LdapConfig {
        LdapConfig {
            user_dn: String::new(),
            base_dn: "dc=x".to_owned(),
            ..self.config()
        }
    }

    fn has_heard(&self, text: &str) -> bool {
        let heard = self.heard.lock().unwrap();
        heard
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }
}

fn serve(
    mut stream: TcpStream,
    answer: impl Fn(&mut TcpStream, usize) -> bool,
    heard: &Mutex<Vec<u8>>,
) {
    use std::io::Read as _;
    let mut buffer = [0; 4096];
    for number in 0.. {
        // A client waits for its answer before it asks again.
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => heard.lock().unwrap().extend(&buffer[..length]),
            _ => return,
        }
        if !answer(&mut stream, number) {
            return;
        }
    }
}

/// Fails unless the answer to the first bind is of no use, for this reason.
async fn is_refused(answer: Vec<u8>, part: &str) {
    let script = Script::new(vec![answer]);
    let reason = unavailable(attempt(&script.config(), "amy", PASSWORD).await);
    assert!(reason.contains(part), "{part}: {reason}");
}

#[tokio::test]
async fn answers_that_are_none() {
    is_refused(
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        "no message of LDAP",
    )
    .await;
    is_refused(vec![0x30, 0x84, 255, 255, 255, 255], "too long").await;
    is_refused(vec![0x30, 0x85, 0, 0, 0, 0, 1], "a length is too long").await;
    is_refused(vec![0x30, 0x80, 0, 0], "not definite").await;
    is_refused(vec![0x30, 0], "cut off").await;
    is_refused(vec![0x30, 5, 2, 1, 1], "no answer").await;
    is_refused(message(1, &[]), "cut off").await;
    is_refused(message(1, &element(0x42, &[])), "its kind").await;
    is_refused(message(1, &element(BOUND, &[])), "cut off").await;
    is_refused(
        message(1, &element(BOUND, &[&[10, 0], &[4, 0], &[4, 0]])),
        "out of range",
    )
    .await;
    is_refused(message(1, &outcome(DONE, 0)), "none to a bind").await;
    is_refused(message(1, &outcome(EXTENDED, 0)), "none to a bind").await;
    is_refused(message(2, &outcome(BOUND, 0)), "something else").await;
    is_refused(
        message(0, &outcome(EXTENDED, 52)),
        "ended the connection: unavailable (52)",
    )
    .await;
    is_refused(message(1, &outcome(BOUND, 51)), "busy").await;
}

#[tokio::test]
async fn answers_in_answers() {
    // From its end to its beginning, as each head comes before what it holds.
    let mut nested = vec![0, 0x30];
    while nested.len() < 900_000 {
        let length = u32::try_from(nested.len()).unwrap();
        nested.extend(length.to_le_bytes());
        nested.extend([0x84, 0x30]);
    }
    nested.reverse();
    is_refused(nested.clone(), "another than it has to be").await;
    is_refused(message(1, &nested), "its kind").await;
}

#[tokio::test]
async fn a_connection_that_breaks() {
    let script = Script::with(|_, _| false);
    let reason = unavailable(attempt(&script.config(), "amy", PASSWORD).await);
    assert!(reason.contains("broke"), "{reason}");
    let script = Script::with(|stream, _| {
        stream.write_all(&[0x30, 100, 2, 1]).unwrap();
        false
    });
    unavailable(attempt(&script.config(), "amy", PASSWORD).await);
}

async fn ends_in_time(script: &Script, most: Duration) {
    let began = Instant::now();
    let reason = unavailable(attempt(&script.config(), "amy", PASSWORD).await);
    assert!(reason.contains("no answer to"), "{reason}");
    assert!(began.elapsed() < most, "{:?}", began.elapsed());
    unavailable(Ldap::new(&script.config()).unwrap().check().await);
}

#[tokio::test]
async fn silence() {
    ends_in_time(&Script::new(Vec::new()), Duration::from_secs(2)).await;
}

#[tokio::test]
async fn an_answer_that_drips() {
    let script = Script::with(|stream, _| {
        let bytes = message(1, &outcome(BOUND, 0));
        bytes.iter().all(|byte| {
            thread::sleep(Duration::from_millis(200));
            stream.write_all(&[*byte]).is_ok()
        })
    });
    ends_in_time(&script, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_search_that_never_ends() {
    let script = Script::with(|stream, _| {
        loop {
            thread::sleep(Duration::from_millis(300));
            // Each answer comes in time.
            if stream.write_all(&message(1, &element(0x73, &[]))).is_err() {
                return false;
            }
        }
    });
    let began = Instant::now();
    let reason = unavailable(attempt(&script.searching(), "amy", PASSWORD).await);
    assert!(
        reason.contains("no answer to a log-in within 3 s"),
        "{reason}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_search_that_finds_too_much() {
    let found = message(1, &entry("uid=amy,dc=x"));
    let script = Script::new(vec![found.repeat(3)]);
    let reason = unavailable(attempt(&script.searching(), "amy", PASSWORD).await);
    assert!(reason.contains("more than was asked for"), "{reason}");
    let long = message(1, &element(0x73, &[&vec![0; 900_000]]));
    let script = Script::new(vec![long.repeat(5)]);
    let reason = unavailable(attempt(&script.searching(), "amy", PASSWORD).await);
    assert!(reason.contains("too long"), "{reason}");
    let more = [found, message(1, &outcome(DONE, 4))].concat();
    let reason =
        misconfigured(attempt(&Script::new(vec![more]).searching(), "amy", PASSWORD).await);
    assert!(reason.contains("several"), "{reason}");
}

#[tokio::test]
async fn an_entry_that_is_none() {
    let with = |dn| {
        let found = [message(1, &entry(dn)), message(1, &outcome(DONE, 0))].concat();
        Script::new(vec![
            found,
            message(2, &outcome(BOUND, 0)),
            message(3, &outcome(EXTENDED, 2)),
        ])
    };
    // Nobody may be bound by no name: that is nobody.
    let script = with("");
    let reason = unavailable(attempt(&script.searching(), "amy", PASSWORD).await);
    assert!(reason.contains("no name"), "{reason}");
    assert!(!script.has_heard(PASSWORD));
    // What was found has to be what was searched.
    let script = with("uid=bob,dc=x");
    is_wrong(&script.searching(), "bob", PASSWORD).await;
    assert!(!script.has_heard(PASSWORD));
    let config = LdapConfig {
        user_filter: "(mail={name})".to_owned(),
        ..script.searching()
    };
    let reason = misconfigured(attempt(&config, "amy", PASSWORD).await);
    assert!(reason.contains("no usable mail"), "{reason}");
    assert!(!script.has_heard(PASSWORD));
    let script = with("uid=amy,dc=x");
    let amy = attempt(&script.searching(), "amy", PASSWORD).await.unwrap();
    assert_eq!((amy.subject.as_str(), amy.name.as_str()), ("1", "amy"));
    assert!(script.has_heard(PASSWORD));
}

#[tokio::test]
async fn a_success_of_nobody() {
    for value in [&b""[..], b"dn:"] {
        let nobody = [&[10, 1, 0][..], &[4, 0], &[4, 0], &element(0x8B, &[value])];
        let nobody = message(2, &element(EXTENDED, &nobody));
        let script = Script::new(vec![message(1, &outcome(BOUND, 0)), nobody]);
        is_wrong(&script.config(), "amy", PASSWORD).await;
    }
}

#[tokio::test]
async fn no_password_without_tls() {
    let refused = message(1, &outcome(EXTENDED, 2));
    let granted = message(1, &outcome(EXTENDED, 0));
    let injected = [granted.clone(), message(1, &outcome(BOUND, 0))].concat();
    let bound = message(1, &outcome(BOUND, 0));
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(&ca_file, certificate.pem()).unwrap();
    for (answers, part) in [
        (vec![refused], "refused StartTLS: protocol error (2)"),
        (vec![injected], "follows the answer to StartTLS"),
        (
            vec![granted.clone(), b"no TLS at all".to_vec()],
            "no TLS with 127.0.0.1",
        ),
        (vec![granted], "no answer to TLS"),
        (vec![bound], "none to an extended request"),
    ] {
        let script = Script::new(answers);
        let config = LdapConfig {
            start_tls: true,
            ca_file: Some(ca_file.clone()),
            ..script.config()
        };
        let error = attempt(&config, "amy", PASSWORD).await.unwrap_err();
        assert!(!matches!(error, SignOnError::Wrong));
        let reason = daas_core::chain(&error);
        assert!(reason.contains(part), "{part}: {reason}");
        assert!(!script.has_heard(PASSWORD), "{part}");
    }
}
