//! A server and clients that do right and wrong.

use core::time::Duration;

use guac_protocol::handshake::{
    ClientInformation, ConnectionId, Display, Failure, Peer, ReceiveBuffer, Server, ServerConfig,
    ServerEvent, Version, WriteError,
};
use guac_protocol::{EncodeError, Limits, Opcode, Status};

use crate::wire;

const SECOND: Duration = Duration::from_secs(1);
const NAMES: [&str; 2] = ["hostname", "password"];

/// A server that writes `args` at once, and `ready` where it is told to.
struct Driver {
    server: Server,
    buffer: ReceiveBuffer,
    sent: Vec<u8>,
    told: ClientInformation,
}

impl Driver {
    fn new(config: ServerConfig) -> Self {
        Self {
            server: Server::new(Duration::ZERO, config),
            buffer: ReceiveBuffer::new(Limits::GUACD),
            sent: Vec::new(),
            told: ClientInformation::default(),
        }
    }

    /// What the server makes of each instruction, in words; a failure ends the list.
    fn receive(&mut self, now: Duration, received: &str) -> Vec<String> {
        self.buffer.extend(&wire(received));
        let mut seen = Vec::new();
        while let Some(instruction) = self.buffer.poll_instruction().unwrap() {
            let event = match self.server.handle_instruction(now, &instruction) {
                Ok(event) => event,
                Err(failure) => {
                    seen.push(failure.to_string());
                    break;
                }
            };
            self.told.collect(&event, &NAMES);
            if let ServerEvent::Select(_) = event {
                self.server.write_args(now, &NAMES, &mut self.sent).unwrap();
            }
            seen.push(in_words(&event));
        }
        seen
    }

    fn ready(&mut self) {
        let id = ConnectionId::new("$1").unwrap();
        self.server.write_ready(id, &mut self.sent).unwrap();
    }
}

fn in_words(event: &ServerEvent<'_>) -> String {
    match event {
        ServerEvent::Select(target) => format!("select {}", target.as_str()),
        ServerEvent::Size(Display { width, height, dpi }) => format!("size {width} {height} {dpi}"),
        ServerEvent::Audio(types) => format!("audio {}", types.len()),
        ServerEvent::Video(types) => format!("video {}", types.len()),
        ServerEvent::Image(types) => format!("image {}", types.len()),
        ServerEvent::Timezone(timezone) => format!("timezone {timezone:?}"),
        ServerEvent::Name(name) => format!("name {name:?}"),
        ServerEvent::Connect(connect) => {
            let values: Vec<&str> = connect.values().collect();
            format!("connect {} {}", connect.version(), values.join("+"))
        }
        ServerEvent::Disconnected => "disconnected".into(),
        ServerEvent::Ignored => "ignored".into(),
        ServerEvent::Other => "other".into(),
        event => panic!("{event:?}"),
    }
}

fn check(received: &str, expected: &[&str]) {
    let seen = Driver::new(ServerConfig::default()).receive(Duration::ZERO, received);
    assert_eq!(seen, expected, "{received}");
}

/// After `select`, the last of the instructions has this outcome.
fn after_select(received: &str, expected: &str) {
    let mut driver = Driver::new(ServerConfig::default());
    let seen = driver.receive(Duration::ZERO, &format!("select vnc; {received}"));
    assert_eq!(
        seen.last().map(String::as_str),
        Some(expected),
        "{received}"
    );
}

#[test]
fn what_the_client_tells_is_collected_in_any_order() {
    let parts = [
        "size 800 600 120",
        "audio audio/L8 audio/L16",
        "video",
        "image image/png",
        "timezone Asia/Tokyo",
        "name Ünal",
    ];
    let collect = |order: &[&str]| {
        let mut driver = Driver::new(ServerConfig::default());
        let all = format!(
            "select vnc; {}; connect VERSION_1_5_0 h ''",
            order.join(";")
        );
        driver.receive(Duration::ZERO, &all);
        driver.told
    };
    let told = collect(&parts);
    let display = Display {
        width: 800,
        height: 600,
        dpi: 120,
    };
    assert_eq!(told.version, Some(Version::V1_5_0));
    assert_eq!(told.display, Some(display));
    assert_eq!(told.audio, ["audio/L8", "audio/L16"]);
    assert_eq!(told.video, [""; 0]);
    assert_eq!(told.image, ["image/png"]);
    assert_eq!(told.timezone.as_deref(), Some("Asia/Tokyo"));
    assert_eq!(told.name.as_deref(), Some("Ünal"));
    let parameters = NAMES
        .map(String::from)
        .into_iter()
        .zip(["h".into(), String::new()]);
    assert_eq!(told.parameters, parameters.collect::<Vec<_>>());
    for turn in 0..parts.len() {
        let mut order = parts;
        order.rotate_left(turn);
        assert_eq!(collect(&order), told);
        order.reverse();
        assert_eq!(collect(&order), told);
    }
}

