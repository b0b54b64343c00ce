//! A client and servers that do right and wrong.

use core::time::Duration;

use guac_protocol::handshake::{
    Argument, Client, ClientConfig, ClientEvent, Failure, Information, Output, Peer, Protocol,
    ReceiveBuffer, Version, WriteError,
};
use guac_protocol::{EncodeError, Limits, Opcode, Status};

use crate::wire;

const SECOND: Duration = Duration::from_secs(1);

/// What a client makes of one instruction, in words; a failure ends the list.
fn seen(config: ClientConfig, received: &str) -> Vec<String> {
    let mut driver = Driver::selected(config);
    driver.receive(Duration::ZERO, received)
}

fn check(received: &str, expected: &[&str]) {
    assert_eq!(
        seen(ClientConfig::default(), received),
        expected,
        "{received}"
    );
}

/// A client that answers `args` at once.
struct Driver {
    client: Client,
    buffer: ReceiveBuffer,
    sent: Vec<u8>,
}

impl Driver {
    fn new(config: ClientConfig) -> Self {
        Self {
            client: Client::new(config),
            buffer: ReceiveBuffer::new(Limits::GUACD),
            sent: Vec::new(),
        }
    }

    fn selected(config: ClientConfig) -> Self {
        let mut driver = Self::new(config);
        let select = driver
            .client
            .write_select(Duration::ZERO, Protocol::VNC, &mut driver.sent);
        assert_eq!(select, Ok(driver.sent.len()));
        driver
    }

    fn receive(&mut self, now: Duration, received: &str) -> Vec<String> {
        self.buffer.extend(&wire(received));
        let mut seen = Vec::new();
        while let Some(instruction) = self.buffer.poll_instruction().unwrap() {
            let event = match self.client.handle_instruction(now, &instruction) {
                Ok(event) => event,
                Err(failure) => {
                    seen.push(failure.to_string());
                    break;
                }
            };
            if let ClientEvent::Args(args) = &event {
                let information = Information {
                    timezone: Some("Europe/Berlin"),
                    name: Some("Ada"),
                    ..Information::default()
                };
                let parameters = [("hostname", "h"), ("port", "1")];
                self.client
                    .write_answer(args, &information, &parameters, &mut self.sent)
                    .unwrap();
            }
            seen.push(in_words(&event));
        }
        seen
    }
}

fn in_words(event: &ClientEvent<'_>) -> String {
    match event {
        ClientEvent::Args(args) => format!("args {}", args.version()),
        ClientEvent::Required(names) => {
            format!("required {}", names.clone().collect::<Vec<_>>().join("+"))
        }
        ClientEvent::Ready { id } => format!("ready {id}"),
        ClientEvent::Refused { status, message } => format!("refused {status} {message}"),
        ClientEvent::Disconnected => "disconnected".into(),
        ClientEvent::Ignored => "ignored".into(),
        ClientEvent::Other => "other".into(),
        event => panic!("{event:?}"),
    }
}

#[test]
fn version_is_the_lowest_common_one() {
    check("args VERSION_1_5_0 port", &["args VERSION_1_5_0"]);
    check("args VERSION_1_4_0 port", &["args VERSION_1_3_0"]);
    check("args VERSION_9_0_0 port", &["args VERSION_1_5_0"]);
    check("args VERSION_1_0_0 port", &["args VERSION_1_0_0"]);
    check("args port VERSION_1_5_0", &["args VERSION_1_0_0"]);
    check("args", &["args VERSION_1_0_0"]);
    let old = ClientConfig {
        newest: Version::V1_1_0,
        ..ClientConfig::default()
    };
    assert_eq!(seen(old, "args VERSION_1_3_0"), ["args VERSION_1_1_0"]);
}

#[test]
fn answer_is_what_the_version_knows() {
    let check = |received: &str, expected: &str| {
        let mut driver = Driver::selected(ClientConfig::default());
        driver.receive(Duration::ZERO, received);
        let expected = format!("select vnc; size 1024 768 96; audio; video; image; {expected}");
        assert_eq!(driver.sent, wire(&expected), "{received}");
    };
    check("args port hostname x", "connect 1 h ''");
    check(
        "args VERSION_1_1_0 x hostname port",
        "timezone Europe/Berlin; connect VERSION_1_1_0 '' h 1",
    );
    check(
        "args VERSION_1_3_0 port port",
        "timezone Europe/Berlin; connect VERSION_1_3_0 1 1",
    );
    check(
        "args VERSION_1_5_0",
        "timezone Europe/Berlin; name Ada; connect VERSION_1_5_0",
    );
    // A name that looks like a version counts as one only in front.
    check(
        "args VERSION_1_0_0 VERSION_1_5_0",
        "connect VERSION_1_0_0 ''",
    );
}

