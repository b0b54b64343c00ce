//! The streams that are measured: recorded ones as far as they are there, and synthetic
//! ones.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use guac_protocol::Opcode;

use crate::plain;
use crate::synthetic::{self, Counts, Profile};
use crate::work::{self, Opcodes, Texts, Values};

/// Size of a synthetic stream in MiB, unless `GUAC_BENCH_MIB` says otherwise. It fits
/// the last-level cache of most servers; 64 does not, and is bound by main memory.
const MIB: usize = 8;
/// Seed of the synthetic streams.
const SEED: u64 = 1;

/// Recorded sessions that are measured as one stream each: its name, what the names of
/// the sessions start with, and which side is speaking.
const SESSIONS: [(&str, &str, Side); 5] = [
    ("vnc-text", "vnc-text", Side::Guacd),
    ("vnc-photo", "vnc-photo", Side::Guacd),
    ("ssh", "ssh-", Side::Guacd),
    ("rdp", "rdp-", Side::Guacd),
    ("client", "", Side::Client),
];
/// The same for the vectors in the repository, which are few and small.
const VECTORS: [(&str, &str, Side); 2] = [
    ("vectors-guacd", "", Side::Guacd),
    ("vectors-client", "", Side::Client),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Guacd,
    Client,
}

/// A stream of whole, valid instructions, and what is to be found in it.
pub struct Stream {
    /// Its name in the results.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What decoders are to find.
    pub values: Values,
    /// What scanners are to find.
    pub opcodes: Opcodes,
}

impl Stream {
    fn new(name: &str, bytes: Vec<u8>) -> Self {
        let mut opcodes = [0; 256];
        for instruction in Texts::new(&bytes).instructions() {
            opcodes[Opcode::from(instruction[0]) as usize] += 1;
        }
        Self {
            name: name.to_owned(),
            values: work::plain_decode(&bytes, plain::by_blocks),
            opcodes,
            bytes,
        }
    }

    /// Whether the plain codec found what the generator put in.
    fn holds(&self, counts: &Counts) -> bool {
        let of = |opcode: &String| self.opcodes[Opcode::from(&opcode[..]) as usize];
        let mut opcodes = counts.opcodes.iter();
        self.values.instructions as u64 == counts.instructions
            && self.values.elements as u64 == counts.elements
            && opcodes.all(|(opcode, &count)| of(opcode) == count)
    }
}

/// All streams: synthetic, vectors of the repository, and the corpus where there is one.
/// Says on standard error which ones these are.
///
/// # Errors
/// Where files are there and cannot be read, or `GUAC_BENCH_MIB` is no number.
pub fn all() -> Result<Vec<Stream>, Box<dyn Error>> {
    let mib = env::var("GUAC_BENCH_MIB").map_or(Ok(MIB), |text| text.parse())?;
    let mut streams = Vec::new();
    for source in sources()? {
        match source.stream(mib << 20)? {
            Some(stream) => streams.push(stream),
            None => eprintln!("stream {}: nothing recorded", source.name),
        }
    }
    for stream in &streams {
        eprintln!(
            "stream {:14} {:9} bytes {:7} instructions {:8} elements",
            stream.name,
            stream.bytes.len(),
            stream.values.instructions,
            stream.values.elements,
        );
    }
    Ok(streams)
}

/// A stream that can be made or read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name in the results.
    pub name: String,
    origin: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    Synthetic(Profile),
    Recorded {
        folder: PathBuf,
        prefix: &'static str,
        side: Side,
    },
}

/// Where streams come from here. Says on standard error which recordings are there.
///
/// # Errors
/// Where `GUAC_CORPUS` names no folder.
pub fn sources() -> Result<Vec<Source>, Box<dyn Error>> {
    let mut sources: Vec<_> = Profile::ALL.map(Source::synthetic).into();
    for (kind, folder, wanted) in [
        ("vectors", vectors_folder(), &VECTORS[..]),
        ("corpus", corpus_folder()?, &SESSIONS),
    ] {
        match folder {
            Some(folder) => {
                eprintln!("{kind}: {}", folder.display());
                let recorded = wanted.iter();
                sources.extend(recorded.map(|wanted| Source::recorded(&folder, wanted)));
            }
            None => eprintln!("no {kind}: not measured"),
        }
    }
    Ok(sources)
}

impl Source {
    fn synthetic(profile: Profile) -> Self {
        Self {
            name: format!("{profile:?}").to_lowercase(),
            origin: Origin::Synthetic(profile),
        }
    }

    fn recorded(folder: &Path, &(name, prefix, side): &(&str, &'static str, Side)) -> Self {
        Self {
            name: name.to_owned(),
            origin: Origin::Recorded {
                folder: folder.to_owned(),
                prefix,
                side,
            },
        }
    }

    /// The stream; a synthetic one of about so many bytes. `None` where nothing is
    /// recorded.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn stream(&self, size: usize) -> Result<Option<Stream>, Box<dyn Error>> {
        match &self.origin {
            Origin::Synthetic(profile) => {
                let made = synthetic::stream(*profile, SEED, size);
                let stream = Stream::new(&self.name, made.bytes);
                if stream.holds(&made.counts) {
                    Ok(Some(stream))
                } else {
                    Err("plain codec and generator disagree".into())
                }
            }
            Origin::Recorded {
                folder,
                prefix,
                side,
            } => {
                let bytes = joined(folder, prefix, *side)?;
                let some = !bytes.is_empty();
                Ok(some.then(|| Stream::new(&self.name, bytes)))
            }
        }
    }
}

