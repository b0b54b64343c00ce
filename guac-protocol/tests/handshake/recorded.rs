//! Recorded sessions with guacd 1.3.0 and 1.6.1, where they are there: in the folder
//! that `GUAC_CORPUS` names, or beside the workspace.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::Command;

use guac_protocol::handshake::{
    Argument, Client, ClientConfig, ClientEvent, ClientInformation, ConnectionId, Failure,
    Information, ReceiveBuffer, Server, ServerConfig, ServerEvent, Target, Version,
};
use guac_protocol::{Instruction, Limits, Opcode, Status};
use serde_json::Value;

use crate::pair::from_base64;

const NOW: Duration = Duration::from_secs(1);

/// One recorded session, and what its description says of it.
struct Session {
    name: String,
    described: Value,
    client: Vec<u8>,
    guacd: Vec<u8>,
}

impl Session {
    /// `None` where `zstd` is needed and not there.
    fn load(folder: &Path, name: &str) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let described: Value = serde_json::from_str(&text).unwrap();
        let stream = |side: &str| {
            let file = described["streams"][side]["file"].as_str().unwrap();
            read(&folder.join(file))
        };
        Some(Self {
            name: name.to_owned(),
            client: stream("client")?,
            guacd: stream("guacd")?,
            described,
        })
    }

    /// Whether a side sent such an instruction.
    fn has(&self, side: &str, opcode: Opcode) -> bool {
        let opcodes = &self.described["streams"][side]["opcodes"];
        opcodes.get(opcode.as_str()).is_some()
    }

    /// The first `error` of guacd.
    fn error(&self) -> Option<(Status, &str)> {
        let error = self.described["errors_from_guacd"].get(0)?;
        let code = error[1].as_str()?.parse().ok()?;
        Some((Status::from_code(code)?, error[0].as_str()?))
    }

    /// Version and names that guacd sent, read without a machine.
    fn args(&self) -> Option<(Version, Vec<String>)> {
        let mut buffer = ReceiveBuffer::new(Limits::GUACD);
        buffer.extend(&self.guacd);
        let first = buffer.poll_instruction().unwrap()?;
        let mut args = first.args();
        let version = Version::parse(args.next()?)?;
        let names = args.map(str::to_owned).collect();
        (first.opcode() == Opcode::Args).then_some((version, names))
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    if path.extension().is_none_or(|extension| extension != "zst") {
        return Some(std::fs::read(path).unwrap());
    }
    let unpacked = Command::new("zstd").arg("-dcq").arg(path).output().ok()?;
    assert!(unpacked.status.success(), "{}", path.display());
    Some(unpacked.stdout)
}

fn streams() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let corpus = std::env::var_os("GUAC_CORPUS").map_or(beside, PathBuf::from);
    let streams = corpus.join("streams");
    streams.join("index.json").exists().then_some(streams)
}

