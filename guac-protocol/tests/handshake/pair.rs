//! Client and server, joined by streams that are cut anywhere, under a virtual clock.

use core::time::Duration;
use std::collections::BTreeMap;

use guac_protocol::handshake::{
    Argument, Capability, Client, ClientConfig, ClientEvent, ClientInformation, ConnectionId,
    Display, Failure, Information, Protocol, ReceiveBuffer, Server, ServerConfig, ServerEvent,
    Target, Version,
};
use guac_protocol::{Limits, Opcode, Status};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const ID: &str = "$0e9b7a52-5a3f-4f7b-8a0c-3f1de2c1a7aa";

/// What the two sides have to begin with.
#[derive(Clone, Debug)]
struct Scenario {
    target: Target<'static>,
    versions: [Version; 2],
    names: Vec<String>,
    parameters: Vec<(String, String)>,
    timezone: Option<String>,
    name: Option<String>,
    /// Names and answers of what the server asks for before `ready`.
    required: BTreeMap<String, String>,
    /// In place of `ready`.
    refusal: Option<(Status, String)>,
    /// Lengths of the pieces that arrive.
    cuts: Vec<usize>,
}

/// Bytes on their way, and where they arrive.
struct Link {
    sent: Vec<u8>,
    buffer: ReceiveBuffer,
}

impl Link {
    fn new() -> Self {
        Self {
            sent: Vec::new(),
            buffer: ReceiveBuffer::new(Limits::GUACD),
        }
    }

    fn deliver(&mut self, length: usize) {
        let length = length.min(self.sent.len());
        self.buffer.extend(&self.sent[..length]);
        self.sent.drain(..length);
    }
}

/// A handshake on its way, and what came out of it.
struct Pair<'s> {
    scenario: &'s Scenario,
    now: Duration,
    client: Client,
    server: Server,
    to_client: Link,
    to_server: Link,
    selected: Option<String>,
    told: ClientInformation,
    version: Option<Version>,
    unasked: Vec<String>,
    answers: BTreeMap<String, String>,
    /// Name and base64 of the answer that is coming in.
    answer: Option<(String, String)>,
    end: Option<Result<String, (Status, String)>>,
}

impl<'s> Pair<'s> {
    fn new(scenario: &'s Scenario) -> Self {
        let [client, server] = scenario.versions;
        let mut pair = Self {
            scenario,
            now: Duration::from_secs(1000),
            client: Client::new(ClientConfig {
                newest: client,
                ..ClientConfig::default()
            }),
            server: Server::new(
                Duration::from_secs(1000),
                ServerConfig {
                    newest: server,
                    ..ServerConfig::default()
                },
            ),
            to_client: Link::new(),
            to_server: Link::new(),
            selected: None,
            told: ClientInformation::default(),
            version: None,
            unasked: Vec::new(),
            answers: BTreeMap::new(),
            answer: None,
            end: None,
        };
        let out = &mut pair.to_server.sent;
        pair.client
            .write_select(pair.now, scenario.target, out)
            .unwrap();
        pair
    }

    /// Lets pieces arrive until nothing is on its way.
    fn run(mut self) -> Result<Self, Failure> {
        let mut cuts = self.scenario.cuts.iter().cycle();
        while !(self.to_client.sent.is_empty() && self.to_server.sent.is_empty()) {
            self.now += Duration::from_millis(1);
            self.to_server.deliver(*cuts.next().unwrap());
            self.serve()?;
            self.to_client.deliver(*cuts.next().unwrap());
            self.follow()?;
            self.client.handle_timeout(self.now)?;
            self.server.handle_timeout(self.now)?;
        }
        Ok(self)
    }