#[test]
fn a_server_may_refuse_at_any_time() {
    check("error No-such 516", &["refused 516 No-such"]);
    check(
        "args; error Busy 513",
        &["args VERSION_1_0_0", "refused 513 Busy"],
    );
    check(
        "args; ready $1; error Gone 519; disconnect; rect; nop",
        &[
            "args VERSION_1_0_0",
            "ready $1",
            "refused 519 Gone",
            "ignored",
            "ignored",
            "ignored",
        ],
    );
    for odd in [
        "error Odd",
        "error Odd 0",
        "error Odd 514x",
        "error Odd 9999",
        "error Odd -1",
    ] {
        check(odd, &["refused 512 Odd"]);
    }
    check("error", &["refused 512 "]);
}

#[test]
fn a_server_may_disconnect_at_any_time() {
    check("disconnect", &["disconnected"]);
    check("args; disconnect", &["args VERSION_1_0_0", "disconnected"]);
    check(
        "args; ready $1; sync 1; disconnect; rect 0",
        &[
            "args VERSION_1_0_0",
            "ready $1",
            "other",
            "disconnected",
            "ignored",
        ],
    );
}

#[test]
fn parameters_may_be_required_before_and_after_ready() {
    check(
        "nop; args VERSION_1_3_0; nop; required password username; ack 0 OK 0; ready $1; \
         required x; ack 0 OK 0; nop",
        &[
            "ignored",
            "args VERSION_1_3_0",
            "ignored",
            "required password+username",
            "other",
            "ready $1",
            "required x",
            "other",
            "other",
        ],
    );
}

#[test]
fn violations_are_named() {
    let args = "args VERSION_1_1_0";
    check("ready $1", &["'ready' while waiting for 'args'"]);
    check("sync 1", &["'sync' while waiting for 'args'"]);
    check("newer", &["'(unknown)' while waiting for 'args'"]);
    let after_args = |received: &str, expected: &str| {
        check(&format!("{args}; {received}"), &[args, expected]);
    };
    after_args("args", "'args' while waiting for 'ready'");
    after_args("ack 0 OK 0", "'ack' while waiting for 'ready'");
    after_args("size 0 1 1", "'size' while waiting for 'ready'");
    // Not in this version.
    after_args("required password", "'required' while waiting for 'ready'");
    after_args("ready", "'ready' lacks arguments");
    after_args("ready ''", "element 1 of 'ready' is not valid");
    after_args("ready $1 more", "ready $1");
    let after_ready = |received: &str, expected: &str| {
        let received = format!("args VERSION_1_5_0; ready $1; {received}");
        check(&received, &["args VERSION_1_5_0", "ready $1", expected]);
    };
    after_ready("ready $1", "'ready' while waiting for 'disconnect'");
    after_ready("args", "'args' while waiting for 'disconnect'");
    after_ready("required", "'required' lacks arguments");
}

#[test]
fn a_failure_stays() {
    let mut driver = Driver::selected(ClientConfig::default());
    let failed = driver.receive(Duration::ZERO, "sync 1");
    assert_eq!(driver.receive(Duration::ZERO, "args"), failed);
    let failure = driver.client.handle_end().unwrap_err();
    assert_eq!(failure.to_string(), failed[0]);
    assert_eq!(driver.client.handle_timeout(Duration::MAX), Err(failure));
    assert_eq!(driver.client.poll_timeout(), None);
    let written = driver
        .client
        .write_argument(&Argument::text(0, "a", "b"), &mut driver.sent);
    assert_eq!(written, Err(WriteError::OutOfOrder));
}

/// What leads into each state, and what the server then has to send.
const STATES: [(&str, Opcode); 4] = [
    ("", Opcode::Args),
    ("args VERSION_1_5_0", Opcode::Ready),
    ("args VERSION_1_5_0; required password", Opcode::Ready),
    ("args VERSION_1_5_0; ready $1", Opcode::Disconnect),
];

#[test]
fn the_end_of_the_stream_is_a_failure_in_each_state() {
    for (received, waiting_for) in STATES {
        let mut driver = Driver::selected(ClientConfig::default());
        driver.receive(Duration::ZERO, received);
        let failure = Failure::EndOfStream { waiting_for };
        assert_eq!(driver.client.handle_end(), Err(failure), "{received}");
        assert_eq!(failure.status(Peer::Guacd), Status::UpstreamError);
        assert_eq!(driver.client.handle_end(), Err(failure));
    }
    let waiting_for = Opcode::Args;
    let nothing_sent = Client::new(ClientConfig::default()).handle_end();
    assert_eq!(nothing_sent, Err(Failure::EndOfStream { waiting_for }));
}

