//! `guac-play`: the timing of a recording, and who gets it.
//!
//! On Unix, where a test can press Ctrl-C.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Ended, Running, connect, expect, file, instruction, read_all, run};

/// A recording with a frame every so many milliseconds, as guacd writes it.
fn recording(frames: u64, every_ms: u64) -> String {
    let mut text = instruction(&["size", "0", "1024", "768"]);
    for frame in 0..frames {
        let time = (4_877_951 + frame * every_ms).to_string();
        text += &instruction(&["img", "1", "14", "0", "image/png", "0", "0"]);
        text += &instruction(&["blob", "1", "世界"]);
        text += &instruction(&["end", "1"]);
        text += &instruction(&["sync", &time]);
    }
    text
}

/// Plays a recording to stdout, and answers how long that took.
fn play(name: &str, text: &str, arguments: &[&str]) -> (Ended, Duration) {
    let path = file(name, text.as_bytes());
    let started = Instant::now();
    let arguments = [arguments, &[path.to_str().unwrap()]].concat();
    (run("guac-play", &arguments, b""), started.elapsed())
}

/// Checks that all of it comes, and how long that takes: not less than the time of the
/// recording, and not more than a busy machine adds.
fn check_time(name: &str, text: &str, speed: &str, expected: Duration) {
    common::example("guac-play");
    let (ended, time) = play(name, text, &["--speed", speed]);
    assert_eq!(ended.stdout, text);
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
    assert!(time >= expected, "{name}: {time:?}");
    assert!(time < expected + Duration::from_secs(5), "{name}: {time:?}");
}

#[test]
fn takes_the_time_of_the_recording() {
    let second = Duration::from_secs(1);
    check_time("one-second", &recording(11, 100), "1", second);
    check_time("half-speed", &recording(6, 100), "0.5", second);
    check_time("a-minute-in-a-second", &recording(61, 1000), "60", second);
    check_time("no-wait", &recording(1000, 9000), "inf", Duration::ZERO);
}

#[test]
fn each_instruction_comes_at_its_time() {
    let (running, address, _) = listening("at-its-time", &recording(6, 400), "1");
    let started = Instant::now();
    let mut client = BufReader::new(connect(address));
    let mut times = Vec::new();
    let mut bytes = Vec::new();
    while client.read_until(b';', &mut bytes).unwrap() > 0 {
        if bytes.starts_with(b"4.sync") {
            times.push(started.elapsed());
        }
        bytes.clear();
    }
    assert_eq!(times.len(), 6);
    for (time, due_ms) in times.iter().zip((0..).step_by(400)) {
        assert!(*time >= Duration::from_millis(due_ms), "{times:?}");
    }
    // The first one did not wait for the last.
    assert!(times[0] < Duration::from_millis(1500), "{times:?}");
    running.interrupt();
    assert_eq!(running.end().code, Some(0));
}

/// Everything that carries a timestamp is held back until then; in its own place.
#[test]
fn keys_mouse_and_touch_have_their_own_time() {
    let text = [
        &["sync", "1000"][..],
        &["mouse", "1", "2", "0", "1100"],
        &["key", "65307", "1", "1200"],
        &["touch", "0", "1", "2", "3", "4", "0", "1", "1300"],
        &["sync", "1400", "2"],
        // As clients send them: without a timestamp.
        &["mouse", "1", "2", "0"],
        &["key", "65307", "0"],
    ];
    let text: String = text.into_iter().map(instruction).collect();
    for cut in [2, 3, 4, 5] {
        let start: String = text.split_inclusive(';').take(cut).collect();
        let expected = Duration::from_millis(100 * (cut as u64 - 1));
        check_time(&format!("own-time-{cut}"), &start, "1", expected);
    }
    check_time("own-time", &text, "1", Duration::from_millis(400));
}

#[test]
fn time_that_jumps_is_bounded() {
    let sync = |times: &[&str]| -> String {
        times
            .iter()
            .map(|time| instruction(&["sync", time]))
            .collect()
    };
    // Backwards: no pause, and 100 ms after it. Forwards: 10 seconds at most.
    let jumps = sync(&["1000", "500", "600", "1700000000000", "1700000000100", "7"]);
    check_time("jumps", &jumps, "20", Duration::from_millis(510));
    let extremes = sync(&["-9223372036854775808", "9223372036854775807", "0", "-1"]);
    check_time("extremes", &extremes, "100", Duration::from_millis(100));
    let no_numbers = sync(&["0", "", "x", "1e3", "99999999999999999999", "-", "100"]);
    check_time(
        "no-numbers",
        &(no_numbers + "4.sync;"),
        "1",
        Duration::from_millis(100),
    );
}