#[test]
fn little_is_needed() {
    check(
        "select $abc; connect '' 1 2",
        &["select $abc", "connect VERSION_1_0_0 1+2"],
    );
    after_select("size 1 2", "size 1 2 96");
    after_select("size 1 2 3 4", "size 1 2 3");
    after_select("timezone", "timezone None");
    after_select("name ''", "name None");
    after_select("nop", "ignored");
    after_select("future-words 1 2", "ignored");
}

#[test]
fn what_is_told_again_counts() {
    let mut driver = Driver::new(ServerConfig::default());
    driver.receive(
        Duration::ZERO,
        "select vnc; audio a b; name X; timezone Y; size 1 1",
    );
    for _ in 0..1000 {
        driver.receive(Duration::ZERO, "audio c; name ''; timezone; size 2 2");
    }
    assert_eq!(driver.told.audio, ["c"]);
    assert_eq!((&driver.told.name, &driver.told.timezone), (&None, &None));
    assert_eq!(driver.told.display.map(|display| display.width), Some(2));
}

#[test]
fn the_version_is_never_newer_than_the_server() {
    let chosen = |newest, version: &str| {
        let config = ServerConfig {
            newest,
            ..ServerConfig::default()
        };
        let mut driver = Driver::new(config);
        driver.receive(
            Duration::ZERO,
            &format!("select vnc; connect {version} h p"),
        );
        driver.told.version
    };
    let new = Version::V1_5_0;
    assert_eq!(chosen(new, "VERSION_1_5_0"), Some(new));
    assert_eq!(chosen(new, "VERSION_1_9_0"), Some(new));
    assert_eq!(chosen(new, "VERSION_1_0_0"), Some(Version::V1_0_0));
    assert_eq!(
        chosen(Version::V1_1_0, "VERSION_1_5_0"),
        Some(Version::V1_1_0)
    );
    // A server of 1.0.0 names no version and is given none.
    assert_eq!(chosen(Version::V1_0_0, ""), Some(Version::V1_0_0));
    assert_eq!(chosen(Version::V1_0_0, "VERSION_1_0_0"), None);
}

#[test]
fn violations_are_named() {
    check("connect", &["'connect' while waiting for 'select'"]);
    check(
        "GET / HTTP/1.1",
        &["'(unknown)' while waiting for 'select'"],
    );
    check("select", &["'select' lacks arguments"]);
    check("select vnc rdp", &["'select' has too many arguments"]);
    for odd in [
        "select ''",
        "select ../vnc",
        "select $",
        "select gopher-协议",
    ] {
        check(odd, &["element 1 of 'select' is not valid"]);
    }
    after_select("select vnc", "'select' while waiting for 'connect'");
    after_select("mouse 1 1 0", "'mouse' while waiting for 'connect'");
    after_select("args", "'args' while waiting for 'connect'");
    after_select("size", "'size' lacks arguments");
    after_select("size 1", "'size' lacks arguments");
    after_select("size 1 -2", "element 2 of 'size' is not valid");
    after_select("size +1 2", "element 1 of 'size' is not valid");
    after_select("size 1 2 ''", "element 3 of 'size' is not valid");
    after_select("size 4294967296 2", "element 1 of 'size' is not valid");
    after_select("connect VERSION_1_5_0 1", "'connect' lacks arguments");
    after_select(
        "connect VERSION_1_5_0 1 2 3",
        "'connect' has too many arguments",
    );
    after_select("connect 1.5 1 2", "element 1 of 'connect' is not valid");
    after_select(
        "connect '' 1 2; mouse 1 1 0",
        "'mouse' while waiting for 'disconnect'",
    );
}