#[test]
fn the_end_of_the_stream_is_in_order_after_a_goodbye() {
    for (received, _) in STATES {
        for goodbye in ["disconnect", "error Gone 519", "error Gone 519; disconnect"] {
            let mut driver = Driver::selected(ClientConfig::default());
            driver.receive(Duration::ZERO, &format!("{received}; {goodbye}"));
            assert_eq!(driver.client.handle_end(), Ok(()));
            assert_eq!(driver.client.poll_timeout(), None);
        }
    }
}

#[test]
fn time_is_limited_until_ready() {
    let config = ClientConfig {
        timeout: 15 * SECOND,
        answer_timeout: 60 * SECOND,
        ..ClientConfig::default()
    };
    assert_eq!(Client::new(config).poll_timeout(), None);
    let limits = [15, 15, 4 + 60];
    for ((received, waiting_for), limit) in STATES.into_iter().zip(limits) {
        let mut driver = Driver::selected(config);
        driver.receive(4 * SECOND, received);
        let limit = limit * SECOND;
        assert_eq!(driver.client.poll_timeout(), Some(limit), "{received}");
        let before = limit - Duration::from_nanos(1);
        assert_eq!(driver.client.handle_timeout(before), Ok(()));
        let failure = Failure::Timeout { waiting_for };
        // What comes too late is not taken.
        assert_eq!(driver.receive(limit, "nop"), [failure.to_string()]);
        assert_eq!(driver.client.handle_timeout(Duration::ZERO), Err(failure));
        assert_eq!(failure.status(Peer::Guacd), Status::UpstreamTimeout);
    }
    let mut driver = Driver::selected(config);
    driver.receive(4 * SECOND, STATES[3].0);
    assert_eq!(driver.client.poll_timeout(), None);
    assert_eq!(driver.client.handle_timeout(Duration::MAX), Ok(()));
}

#[test]
fn asking_again_gives_no_more_time() {
    let mut driver = Driver::selected(ClientConfig::default());
    driver.receive(SECOND, "args VERSION_1_3_0; required a");
    let limit = driver.client.poll_timeout();
    driver.receive(20 * SECOND, "required b");
    assert_eq!(driver.client.poll_timeout(), limit);
}

#[test]
fn an_endless_limit_is_possible() {
    let config = ClientConfig {
        timeout: Duration::MAX,
        ..ClientConfig::default()
    };
    let mut driver = Driver::new(config);
    let now = 5 * SECOND;
    driver
        .client
        .write_select(now, Protocol::SSH, &mut driver.sent)
        .unwrap();
    assert_eq!(driver.client.poll_timeout(), Some(Duration::MAX));
}

#[test]
fn a_write_without_room_changes_nothing() {
    let mut client = Client::new(ClientConfig::default());
    let no_room = Err(WriteError::Encode(EncodeError::NoRoom));
    let select = wire("select vnc");
    let mut room = vec![0; select.len()];
    let small = &mut &mut room[1..];
    let written = client.write_select(SECOND, Protocol::VNC, small);
    assert_eq!((written, client.poll_timeout()), (no_room, None));
    let written = client.write_select(SECOND, Protocol::VNC, &mut &mut room[..]);
    assert_eq!((written, room), (Ok(select.len()), select));
}

#[test]
fn an_answer_is_written_whole_or_not_at_all() {
    let mut driver = Driver::selected(ClientConfig::default());
    driver.buffer.extend(&wire("args VERSION_1_1_0 hostname"));
    let args = driver.buffer.poll_instruction().unwrap().unwrap();
    let Ok(ClientEvent::Args(args)) = driver.client.handle_instruction(SECOND, &args) else {
        panic!();
    };
    let information = Information::default();
    let parameters = [("hostname", "10.0.0.7")];
    let mut whole = Vec::new();
    let length = driver
        .client
        .clone()
        .write_answer(&args, &information, &parameters, &mut whole)
        .unwrap();
    assert_eq!(length, whole.len());
    for room in 0..length {
        let mut room = vec![7; room];
        let mut out = &mut room[..];
        let written = driver
            .client
            .write_answer(&args, &information, &parameters, &mut out);
        assert_eq!(written, Err(WriteError::Encode(EncodeError::NoRoom)));
        assert!(room.iter().all(|&byte| byte == 7));
    }
    let long = "é".repeat(8193);
    let over_limits =
        driver
            .client
            .write_answer(&args, &information, &[("hostname", &long)], &mut whole);
    let too_long = EncodeError::ElementTooLong { element: 2 };
    assert_eq!(over_limits, Err(WriteError::Encode(too_long)));
    assert_eq!(whole.len(), length);
    let mut exact = vec![0; length];
    let written = driver
        .client
        .write_answer(&args, &information, &parameters, &mut &mut exact[..]);
    assert_eq!((written, &exact), (Ok(length), &whole));
    let again = driver
        .client
        .write_answer(&args, &information, &parameters, &mut whole);
    assert_eq!(again, Err(WriteError::OutOfOrder));
}