    fn serve(&mut self) -> Result<(), Failure> {
        let out = &mut self.to_client.sent;
        while let Some(instruction) = self.to_server.buffer.poll_instruction()? {
            let event = self.server.handle_instruction(self.now, &instruction)?;
            self.told.collect(&event, &self.scenario.names);
            match event {
                ServerEvent::Select(target) => {
                    self.selected = Some(target.as_str().to_owned());
                    let names = &self.scenario.names;
                    self.server.write_args(self.now, names, out).unwrap();
                }
                ServerEvent::Connect(_) if !self.scenario.required.is_empty() => {
                    let names: Vec<&String> = self.scenario.required.keys().collect();
                    self.server.write_required(self.now, &names, out).unwrap();
                }
                ServerEvent::Connect(_) => {
                    finish(&mut self.server, &self.scenario.refusal, out);
                }
                ServerEvent::Other => {
                    collect_answer(&mut self.answer, &mut self.answers, &instruction);
                    if self.answers.len() == self.scenario.required.len() {
                        finish(&mut self.server, &self.scenario.refusal, out);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<(), Failure> {
        let out = &mut self.to_server.sent;
        while let Some(instruction) = self.to_client.buffer.poll_instruction()? {
            match self.client.handle_instruction(self.now, &instruction)? {
                ClientEvent::Args(args) => {
                    let parameters = self.scenario.parameters.as_slice();
                    let unasked = &mut self.unasked;
                    args.each_unasked(parameters, |name| unasked.push(name.to_owned()));
                    self.version = Some(args.version());
                    let information = information(self.scenario);
                    self.client
                        .write_answer(&args, &information, parameters, out)
                        .unwrap();
                }
                ClientEvent::Required(names) => {
                    for (stream, name) in (0..).zip(names) {
                        let value = &self.scenario.required[name];
                        let argument = Argument::text(stream, name, value);
                        self.client.write_argument(&argument, out).unwrap();
                    }
                }
                ClientEvent::Ready { id } => self.end = Some(Ok(id.to_owned())),
                ClientEvent::Refused { status, message } => {
                    self.end = Some(Err((status, message.to_owned())));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn information(scenario: &Scenario) -> Information<'_> {
    Information {
        display: Display {
            width: 1600,
            height: 900,
            dpi: 144,
        },
        audio: &["audio/L16", "audio/L8"],
        image: &["image/png"],
        timezone: scenario.timezone.as_deref(),
        name: scenario.name.as_deref(),
        ..Information::default()
    }
}

fn finish(server: &mut Server, refusal: &Option<(Status, String)>, out: &mut Vec<u8>) {
    let written = match refusal {
        Some((status, message)) => server.write_refusal(*status, message, out),
        None => server.write_ready(ConnectionId::new(ID).unwrap(), out),
    };
    written.unwrap();
}

fn collect_answer(
    open: &mut Option<(String, String)>,
    answers: &mut BTreeMap<String, String>,
    instruction: &guac_protocol::Instruction<'_>,
) {
    match instruction.opcode() {
        Opcode::Argv => {
            assert_eq!(instruction.get(2), Some("text/plain"));
            *open = Some((instruction.get(3).unwrap().to_owned(), String::new()));
        }
        Opcode::Blob => open.as_mut().unwrap().1 += instruction.get(2).unwrap(),
        Opcode::End => {
            let (name, base64) = open.take().unwrap();
            answers.insert(name, from_base64(&base64));
        }
        other => panic!("{other}"),
    }
}

/// Bit by bit, unlike the encoder. Blobs but the last are whole groups.
pub(crate) fn from_base64(text: &str) -> String {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{byte}"),
    };
    let digits = text.trim_end_matches('=').bytes().map(value);
    let bits: Vec<u8> = digits
        .flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1))
        .collect();
    let bytes = bits
        .chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit))
        .collect();
    String::from_utf8(bytes).unwrap()
}

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,3}(-[a-z]{1,3})?"
}

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(Version::ALL.to_vec())
}

fn target() -> impl Strategy<Value = Target<'static>> {
    prop::sample::select(vec![
        Target::from(Protocol::VNC),
        Target::from(Protocol::KUBERNETES),
        Target::from(ConnectionId::new(ID).unwrap()),
    ])
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let parameters = btree_map(name(), ".{0,20}", 0..12);
    let names = parameters.prop_flat_map(|parameters| {
        let known: Vec<String> = parameters.keys().cloned().collect();
        let known = prop::sample::subsequence(known.clone(), 0..=known.len());
        let parameters: Vec<_> = parameters.into_iter().collect();
        (known, vec(name(), 0..6), Just(parameters).prop_shuffle())
    });
    let names = names.prop_flat_map(|(known, others, parameters)| {
        let names = [known, others].concat();
        (Just(names).prop_shuffle(), Just(parameters))
    });
    let refusal = (prop::sample::select(&Status::ALL[1..]), ".{0,9}");
    (
        (target(), [version(), version()]),
        names,
        (
            prop::option::of("[A-Za-z]{1,9}(/[A-Za-z]{1,9})?"),
            prop::option::of(".{1,9}"),
        ),
        btree_map(name(), ".{0,9}", 0..3),
        prop::option::weighted(0.2, refusal),
        vec(prop_oneof![1..4usize, 1..200usize], 1..40),
    )
        .prop_map(
            |(
                (target, versions),
                (names, parameters),
                (timezone, name),
                required,
                refusal,
                cuts,
            )| {
                let common = versions[0].min(versions[1]);
                let ask = common.supports(Capability::Required);
                Scenario {
                    target,
                    versions,
                    names,
                    parameters,
                    timezone,
                    name,
                    required: if ask { required } else { BTreeMap::new() },
                    refusal,
                    cuts,
                }
            },
        )
}

