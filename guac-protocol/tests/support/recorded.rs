//! Streams that were recorded between clients and guacd, with what is in them as another
//! parser counted it: those beside the tests, and where it is there, the whole corpus.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A recorded stream.
pub struct Recorded {
    pub path: PathBuf,
    /// What is in it.
    pub counts: Value,
}

impl Recorded {
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Its bytes. None where they are compressed and there is no `zstd` program.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        if self
            .path
            .extension()
            .is_none_or(|extension| extension != "zst")
        {
            let bytes = std::fs::read(&self.path);
            return Some(bytes.unwrap_or_else(|error| panic!("{}: {error}", self.name())));
        }
        let mut zstd = Command::new("zstd");
        let output = zstd.arg("-dcq").arg(&self.path).stderr(Stdio::inherit());
        let output = output.output().ok()?;
        assert!(output.status.success(), "zstd fails on {}", self.name());
        Some(output.stdout)
    }
}

fn json(path: &Path) -> Value {
    let text = std::fs::read(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("valid JSON")
}

fn recorded(directory: &Path, counts: &Value) -> Recorded {
    let file = counts["file"].as_str().expect("a file name");
    Recorded {
        path: directory.join(file),
        counts: counts.clone(),
    }
}

/// The streams beside the tests. They are in the repository, not in the packaged crate.
pub fn vectors() -> Vec<Recorded> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let list = json(&directory.join("vectors.json"));
    let streams = list["streams"].as_array().expect("a list");
    streams
        .iter()
        .map(|counts| recorded(&directory, counts))
        .collect()
}

/// The folder of the corpus: `GUAC_CORPUS`, or beside the workspace.
pub fn corpus_folder() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("GUAC_CORPUS") {
        let given = PathBuf::from(given);
        assert!(
            given.is_dir(),
            "GUAC_CORPUS is no folder: {}",
            given.display()
        );
        return Some(given);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    beside.is_dir().then_some(beside)
}

/// All streams of the corpus.
pub fn corpus() -> Option<Vec<Recorded>> {
    let directory = corpus_folder()?.join("streams");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&directory).ok()? {
        let path = entry.expect("a readable folder").path();
        let is_session = path
            .extension()
            .is_some_and(|extension| extension == "json")
            && path.file_name().is_some_and(|name| name != "index.json");
        if !is_session {
            continue;
        }
        let session = json(&path);
        let streams = session["streams"].as_object().expect("streams by name");
        found.extend(streams.values().map(|counts| recorded(&directory, counts)));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Some(found)
}

/// Tells whoever runs the tests, whether they pass or not.
pub fn say(text: &str) {
    // Unlike `eprintln!`, this is not kept back by the test harness.
    let _ = writeln!(std::io::stderr(), "{text}");
}