#[test]
fn each_write_has_its_time() {
    let mut driver = Driver::new(ClientConfig::default());
    let argument = Argument::text(0, "password", "x");
    let out: &mut dyn Output = &mut Vec::new();
    let early = driver.client.write_argument(&argument, out);
    assert_eq!(early, Err(WriteError::OutOfOrder));
    driver = Driver::selected(ClientConfig::default());
    let twice = driver.client.write_select(SECOND, Protocol::VNC, out);
    assert_eq!(twice, Err(WriteError::OutOfOrder));
    assert_eq!(
        driver.client.write_argument(&argument, out),
        Err(WriteError::OutOfOrder)
    );
    driver.receive(SECOND, "args");
    assert!(driver.client.write_argument(&argument, out).is_ok());
    driver.receive(SECOND, "ready $1");
    assert!(driver.client.write_argument(&argument, out).is_ok());
    driver.receive(SECOND, "disconnect");
    assert_eq!(
        driver.client.write_argument(&argument, out),
        Err(WriteError::OutOfOrder)
    );
}

#[test]
fn arguments_are_cut_into_blobs() {
    let check = |length: usize, blobs: &[usize]| {
        let value = vec![b'x'; length];
        let argument = Argument {
            value: &value,
            ..Argument::text(510, "private-key", "")
        };
        let mut out = Vec::new();
        let written = argument.write(&Default::default(), &mut out);
        assert_eq!(written, Ok(out.len()));
        let mut buffer = ReceiveBuffer::new(Limits::GUACD);
        buffer.extend(&out);
        let mut found = Vec::new();
        while let Some(instruction) = buffer.poll_instruction().unwrap() {
            assert_eq!(instruction.get(1), Some("510"));
            if instruction.opcode() == Opcode::Blob {
                found.push(instruction.get(2).unwrap().len());
            }
        }
        assert_eq!(found, blobs, "{length}");
    };
    check(0, &[]);
    check(1, &[4]);
    check(6048, &[8064]);
    check(6049, &[8064, 4]);
    check(Argument::VALUE_MAX, &[8064, 8064, 5716]);
}

#[test]
fn what_guacd_would_cut_is_refused() {
    let long = "a".repeat(Argument::VALUE_MAX + 1);
    let refused = |argument: Argument<'_>| {
        let mut out = Vec::new();
        let written = argument.write(&Default::default(), &mut out);
        assert_eq!(written, Err(WriteError::ArgumentTooLong));
        assert!(out.is_empty());
    };
    refused(Argument::text(0, "password", &long));
    refused(Argument::text(0, &long[..=Argument::NAME_MAX], ""));
    refused(Argument {
        mimetype: &long[..=Argument::MIMETYPE_MAX],
        ..Argument::text(0, "password", "")
    });
    let shown = format!("{:?}", Argument::text(0, "password", "secret"));
    assert!(
        shown.contains("password") && !shown.contains("secret"),
        "{shown}"
    );
}

#[cfg(feature = "std")]
#[test]
fn errors_become_those_of_io() {
    use std::io::{Error, ErrorKind};
    let waiting_for = Opcode::Args;
    let kind = |failure: Failure| Error::from(failure).kind();
    assert_eq!(kind(Failure::Timeout { waiting_for }), ErrorKind::TimedOut);
    assert_eq!(
        kind(Failure::EndOfStream { waiting_for }),
        ErrorKind::UnexpectedEof
    );
    let mut buffer = ReceiveBuffer::new(Limits::GUACD);
    buffer.extend(b"x");
    let malformed = Failure::from(buffer.poll_instruction().unwrap_err());
    assert_eq!(kind(malformed), ErrorKind::InvalidData);
    assert_eq!(malformed.status(Peer::Guacd), Status::ServerError);
    let written = Error::from(WriteError::OutOfOrder);
    assert_eq!(written.kind(), ErrorKind::InvalidInput);
}
