//! What the browser sends, and the time.

use std::time::Duration;

use daas_core::session::{Direction, End, Machine, Output, Refusal, ScreenSize, Settings, Status};
use guac_protocol::Opcode;
use proptest::prelude::*;

use super::{START, encode, machine, open};

fn send(machine: &mut Machine, message: &[u8]) -> Result<Output, End> {
    let mut output = Output::default();
    machine.handle_browser(START, message, &mut output)?;
    Ok(output)
}

fn refused(message: &[u8]) -> Refusal {
    match send(&mut open(Settings::default()), message) {
        Err(End::BrowserRefused(refusal)) => refusal,
        other => panic!("{}: {other:?}", String::from_utf8_lossy(message)),
    }
}

#[test]
fn pings_come_back_whole_and_other_internal_ones_do_not() {
    let mut machine = machine();
    let ping = b"0.,4.ping,13.1790000000000;";
    let output = send(&mut machine, ping).unwrap();
    assert_eq!(output.to_browser, ping);
    assert_eq!(output.to_gateway, b"");
    for internal in [&b"0.;"[..], b"0.,4.uuid;", b"0.,4.pong,1.1;"] {
        let output = send(&mut machine, internal).unwrap();
        assert_eq!((output.to_browser, output.to_gateway), (vec![], vec![]));
    }
}

#[test]
fn what_clients_send_passes_as_it_is() {
    let mut machine = open(Settings::default());
    for message in [
        "4.sync,3.123;",
        "5.mouse,1.1,2.22,1.0;",
        "3.key,5.65307,1.1;",
        "3.nop;",
        "5.touch,1.0,1.1,1.2,1.3,1.4,1.0,1.1;",
        "3.ack,1.1,2.OK,1.0;",
        "4.size,3.800,3.600;",
        "4.file,1.3,10.text/plain,5.a.txt;4.blob,1.3,4.Zm9v;3.end,1.3;",
        "3.get,1.0,1./;",
        "3.put,1.0,1.4,10.text/plain,2./a;",
    ] {
        let output = send(&mut machine, message.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(output.to_gateway).unwrap(), message);
        assert!(output.to_browser.is_empty() && output.resize.is_none());
    }
}

#[test]
fn words_of_the_handshake_are_refused() {
    for (elements, opcode) in [
        (&["select", "vnc"][..], Opcode::Select),
        (&["connect", "VERSION_1_5_0", "host"], Opcode::Connect),
        (&["timezone", "UTC"], Opcode::Timezone),
        (&["name", "x"], Opcode::Name),
        (&["image", "image/png"], Opcode::Image),
        (&["video"], Opcode::Video),
        (&["audio", "audio/L16", "audio/L8"], Opcode::Audio),
        (&["argv", "0", "text/plain", "password"], Opcode::Argv),
        (&["ready", "$1"], Opcode::Ready),
        (&["args", "x"], Opcode::Args),
        (&["error", "x", "519"], Opcode::Error),
        (&["usbdisconnect", "0"], Opcode::Usbdisconnect),
    ] {
        let refusal = refused(&encode(elements));
        assert_eq!(refusal, Refusal::Forbidden(opcode));
        let status = End::BrowserRefused(refusal).status();
        assert_eq!(status, Status::ClientUnauthorized);
    }
}

#[test]
fn messages_that_are_no_whole_instructions_are_refused() {
    for message in [
        "3.no",
        "3.nop;3.nop",
        "nop;",
        "3.nop; ",
        "5.mouse,1.1,1.1;",
        "5.mouse,1.1,1.1,1.1,1.1;",
        "3.key,1.a,1.1;",
        "3.key,2.97,1.2;",
        "4.sync;",
        "4.sync,1.x;",
        "4.made,1.1;",
        "4.blob,1.0,3.Zm9;",
        "4.blob,1.0,4.Zm9*;",
        "4.size,1.1;",
        "3.end,3.512;",
        "4.nest,1.1,0.;",
    ] {
        let refusal = refused(message.as_bytes());
        let status = End::BrowserRefused(refusal.clone()).status();
        let expected = match refusal {
            Refusal::Forbidden(_) => Status::ClientUnauthorized,
            _ => Status::ClientBadRequest,
        };
        assert_eq!(status, expected, "{message}");
    }
    assert!(matches!(
        refused("10.sélection;3".as_bytes()),
        Refusal::Malformed(_)
    ));
    assert_eq!(refused(b"4.made;"), Refusal::Unknown("made".to_owned()));
    assert_eq!(refused(b"3.nop;3.n"), Refusal::Incomplete);
}

