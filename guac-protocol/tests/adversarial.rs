//! The adversarial cases of the corpus, made by its own generator, with verdicts by its
//! own parser: neither shares a line with this repository.
//!
//! They are made where `python3` and the corpus are there: in the folder that
//! `GUAC_CORPUS` names, or beside the workspace.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use guac_protocol::Limits;
use serde_json::Value;

use support::recorded::{corpus_folder, say};
use support::reference::{End, Fault, Outcome};
use support::ways::{self, Way, levels};

/// Runs the generator; answers the folder of the cases, or why there is none.
fn generate(seed: u64) -> Result<PathBuf, &'static str> {
    let script = corpus_folder().map(|folder| folder.join("gen_synthetic.py"));
    let script = script
        .filter(|script| script.is_file())
        .ok_or("no generator")?;
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("adversarial-{seed}"));
    let mut python = Command::new("python3");
    python
        .arg("-B")
        .arg(script)
        .args(["--profile", "adversarial"]);
    python.args([
        "--size",
        "64K",
        "--elements",
        "20000",
        "--seed",
        &seed.to_string(),
    ]);
    python.arg("--out").arg(&out).stdout(Stdio::null());
    let status = python.status().map_err(|_| "no python3")?;
    assert!(status.success(), "the generator fails");
    Ok(out)
}

/// The end of a verdict: its word, and the number of instructions before it.
fn verdict(outcome: &Outcome) -> (&'static str, u64) {
    let word = match outcome.end {
        End::Whole => "ok",
        End::Incomplete => "incomplete",
        End::Fault(..) => "error",
    };
    (word, outcome.instructions.len() as u64)
}

fn stated(verdict: &Value) -> (&str, u64) {
    let word = verdict["outcome"].as_str().expect("an outcome");
    (word, verdict["instructions"].as_u64().expect("a number"))
}

/// Largest stream that is fed byte by byte; others come in small pieces.
const SMALL: usize = 200 << 10;

/// What is found in every way, under every kernel, whole and in pieces; all the same.
fn outcome(name: &str, limits: &Limits, bytes: &[u8]) -> Outcome {
    let expected = ways::outcome(Way::Decode, levels()[0], limits, bytes, ways::whole());
    ways::check_whole(name, limits, bytes, &expected);
    if bytes.len() <= SMALL {
        ways::check_by_bytes(name, limits, bytes, &expected);
    } else {
        ways::check(name, limits, bytes, &expected, || std::iter::repeat(1021));
    }
    expected
}

/// The one case that is within all limits of guacd but the size of its buffer.
const OVER_BUFFER: &str = "good--value-8192-emoji-over-32k.bin";

fn check_case(folder: &Path, case: &Value) {
    let name = case["file"].as_str().expect("a file name");
    let bytes = std::fs::read(folder.join(name)).expect("a case");
    let found = outcome(name, &Limits::NONE, &bytes);
    assert_eq!(verdict(&found), stated(&case["grammar"]), "{name}: grammar");
    let found = outcome(name, &Limits::GUACD, &bytes);
    if name == OVER_BUFFER {
        let end = matches!(found.end, End::Fault(Fault::InstructionTooLong, _));
        assert!(
            end && found.instructions.is_empty(),
            "{name}: {:?}",
            found.end
        );
        let unbounded = Limits {
            instruction_bytes: u64::MAX,
            ..Limits::GUACD
        };
        let found = outcome(name, &unbounded, &bytes);
        assert_eq!(verdict(&found), stated(&case["limited"]), "{name}: limited");
    } else {
        assert_eq!(verdict(&found), stated(&case["limited"]), "{name}: limited");
    }
}

/// Checks every cut of one valid stream; answers how many there are.
fn check_cuts(folder: &Path, truncated: &Value) -> usize {
    let name = truncated["file"].as_str().expect("a file name");
    let bytes = std::fs::read(folder.join(name)).expect("a case");
    let counts = truncated["instructions_after"].as_array().expect("a list");
    assert_eq!(counts.len(), bytes.len() + 1);
    for (cut, count) in counts.iter().enumerate() {
        let found = outcome(name, &Limits::GUACD, &bytes[..cut]);
        assert_eq!(
            Some(found.instructions.len() as u64),
            count.as_u64(),
            "cut at {cut}"
        );
        assert!(!matches!(found.end, End::Fault(..)), "cut at {cut}");
    }
    counts.len()
}

fn check_seed(seed: u64) {
    let folder = match generate(seed) {
        Ok(folder) => folder,
        Err(reason) => return say(&format!("adversarial: not run, {reason}")),
    };
    let expected = std::fs::read(folder.join("expected.json")).expect("verdicts");
    let expected: Value = serde_json::from_slice(&expected).expect("valid JSON");
    let cases = expected["cases"].as_array().expect("a list");
    let files: Vec<&Value> = cases.iter().map(|case| &case["file"]).collect();
    assert!(
        files.contains(&&Value::from(OVER_BUFFER)),
        "{OVER_BUFFER} is gone"
    );
    for case in cases {
        check_case(&folder, case);
    }
    let cuts = check_cuts(&folder, &expected["truncated"]);
    say(&format!(
        "adversarial, seed {seed}: {} cases, {cuts} cuts",
        cases.len()
    ));
    std::fs::remove_dir_all(&folder).expect("a folder of its own");
}

#[test]
fn seed_1() {
    check_seed(1);
}

#[test]
fn seed_2() {
    check_seed(2);
}

#[test]
fn seed_3() {
    check_seed(3);
}
