//! The edges of the grammar and of the limits, one line a case, each the same for every
//! way to parse, under every kernel, whole and byte by byte, and wherever in a stream it
//! stands.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use guac_protocol::Limits;

use support::reference::End::{self, Incomplete, Whole};
use support::reference::Fault::{
    ElementTooLong, EmptyLength, InstructionTooLong, InvalidLength, InvalidTerminator, InvalidUtf8,
    LeadingZero, LengthTooLong, TooManyElements,
};
use support::reference::{Fault, Found, Outcome};
use support::{synthetic, ways};

/// Name, bytes, elements of the instructions in them, end.
type Case<'a> = (&'a str, &'a [u8], &'a [&'a [&'a str]], End);

const fn bad(fault: Fault, offset: u64) -> End {
    End::Fault(fault, offset)
}

/// Checks each case alone, behind and in front of other instructions.
fn check(limits: Limits, cases: &[Case]) {
    for &(name, bytes, instructions, end) in cases {
        let expected = outcome(bytes, instructions, end);
        let reference = ways::expected(&limits, bytes);
        ways::assert_same(&reference, &expected, || format!("{name}: reference"));
        ways::check_whole(name, &limits, bytes, &expected);
        ways::check_by_bytes(name, &limits, bytes, &expected);
        let every = if bytes.len() < 1000 { 1 } else { 9 };
        for length in (64..128).step_by(every) {
            let before = filler(length);
            let stream = [&before[..], bytes, &before].concat();
            let expected = placed(&before, &expected, &stream, &limits);
            let name = format!("{name}, behind {length} bytes");
            ways::check_whole(&name, &limits, &stream, &expected);
            if length % 16 == 0 {
                ways::check_by_bytes(&name, &limits, &stream, &expected);
            }
        }
    }
}

/// Valid instructions of so many bytes, all of them within the smallest limits here.
fn filler(length: usize) -> Vec<u8> {
    let unit = b"1.a,2.bc;";
    let mut bytes = unit.repeat((length - 3) / unit.len());
    let rest = length - bytes.len();
    bytes.extend(b"0.;".repeat(rest / 3 - 1));
    bytes.extend_from_slice([&b"0.;"[..], b"1.x;", b"2.yz;"][rest % 3]);
    assert_eq!(bytes.len(), length);
    bytes
}

fn outcome(bytes: &[u8], instructions: &[&[&str]], end: End) -> Outcome {
    let mut start = 0;
    let found = instructions.iter().map(|elements| {
        let length = synthetic::instruction(elements).len();
        start += length;
        Found {
            elements: elements.iter().copied().map(String::from).collect(),
            range: start - length..start,
        }
    });
    let instructions = found.collect();
    assert_eq!(
        start == bytes.len(),
        end == Whole,
        "{}",
        bytes.escape_ascii()
    );
    Outcome { instructions, end }
}

/// What is to be found in a case between two fillers.
fn placed(before: &[u8], case: &Outcome, stream: &[u8], limits: &Limits) -> Outcome {
    let whole = ways::expected(limits, stream);
    let mut expected = ways::expected(limits, before);
    let fillers = expected.clone();
    let shift = before.len();
    expected
        .instructions
        .extend(case.instructions.iter().map(|found| Found {
            elements: found.elements.clone(),
            range: found.range.start + shift..found.range.end + shift,
        }));
    match case.end {
        End::Fault(fault, offset) => expected.end = End::Fault(fault, offset + shift as u64),
        Whole => {
            let shift = stream.len() - before.len();
            let after = fillers.instructions.into_iter().map(|found| Found {
                range: found.range.start + shift..found.range.end + shift,
                ..found
            });
            expected.instructions.extend(after);
        }
        // What follows belongs to the instruction that was cut: only the reference knows.
        Incomplete => return whole,
    }
    ways::assert_same(&whole, &expected, || "reference, placed".to_owned());
    expected
}

const NOP: &[&str] = &["nop"];
const SYNC: &[&str] = &["sync", "123"];