#[test]
fn more_pings_than_are_taken_are_a_flood() {
    let mut machine = machine();
    let mut output = Output::default();
    let ping = encode(&["", "ping", &"1".repeat(8000)]);
    let end = (0..10).find_map(|_| machine.handle_browser(START, &ping, &mut output).err());
    assert_eq!(end, Some(End::BrowserRefused(Refusal::Flood)));
    assert!(output.to_browser.len() < 48 * 1024);
}

#[test]
fn sizes_go_where_they_are_heeded() {
    let mut own = open(Settings {
        resizes: false,
        ..Settings::default()
    });
    let output = send(&mut own, b"4.size,4.1280,5.720.5;4.size,5.65535,1.0;").unwrap();
    assert_eq!(output.to_gateway, b"");
    let size = ScreenSize {
        width: 8192,
        height: 1,
    };
    assert_eq!(output.resize, Some(size));
}

#[test]
fn input_waits_for_the_first_frame() {
    let mut machine = machine();
    for message in [
        &b"5.mouse,1.1,1.1,1.0;"[..],
        b"5.mouse,1.2,1.2,1.0;",
        b"3.key,2.97,1.1;3.key,2.97,1.0;",
        b"5.touch,1.0,1.1,1.2,1.3,1.4,1.0,1.1;",
    ] {
        assert_eq!(send(&mut machine, message).unwrap().to_gateway, b"");
    }
    // All else does not wait.
    assert_eq!(send(&mut machine, b"3.nop;").unwrap().to_gateway, b"3.nop;");
    let mut output = Output::default();
    let _ = machine.handle_gateway(START, b"4.name,1.a;", &mut output);
    assert_eq!(output.to_gateway, b"");
    let _ = machine.handle_gateway(START, b"4.sync,1.1;", &mut output);
    let expected = "5.mouse,1.2,1.2,1.0;3.key,2.97,1.1;3.key,2.97,1.0;\
        5.touch,1.0,1.1,1.2,1.3,1.4,1.0,1.1;";
    assert_eq!(String::from_utf8(output.to_gateway).unwrap(), expected);
    let output = send(&mut machine, b"3.key,2.97,1.1;").unwrap();
    assert_eq!(output.to_gateway, b"3.key,2.97,1.1;");
}

#[test]
fn viewers_only_look() {
    let mut viewer = open(Settings {
        read_only: true,
        resizes: false,
        ..Settings::default()
    });
    for (message, passes) in [
        ("4.sync,1.1;", true),
        ("3.nop;", true),
        ("3.ack,1.1,2.OK,1.0;", true),
        ("4.size,3.800,3.600;", false),
        ("5.mouse,1.1,1.1,1.1;", false),
        ("3.key,2.97,1.1;", false),
        (
            "9.clipboard,1.0,10.text/plain;4.blob,1.0,4.Zm9v;3.end,1.0;",
            false,
        ),
        ("4.file,1.3,10.text/plain,5.a.txt;", false),
        ("4.pipe,1.3,10.text/plain,1.a;", false),
        ("3.put,1.0,1.4,10.text/plain,2./a;3.get,1.0,1./;", false),
    ] {
        let output = send(&mut viewer, message.as_bytes()).unwrap();
        let expected = if passes { message } else { "" };
        assert_eq!(String::from_utf8(output.to_gateway).unwrap(), expected);
        assert_eq!((output.to_browser, output.resize), (vec![], None));
    }
    assert!(send(&mut viewer, &encode(&["select", "vnc"])).is_err());
    let left = send(&mut viewer, b"10.disconnect;").unwrap_err();
    assert_eq!(left, End::BrowserLeft { code: None });
}

/// The time at which a machine ends, if it is asked when it wants to be; nops are counted.
fn run_until_end(machine: &mut Machine, taken: u64) -> (Duration, End, usize) {
    let mut output = Output::default();
    for _ in 0..1000 {
        let now = machine.poll_timeout();
        if let Err(end) = machine.handle_timeout(now, taken, &mut output) {
            return (now, end, output.to_gateway.len() / 6);
        }
    }
    panic!("no end");
}

