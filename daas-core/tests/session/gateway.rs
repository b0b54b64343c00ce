//! What the gateway sends.

use daas_core::session::{End, Machine, Output, Status};
use guac_protocol::Opcode;
use proptest::prelude::*;

use super::{START, encode, machine};

/// Gives the machine bytes as they come, as the driver does.
struct Feed {
    machine: Machine,
    buffer: Vec<u8>,
    forwarded: Vec<u8>,
    instructions: usize,
}

impl Feed {
    fn new() -> Self {
        Self {
            machine: machine(),
            buffer: Vec::new(),
            forwarded: Vec::new(),
            instructions: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) -> Option<End> {
        self.buffer.extend_from_slice(bytes);
        let mut output = Output::default();
        let forward = self
            .machine
            .handle_gateway(START, &self.buffer, &mut output);
        self.forwarded.extend(self.buffer.drain(..forward.length));
        self.instructions += forward.instructions;
        forward.end
    }
}

fn instruction() -> impl Strategy<Value = Vec<u8>> {
    const OPCODES: &[&str] = &[
        "sync",
        "img",
        "blob",
        "end",
        "clipboard",
        "size",
        "nop",
        "made-up",
        "error",
    ];
    let value = prop_oneof![
        "[0-9]{1,4}",
        "[ -~]{0,60}",
        "\\PC{0,40}",
        "[a-z世界🚀é;,.]{0,300}"
    ];
    let values = prop::collection::vec(value, 0..6);
    (prop::sample::select(OPCODES), values).prop_map(|(opcode, values)| {
        let mut elements = vec![opcode];
        elements.extend(values.iter().map(String::as_str));
        encode(&elements)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn all_is_forwarded_however_it_is_cut(
        instructions in prop::collection::vec(instruction(), 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = instructions.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut feed = Feed::new();
        for pair in cuts.windows(2) {
            prop_assert_eq!(feed.add(&stream[pair[0]..pair[1]]), None);
            // Only whole instructions have gone, and all of those.
            let mut ends = instructions.iter().scan(0, |end, one| {
                *end += one.len();
                Some(*end)
            });
            let whole = ends.by_ref().take_while(|&end| end <= pair[1]).last().unwrap_or(0);
            prop_assert_eq!(feed.forwarded.len(), whole);
        }
        prop_assert_eq!(feed.forwarded, stream);
        prop_assert_eq!(feed.instructions, instructions.len());
        let counted: u32 = feed.machine.passed().map(|(_, count)| count).sum();
        prop_assert_eq!(counted as usize, instructions.len());
    }

    #[test]
    fn anything_is_survived(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..10)) {
        let mut feed = Feed::new();
        let stream = pieces.concat();
        for piece in &pieces {
            if feed.add(piece).is_some() {
                break;
            }
        }
        prop_assert!(stream.starts_with(&feed.forwarded));
    }
}

#[test]
fn a_disconnect_is_an_end_whatever_follows() {
    for rest in ["", "4.sync,1.1;", "4.syn", "garbage"] {
        let mut feed = Feed::new();
        let end = feed.add(format!("4.name,2.世界;10.disconnect;{rest}").as_bytes());
        let expected = End::GatewayEnded {
            status: None,
            message: String::new(),
        };
        assert_eq!(end, Some(expected), "{rest}");
        assert_eq!(feed.forwarded, "4.name,2.世界;".as_bytes());
    }
}

#[test]
fn an_error_is_passed_on_and_remembered() {
    let error = encode(&["error", "Aborted. See logs.", "519"]);
    let ended = End::GatewayEnded {
        status: Some(Status::UpstreamNotFound),
        message: "Aborted. See logs.".to_owned(),
    };
    let mut feed = Feed::new();
    assert_eq!(feed.add(&error), None);
    assert_eq!(feed.add(b"10.disconnect;"), Some(ended.clone()));
    assert_eq!(feed.forwarded, error);
    assert_eq!(ended.status().code(), 519);
    // Without a disconnect, and cut inside an instruction.
    let mut feed = Feed::new();
    assert_eq!(feed.add(&[&error[..], b"4.sy"].concat()), None);
    assert_eq!(feed.machine.handle_gateway_end(None), ended);
    // A code of success is no error, and none is one.
    for code in ["0", "1", "x", ""] {
        let mut feed = Feed::new();
        feed.add(&encode(&["error", "", code]));
        let end = feed.machine.handle_gateway_end(None);
        assert_eq!(end.status(), Status::ServerError, "{code}");
    }
}

#[test]
fn a_bare_end_is_a_loss() {
    let mut feed = Feed::new();
    assert_eq!(feed.add(b"4.sync,1.1;4.syn"), None);
    let end = feed.machine.handle_gateway_end(None);
    assert!(matches!(&end, End::GatewayLost(_)));
    assert_eq!(end.status(), Status::UpstreamError);
}

#[test]
fn errors_name_the_byte() {
    let mut feed = Feed::new();
    assert_eq!(feed.add(b"3.nop;4.sync,1.1;"), None);
    let Some(End::GatewayProtocol(error)) = feed.add(b"3.nop;+3.nop;") else {
        panic!("no protocol error");
    };
    assert_eq!(error.offset, 23);
    assert_eq!(feed.forwarded, b"3.nop;4.sync,1.1;3.nop;");
}

#[test]
fn words_of_the_handshake_and_of_the_tunnel_are_no_gateways() {
    for (bytes, opcode) in [
        (&b"0.,4.uuid;"[..], Opcode::Internal),
        (b"4.args,1.a;", Opcode::Args),
        (b"5.ready,2.$1;", Opcode::Ready),
    ] {
        let mut feed = Feed::new();
        assert_eq!(feed.add(b"3.nop;"), None);
        assert_eq!(feed.add(bytes), Some(End::GatewayUnexpected(opcode)));
        assert_eq!(feed.forwarded, b"3.nop;");
    }
    assert_eq!(
        Feed::new().add(b"8.required,8.username;"),
        Some(End::GatewayAsks)
    );
}