#[test]
#[rustfmt::skip]
fn instructions() {
    check(
        Limits::GUACD,
        &[
            ("nothing", b"", &[], Whole),
            ("one element", b"3.nop;", &[NOP], Whole),
            ("two elements", b"4.sync,3.123;", &[SYNC], Whole),
            ("several instructions", b"3.nop;4.sync,3.123;3.nop;", &[NOP, SYNC, NOP], Whole),
            ("shortest instruction", b"0.;", &[&[""]], Whole),
            ("shortest instructions", b"0.;0.;0.;", &[&[""], &[""], &[""]], Whole),
            ("empty elements", b"0.,0.,0.;", &[&["", "", ""]], Whole),
            ("empty arguments", b"4.args,0.,0.;", &[&["args", "", ""]], Whole),
            ("empty opcode", b"0.,4.ping,13.1700000000000;", &[&["", "ping", "1700000000000"]], Whole),
            ("unknown opcode", b"5.hello,5.world;", &[&["hello", "world"]], Whole),
            ("nine codepoints", b"9.clipboard,1.0;", &[&["clipboard", "0"]], Whole),
            ("ten codepoints", b"10.disconnect;", &[&["disconnect"]], Whole),
            ("value of digits", b"4.1234,5.67890;", &[&["1234", "67890"]], Whole),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn separators_inside_values() {
    check(
        Limits::GUACD,
        &[
            ("semicolon and comma", b"5.audio,1.1,31.audio/L16;rate=44100,channels=2;", &[&["audio", "1", "audio/L16;rate=44100,channels=2"]], Whole),
            ("instruction in a value", b"4.name,6.3.nop;;", &[&["name", "3.nop;"]], Whole),
            ("only separators", b"3.;,.,5.,;.,;;", &[&[";,.", ",;.,;"]], Whole),
            ("semicolon as value", b"1.;;", &[&[";"]], Whole),
            ("comma as value", b"1.,,1.,;", &[&[",", ","]], Whole),
            ("dot as value", b"1..,2...;", &[&[".", ".."]], Whole),
            ("value looks like elements", b"7.1.a,1.b,3.end;", &[&["1.a,1.b", "end"]], Whole),
            ("value ends with a terminator", b"4.name,4.abc;;3.nop;", &[&["name", "abc;"], NOP], Whole),
            ("line breaks in a value", b"3.log,5.a\nb\r\n;", &[&["log", "a\nb\r\n"]], Whole),
            ("NUL in a value", b"4.name,3.a\0b;", &[&["name", "a\0b"]], Whole),
            ("NUL as opcode", b"1.\0;", &[&["\0"]], Whole),
            ("control characters", b"2.\x01\x7f,1.\x1b;", &[&["\u{1}\u{7f}", "\u{1b}"]], Whole),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn codepoints() {
    check(
        Limits::GUACD,
        &[
            ("two bytes", "4.name,1.é;".as_bytes(), &[&["name", "é"]], Whole),
            ("three bytes", "4.name,2.世界;".as_bytes(), &[&["name", "世界"]], Whole),
            ("four bytes", "4.name,1.🚀;".as_bytes(), &[&["name", "🚀"]], Whole),
            ("joined emoji", "4.name,5.👩‍👩‍👧;".as_bytes(), &[&["name", "👩‍👩‍👧"]], Whole),
            ("combining mark", "4.name,2.e\u{301};".as_bytes(), &[&["name", "e\u{301}"]], Whole),
            ("opcode", "1.名,1.é;".as_bytes(), &[&["名", "é"]], Whole),
            ("borders of two bytes", "2.\u{80}\u{7ff};".as_bytes(), &[&["\u{80}\u{7ff}"]], Whole),
            ("borders of three bytes", "2.\u{800}\u{ffff};".as_bytes(), &[&["\u{800}\u{ffff}"]], Whole),
            ("borders of four bytes", "2.\u{10000}\u{10ffff};".as_bytes(), &[&["\u{10000}\u{10ffff}"]], Whole),
            ("around the surrogates", "2.\u{d7ff}\u{e000};".as_bytes(), &[&["\u{d7ff}\u{e000}"]], Whole),
            ("noncharacters", "3.\u{fffe}\u{ffff}\u{fdd0};".as_bytes(), &[&["\u{fffe}\u{ffff}\u{fdd0}"]], Whole),
            ("replacement character", "1.\u{fffd};".as_bytes(), &[&["\u{fffd}"]], Whole),
            ("byte order mark in a value", "1.\u{feff};".as_bytes(), &[&["\u{feff}"]], Whole),
            ("right-to-left", "4.name,5.مرحبا;".as_bytes(), &[&["name", "مرحبا"]], Whole),
            ("ASCII after many bytes", "3.é世🚀,3.abc;".as_bytes(), &[&["é世🚀", "abc"]], Whole),
            ("counted in bytes", "4.name,2.é;3.nop;".as_bytes(), &[], bad(InvalidTerminator, 12)),
            ("counted in bytes, longer", "4.name,6.世界;".as_bytes(), &[], Incomplete),
            ("counted in UTF-16 units", "4.name,2.🚀;3.nop;".as_bytes(), &[], bad(InvalidTerminator, 14)),
            ("counted in graphemes", "4.name,1.👩‍👩‍👧;".as_bytes(), &[], bad(InvalidTerminator, 13)),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn incomplete() {
    check(
        Limits::GUACD,
        &[
            ("after a digit", b"4", &[], Incomplete),
            ("after two digits", b"10", &[], Incomplete),
            ("after a zero", b"0", &[], Incomplete),
            ("after the dot", b"4.", &[], Incomplete),
            ("after the dot of nothing", b"0.", &[], Incomplete),
            ("in the value", b"4.sy", &[], Incomplete),
            ("after the value", b"4.sync", &[], Incomplete),
            ("after the comma", b"4.sync,", &[], Incomplete),
            ("in the second length", b"4.sync,1", &[], Incomplete),
            ("in the second value", b"4.sync,3.12", &[], Incomplete),
            ("before the end", b"4.sync,3.123", &[], Incomplete),
            ("after an instruction", b"3.nop;4.sync,3.123", &[NOP], Incomplete),
            ("in a sequence of two", b"1.\xc3", &[], Incomplete),
            ("in a sequence of three", b"1.\xe4\xb8", &[], Incomplete),
            ("in a sequence of four", b"3.a\xf0\x9f\x98", &[], Incomplete),
            ("as the length promised", b"4.blob,1.0,8000.AAAA", &[], Incomplete),
            ("longest length", b"8192.", &[], Incomplete),
            ("end of a busy session", b"10.disconnect;4.rect,", &[&["disconnect"]], Incomplete),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn lengths() {
    check(
        Limits::GUACD,
        &[
            ("letter", b"x.sync;", &[], bad(InvalidLength, 0)),
            ("plus", b"+3.nop;", &[], bad(InvalidLength, 0)),
            ("minus", b"-3.nop;", &[], bad(InvalidLength, 0)),
            ("space before", b" 3.nop;", &[], bad(InvalidLength, 0)),
            ("space after", b"3 .nop;", &[], bad(InvalidLength, 1)),
            ("hexadecimal", b"0x3.nop;", &[], bad(InvalidLength, 1)),
            ("letter after a digit", b"3a.nop;", &[], bad(InvalidLength, 1)),
            ("exponent", b"3e0.nop;", &[], bad(InvalidLength, 1)),
            ("underscore", b"1_0.aaaaaaaaaa;", &[], bad(InvalidLength, 1)),
            ("comma for a dot", b"3,nop;", &[], bad(InvalidLength, 1)),
            ("semicolon for a dot", b"3;nop;", &[], bad(InvalidLength, 1)),
            ("colon for a dot", b"3:nop;", &[], bad(InvalidLength, 1)),
            ("slash: below the digits", b"3/nop;", &[], bad(InvalidLength, 1)),
            ("no dot", b"3nop;", &[], bad(InvalidLength, 1)),
            ("letter in the second length", b"4.sync,a.0;", &[], bad(InvalidLength, 7)),
            ("minus in the second length", b"4.sync,-3.123;", &[], bad(InvalidLength, 7)),
            ("NUL before", b"\x003.nop;", &[], bad(InvalidLength, 0)),
            ("NUL after", b"3\0.nop;", &[], bad(InvalidLength, 1)),
            ("Arabic digit", "٣.nop;".as_bytes(), &[], bad(InvalidLength, 0)),
            ("full-width digit", "３.nop;".as_bytes(), &[], bad(InvalidLength, 0)),
            ("superscript digit", "3².nop;".as_bytes(), &[], bad(InvalidLength, 1)),
            ("byte order mark", "\u{feff}3.nop;".as_bytes(), &[], bad(InvalidLength, 0)),
            ("continuation", b"\x803.nop;", &[], bad(InvalidLength, 0)),
            ("invalid byte", b"3.nop;\xff", &[NOP], bad(InvalidLength, 6)),
            ("overlong dot", b"3\xc0\xaenop;", &[], bad(InvalidLength, 1)),
            ("none", b".nop;", &[], bad(EmptyLength, 0)),
            ("none in the second", b"4.sync,.123;", &[], bad(EmptyLength, 7)),
            ("only a dot", b".;", &[], bad(EmptyLength, 0)),
            ("bare semicolon", b";", &[], bad(InvalidLength, 0)),
            ("bare comma", b",", &[], bad(InvalidLength, 0)),
            ("comma before the end", b"4.sync,;", &[], bad(InvalidLength, 7)),
            ("two commas", b"4.sync,,3.123;", &[], bad(InvalidLength, 7)),
            ("two semicolons", b"3.nop;;", &[NOP], bad(InvalidLength, 6)),
            ("leading zero", b"03.nop;", &[], bad(LeadingZero, 0)),
            ("two zeros", b"00.;", &[], bad(LeadingZero, 0)),
            ("many zeros", b"0000000000000000000000003.nop;", &[], bad(LeadingZero, 0)),
            ("leading zero of two digits", b"010.disconnect;", &[], bad(LeadingZero, 0)),
            ("leading zero in the second", b"4.sync,03.123;", &[], bad(LeadingZero, 7)),
            ("leading zero, cut", b"4.sync,00", &[], bad(LeadingZero, 7)),
            ("zero, then a letter", b"0a", &[], bad(InvalidLength, 1)),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn huge_lengths() {
    check(
        Limits::GUACD,
        &[
            ("one too many", b"8193.", &[], bad(ElementTooLong, 0)),
            ("before the dot came", b"8193", &[], bad(ElementTooLong, 0)),
            ("before the last digit came", b"9999", &[], bad(ElementTooLong, 0)),
            ("five digits", b"10000.nop;", &[], bad(ElementTooLong, 0)),
            ("six digits", b"100000.nop;", &[], bad(ElementTooLong, 0)),
            ("3 modulo 2^32", b"4294967299.nop;", &[], bad(ElementTooLong, 0)),
            ("3 modulo 2^64", b"18446744073709551619.nop;", &[], bad(ElementTooLong, 0)),
            ("in an argument", b"4.blob,1.0,9000.", &[], bad(ElementTooLong, 11)),
            ("after an instruction", b"3.nop;8193.", &[NOP], bad(ElementTooLong, 6)),
        ],
    );
    let no_length = Limits { element_codepoints: u64::MAX, ..Limits::GUACD };
    check(
        no_length,
        &[
            ("five digits are too many bytes", b"99999.", &[], bad(InstructionTooLong, 0)),
            ("six digits are too many anyway", b"4.blob,111111", &[], bad(LengthTooLong, 7)),
        ],
    );
    let one_digit = Limits { length_digits: 1, ..Limits::GUACD };
    check(
        one_digit,
        &[
            ("one digit", b"9.clipboard;", &[&["clipboard"]], Whole),
            ("two digits", b"10.disconnect;", &[], bad(LengthTooLong, 0)),
            ("two digits in the second", b"3.nop,12.abcdefghijkl;", &[], bad(LengthTooLong, 6)),
        ],
    );
    let only_digits = Limits { length_digits: 3, ..Limits::NONE };
    check(
        only_digits,
        &[
            ("three digits", b"999.", &[], Incomplete),
            ("four digits", b"1000.", &[], bad(LengthTooLong, 0)),
            ("fourth digit", b"4.blob,1000", &[], bad(LengthTooLong, 7)),
            ("fourth is no digit", b"100a", &[], bad(InvalidLength, 3)),
        ],
    );
    check(
        Limits::NONE,
        &[
            ("3 modulo 2^32", b"4294967299.nop;", &[], Incomplete),
            ("below 10^12", b"999999999999.nop;", &[], Incomplete),
            ("10^12", b"1000000000000.nop;", &[], bad(LengthTooLong, 0)),
            ("3 modulo 2^64", b"4.blob,18446744073709551619.nop;", &[], bad(LengthTooLong, 7)),
            ("digits without end", &[b'1'; 3000], &[], Incomplete),
            ("digits, then a letter", b"11111111111111111111111111111x", &[], bad(InvalidLength, 29)),
            ("leading zeros", b"0000000000000000000000003.nop;", &[], bad(LeadingZero, 0)),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn terminators() {
    check(
        Limits::GUACD,
        &[
            ("none between elements", b"4.sync3.123;", &[], bad(InvalidTerminator, 6)),
            ("none between instructions", b"4.sync,3.1233.nop;", &[], bad(InvalidTerminator, 12)),
            ("colon", b"4.sync:3.123;", &[], bad(InvalidTerminator, 6)),
            ("space", b"4.sync 3.123;", &[], bad(InvalidTerminator, 6)),
            ("dot", b"4.sync.3.123;", &[], bad(InvalidTerminator, 6)),
            ("line break for the end", b"3.nop\n", &[], bad(InvalidTerminator, 5)),
            ("NUL for the end", b"3.nop\0", &[], bad(InvalidTerminator, 5)),
            ("overlong semicolon", b"3.nop\xc0\xbb", &[], bad(InvalidTerminator, 5)),
            ("continuation", b"3.nop\x80;", &[], bad(InvalidTerminator, 5)),
            ("lead", b"3.nop\xc3", &[], bad(InvalidTerminator, 5)),
            ("length too short", b"3.sync;", &[], bad(InvalidTerminator, 5)),
            ("length too long", b"5.sync;3.nop;", &[], bad(InvalidTerminator, 7)),
            ("empty value that is not", b"0.a;", &[], bad(InvalidTerminator, 2)),
            ("line break between instructions", b"3.nop;\n3.nop;", &[NOP], bad(InvalidLength, 6)),
            ("CR LF between instructions", b"3.nop;\r\n3.nop;", &[NOP], bad(InvalidLength, 6)),
            ("space between instructions", b"3.nop; 3.nop;", &[NOP], bad(InvalidLength, 6)),
            ("another protocol", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &[], bad(InvalidLength, 0)),
            ("TLS", b"\x16\x03\x01\x02\x00", &[], bad(InvalidLength, 0)),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn invalid_utf8() {
    check(
        Limits::GUACD,
        &[
            ("lone continuation", b"1.\x80;", &[], bad(InvalidUtf8, 2)),
            ("continuation after a character", b"3.\xc3\xa9\x80a;", &[], bad(InvalidUtf8, 4)),
            ("FE", b"1.\xfe;", &[], bad(InvalidUtf8, 2)),
            ("FF", b"4.name,3.ab\xff;", &[], bad(InvalidUtf8, 11)),
            ("five bytes", b"1.\xf8\x88\x80\x80\x80;", &[], bad(InvalidUtf8, 2)),
            ("six bytes", b"1.\xfc\x84\x80\x80\x80\x80;", &[], bad(InvalidUtf8, 2)),
            ("F5", b"1.\xf5\x80\x80\x80;", &[], bad(InvalidUtf8, 2)),
            ("above 10FFFF", b"1.\xf4\x90\x80\x80;", &[], bad(InvalidUtf8, 2)),
            ("high surrogate", b"1.\xed\xa0\x80;", &[], bad(InvalidUtf8, 2)),
            ("low surrogate", b"1.\xed\xbf\xbf;", &[], bad(InvalidUtf8, 2)),
            ("pair of surrogates", b"2.\xed\xa0\xbd\xed\xb8\x80;", &[], bad(InvalidUtf8, 2)),
            ("overlong NUL", b"1.\xc0\x80;", &[], bad(InvalidUtf8, 2)),
            ("overlong slash", b"1.\xc0\xaf;", &[], bad(InvalidUtf8, 2)),
            ("overlong 7F", b"1.\xc1\xbf;", &[], bad(InvalidUtf8, 2)),
            ("overlong 7FF", b"1.\xe0\x9f\xbf;", &[], bad(InvalidUtf8, 2)),
            ("overlong FFFF", b"1.\xf0\x8f\xbf\xbf;", &[], bad(InvalidUtf8, 2)),
            ("two bytes cut by the end", b"1.\xc3;3.nop;", &[], bad(InvalidUtf8, 2)),
            ("three bytes cut by the end", b"1.\xe4\xb8;3.nop;", &[], bad(InvalidUtf8, 2)),
            ("four bytes cut by the end", b"1.\xf0\x9f\x98;3.nop;", &[], bad(InvalidUtf8, 2)),
            ("three bytes cut by a lead", b"2.\xe4\xb8\xc3\xa9;", &[], bad(InvalidUtf8, 2)),
            ("ASCII in a sequence", b"2.\xc3A;", &[], bad(InvalidUtf8, 2)),
            ("Latin-1", b"5.Gr\xfc\xdfe;", &[], bad(InvalidUtf8, 4)),
            ("UTF-16", b"4.n\0\xe9\0;", &[], bad(InvalidUtf8, 4)),
            ("in the opcode", b"4.\xffync;", &[], bad(InvalidUtf8, 2)),
            ("after valid text", "4.name,4.世界\u{301}".as_bytes(), &[], Incomplete),
            ("invalid after valid text", b"4.name,4.\xe4\xb8\x96\xe7\x95\x8c\xcc\xcc", &[], bad(InvalidUtf8, 15)),
            ("found by fuzzing: ends with a NUL", b"4.smze,1.\xc7\xbb\x00", &[], bad(InvalidTerminator, 11)),
            ("C1 in two bytes", b"1.\xc2\x9c;", &[&["\u{9c}"]], Whole),
        ],
    );
}

/// A value of so many codepoints, over and over the same.
fn instruction_of(opcode: &str, codepoint: char, count: usize) -> Vec<u8> {
    synthetic::instruction(&[opcode, &codepoint.to_string().repeat(count)])
}

#[test]
#[rustfmt::skip]
fn limits_of_an_element() {
    let most = "A".repeat(8192);
    let emoji = "😀".repeat(7000);
    check(
        Limits::GUACD,
        &[
            ("8192 codepoints", &instruction_of("blob", 'A', 8192), &[&["blob", &most]], Whole),
            ("8193 codepoints", &instruction_of("blob", 'A', 8193), &[], bad(ElementTooLong, 7)),
            ("7000 of four bytes", &instruction_of("blob", '😀', 7000), &[&["blob", &emoji]], Whole),
        ],
    );
    let small = Limits { element_codepoints: 3, ..Limits::GUACD };
    check(
        small,
        &[
            ("three", b"3.nop;", &[NOP], Whole),
            ("three of more bytes", "3.é世🚀;".as_bytes(), &[&["é世🚀"]], Whole),
            ("four", b"4.", &[], bad(ElementTooLong, 0)),
            ("four in the second", b"3.nop,4", &[], bad(ElementTooLong, 6)),
            ("ten", b"10", &[], bad(ElementTooLong, 0)),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn limits_of_elements() {
    let most = ["a"; 128];
    let last = [vec!["a"; 127], vec![";"]].concat();
    check(
        Limits::GUACD,
        &[
            ("128", &synthetic::instruction(&most), &[&most], Whole),
            ("128, the last one a separator", &synthetic::instruction(&last), &[&last], Whole),
            ("128, cut", &b"1.a,".repeat(128)[..511], &[], Incomplete),
            ("129 announced", &b"1.a,".repeat(128), &[], bad(TooManyElements, 512)),
            ("129", &synthetic::instruction(&["a"; 129]), &[], bad(TooManyElements, 512)),
            ("129 empty ones", &synthetic::instruction(&[""; 129]), &[], bad(TooManyElements, 384)),
        ],
    );
    let small = Limits { elements: 2, ..Limits::GUACD };
    check(
        small,
        &[
            ("two", b"4.sync,3.123;", &[SYNC], Whole),
            ("comma after two", b"1.a,1.b,", &[], bad(TooManyElements, 8)),
            ("three", b"3.nop;1.a,1.b,1.c;", &[NOP], bad(TooManyElements, 14)),
            ("error before the third", b"1.a,1.b:", &[], bad(InvalidTerminator, 7)),
        ],
    );
    let many = vec!["ab"; 1000];
    let instruction = synthetic::instruction(&many);
    check(Limits::NONE, &[("1000", &instruction, &[&many], Whole)]);
}

#[test]
#[rustfmt::skip]
fn limits_of_an_instruction() {
    let wide = |opcode, count| instruction_of(opcode, '😀', count);
    let widest = "😀".repeat(8189);
    let (three, four) = ("A".repeat(8188), "A".repeat(8000));
    let whole = synthetic::instruction(&["a", &three, &four, &four, &three[..8000], "bcd"]);
    check(
        Limits::GUACD,
        &[
            ("32768 bytes", &wide("abc", 8189), &[&["abc", &widest]], Whole),
            ("32769 bytes", &wide("abcd", 8189), &[], bad(InstructionTooLong, 7)),
            ("32770 bytes", &wide("a", 8190), &[], bad(InstructionTooLong, 4)),
            ("32 KiB of ASCII", &whole[..32_215], &[], Incomplete),
        ],
    );
    let small = Limits { instruction_bytes: 12, ..Limits::GUACD };
    check(
        small,
        &[
            ("12 bytes", b"1.a,1.b,1.c;", &[&["a", "b", "c"]], Whole),
            ("13 bytes", b"4.sync,3.123;", &[], bad(InstructionTooLong, 7)),
            ("length of 13 bytes", b"4.sync,3", &[], bad(InstructionTooLong, 7)),
            ("10 bytes of value", b"9.", &[], Incomplete),
            ("first length", b"10", &[], bad(InstructionTooLong, 0)),
            ("each one fits", b"3.nop;4.sync,2.12;3.nop;", &[NOP, &["sync", "12"], NOP], Whole),
            ("more bytes than codepoints", "8.ééééé".as_bytes(), &[], bad(InstructionTooLong, 0)),
            ("just as many", "8.éaaaaaaa;".as_bytes(), &[&["éaaaaaaa"]], Whole),
            ("too many, then invalid", b"8.\xc3\xa9\xc3\xa9\xff", &[], bad(InstructionTooLong, 0)),
            ("invalid, then too many", b"8.\xc3\xa9\xff\xc3\xa9", &[], bad(InvalidUtf8, 4)),
            ("comma is the twelfth", b"6.select,1.a", &[], bad(InstructionTooLong, 9)),
        ],
    );
    let no_digits = Limits { instruction_bytes: 40, ..Limits::NONE };
    check(
        no_digits,
        &[
            ("40 bytes", b"36.abcdefghijklmnopqrstuvwxyz0123456789;", &[&["abcdefghijklmnopqrstuvwxyz0123456789"]], Whole),
            ("37 codepoints", b"37", &[], bad(InstructionTooLong, 0)),
            ("digits without end", &[b'1'; 3000], &[], bad(InstructionTooLong, 0)),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn limits_in_utf16_units() {
    let (ascii, wide, pairs) = ("A".repeat(8182), "世".repeat(8182), "😀".repeat(4091));
    let large = Limits { element_codepoints: 9000, ..Limits::JAVA };
    check(
        large,
        &[
            // "1.a," and "8182." and ";" are ten units.
            ("8192 units of ASCII", &instruction_of("a", 'A', 8182), &[&["a", &ascii]], Whole),
            ("8193 units of ASCII", &instruction_of("a", 'A', 8183), &[], bad(InstructionTooLong, 4)),
            ("8192 units of three bytes", &instruction_of("a", '世', 8182), &[&["a", &wide]], Whole),
            ("8193 units of three bytes", &instruction_of("a", '世', 8183), &[], bad(InstructionTooLong, 4)),
            ("8192 units, two a codepoint", &instruction_of("a", '😀', 4091), &[&["a", &pairs]], Whole),
            ("8194 units, two a codepoint", &instruction_of("a", '😀', 4092), &[], bad(InstructionTooLong, 4)),
        ],
    );
    let small = Limits { instruction_utf16_units: 10, ..Limits::GUACD };
    check(
        small,
        &[
            ("10 units", b"1.a,1.b,0.;", &[], bad(InstructionTooLong, 8)),
            ("two elements", b"1.a,3.bcd;", &[&["a", "bcd"]], Whole),
            ("of two bytes", "1.é,3.ééé;".as_bytes(), &[&["é", "ééé"]], Whole),
            ("a pair is two", "3.🚀🚀🚀;".as_bytes(), &[&["🚀🚀🚀"]], Whole),
            ("four pairs", "4.🚀🚀🚀🚀".as_bytes(), &[], bad(InstructionTooLong, 0)),
            ("a pair in an earlier element", "1.🚀,2.ab;".as_bytes(), &[&["🚀", "ab"]], Whole),
            ("a pair too many", "1.🚀,3.a".as_bytes(), &[], bad(InstructionTooLong, 7)),
        ],
    );
}
