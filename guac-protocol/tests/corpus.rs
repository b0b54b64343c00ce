//! Recorded streams: what an independent parser counted in them is what scanner and
//! decoder find, however the streams are cut.
//!
//! Those in `tests/vectors` are always read; the whole corpus where it is there: in the
//! folder that `GUAC_CORPUS` names, or beside the workspace.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use guac_protocol::{Decoded, Decoder, Error, ErrorKind, Limits, Scanner};
use serde_json::{Value, json};

use support::recorded::{self, Recorded, say};
use support::synthetic::{Counts, Random};

/// What is found in a stream.
#[derive(Default)]
struct Found {
    counts: Counts,
    most_elements: usize,
    non_ascii: usize,
    longest: usize,
    /// Bytes of whole instructions.
    taken: usize,
    error: Option<Error>,
}

impl Found {
    fn add(&mut self, opcode: &str, elements: usize, raw: &[u8]) {
        self.counts.add(opcode, elements);
        self.most_elements = self.most_elements.max(elements);
        self.non_ascii += usize::from(!raw.is_ascii());
        self.longest = self.longest.max(raw.len());
    }

    /// Compares what was found with what is written beside the stream.
    fn check(&self, name: &str, bytes: &[u8], counts: &Value) {
        let mut found = json!({
            "bytes": bytes.len(),
            "instructions": self.counts.instructions,
            "opcodes": self.counts.opcodes,
            "non_ascii_instructions": self.non_ascii,
            "longest_instruction_bytes": self.longest,
            "tail_bytes": bytes.len() - self.taken,
        });
        // A scanner does not count elements.
        if self.counts.elements > 0 {
            found["elements"] = self.counts.elements.into();
            found["most_elements"] = self.most_elements.into();
        }
        for (key, value) in found.as_object().unwrap() {
            assert_eq!(value, &counts[key], "{name}: {key}");
        }
        let offset = self.error.map(|error| error.offset);
        assert_eq!(offset, counts["error"]["offset"].as_u64(), "{name}: error");
    }
}

/// Feeds a stream in pieces of random sizes to something that answers how much it took.
fn feed(
    bytes: &[u8],
    seed: u64,
    mut parse: impl FnMut(&[u8]) -> (usize, Option<Error>),
) -> (usize, Option<Error>) {
    let mut random = Random::new(seed);
    let (mut start, mut end) = (0, 0);
    loop {
        let most = random.choose(&[5, 200, 9000, 70_000]);
        end = (end + random.below(most)).min(bytes.len());
        let (taken, error) = parse(&bytes[start..end]);
        start += taken;
        if error.is_some() || end == bytes.len() {
            return (start, error);
        }
    }
}

fn scanned(limits: Limits, bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut scanner = Scanner::new(limits);
    (found.taken, found.error) = feed(bytes, 1, |buffer| {
        let scan = scanner.scan(buffer, |instruction| {
            let raw = &buffer[instruction.range.clone()];
            found.add(instruction.opcode_str(buffer), 0, raw);
        });
        (scan.length, scan.into_result().err())
    });
    found
}

fn decoded_all(limits: Limits, bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut decoder = Decoder::new(limits);
    (found.taken, found.error) = feed(bytes, 2, |buffer| {
        let scan = decoder.decode_all(buffer, |instruction| {
            found.add(
                instruction.opcode_str(),
                instruction.len(),
                instruction.raw(),
            );
        });
        (scan.length, scan.into_result().err())
    });
    found
}

fn decoded(limits: Limits, bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut decoder = Decoder::new(limits);
    loop {
        match decoder.decode(&bytes[found.taken..]) {
            Ok(Decoded::Complete {
                instruction,
                consumed,
            }) => {
                found.add(
                    instruction.opcode_str(),
                    instruction.len(),
                    instruction.raw(),
                );
                found.taken += consumed;
            }
            Ok(Decoded::Incomplete) => return found,
            Err(error) => {
                found.error = Some(error);
                return found;
            }
        }
    }
}

/// Checks a stream, and answers how many bytes it has, if it could be read.
fn check(stream: &Recorded) -> Option<usize> {
    let bytes = stream.bytes()?;
    let limits = limits(&stream.name(), &bytes);
    for limits in [Limits::NONE, limits] {
        scanned(limits, &bytes).check(&stream.name(), &bytes, &stream.counts);
        decoded_all(limits, &bytes).check(&stream.name(), &bytes, &stream.counts);
        decoded(limits, &bytes).check(&stream.name(), &bytes, &stream.counts);
    }
    Some(bytes.len())
}

/// What peers sent is within the limits of guacd, but where it was not on purpose.
fn limits(name: &str, bytes: &[u8]) -> Limits {
    if !name.starts_with("err-malformed-too-long") || !name.contains(".client.") {
        return Limits::GUACD;
    }
    let error = decoded(Limits::GUACD, bytes).error;
    let kind = error.map(|error| error.kind);
    assert_eq!(kind, Some(ErrorKind::ElementTooLong), "{name}");
    Limits::NONE
}

fn check_all(what: &str, streams: &[Recorded]) {
    let (mut read, mut size, mut left_out) = (0, 0, 0);
    for stream in streams {
        match check(stream) {
            Some(bytes) => {
                read += 1;
                size += bytes;
            }
            None => left_out += 1,
        }
    }
    say(&format!("{what}: {read} streams read, {size} bytes"));
    if left_out > 0 {
        say(&format!(
            "{what}: {left_out} streams left out, as there is no zstd program"
        ));
    }
    assert!(read > 0, "no streams");
}

#[test]
fn vectors() {
    check_all("vectors", &recorded::vectors());
}

/// The folder holds what its list says, and no more.
#[test]
fn vectors_are_listed() {
    let vectors = recorded::vectors();
    let folder = vectors[0].path.parent().unwrap();
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut streams: Vec<String> = names.filter(|name| name.ends_with(".bin")).collect();
    let mut listed: Vec<String> = vectors.iter().map(Recorded::name).collect();
    streams.sort();
    listed.sort();
    assert_eq!(streams, listed);
}

#[test]
fn corpus() {
    match recorded::corpus() {
        Some(streams) => check_all("corpus", &streams),
        None => say("corpus: not there; GUAC_CORPUS may name its folder"),
    }
}
