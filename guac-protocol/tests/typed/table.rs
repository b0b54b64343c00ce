//! Every opcode with its arguments: what is right, and what is wrong with each of them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use guac_protocol::instruction::ArgumentErrorKind::{
    self, ControlCharacter, Missing, NotANumber, OtherOpcode, OutOfRange, Unexpected,
};
use guac_protocol::instruction::{ClientStream, List, client, server};
use guac_protocol::{ClientInstruction, Opcode, ServerInstruction};

use crate::cases::{client_cases, server_cases};
use crate::{Direction, FromClient, FromServer, bytes, with_instruction};

/// An instruction, the kind of each argument, and what it is as a value. For the letters
/// see [`kind`]. Those after `?` may be left out, all together; of that after `*` there may
/// be any number.
pub(crate) struct Case<T> {
    elements: &'static [&'static str],
    kinds: &'static str,
    value: T,
}

pub(crate) fn case<T>(
    elements: &'static [&'static str],
    kinds: &'static str,
    value: impl Into<T>,
) -> Case<T> {
    Case {
        elements,
        kinds,
        value: value.into(),
    }
}

/// What an argument of some kind may be, and what is no number or out of range.
struct Kind {
    good: &'static [&'static str],
    no_number: &'static [&'static str],
    out_of_range: &'static [&'static str],
    control: &'static [&'static str],
}

const NO_INTEGER: &[&str] = &[
    "", "-", "x", "01", "+1", "-0", " 1", "1 ", "1x", "0x1", "1.5", "1e2", "１",
];

const fn integer(good: &'static [&'static str], out_of_range: &'static [&'static str]) -> Kind {
    Kind {
        good,
        no_number: NO_INTEGER,
        out_of_range,
        control: &[],
    }
}

fn kind(letter: char) -> Kind {
    match letter {
        // 32 and 64 bits with a sign, as guacd's int and guac_timestamp.
        'i' => integer(
            &["2147483647", "-2147483648"],
            &["2147483648", "-2147483649"],
        ),
        'I' => integer(
            &["9223372036854775807", "-9223372036854775808"],
            &["9223372036854775808", "-9223372036854775809"],
        ),
        // 8, 16 and 32 bits without one.
        'b' => integer(&["0", "255"], &["256", "-1"]),
        'h' => integer(&["0", "65535"], &["65536", "-1"]),
        'u' => integer(&["0", "4294967295"], &["4294967296", "-1"]),
        // Flag, stream of the client and of the server, object, key.
        'f' => integer(&["0", "1"], &["2", "-1"]),
        'c' => integer(&["0", "511"], &["512", "-1"]),
        's' => integer(&["0", "1023"], &["1024", "-1"]),
        'o' => integer(&["0", "2147483647"], &["2147483648", "-1"]),
        'k' => integer(&["0", "536870911"], &["536870912", "-1"]),
        // Mask or function, cap or join.
        'm' => integer(&["0", "15"], &["16", "-1"]),
        'j' => integer(&["0", "1", "2"], &["3", "-1"]),
        'n' => Kind {
            good: &["0", "-0", "-12.75", "1e-07", "6.123233995736766e-17"],
            no_number: &["", "-", "x", ".5", "1.", "+1", "01", "nan", "-inf", "1 "],
            out_of_range: &["1e309", "-1e309"],
            control: &[],
        },
        'e' => Kind {
            good: &["0", "65535", "1707.5"],
            no_number: &["", "-", "x", ".5", "1.", "+1", "01", "1e3", "1.5.5"],
            out_of_range: &["65536", "-1", "65536.5", "99999999999999999999"],
            control: &[],
        },
        'M' => Kind {
            good: &["", "text/plain", "audio/L16;rate=44100,channels=2", "Übung"],
            no_number: &[],
            out_of_range: &[],
            control: &["text/plain\n", "\0", "a\u{85}", "\u{7F}"],
        },
        't' => Kind {
            good: &["", "x", "Grüße; 4.exit;", "a\nb"],
            no_number: &[],
            out_of_range: &[],
            control: &[],
        },
        other => panic!("{other}"),
    }
}

/// Letters of the arguments, least and greatest number of them.
fn arguments(kinds: &str) -> (Vec<char>, usize, usize) {
    let letters: Vec<char> = kinds.chars().filter(|c| c.is_alphabetic()).collect();
    let min = kinds.find(['?', '*']).unwrap_or(letters.len());
    let max = if kinds.contains('*') {
        usize::MAX
    } else {
        letters.len()
    };
    (letters, min, max)
}

fn error<D: Direction>(elements: &[&str]) -> (Opcode, usize, ArgumentErrorKind) {
    with_instruction(elements, |instruction| match D::parse(instruction) {
        Ok(typed) => panic!("{elements:?} is {typed:?}"),
        Err(error) => (error.opcode, error.element, error.kind),
    })
}

fn good<D: Direction>(elements: &[&str]) {
    with_instruction(elements, |instruction| match D::parse(instruction) {
        Ok(typed) => {
            assert!(!D::is_unknown(&typed), "{elements:?}");
            assert_eq!(bytes(&typed), instruction.raw(), "{typed:?}");
        }
        Err(error) => panic!("{elements:?}: {error}"),
    });
}

