//! `guac-dump`: what it prints, to the letter, and how it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ended, Running, example, file, instruction, run};

/// Input, lines on stdout, line on stderr, exit code.
type Case = (&'static [u8], &'static [&'static str], &'static str, i32);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Well-formed.
    (b"", &[], "", 0),
    (b"3.nop;", &[r#"["nop"]"#], "", 0),
    (b"4.size,1.0,4.1024,3.768;4.sync,3.123;", &[r#"["size","0","1024","768"]"#, r#"["sync","123"]"#], "", 0),
    (b"5.audio,1.1,31.audio/L16;rate=44100,channels=2;", &[r#"["audio","1","audio/L16;rate=44100,channels=2"]"#], "", 0),
    (b"4.name,10.;,.3.nop;.;", &[r#"["name",";,.3.nop;."]"#], "", 0),
    (b"0.;", &[r#"[""]"#], "", 0),
    (b"0.,4.ping,1.1;", &[r#"["","ping","1"]"#], "", 0),
    (b"4.args,0.,0.;", &[r#"["args","",""]"#], "", 0),
    ("1.é,2.世界,1.🚀,7.👨‍👩‍👧‍👦;".as_bytes(), &[r#"["é","世界","🚀","👨‍👩‍👧‍👦"]"#], "", 0),
    // What JSON has to escape, and what it need not.
    (b"3.\"\\/;", &[r#"["\"\\/"]"#], "", 0),
    (b"5.\n\r\t\x08\x0c;", &[r#"["\n\r\t\u0008\u000c"]"#], "", 0),
    (b"4.\0\x01\x1f\x7f;", &["[\"\\u0000\\u0001\\u001f\x7f\"]"], "", 0),
    ("4.\u{80}\u{2028}\u{fffd}\u{10ffff};".as_bytes(), &["[\"\u{80}\u{2028}\u{fffd}\u{10ffff}\"]"], "", 0),
    // Lengths.
    (b"+3.nop;", &[], "error at byte 0: length is not a decimal number", 65),
    (b"-3.nop;", &[], "error at byte 0: length is not a decimal number", 65),
    (b" 3.nop;", &[], "error at byte 0: length is not a decimal number", 65),
    (b"0x3.nop;", &[], "error at byte 1: length is not a decimal number", 65),
    (b"3a.nop;", &[], "error at byte 1: length is not a decimal number", 65),
    (b"3 .nop;", &[], "error at byte 1: length is not a decimal number", 65),
    (b"3,nop;", &[], "error at byte 1: length is not a decimal number", 65),
    (b"\xd9\xa3.nop;", &[], "error at byte 0: length is not a decimal number", 65),
    (b";", &[], "error at byte 0: length is not a decimal number", 65),
    (b".;", &[], "error at byte 0: length has no digits", 65),
    (b"4.sync,.0;", &[], "error at byte 7: length has no digits", 65),
    (b"4.sync,;", &[], "error at byte 7: length is not a decimal number", 65),
    (b"03.nop;", &[], "error at byte 0: length has a leading zero", 65),
    (b"00.;", &[], "error at byte 0: length has a leading zero", 65),
    (b"4.sync,03.123;", &[], "error at byte 7: length has a leading zero", 65),
    (b"8193.", &[], "error at byte 0: element has too many codepoints", 65),
    (b"4.blob,1.0,99999.", &[], "error at byte 11: element has too many codepoints", 65),
    (b"3.nop;4294967299.nop;", &[r#"["nop"]"#], "error at byte 6: element has too many codepoints", 65),
    (b"18446744073709551619.nop;", &[], "error at byte 0: element has too many codepoints", 65),
    // Between and behind values.
    (b"3.nop\n3.nop;", &[], "error at byte 5: value is not followed by ',' or ';'", 65),
    (b"3.sync;", &[], "error at byte 5: value is not followed by ',' or ';'", 65),
    (b"4.sync3.123;", &[], "error at byte 6: value is not followed by ',' or ';'", 65),
    (b"3.nop;\n3.nop;", &[r#"["nop"]"#], "error at byte 6: length is not a decimal number", 65),
    (b"3.nop;;", &[r#"["nop"]"#], "error at byte 6: length is not a decimal number", 65),
    (b"3.nop;\0", &[r#"["nop"]"#], "error at byte 6: length is not a decimal number", 65),
    // Lengths that count something else: UTF-16 units, and bytes.
    ("4.name,2.🚀;3.nop;".as_bytes(), &[], "error at byte 14: value is not followed by ',' or ';'", 65),
    ("4.name,2.é;4.sync,1.1;".as_bytes(), &[], "error at byte 12: value is not followed by ',' or ';'", 65),
    (b"4.smze,1.\xc7\xbb\0", &[], "error at byte 11: value is not followed by ',' or ';'", 65),
    // Invalid UTF-8: cut, overlong, surrogates, too large, Latin-1.
    (b"4.name,1.\x80;", &[], "error at byte 9: value is not valid UTF-8", 65),
    (b"4.name,2.a\xc3;", &[], "error at byte 10: value is not valid UTF-8", 65),
    (b"4.name,1.\xc0\xbb;", &[], "error at byte 9: value is not valid UTF-8", 65),
    (b"4.name,1.\xe0\x80\x80;", &[], "error at byte 9: value is not valid UTF-8", 65),
    (b"4.name,1.\xed\xa0\x80;", &[], "error at byte 9: value is not valid UTF-8", 65),
    (b"4.name,1.\xf4\x90\x80\x80;", &[], "error at byte 9: value is not valid UTF-8", 65),
    (b"4.name,1.\xf5\x80\x80\x80;", &[], "error at byte 9: value is not valid UTF-8", 65),
    (b"3.nop;4.name,2.\xfc\xdf;", &[r#"["nop"]"#], "error at byte 15: value is not valid UTF-8", 65),
    (b"\xef\xbb\xbf3.nop;", &[], "error at byte 0: length is not a decimal number", 65),
    // Cut off.
    (b"3", &[], "truncated at byte 1", 65),
    (b"3.", &[], "truncated at byte 2", 65),
    (b"3.nop", &[], "truncated at byte 5", 65),
    (b"3.nop,", &[], "truncated at byte 6", 65),
    (b"10.disconnect;4.rect,", &[r#"["disconnect"]"#], "truncated at byte 21", 65),
    (b"4.name,1.\xf0\x9f\x9a", &[], "truncated at byte 12", 65),
];

#[test]
fn prints_each_instruction_and_says_what_ended_it() {
    for &(input, lines, stderr, code) in CASES {
        let expected = Ended {
            stdout: lines.iter().map(|line| format!("{line}\n")).collect(),
            stderr: line(stderr),
            code: Some(code),
        };
        let ended = run("guac-dump", &[], input);
        assert_eq!(ended, expected, "{}", input.escape_ascii());
    }
}

/// The same table: an error does not take away what was counted before it.
#[test]
fn counts_up_to_what_ended_it() {
    for &(input, lines, stderr, code) in CASES {
        let mut counts = BTreeMap::<String, u64>::new();
        for instruction in lines.iter().map(|line| elements(line)) {
            *counts.entry(instruction[0].clone()).or_default() += 1;
        }
        let ended = run("guac-dump", &["--count"], input);
        let counted: BTreeMap<String, u64> = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(counted, counts, "{}", input.escape_ascii());
        assert_eq!(ended.stderr, line(stderr), "{}", input.escape_ascii());
        assert_eq!(ended.code, Some(code), "{}", input.escape_ascii());
    }
}

fn line(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("{text}\n")
    }
}

fn elements(line: &str) -> Vec<String> {
    serde_json::from_str(line).unwrap()
}

#[test]
fn counts_are_sorted_and_unknown_opcodes_keep_their_text() {
    let input = "4.sync,1.1;5.mouse,1.0;4.sync,1.2;0.,1.x;4.zoom;2.世\";4.zoom;5.Mouse;3.abc;";
    let ended = run("guac-dump", &["--count"], input.as_bytes());
    let expected = r#"{"":1,"Mouse":1,"abc":1,"mouse":1,"sync":2,"zoom":2,"世\"":1}"#;
    assert_eq!(ended.stdout, format!("{expected}\n"));
    assert_eq!(ended.code, Some(0));
    assert_eq!(run("guac-dump", &["--count"], b"").stdout, "{}\n");
}

#[test]
fn limits_are_those_asked_for() {
    let text = |codepoint: &str, count| instruction(&["blob", "0", &codepoint.repeat(count)]);
    let many = |count| instruction(&vec!["a"; count]);
    let whole = "error at byte 11: instruction is too long";
    let element = "error at byte 11: element has too many codepoints";
    #[rustfmt::skip]
    let cases = [
        // Preset, input, line on stderr.
        ("guacd", text("a", 8192), ""),
        ("guacd", text("a", 8193), element),
        ("guacd", text("🚀", 8187), ""),
        ("guacd", text("🚀", 8190), whole),
        ("guacd", many(128), ""),
        ("guacd", many(129), "error at byte 512: instruction has too many elements"),
        ("guacd", "1".repeat(6), "error at byte 0: element has too many codepoints"),
        ("java", text("a", 8175), ""),
        ("java", text("a", 8176), whole),
        ("java", text("🚀", 4087), ""),
        ("java", text("🚀", 4088), whole),
        ("java", many(129), "error at byte 512: instruction has too many elements"),
        ("none", text("a", 8193), ""),
        ("none", text("🚀", 1 << 18), ""),
        ("none", many(129), ""),
        ("none", "999999999999.".to_owned(), "truncated at byte 13"),
        ("none", "1000000000000.".to_owned(), "error at byte 0: length has too many digits"),
    ];
    for (preset, input, stderr) in cases {
        for mode in [&[][..], &["--count"]] {
            let arguments = [&["--limits", preset], mode].concat();
            let ended = run("guac-dump", &arguments, input.as_bytes());
            let start: String = input.chars().take(20).collect();
            assert_eq!(ended.stderr, line(stderr), "{preset} {start}");
            let code = if stderr.is_empty() { 0 } else { 65 };
            assert_eq!(ended.code, Some(code), "{preset} {start}");
        }
    }
    let by_default = run("guac-dump", &[], text("a", 8193).as_bytes());
    assert_eq!(by_default.stderr, line(element));
}

/// Many times the size of the buffer, in one instruction: the time has to grow with the
/// length, not with its square, which would take minutes.
#[test]
fn long_instructions_take_linear_time() {
    let elements = 1_000_000;
    let many = instruction(&vec!["é"; elements]);
    let long = instruction(&["blob", "1", &"ü".repeat(1 << 20)]);
    let input = [long.as_str(), &many, "3.nop;"].concat();
    let started = Instant::now();
    let dumped = run("guac-dump", &["--limits", "none"], input.as_bytes());
    let lines: Vec<_> = dumped.stdout.lines().collect();
    assert_eq!(self::elements(lines[0])[2].chars().count(), 1 << 20);
    assert_eq!(self::elements(lines[1]), vec!["é"; elements]);
    assert_eq!((lines[2], lines.len()), (r#"["nop"]"#, 3));
    let counted = run("guac-dump", &["--count", "--limits=none"], input.as_bytes());
    assert_eq!(counted.stdout, "{\"blob\":1,\"nop\":1,\"é\":1}\n");
    assert!(started.elapsed() < Duration::from_secs(30));
}

/// A stream of a few buffers, with instructions of all lengths and texts, so that buffers
/// end at all kinds of places.
fn long_stream() -> String {
    let texts = [
        "",
        "a",
        "é",
        "世界",
        "🚀",
        "\"\\\u{1}\n",
        ";,.3.nop;",
        "👩🏽\u{200d}💻",
    ];
    let mut stream = String::new();
    let mut i = 0;
    while stream.len() < 3 << 20 {
        let value = texts[i % texts.len()].repeat(i * 7 % 613);
        let number = i.to_string();
        stream += &instruction(&["blob", &number, &value]);
        stream += &instruction(&["mouse", &number, "0", texts[i % 5]]);
        i += 1;
    }
    stream
}

/// Reads a valid stream codepoint by codepoint.
fn parse(stream: &str) -> Vec<Vec<String>> {
    let mut codepoints = stream.chars();
    let (mut instructions, mut elements) = (Vec::new(), Vec::new());
    loop {
        let digits: String = codepoints.by_ref().take_while(|&c| c != '.').collect();
        if digits.is_empty() {
            return instructions;
        }
        let length = digits.parse().unwrap();
        elements.push(codepoints.by_ref().take(length).collect());
        if codepoints.next().unwrap() == ';' {
            instructions.push(std::mem::take(&mut elements));
        }
    }
}

#[test]
fn lines_hold_what_another_parser_finds() {
    let stream = long_stream();
    let path = file("long-stream", stream.as_bytes());
    let from_file = run("guac-dump", &[path.to_str().unwrap()], b"");
    assert_eq!(from_file.code, Some(0));
    let instructions: Vec<_> = from_file.stdout.lines().map(elements).collect();
    assert!(instructions == parse(&stream));
    for arguments in [&[][..], &["-"], &["--", "-"]] {
        assert!(run("guac-dump", arguments, stream.as_bytes()) == from_file);
    }
}

/// In pieces of any length, and without waiting for the next one where an instruction is
/// whole.
#[test]
fn a_slow_stream_is_printed_as_it_comes() {
    let mut dump = Running::start("guac-dump", &[]);
    let mut stdin = dump.stdin();
    stdin.write_all(b"3.nop;4.na").unwrap();
    assert_eq!(dump.line(), r#"["nop"]"#);
    let rest = "me,3.世🚀é;4.sync,13.1700000000000;";
    for byte in rest.bytes() {
        stdin.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(dump.line(), r#"["name","世🚀é"]"#);
    assert_eq!(dump.line(), r#"["sync","1700000000000"]"#);
    stdin.write_all(b"x").unwrap();
    drop(stdin);
    let ended = dump.end();
    let at = 6 + 4 + rest.len();
    assert_eq!(
        ended.stderr,
        format!("error at byte {at}: length is not a decimal number\n")
    );
    assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(65)));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_stream() {
    for arguments in [
        &["--count"][..],
        &["--limits", "none", "--count"],
        &["--limits", "java"],
    ] {
        let mut dump = Running::start("guac-dump", arguments);
        let mut stdin = dump.stdin();
        let piece = "5.mouse,3.100,3.200,1.0;4.sync,13.1700000000000;".repeat(1 << 10);
        let pieces = 500;
        for _ in 0..pieces {
            stdin.write_all(piece.as_bytes()).unwrap();
        }
        // 24 MB were written, and less than a pipe holds is not read yet.
        let peak = common::peak_memory(dump.id());
        assert!(peak < 12 << 20, "{peak} bytes");
        drop(stdin);
        assert_eq!(dump.end().code, Some(0));
    }
}

#[test]
fn ends_quietly_when_nobody_reads() {
    let path = file("for-nobody", &b"4.sync,3.123;".repeat(1 << 18));
    let mut dump = Command::new(example("guac-dump"));
    dump.arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = dump.spawn().unwrap();
    let mut start = [0; 14];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut start).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(&start, br#"["sync","123"]"#);
    assert_eq!(output.stderr, b"");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn arguments_that_make_no_sense_end_with_the_usage() {
    let usage = "usage: guac-dump [--count] [--limits guacd|java|none] [FILE]\n";
    for (arguments, reason) in [
        (&["--foo"][..], "invalid option '--foo'"),
        (&["-x"], "invalid option '-x'"),
        (&["--limits"], "missing argument for option '--limits'"),
        (&["--limits", "x"], "no such limits: \"x\""),
        (
            &["--count=1"],
            "unexpected argument for option '--count': \"1\"",
        ),
        (&["a", "b"], "unexpected argument \"b\""),
    ] {
        let ended = run("guac-dump", arguments, b"3.nop;");
        let expected = Ended {
            stdout: String::new(),
            stderr: format!("{reason}\n{usage}"),
            code: Some(64),
        };
        assert_eq!(ended, expected);
    }
    for option in ["--help", "-h"] {
        let ended = run("guac-dump", &["--count", option], b"3.nop;");
        assert!(ended.stdout.starts_with(usage));
        assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
    }
}

#[test]
fn files_that_cannot_be_opened_or_read_are_named() {
    let missing = run("guac-dump", &["no/such/file"], b"");
    assert!(missing.stderr.starts_with("cannot open no/such/file: "));
    assert_eq!(
        (missing.stderr.lines().count(), missing.code),
        (1, Some(66))
    );
    let folder = env!("CARGO_MANIFEST_DIR");
    let unreadable = run("guac-dump", &["--count", folder], b"");
    if cfg!(unix) {
        assert!(
            unreadable
                .stderr
                .starts_with(&format!("cannot read {folder}: "))
        );
        assert_eq!(
            (unreadable.stdout.as_str(), unreadable.code),
            ("{}\n", Some(74))
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    for arguments in [&[][..], &["--count"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let mut dump = Command::new(example("guac-dump"));
        dump.args(arguments).stdin(Stdio::piped()).stdout(full);
        let mut child = dump.stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"3.nop;").unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("cannot write to stdout: "), "{stderr}");
        assert_eq!(output.status.code(), Some(74));
    }
}

/// Recorded streams, with what an independent parser counted in them.
#[test]
fn recorded_streams_are_counted_as_by_another_parser() {
    let streams = corpus().join("streams");
    let Ok(entries) = std::fs::read_dir(&streams) else {
        say(&format!(
            "no recorded streams in {}: none checked",
            streams.display()
        ));
        return;
    };
    let mut checked = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let session: serde_json::Value = serde_json::from_str(&text).unwrap();
            // The index has no streams of its own.
            for stream in session["streams"]
                .as_object()
                .into_iter()
                .flat_map(|s| s.values())
            {
                check_recorded(&streams, stream);
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
    say(&format!("{checked} recorded streams checked"));
}

fn corpus() -> PathBuf {
    match std::env::var_os("GUAC_CORPUS") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
    }
}

/// Prints even where the test passes.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn check_recorded(streams: &Path, expected: &serde_json::Value) {
    let name = expected["file"].as_str().unwrap();
    let path = streams.join(name);
    let opcodes: BTreeMap<String, u64> =
        serde_json::from_value(expected["opcodes"].clone()).unwrap();
    let bad = expected["tail_bytes"] != 0 || expected["error"].is_object();
    for limits in ["guacd", "none"] {
        let ended = run_on_recorded(&["--count", "--limits", limits], &path);
        let counted: BTreeMap<String, u64> = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(counted, opcodes, "{name}");
        assert_eq!(ended.code, Some(if bad { 65 } else { 0 }), "{name}");
        assert_eq!(ended.stderr.lines().count(), usize::from(bad), "{name}");
        if limits == "none" {
            assert_eq!(ended.stderr, line(&message(expected)), "{name}");
        }
    }
}

/// What is said about a stream, from what the other parser said.
fn message(expected: &serde_json::Value) -> String {
    let mut message = String::new();
    if let Some(error) = expected["error"].as_object() {
        let reason = match error["reason"].as_str().unwrap() {
            "bad-length" => "length is not a decimal number",
            "bad-separator" => "value is not followed by ',' or ';'",
            other => panic!("{other}"),
        };
        write!(message, "error at byte {}: {reason}", error["offset"]).unwrap();
    } else if expected["tail_bytes"] != 0 {
        write!(message, "truncated at byte {}", expected["bytes"]).unwrap();
    }
    message
}

/// Compressed ones come through a pipe.
fn run_on_recorded(arguments: &[&str], path: &Path) -> Ended {
    if path.extension().is_none_or(|extension| extension != "zst") {
        let arguments = [arguments, &[path.to_str().unwrap()]].concat();
        return run("guac-dump", &arguments, b"");
    }
    let mut zstd = Command::new("zstd");
    zstd.arg("-dcq").arg(path).stdout(Stdio::piped());
    let mut zstd = zstd.spawn().unwrap();
    let stdin = zstd.stdout.take().unwrap();
    let ended = Running::spawn(
        Command::new(example("guac-dump"))
            .args(arguments)
            .stdin(stdin),
    )
    .end();
    assert!(zstd.wait().unwrap().success());
    ended
}
