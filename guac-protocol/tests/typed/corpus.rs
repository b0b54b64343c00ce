//! Recorded streams: each instruction has a typed form, and that has the same bytes.
//!
//! They are read from the folder `streams` of what the variable `GUAC_CORPUS` names, or of
//! `shared/corpus` beside the workspace. Without it there is nothing to test, and the test
//! says so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use guac_protocol::{Decoder, Limits, Scan, ScanEnd};

use crate::{Direction, FromClient, FromServer, bytes};

fn streams() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    env::var_os("GUAC_CORPUS")
        .map_or_else(beside, PathBuf::from)
        .join("streams")
}

/// The content of a file; none where it is compressed and there is no `zstd` program.
fn read(path: &Path) -> Option<Vec<u8>> {
    if path.extension() != Some(OsStr::new("zst")) {
        return Some(fs::read(path).unwrap());
    }
    match Command::new("zstd").arg("-dcq").arg(path).output() {
        Ok(output) => {
            assert!(output.status.success(), "zstd on {}", path.display());
            Some(output.stdout)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("zstd: {error}"),
    }
}

/// Parses all instructions of a stream, and checks that encoding them gives the same.
fn check<D: Direction>(name: &str, stream: &[u8]) -> Scan {
    Decoder::new(Limits::GUACD).decode_all(stream, |instruction| {
        let typed = D::parse(instruction)
            .unwrap_or_else(|error| panic!("{name}: {error} in {}", instruction.raw_str()));
        assert!(!D::is_unknown(&typed), "{name}: {}", instruction.raw_str());
        assert_eq!(D::opcode(&typed), instruction.opcode());
        assert_eq!(bytes(&typed), instruction.raw(), "{name}: {typed:?}");
    })
}

#[test]
fn recorded_streams() {
    let streams = streams();
    let Ok(folder) = fs::read_dir(&streams) else {
        println!("no recorded streams in {}", streams.display());
        return;
    };
    let (mut files, mut instructions, mut skipped) = (0, 0, 0);
    for entry in folder {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        let check = if name.contains(".client.bin") {
            check::<FromClient>
        } else if name.contains(".guacd.bin") || name.contains(".recording.bin") {
            check::<FromServer>
        } else {
            continue;
        };
        let Some(stream) = read(&path) else {
            skipped += 1;
            continue;
        };
        let scan = check(&name, &stream);
        let malformed = name.starts_with("err-malformed") && name.contains(".client.");
        let failed = matches!(scan.end, ScanEnd::Error(_));
        assert_eq!(failed, malformed, "{name}: {:?}", scan.end);
        files += 1;
        instructions += scan.instructions;
    }
    println!("{files} recorded streams, {instructions} instructions; {skipped} need zstd");
    assert!(files + skipped > 0, "{} is empty", streams.display());
}