#[test]
fn a_bad_recording_is_played_up_to_there() {
    let good = recording(2, 10);
    let at = good.len();
    for (name, rest, stderr) in [
        (
            "malformed",
            "3.nop;x",
            format!("error at byte {}: length is not a decimal number\n", at + 6),
        ),
        (
            "cut-off",
            "3.nop;4.sync,1.",
            format!("truncated at byte {}\n", at + 15),
        ),
    ] {
        let text = good.clone() + rest;
        let (ended, _) = play(name, &text, &[]);
        let expected = Ended {
            stdout: good.clone() + "3.nop;",
            stderr,
            code: Some(65),
        };
        assert_eq!(ended, expected);
    }
    let (empty, _) = play("empty", "", &[]);
    assert_eq!((empty.stdout.as_str(), empty.code), ("", Some(0)));
}

/// A player that listens, its address, and what it plays.
fn listening(name: &str, text: &str, speed: &str) -> (Running, SocketAddr, PathBuf) {
    let path = file(name, text.as_bytes());
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--speed",
        speed,
        path.to_str().unwrap(),
    ];
    let mut running = Running::start("guac-play", &arguments);
    let address = running.address();
    (running, address, path)
}

#[test]
fn every_client_gets_all_of_it() {
    let text = recording(20, 50);
    let (running, address, _) = listening("for-all", &text, "1");
    // Two at a time, and one after them.
    let mut first = connect(address);
    let mut second = connect(address);
    assert_eq!(read_all(&mut first), text.as_bytes());
    assert_eq!(read_all(&mut second), text.as_bytes());
    assert_eq!(read_all(&mut connect(address)), text.as_bytes());
    running.interrupt();
    let ended = running.end();
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
}

/// Far more than sockets hold, while nothing is played for 20 seconds.
#[test]
fn what_clients_send_is_taken_from_them() {
    let (running, address, _) = listening("talkative", &recording(2, 10_000), "0.5");
    let started = Instant::now();
    let mut client = connect(address);
    let piece = instruction(&["sync", "4877951"]).repeat(1 << 10);
    for _ in 0..1 << 10 {
        client.write_all(piece.as_bytes()).unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(15));
    expect(&mut client, recording(1, 0).as_bytes());
    running.interrupt();
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn clients_may_end_their_side() {
    let text = recording(3, 100);
    let (running, address, _) = listening("silent", &text, "1");
    let mut client = connect(address);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), text.as_bytes());
    running.interrupt();
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn clients_may_leave_at_any_time() {
    // Longer than the buffers of sockets, so that the player is writing or waiting.
    let text = recording(100, 50) + &instruction(&["blob", "1", &"A".repeat(8000)]).repeat(2000);
    let (running, address, _) = listening("left-alone", &text, "5");
    for frames in [0, 1, 10] {
        let start = recording(frames, 50);
        expect(&mut connect(address), start.as_bytes());
    }
    assert_eq!(read_all(&mut connect(address)), text.as_bytes());
    // In the middle of a pause.
    let mut client = connect(address);
    expect(&mut client, recording(2, 50).as_bytes());
    running.interrupt();
    let ended = running.end();
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
}

#[test]
fn a_bad_recording_ends_listening() {
    let good = recording(2, 10);
    let (running, address, _) = listening("bad-for-all", &(good.clone() + ";"), "1");
    assert_eq!(read_all(&mut connect(address)), good.as_bytes());
    let ended = running.end();
    let expected = format!(
        "error at byte {}: length is not a decimal number\n",
        good.len()
    );
    assert_eq!((ended.stderr, ended.code), (expected, Some(65)));
}

#[test]
fn arguments_that_make_no_sense_end_with_the_usage() {
    let usage = "usage: guac-play [--speed X] [--listen ADDR] FILE\n";
    for (arguments, reason) in [
        (&[][..], "a FILE is wanted"),
        (&["--speed", "0", "f"], "no such speed: \"0\""),
        (&["--speed", "-1", "f"], "no such speed: \"-1\""),
        (&["--speed", "NaN", "f"], "no such speed: \"NaN\""),
        (&["--speed=fast", "f"], "no such speed: \"fast\""),
        (&["--listen"], "missing argument for option '--listen'"),
        (&["--foo", "f"], "invalid option '--foo'"),
        (&["f", "g"], "unexpected argument \"g\""),
    ] {
        let ended = run("guac-play", arguments, b"");
        assert_eq!(ended.stderr, format!("{reason}\n{usage}"));
        assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(64)));
    }
    let help = run("guac-play", &["--help"], b"");
    assert!(help.stdout.starts_with(usage));
    assert_eq!(help.code, Some(0));
}

#[test]
fn what_cannot_be_opened_is_named() {
    for arguments in [
        &["no/such/file"][..],
        &["--listen", "127.0.0.1:0", "no/such/file"],
    ] {
        let ended = run("guac-play", arguments, b"");
        assert!(ended.stderr.starts_with("cannot open no/such/file: "));
        assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(66)));
    }
    let path = file("for-no-one", b"3.nop;");
    let ended = run(
        "guac-play",
        &["--listen", "127.0.0.1", path.to_str().unwrap()],
        b"",
    );
    assert!(ended.stderr.starts_with("cannot listen on 127.0.0.1: "));
    assert_eq!(ended.code, Some(74));
}
