//! Text of the clipboard.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use daas_core::session::{End, Machine, Output, Refusal, Settings};
use guac_protocol::{Decoder, Limits};
use proptest::prelude::*;

use super::{START, encode, open};

const TEXT: &str = "Grüße 世界 👩‍👩‍👧 🚀";
const MAX: usize = 256 * 1024;

fn send(machine: &mut Machine, output: &mut Output, elements: &[&str]) -> Result<usize, End> {
    machine.handle_browser(START, &encode(elements), output)
}

fn paste(machine: &mut Machine, parts: &[&[u8]]) -> Output {
    let mut output = Output::default();
    send(machine, &mut output, &["clipboard", "5", "text/plain"]).unwrap();
    for part in parts {
        send(machine, &mut output, &["blob", "5", &STANDARD.encode(part)]).unwrap();
    }
    send(machine, &mut output, &["end", "5"]).unwrap();
    output
}

/// The blobs that reach guacd. Each must be UTF-8 by itself.
fn blobs(output: &Output) -> (Vec<String>, Vec<String>) {
    let (mut blobs, mut opcodes) = (Vec::new(), Vec::new());
    let scan = Decoder::new(Limits::GUACD).decode_all(&output.to_gateway, |instruction| {
        opcodes.push(instruction.opcode_str().to_owned());
        if instruction.opcode_str() == "blob" {
            let data = STANDARD.decode(instruction.get(2).unwrap()).unwrap();
            assert!(data.len() <= 6048);
            blobs.push(String::from_utf8(data).expect("a blob ends inside a character"));
        }
    });
    assert_eq!(scan.length, output.to_gateway.len());
    (blobs, opcodes)
}

#[test]
fn cut_anywhere_it_arrives_whole() {
    let bytes = TEXT.as_bytes();
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            let output = paste(&mut open(Settings::default()), &parts);
            let (blobs, opcodes) = blobs(&output);
            assert_eq!(blobs.concat(), TEXT);
            assert_eq!(opcodes[0], "clipboard");
            assert_eq!(opcodes.iter().filter(|o| *o == "end").count(), 1);
            assert_eq!(opcodes.last().unwrap(), "end");
        }
    }
}

#[test]
fn a_long_text_ends_at_a_character() {
    for unit in ["a", "é", "世", "🚀", "a🚀"] {
        let text = unit.repeat(MAX / unit.len() + 5000);
        let parts: Vec<_> = text.as_bytes().chunks(6000).collect();
        let output = paste(&mut open(Settings::default()), &parts);
        let (blobs, opcodes) = blobs(&output);
        let arrived = blobs.concat();
        assert!(arrived.len() <= MAX && arrived.len() + 4 > MAX, "{unit}");
        assert!(text.starts_with(&arrived));
        assert_eq!(opcodes.iter().filter(|o| *o == "end").count(), 1);
        assert_eq!(opcodes.last().unwrap(), "end");
    }
}

#[test]
fn invalid_text_ends_the_stream_only() {
    let mut machine = open(Settings::default());
    let output = paste(&mut machine, &[b"good", b"\xED\xA0\x80bad", b"more"]);
    let (first, opcodes) = blobs(&output);
    assert_eq!(first, ["good"]);
    assert_eq!(opcodes, ["clipboard", "blob", "end"]);
    let told = String::from_utf8(output.to_browser).unwrap();
    assert_eq!(told, "3.ack,1.5,9.not UTF-8,3.768;");
    // An unfinished character at the very end is left out.
    let output = paste(&mut machine, &[b"good\xF0\x9F\x9A"]);
    assert_eq!(blobs(&output).0, ["good"]);
    assert_eq!(output.to_browser, b"");
}

#[test]
fn invalid_base64_ends_the_session() {
    let mut machine = open(Settings::default());
    let mut output = Output::default();
    send(&mut machine, &mut output, &["clipboard", "5", "text/plain"]).unwrap();
    for data in ["Zg=", "Zg", "Z*==", "Zh=="] {
        let end = send(&mut machine, &mut output, &["blob", "5", data]);
        assert_eq!(end, Err(End::BrowserRefused(Refusal::Blob)), "{data}");
    }
}

#[test]
fn other_types_are_refused_as_guacd_would() {
    let mut machine = open(Settings::default());
    let mut output = Output::default();
    send(&mut machine, &mut output, &["clipboard", "5", "image/png"]).unwrap();
    send(&mut machine, &mut output, &["blob", "5", "/////w=="]).unwrap();
    send(&mut machine, &mut output, &["end", "5"]).unwrap();
    assert_eq!(output.to_gateway, b"");
    assert_eq!(output.to_browser, b"3.ack,1.5,10.not a text,3.783;");
}

#[test]
fn streams_are_told_apart() {
    let mut machine = open(Settings::default());
    let mut output = Output::default();
    let (head, tail) = ("é".as_bytes()[0], "é".as_bytes()[1]);
    for index in ["1", "2"] {
        send(
            &mut machine,
            &mut output,
            &["clipboard", index, "text/plain"],
        )
        .unwrap();
        send(
            &mut machine,
            &mut output,
            &["blob", index, &STANDARD.encode([head])],
        )
        .unwrap();
    }
    // A file takes the index of the second: its bytes are its own.
    send(&mut machine, &mut output, &["file", "2", "a/b", "c"]).unwrap();
    output.to_gateway.clear();
    send(
        &mut machine,
        &mut output,
        &["blob", "2", &STANDARD.encode([tail])],
    )
    .unwrap();
    assert_eq!(
        output.to_gateway,
        encode(&["blob", "2", &STANDARD.encode([tail])])
    );
    output.to_gateway.clear();
    send(
        &mut machine,
        &mut output,
        &["blob", "1", &STANDARD.encode([tail])],
    )
    .unwrap();
    assert_eq!(
        output.to_gateway,
        encode(&["blob", "1", &STANDARD.encode("é")])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_in_any_parts(
        text in "\\PC{0,2000}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let parts: Vec<_> = parts.iter().flat_map(|part| part.chunks(6000)).collect();
        let output = paste(&mut open(Settings::default()), &parts);
        prop_assert_eq!(blobs(&output).0.concat(), text);
    }
}