#[test]
fn a_client_waits_for_args() {
    let mut server = Server::new(Duration::ZERO, ServerConfig::default());
    let mut buffer = ReceiveBuffer::new(Limits::GUACD);
    buffer.extend(&wire("select vnc; size 1 1"));
    let select = buffer.poll_instruction().unwrap().unwrap();
    assert!(server.handle_instruction(SECOND, &select).is_ok());
    let size = buffer.poll_instruction().unwrap().unwrap();
    let failure = Failure::Unexpected {
        waiting_for: Opcode::Connect,
        found: Opcode::Size,
    };
    let early = server.handle_instruction(SECOND, &size);
    assert_eq!(early.unwrap_err(), failure);
    assert_eq!(failure.status(Peer::Client), Status::ClientBadRequest);
}

#[test]
fn after_ready_only_the_handshake_is_refused() {
    let mut driver = Driver::new(ServerConfig::default());
    driver.receive(Duration::ZERO, "select vnc; connect '' 1 2");
    driver.ready();
    let seen = driver.receive(
        Duration::MAX,
        "mouse 1 1 0; size 1 1; nop; name X; select vnc",
    );
    let refused = "'select' while waiting for 'disconnect'";
    assert_eq!(seen, ["other", "other", "other", "other", refused]);
    assert_eq!(driver.told.display, None);
}

#[test]
fn parameters_may_be_required_before_ready() {
    let mut driver = Driver::new(ServerConfig::default());
    driver.receive(SECOND, "select vnc; connect VERSION_1_3_0 1 2");
    let sent = driver.sent.len();
    let written = driver
        .server
        .write_required(SECOND, &["password"], &mut driver.sent);
    assert!(written.is_ok());
    assert_eq!(&driver.sent[sent..], wire("required password"));
    assert_eq!(driver.server.poll_timeout(), Some(121 * SECOND));
    let seen = driver.receive(
        2 * SECOND,
        "argv 0 text/plain password; blob 0 eA==; nop; end 0",
    );
    assert_eq!(seen, ["other", "other", "ignored", "other"]);
    let mut late = driver.server.clone();
    let waiting_for = Opcode::Argv;
    let failure = Failure::Timeout { waiting_for };
    assert_eq!(late.handle_timeout(121 * SECOND), Err(failure));
    driver.ready();
    assert_eq!(driver.server.poll_timeout(), None);
    assert!(
        driver
            .server
            .write_required(SECOND, &["x"], &mut driver.sent)
            .is_ok()
    );
    assert_eq!(driver.server.poll_timeout(), None);
}

#[test]
fn older_clients_are_not_asked() {
    let mut driver = Driver::new(ServerConfig::default());
    driver.receive(SECOND, "select vnc; connect VERSION_1_1_0 1 2");
    let written = driver
        .server
        .write_required(SECOND, &["password"], &mut driver.sent);
    assert_eq!(written, Err(WriteError::OutOfOrder));
}

/// What leads into each state in which the client has to send something, and what that
/// is.
const STATES: [(&str, Opcode); 4] = [
    ("", Opcode::Select),
    ("select vnc", Opcode::Connect),
    ("select vnc; size 1 1; audio", Opcode::Connect),
    ("select vnc; connect '' 1 2", Opcode::Disconnect),
];

#[test]
fn the_end_of_the_stream_is_a_failure_in_each_state() {
    for (received, waiting_for) in STATES {
        let mut driver = Driver::new(ServerConfig::default());
        driver.receive(Duration::ZERO, received);
        let failure = Failure::EndOfStream { waiting_for };
        assert_eq!(driver.server.handle_end(), Err(failure), "{received}");
        assert_eq!(driver.server.handle_end(), Err(failure));
    }
}

#[test]
fn the_end_of_the_stream_is_in_order_after_a_goodbye() {
    for (received, _) in STATES {
        let mut driver = Driver::new(ServerConfig::default());
        let seen = driver.receive(Duration::ZERO, &format!("{received}; disconnect; nop; x"));
        assert!(seen.ends_with(&["disconnected".into(), "ignored".into(), "ignored".into()]));
        assert_eq!(driver.server.poll_timeout(), None);
        assert_eq!(driver.server.handle_end(), Ok(()));
        let refusal = driver
            .server
            .write_refusal(Status::ServerError, "", &mut driver.sent);
        assert_eq!(refusal, Err(WriteError::OutOfOrder));
        driver = Driver::new(ServerConfig::default());
        driver.receive(Duration::ZERO, received);
        let refusal = driver
            .server
            .write_refusal(Status::ServerBusy, "Full", &mut driver.sent);
        assert!(refusal.is_ok());
        assert!(driver.sent.ends_with(&wire("error Full 513; disconnect")));
        assert_eq!(driver.server.poll_timeout(), None);
        assert_eq!(driver.server.handle_end(), Ok(()));
    }
}