fn check(scenario: &Scenario) {
    let pair = Pair::new(scenario).run().unwrap();
    let version = scenario.versions[0].min(scenario.versions[1]);
    assert_eq!(pair.version, Some(version));
    assert_eq!(pair.selected.as_deref(), Some(scenario.target.as_str()));
    check_told(scenario, version, &pair.told);
    let unasked: Vec<&String> = scenario
        .parameters
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !scenario.names.contains(name))
        .collect();
    assert_eq!(pair.unasked.iter().collect::<Vec<_>>(), unasked);
    assert_eq!(pair.answers, scenario.required);
    let expected = match &scenario.refusal {
        Some(refusal) => Err(refusal.clone()),
        None => Ok(ID.to_owned()),
    };
    assert_eq!(pair.end, Some(expected));
    // Nothing is left to wait for.
    assert_eq!(pair.client.poll_timeout(), None);
    assert_eq!(pair.server.poll_timeout(), None);
    assert_eq!(pair.to_client.buffer.remaining(), b"");
    assert_eq!(pair.to_server.buffer.remaining(), b"");
}

fn check_told(scenario: &Scenario, version: Version, told: &ClientInformation) {
    let sent = information(scenario);
    assert_eq!(told.version, Some(version));
    assert_eq!(told.display, Some(sent.display));
    assert_eq!(told.audio, sent.audio);
    assert_eq!(told.video, sent.video);
    assert_eq!(told.image, sent.image);
    let since = |first, value: &Option<String>| value.clone().filter(|_| version >= first);
    assert_eq!(told.timezone, since(Version::V1_1_0, &scenario.timezone));
    assert_eq!(told.name, since(Version::V1_5_0, &scenario.name));
    let parameters: Vec<(String, String)> = scenario
        .names
        .iter()
        .map(|name| {
            let given = scenario.parameters.iter().find(|(known, _)| known == name);
            let value = given.map(|(_, value)| value.clone());
            (name.clone(), value.unwrap_or_default())
        })
        .collect();
    assert_eq!(told.parameters, parameters);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_agree_however_the_streams_are_cut(scenario in scenario()) {
        check(&scenario);
    }
}

/// A scenario in which nothing goes wrong.
fn plain() -> Scenario {
    Scenario {
        target: Protocol::RDP.into(),
        versions: [Version::NEWEST; 2],
        names: ["hostname", "read-only", "password"]
            .map(String::from)
            .into(),
        parameters: vec![("hostname".into(), "10.0.0.7".into())],
        timezone: Some("Europe/Berlin".into()),
        name: Some("Ada 👑".into()),
        required: BTreeMap::new(),
        refusal: None,
        cuts: vec![usize::MAX],
    }
}

#[test]
fn all_pairs_of_versions_agree() {
    for client in Version::ALL {
        for server in Version::ALL {
            for cut in [1, 7, usize::MAX] {
                check(&Scenario {
                    versions: [client, server],
                    cuts: vec![cut],
                    ..plain()
                });
            }
        }
    }
}

/// Each who joins has a `read-only` of its own.
#[test]
fn a_viewer_joins_read_only() {
    let scenario = Scenario {
        target: ConnectionId::new(ID).unwrap().into(),
        parameters: vec![("read-only".into(), "true".into())],
        ..plain()
    };
    let pair = Pair::new(&scenario).run().unwrap();
    assert_eq!(pair.selected.as_deref(), Some(ID));
    let values: Vec<&str> = pair
        .told
        .parameters
        .iter()
        .map(|(_, value)| &**value)
        .collect();
    assert_eq!(values, ["", "true", ""]);
    assert_eq!(pair.end, Some(Ok(ID.into())));
}

#[test]
fn a_misspelt_parameter_is_reported() {
    let parameters = vec![("hostnme".into(), "10.0.0.7".into())];
    let scenario = Scenario {
        parameters,
        ..plain()
    };
    let pair = Pair::new(&scenario).run().unwrap();
    assert_eq!(pair.unasked, ["hostnme"]);
    assert!(
        pair.told
            .parameters
            .iter()
            .all(|(_, value)| value.is_empty())
    );
}

#[test]
fn a_long_password_is_asked_for_before_ready() {
    let key = "🔑".repeat(3000);
    let scenario = Scenario {
        required: BTreeMap::from([("password".into(), "geheim ß".into()), ("key".into(), key)]),
        ..plain()
    };
    check(&scenario);
}

/// The other side is gone without a word, or its bytes are lost.
#[test]
fn silence_ends_by_the_time_limit() {
    let scenario = plain();
    let mut pair = Pair::new(&scenario);
    let client = pair.client.poll_timeout().unwrap();
    let server = pair.server.poll_timeout().unwrap();
    assert!(pair.client.handle_timeout(client).is_err());
    assert!(pair.server.handle_timeout(server).is_err());
    // What arrives all the same finds nobody.
    pair.to_server.deliver(usize::MAX);
    assert!(pair.serve().is_err());
    assert!(pair.to_client.sent.is_empty());
}