/// Pieces of a stream, of lengths as they come from a socket and others.
fn pieces(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut lengths = [1, 2, 3, 50, 700, 9, 4096, 16_384].into_iter().cycle();
    let mut rest = stream;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(lengths.next()?.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// What our server makes of the recorded client.
#[derive(Default)]
struct Served {
    selected: Option<String>,
    told: ClientInformation,
    connected: bool,
    disconnected: bool,
    failure: Option<Failure>,
    /// Stream of the first `argv` of the client, and its value.
    argv: Option<String>,
    answer: Option<String>,
}

fn serve(session: &Session) -> Served {
    let (version, names) = session.args().unwrap_or((Version::NEWEST, Vec::new()));
    let config = ServerConfig {
        newest: version,
        ..ServerConfig::default()
    };
    let mut server = Server::new(NOW, config);
    let mut served = Served::default();
    let mut buffer = ReceiveBuffer::new(Limits::GUACD);
    for piece in pieces(&session.client) {
        buffer.extend(piece);
        served.failure = serve_more(&mut server, &mut buffer, &names, &mut served).err();
        if served.failure.is_some() {
            break;
        }
    }
    served
}

fn serve_more(
    server: &mut Server,
    buffer: &mut ReceiveBuffer,
    names: &[String],
    served: &mut Served,
) -> Result<(), Failure> {
    let mut out = Vec::new();
    while let Some(instruction) = buffer.poll_instruction()? {
        let event = server.handle_instruction(NOW, &instruction)?;
        served.told.collect(&event, names);
        match event {
            ServerEvent::Select(target) => {
                served.selected = Some(target.as_str().to_owned());
                server.write_args(NOW, names, &mut out).unwrap();
            }
            ServerEvent::Connect(_) => {
                served.connected = true;
                let id = ConnectionId::new("$recorded").unwrap();
                server.write_ready(id, &mut out).unwrap();
            }
            ServerEvent::Disconnected => served.disconnected = true,
            ServerEvent::Other => served.note_answer(&instruction),
            _ => {}
        }
    }
    Ok(())
}

impl Served {
    fn note_answer(&mut self, instruction: &Instruction<'_>) {
        let stream = instruction.get(1).map(str::to_owned);
        match instruction.opcode() {
            Opcode::Argv if self.argv.is_none() => self.argv = stream,
            Opcode::Blob if self.argv.is_some() && self.argv == stream => {
                let base64 = instruction.get(2).unwrap();
                self.answer.get_or_insert_with(|| from_base64(base64));
            }
            _ => {}
        }
    }
}

/// What our client makes of the recorded guacd.
#[derive(Default)]
struct Followed {
    sent: Vec<u8>,
    ready: Option<String>,
    required: bool,
    refused: Option<(Status, String)>,
    disconnected: bool,
    end: Option<Result<(), Failure>>,
}

/// Says what the recorded client said, and nothing after `ready` but the answer.
fn follow(session: &Session, served: &Served) -> Followed {
    let config = ClientConfig {
        newest: served.told.version.unwrap_or(Version::NEWEST),
        ..ClientConfig::default()
    };
    let mut client = Client::new(config);
    let mut followed = Followed::default();
    if let Some(target) = &served.selected {
        let target = Target::parse(target).unwrap();
        client
            .write_select(NOW, target, &mut followed.sent)
            .unwrap();
    }
    let mut buffer = ReceiveBuffer::new(Limits::GUACD);
    for piece in pieces(&session.guacd) {
        buffer.extend(piece);
        follow_more(&mut client, &mut buffer, served, &mut followed).unwrap();
    }
    followed.end = Some(client.handle_end());
    followed
}

fn follow_more(
    client: &mut Client,
    buffer: &mut ReceiveBuffer,
    served: &Served,
    followed: &mut Followed,
) -> Result<(), Failure> {
    let told = &served.told;
    let [audio, video, image] = [&told.audio, &told.video, &told.image]
        .map(|types| types.iter().map(String::as_str).collect::<Vec<_>>());
    let information = Information {
        display: told.display.unwrap_or_default(),
        audio: &audio,
        video: &video,
        image: &image,
        timezone: told.timezone.as_deref(),
        name: told.name.as_deref(),
    };
    while let Some(instruction) = buffer.poll_instruction()? {
        let out = &mut followed.sent;
        match client.handle_instruction(NOW, &instruction)? {
            ClientEvent::Args(args) => {
                client
                    .write_answer(&args, &information, &told.parameters, out)
                    .unwrap();
            }
            ClientEvent::Required(names) => {
                followed.required = true;
                for name in names {
                    let value = served.answer.as_deref().unwrap();
                    let argument = Argument::text(0, name, value);
                    client.write_argument(&argument, out).unwrap();
                }
            }
            ClientEvent::Ready { id } => followed.ready = Some(id.to_owned()),
            ClientEvent::Refused { status, message } => {
                followed.refused = Some((status, message.to_owned()));
            }
            ClientEvent::Disconnected => followed.disconnected = true,
            _ => {}
        }
    }
    Ok(())
}

fn check_served(session: &Session, served: &Served) {
    let name = &session.name;
    assert_eq!(
        served.connected,
        session.has("client", Opcode::Connect),
        "{name}"
    );
    // The client of these broke the rules on purpose.
    let malformed = name.starts_with("err-malformed-");
    match served.failure {
        None => assert!(!malformed, "{name}"),
        Some(Failure::Malformed(_)) => assert!(malformed, "{name}"),
        Some(failure) => {
            let opcode = Opcode::Select;
            let odd_name = Failure::InvalidArgument { opcode, element: 1 };
            assert_eq!(
                (name.as_str(), failure),
                ("err-unknown-protocol-130", odd_name)
            );
        }
    }
    if served.connected {
        let (version, names) = session.args().unwrap();
        assert_eq!(served.told.parameters.len(), names.len(), "{name}");
        let old = name
            .starts_with("vnc-old-client")
            .then_some(Version::V1_0_0);
        assert_eq!(served.told.version, old.or(Some(version)), "{name}");
        let goodbye = session.has("client", Opcode::Disconnect);
        assert!(served.disconnected == goodbye || malformed, "{name}");
    }
}

fn check_followed(session: &Session, followed: &Followed) {
    let name = &session.name;
    let has = |opcode| session.has("guacd", opcode);
    let id = followed.ready.as_deref();
    assert_eq!(id.is_some(), has(Opcode::Ready), "{name}");
    assert!(id.is_none_or(|id| ConnectionId::new(id).is_ok()), "{name}");
    assert_eq!(followed.required, has(Opcode::Required), "{name}");
    let refused = followed.refused.as_ref();
    let refused = refused.map(|(status, message)| (*status, message.as_str()));
    assert_eq!(refused, session.error(), "{name}");
    let goodbye = refused.is_some() || has(Opcode::Disconnect);
    assert_eq!(
        followed.disconnected,
        refused.is_none() && goodbye,
        "{name}"
    );
    let waiting_for = match id {
        Some(_) => Opcode::Disconnect,
        None => Opcode::Args,
    };
    let end = match goodbye {
        true => Ok(()),
        false => Err(Failure::EndOfStream { waiting_for }),
    };
    assert_eq!(followed.end, Some(end), "{name}");
}

#[test]
fn recorded_handshakes_lead_to_their_recorded_end() {
    let Some(folder) = streams() else {
        println!("no recorded sessions here: set GUAC_CORPUS");
        return;
    };
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let sessions = index["sessions"].as_array().unwrap();
    let (mut read, mut ready, mut refused, mut bytes) = (0, 0, 0, 0);
    for entry in sessions {
        let Some(session) = Session::load(&folder, entry["name"].as_str().unwrap()) else {
            continue;
        };
        let served = serve(&session);
        check_served(&session, &served);
        let followed = follow(&session, &served);
        check_followed(&session, &followed);
        // Byte for byte what the recorded client wrote, as far as the handshake goes.
        assert!(
            session.client.starts_with(&followed.sent),
            "{}",
            session.name
        );
        read += 1;
        ready += usize::from(followed.ready.is_some());
        refused += usize::from(followed.refused.is_some());
        bytes += session.client.len() + session.guacd.len();
    }
    let skipped = sessions.len() - read;
    println!(
        "{read} sessions read, {bytes} bytes: {ready} became ready, {refused} were refused; \
         {skipped} skipped for want of zstd"
    );
    assert!(read > 0 && ready > 0 && refused > 0);
}

/// To a protocol that it does not have, guacd says nothing at all.
#[test]
fn silence_after_an_unknown_protocol_ends_by_the_time_limit() {
    let Some(folder) = streams() else {
        println!("no recorded sessions here: set GUAC_CORPUS");
        return;
    };
    let session = Session::load(&folder, "err-unknown-protocol-130").unwrap();
    assert_eq!(session.guacd, b"");
    let mut client = Client::new(ClientConfig::default());
    let target = guac_protocol::handshake::Protocol::new("gopher").unwrap();
    client.write_select(NOW, target, &mut Vec::new()).unwrap();
    let limit = client.poll_timeout().unwrap();
    let waiting_for = Opcode::Args;
    assert_eq!(
        client.handle_timeout(limit),
        Err(Failure::Timeout { waiting_for })
    );
}