#[test]
fn the_client_has_its_time_and_the_caller_has_none() {
    let mut driver = Driver::new(ServerConfig::default());
    assert_eq!(driver.server.poll_timeout(), Some(15 * SECOND));
    let mut late = driver.server.clone();
    let failure = Failure::Timeout {
        waiting_for: Opcode::Select,
    };
    assert_eq!(late.handle_timeout(15 * SECOND), Err(failure));
    // `args` is written three seconds after the epoch.
    driver.receive(3 * SECOND, "select vnc; size 1 1");
    driver.receive(17 * SECOND, "nop; audio");
    assert_eq!(driver.server.poll_timeout(), Some(18 * SECOND));
    let mut late = driver.server.clone();
    let failure = Failure::Timeout {
        waiting_for: Opcode::Connect,
    };
    assert_eq!(late.handle_timeout(18 * SECOND), Err(failure));
    assert_eq!(failure.status(Peer::Client), Status::ClientTimeout);
    let mut out = Vec::new();
    let told = late.write_refusal(failure.status(Peer::Client), "Too slow.", &mut out);
    assert!(told.is_ok());
    driver.receive(17 * SECOND, "connect '' 1 2");
    assert_eq!(driver.server.poll_timeout(), None);
    assert_eq!(driver.server.handle_timeout(Duration::MAX), Ok(()));
}

#[test]
fn each_write_has_its_time() {
    let mut driver = Driver::new(ServerConfig::default());
    let id = ConnectionId::new("$1").unwrap();
    let out_of_order = Err(WriteError::OutOfOrder);
    let mut out = Vec::new();
    assert_eq!(
        driver.server.write_args(SECOND, &NAMES, &mut out),
        out_of_order
    );
    driver.receive(SECOND, "select vnc");
    assert_eq!(
        driver.server.write_args(SECOND, &NAMES, &mut out),
        out_of_order
    );
    assert_eq!(driver.server.write_ready(id, &mut out), out_of_order);
    assert_eq!(
        driver.server.write_required(SECOND, &NAMES, &mut out),
        out_of_order
    );
    driver.receive(SECOND, "connect VERSION_1_5_0 1 2");
    driver.ready();
    assert_eq!(driver.server.write_ready(id, &mut out), out_of_order);
    assert!(
        driver
            .server
            .write_refusal(Status::Success, "", &mut out)
            .is_ok()
    );
    assert_eq!(
        driver.server.write_required(SECOND, &NAMES, &mut out),
        out_of_order
    );
}

#[test]
fn a_write_without_room_changes_nothing() {
    let mut driver = Driver::new(ServerConfig::default());
    let mut buffer = ReceiveBuffer::new(Limits::GUACD);
    buffer.extend(&wire("select vnc"));
    let select = buffer.poll_instruction().unwrap().unwrap();
    let server = &mut driver.server;
    server.handle_instruction(SECOND, &select).unwrap();
    let no_room = Err(WriteError::Encode(EncodeError::NoRoom));
    let args = wire("args VERSION_1_5_0 hostname password");
    let mut room = vec![0; args.len()];
    let written = server.write_args(SECOND, &NAMES, &mut &mut room[1..]);
    assert_eq!((written, server.poll_timeout()), (no_room, None));
    let many = vec!["name"; 127];
    let too_many = Err(WriteError::Encode(EncodeError::TooManyElements));
    assert_eq!(server.write_args(SECOND, &many, &mut Vec::new()), too_many);
    let written = server.write_args(SECOND, &NAMES, &mut &mut room[..]);
    assert_eq!((written, &room), (Ok(args.len()), &args));
}

#[test]
fn passwords_are_not_shown() {
    let mut driver = Driver::new(ServerConfig::default());
    driver.receive(SECOND, "select vnc");
    let mut buffer = ReceiveBuffer::new(Limits::GUACD);
    buffer.extend(&wire("connect VERSION_1_5_0 h s3cret"));
    let connect = buffer.poll_instruction().unwrap().unwrap();
    let event = driver.server.handle_instruction(SECOND, &connect).unwrap();
    driver.told.collect(&event, &NAMES);
    for shown in [format!("{event:?}"), format!("{:?}", driver.told)] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    assert_eq!(driver.told.parameters[1].1, "s3cret");
}