#[test]
fn a_silent_browser_is_given_up() {
    let ended = run_until_end(&mut machine(), 0);
    assert_eq!(ended, (Duration::from_secs(15), End::BrowserSilent, 2));
    // What the server writes of its own is no sign of life.
    let mut machine = machine();
    for second in (0..15).step_by(3) {
        let now = Duration::from_secs(second);
        machine.set_gateway_write(now, true);
        machine.set_gateway_write(now, false);
        machine.set_browser_write(now, Some(0));
        machine.set_browser_write(now, None);
    }
    let (at, end, _) = run_until_end(&mut machine, 0);
    assert_eq!((at, end), (Duration::from_secs(15), End::BrowserSilent));
}

#[test]
fn a_silent_gateway_is_given_up() {
    let mut machine = machine();
    let mut output = Output::default();
    let (mut now, mut end) = (START, None);
    while end.is_none() {
        now += Duration::from_secs(1);
        machine
            .handle_browser(now, b"0.,4.ping,1.1;", &mut output)
            .unwrap();
        output.to_browser.clear();
        end = machine.handle_timeout(now, 0, &mut output).err();
    }
    let silent = End::GatewaySilent(Direction::Receiving);
    assert_eq!((now.as_secs(), end), (30, Some(silent)));
}

#[test]
fn a_write_that_stands_still_ends_and_one_that_creeps_does_not() {
    let mut machine = machine();
    let mut output = Output::default();
    machine.set_browser_write(START, Some(7));
    for second in 1..=100 {
        let now = Duration::from_secs(second);
        machine.handle_browser(now, b"3.nop;", &mut output).unwrap();
        machine
            .handle_timeout(now, 7 + second, &mut output)
            .unwrap();
    }
    for second in 101.. {
        let now = Duration::from_secs(second);
        machine.handle_browser(now, b"3.nop;", &mut output).unwrap();
        if let Err(end) = machine.handle_timeout(now, 107, &mut output) {
            assert_eq!((second, end), (130, End::BrowserStalled));
            return;
        }
    }
}

#[test]
fn a_gateway_that_takes_nothing_is_given_up_and_the_browser_is_not_to_blame() {
    let mut machine = machine();
    machine.set_gateway_write(START, true);
    let mut output = Output::default();
    let _ = machine.handle_gateway(Duration::from_secs(29), b"3.nop;", &mut output);
    let (at, end, nops) = run_until_end(&mut machine, 0);
    assert_eq!(
        (at.as_secs(), end),
        (30, End::GatewaySilent(Direction::Sending))
    );
    assert_eq!(nops, 0);
}

fn passing() -> impl Strategy<Value = Vec<u8>> {
    let number = 0..10_000u32;
    prop_oneof![
        (number.clone(), number.clone(), 0..32u32)
            .prop_map(|(x, y, b)| format!("mouse {x} {y} {b}")),
        (number.clone(), 0..2u32).prop_map(|(k, p)| format!("key {k} {p}")),
        number.clone().prop_map(|t| format!("sync {t}")),
        Just("nop".to_owned()),
        (0..8u32).prop_map(|s| format!("end {s}")),
        (0..8u32, "[a-z世🚀]{1,9}").prop_map(|(s, n)| format!("pipe {s} text/plain {n}")),
    ]
    .prop_map(|text| encode(&text.split(' ').collect::<Vec<_>>()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_is_lost_or_reordered(messages in prop::collection::vec(
        prop::collection::vec(passing(), 1..5), 0..20
    )) {
        let mut machine = open(Settings::default());
        let mut output = Output::default();
        for message in &messages {
            let taken = machine.handle_browser(START, &message.concat(), &mut output);
            prop_assert_eq!(taken, Ok(message.len()));
        }
        prop_assert_eq!(output.to_gateway, messages.concat().concat());
    }

    #[test]
    fn anything_is_survived(
        messages in prop::collection::vec(prop_oneof![
            any::<Vec<u8>>(),
            passing(),
            "[0-9a-z.,;]{0,40}".prop_map(String::into_bytes),
            (0..600u32, "[A-Za-z0-9+/=]{0,24}").prop_map(|(s, data)| {
                let index = s.to_string();
                [encode(&["clipboard", &index, "text/plain"]), encode(&["blob", &index, &data])]
                    .concat()
            }),
        ], 0..20),
        gateway in any::<Vec<u8>>(),
    ) {
        let mut machine = machine();
        let mut output = Output::default();
        for message in &messages {
            if machine.handle_browser(START, message, &mut output).is_err() {
                break;
            }
        }
        let _ = machine.handle_gateway(START, &gateway, &mut output);
    }
}