/// Where the recorded vectors of `guac-protocol` are.
#[must_use]
pub fn vectors_folder() -> Option<PathBuf> {
    let folder = workspace().join("guac-protocol/tests/vectors");
    folder.is_dir().then_some(folder)
}

/// The recording that is played by default: text that is drawn over VNC.
#[must_use]
pub fn default_recording() -> Option<PathBuf> {
    let file = vectors_folder()?.join("vnc-text-161.guacd.part.bin");
    file.is_file().then_some(file)
}

/// Where the full corpus is: `GUAC_CORPUS`, or beside the workspace.
///
/// # Errors
/// Where `GUAC_CORPUS` names no folder.
pub fn corpus_folder() -> Result<Option<PathBuf>, Box<dyn Error>> {
    let Some(named) = env::var_os("GUAC_CORPUS") else {
        let beside = workspace().join("../shared/corpus/streams");
        return Ok(beside.is_dir().then_some(beside));
    };
    let (folder, streams) = (PathBuf::from(&named), Path::new(&named).join("streams"));
    match [streams, folder].into_iter().find(|path| path.is_dir()) {
        Some(folder) => Ok(Some(folder)),
        None => Err(format!("GUAC_CORPUS: no folder {}", named.display()).into()),
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The whole instructions of all matching files, one after the other by file name.
fn joined(folder: &Path, prefix: &str, side: Side) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut joined = Vec::new();
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(prefix) && spoken_by(&name) == Some(side) {
            let bytes = read(&path)?;
            joined.extend_from_slice(&bytes[..whole(&bytes)]);
        }
    }
    Ok(joined)
}

/// Whose words a file holds, by its name: `NAME.SIDE.bin`, with `.part` before `.bin`
/// where the recording goes on, and `.zst` after it where it is packed.
fn spoken_by(name: &str) -> Option<Side> {
    let name = name.strip_suffix(".zst").unwrap_or(name);
    let name = name.strip_suffix(".bin")?;
    let name = name.strip_suffix(".part").unwrap_or(name);
    match name.rsplit_once('.')?.1 {
        "guacd" => Some(Side::Guacd),
        "client" => Some(Side::Client),
        _ => None,
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<Result<Vec<_>, std::io::Error>>()?;
    files.sort();
    Ok(files)
}

/// A file, unpacked by the program `zstd` if it is packed.
fn read(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    if path.extension().is_none_or(|extension| extension != "zst") {
        return Ok(fs::read(path)?);
    }
    let output = Command::new("zstd").arg("-dcq").arg(path).output();
    let output = output.map_err(|error| format!("zstd: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("zstd: {}: {}", path.display(), message.trim()).into());
    }
    Ok(output.stdout)
}

/// Length of the whole, valid instructions in front: some recordings end inside one, or
/// hold an error that was made on purpose.
fn whole(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Ok(Some(more)) = plain::walk(&bytes[length..], plain::by_blocks, |_| {}) {
        length += more;
    }
    length
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail by panic
    use super::*;
    use guac_protocol::{Limits, Scanner};
    use serde_json::Value;

    #[test]
    fn what_a_stream_holds_is_noticed() {
        let made = synthetic::stream(Profile::Small, SEED, 10_000);
        let stream = Stream::new("small", made.bytes);
        assert!(stream.holds(&made.counts));
        let mut counts = made.counts;
        *counts.opcodes.get_mut("nop").unwrap() += 1;
        assert!(!stream.holds(&counts));
    }

    /// The counts beside the recordings were made by another parser.
    #[test]
    fn recordings_hold_what_is_written_beside_them() {
        let folders = [vectors_folder(), corpus_folder().unwrap()];
        let mut checked = 0;
        for folder in folders.into_iter().flatten() {
            let files = files(&folder).unwrap().into_iter();
            for path in files.filter(|path| path.extension().is_some_and(|end| end == "json")) {
                checked += check_listed(&path);
            }
        }
        eprintln!("{checked} recorded streams checked");
    }

    /// Checks the streams that a file lists, by name or in order.
    fn check_listed(json: &Path) -> usize {
        let list: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
        let by_name = list["streams"]
            .as_object()
            .into_iter()
            .flat_map(|it| it.values());
        let in_order = list["streams"].as_array().into_iter().flatten();
        let streams: Vec<_> = by_name.chain(in_order).collect();
        for stream in &streams {
            let file = json.with_file_name(stream["file"].as_str().unwrap());
            let bytes = read(&file).unwrap();
            let bytes = &bytes[..whole(&bytes)];
            let found = work::plain_decode(bytes, plain::by_blocks);
            assert_eq!(stream["instructions"], found.instructions, "{file:?}");
            assert_eq!(stream["elements"], found.elements, "{file:?}");
            let opcodes = work::scan(Scanner::new(Limits::GUACD), bytes);
            assert_eq!(opcodes.iter().sum::<u64>(), found.instructions as u64);
        }
        streams.len()
    }

    #[test]
    fn files_are_told_apart_by_name() {
        assert_eq!(spoken_by("rdp-130.guacd.part.bin"), Some(Side::Guacd));
        assert_eq!(spoken_by("rdp-130.client.bin.zst"), Some(Side::Client));
        assert_eq!(spoken_by("vnc-recording-130.recording.bin"), None);
        assert_eq!(spoken_by("rdp-130.client.json"), None);
    }
}