fn check_value<D: Direction>(case: &Case<D::Typed<'static>>) {
    let Case {
        elements, value, ..
    } = case;
    assert_eq!(bytes(value), bytes(*elements), "{value:?}");
    assert_eq!(D::opcode(value), Opcode::from(elements[0]));
    with_instruction(*elements, |instruction| {
        let typed = D::parse(instruction).unwrap();
        D::assert_same(&typed, value);
    });
}

fn check_number_of_arguments<D: Direction>(elements: &[&'static str], kinds: &str) {
    let opcode = Opcode::from(elements[0]);
    let (_, min, max) = arguments(kinds);
    for given in 0..min {
        let found = error::<D>(&elements[..=given]);
        assert_eq!(found, (opcode, given + 1, Missing), "{elements:?}");
    }
    good::<D>(&elements[..=min]);
    let mut more = elements.to_vec();
    more.push("1");
    if max == usize::MAX {
        good::<D>(&more);
    } else {
        assert_eq!(elements.len() - 1, max, "{elements:?} is not full");
        for given in min + 1..max {
            let found = error::<D>(&elements[..=given]);
            assert_eq!(found, (opcode, given + 1, Missing), "{elements:?}");
        }
        for _ in 0..2 {
            let found = error::<D>(&more);
            assert_eq!(found, (opcode, max + 1, Unexpected), "{elements:?}");
            more.push("1");
        }
    }
}

fn check_arguments<D: Direction>(elements: &[&'static str], kinds: &str) {
    let opcode = Opcode::from(elements[0]);
    let (letters, ..) = arguments(kinds);
    let last = *letters.last().unwrap_or(&'t');
    for element in 1..elements.len() {
        let kind = kind(*letters.get(element - 1).unwrap_or(&last));
        let mut changed = elements.to_vec();
        for text in kind.good {
            changed[element] = text;
            good::<D>(&changed);
        }
        for (texts, expected) in [
            (kind.no_number, NotANumber),
            (kind.out_of_range, OutOfRange),
            (kind.control, ControlCharacter),
        ] {
            for text in texts {
                changed[element] = text;
                let found = error::<D>(&changed);
                assert_eq!(found, (opcode, element, expected), "{changed:?}");
            }
        }
    }
}

fn check_all<D: Direction>(cases: &[Case<D::Typed<'static>>]) {
    for case in cases {
        check_value::<D>(case);
        check_number_of_arguments::<D>(case.elements, case.kinds);
        check_arguments::<D>(case.elements, case.kinds);
    }
}

/// The opcodes of cases, and that the arity that each tells is what the case says.
fn opcodes<T>(
    cases: &[Case<T>],
    arity: impl Fn(Opcode) -> Option<RangeInclusive<usize>>,
) -> BTreeSet<Opcode> {
    cases
        .iter()
        .map(|case| {
            let opcode = Opcode::from(case.elements[0]);
            let (_, min, max) = arguments(case.kinds);
            assert_eq!(arity(opcode), Some(min..=max), "{opcode}");
            opcode
        })
        .collect()
}

fn all_where(condition: impl Fn(Opcode) -> bool) -> BTreeSet<Opcode> {
    let all = Opcode::ALL.iter().copied();
    all.filter(|&opcode| condition(opcode)).collect()
}

#[test]
fn instructions_of_clients() {
    let cases = client_cases();
    check_all::<FromClient>(&cases);
    let mut covered = opcodes(&cases, Opcode::client_arity);
    // Its cases follow below.
    covered.insert(Opcode::Audio);
    assert_eq!(covered, all_where(Opcode::sent_by_client));
}

#[test]
fn instructions_of_the_server() {
    let cases = server_cases();
    check_all::<FromServer>(&cases);
    let covered = opcodes(&cases, Opcode::server_arity);
    assert_eq!(covered, all_where(Opcode::sent_by_server));
}

#[test]
fn each_opcode_has_a_direction() {
    let neither = |opcode: Opcode| !opcode.sent_by_client() && !opcode.sent_by_server();
    assert_eq!(all_where(neither), BTreeSet::from([Opcode::Internal]));
    assert!(neither(Opcode::Unknown));
}

/// Of two arguments, only the first one tells what an `audio` of the client is.
#[test]
fn the_two_kinds_of_audio() {
    type Parsed = fn(&ClientInstruction<'_>) -> bool;
    let stream: Parsed = |parsed| matches!(parsed, ClientInstruction::Audio(_));
    let types: Parsed = |parsed| matches!(parsed, ClientInstruction::AudioTypes(_));
    for (elements, expected) in [
        (&["audio"][..], types),
        (&["audio", "audio/L8"], types),
        (&["audio", "audio/L8", "audio/L16"], types),
        (&["audio", "audio/L8", "audio/L16", "audio/ogg"], types),
        (&["audio", "4", "audio/L16"], stream),
        (&["audio", "4"], types),
        (&["audio", "4", "audio/L16", "x"], types),
    ] {
        with_instruction(elements, |instruction| {
            let parsed = ClientInstruction::parse(instruction).unwrap();
            assert!(expected(&parsed), "{parsed:?}");
            assert_eq!(parsed.is_handshake(), types(&parsed));
            assert_eq!(bytes(&parsed), instruction.raw());
        });
    }
    for (stream, kind) in [("512", OutOfRange), ("x", NotANumber), ("", NotANumber)] {
        let found = error::<FromClient>(&["audio", stream, "audio/L16"]);
        assert_eq!(found, (Opcode::Audio, 1, kind));
    }
    let found = error::<FromClient>(&["audio", "audio/L8", "audio/L16\0"]);
    assert_eq!(found, (Opcode::Audio, 2, ControlCharacter));
    assert_eq!(Opcode::Audio.client_arity(), Some(2..=2));
    assert_eq!(Opcode::Audio.handshake_arity(), Some(0..=usize::MAX));
    with_instruction(&["audio", "4"], |instruction| {
        let error = client::Audio::parse(instruction).unwrap_err();
        assert_eq!((error.element, error.kind), (2, Missing));
    });
}

#[test]
fn words_of_the_handshake() {
    use Opcode::{Args, Audio, Connect, Image, Name, Ready, Select, Size, Timezone, Video};
    let mut only = BTreeSet::from([Select, Connect, Image, Name, Timezone, Video]);
    assert_eq!(all_where(Opcode::is_client_handshake), only);
    only.extend([Audio, Size]);
    assert_eq!(all_where(|word| word.handshake_arity().is_some()), only);
    let server = BTreeSet::from([Args, Ready]);
    assert_eq!(all_where(Opcode::is_server_handshake), server);
    for case in client_cases() {
        let of_handshake = case.value.opcode().is_client_handshake();
        assert_eq!(case.value.is_handshake(), of_handshake);
    }
}

#[test]
fn other_opcodes_pass() {
    for elements in [
        &["future", "", "x; y"][..],
        &["", "ping", "1790000000000"],
        &["SYNC", "x"],
    ] {
        with_instruction(elements, |instruction| {
            let client = ClientInstruction::parse(instruction).unwrap();
            let server = ServerInstruction::parse(instruction).unwrap();
            assert_eq!(client, ClientInstruction::Unknown(instruction));
            assert_eq!(server, ServerInstruction::Unknown(instruction));
            assert_eq!(client.opcode(), instruction.opcode());
            assert_eq!(bytes(&client), instruction.raw());
            assert_eq!(bytes(&server), instruction.raw());
        });
    }
    // Of the other direction, and not what it is there.
    with_instruction(&["rect", "x"], |instruction| {
        let client = ClientInstruction::parse(instruction).unwrap();
        assert_eq!(client, ClientInstruction::Unknown(instruction));
    });
}

#[test]
fn a_struct_refuses_other_opcodes() {
    with_instruction(&["key", "1", "1"], |instruction| {
        let error = client::Mouse::parse(instruction).unwrap_err();
        assert_eq!(error.opcode, Opcode::Mouse);
        assert_eq!((error.element, error.kind), (0, OtherOpcode));
        assert_eq!(
            error.to_string(),
            "element 0 of \"mouse\" is not this opcode"
        );
    });
    with_instruction(&["mouse", "1", "01", "0"], |instruction| {
        let error = client::Mouse::parse(instruction).unwrap_err();
        assert_eq!(
            error.to_string(),
            "element 2 of \"mouse\" is not a decimal number"
        );
    });
}

#[test]
fn lists_are_the_last_arguments() {
    let names = ["hostname", "", "port"];
    with_instruction(&["args", "VERSION_1_5_0", "hostname", "", "port"], |args| {
        let args = server::Args::parse(args).unwrap();
        assert_eq!(args.names.len(), 3);
        assert!(args.names.into_iter().eq(names));
        assert_eq!(args.names.iter().len(), 3);
        assert_eq!(args.names, List::from(&names));
        assert_ne!(args.names, List::from(&names[..2]));
        assert_eq!(format!("{:?}", args.names), format!("{names:?}"));
    });
    with_instruction(&["args", "VERSION_1_5_0"], |args| {
        let args = server::Args::parse(args).unwrap();
        assert!(args.names.is_empty());
        assert_eq!(args.names, List::EMPTY);
    });
    // More than those whose places a decoder keeps.
    let many: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let required = server::Required {
        names: List::from(many.as_slice()),
    };
    with_instruction(&required, |instruction| {
        assert_eq!(server::Required::parse(instruction), Ok(required));
    });
}

#[test]
fn acks_of_no_stream() {
    for (stream, index) in [
        ("-1", None),
        ("0", Some(0)),
        ("511", Some(511)),
        ("512", None),
        ("65537", None),
    ] {
        with_instruction(&["ack", stream, "", "0"], |instruction| {
            let ack = server::Ack::parse(instruction).unwrap();
            assert_eq!(ack.client_stream().map(ClientStream::get), index);
        });
    }
}
