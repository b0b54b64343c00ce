//! Embeds the page from `web/dist`, where it was built before. Without it the server still
//! builds, and says how to build the page.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let dist = root.join("web").join("dist");
    let mut code = String::from("static FILES: &[File] = &[\n");
    if dist.join("index.html").is_file() {
        println!("cargo::rerun-if-changed={}", dist.display());
        let mut paths = Vec::new();
        list(&dist, &mut paths)?;
        paths.sort();
        for (index, path) in paths.iter().enumerate() {
            let packed = out.join(format!("{index}.gz"));
            code.push_str(&entry(&dist, path, &packed)?);
        }
    } else if root.join("web").is_dir() {
        println!("cargo::rerun-if-changed={}", root.join("web").display());
    }
    code.push_str("];\n");
    fs::write(out.join("page.rs"), code)
}

/// All files below a folder.
fn list(folder: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}

/// One file as an element of the table; packed, where that makes it smaller.
fn entry(dist: &Path, path: &Path, packed: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    let name = path.strip_prefix(dist).unwrap_or(path).to_string_lossy();
    let gzip = pack(&bytes)?;
    let smaller = gzip.len() + gzip.len() / 8 < bytes.len();
    if smaller {
        fs::write(packed, gzip)?;
    }
    let packed = smaller.then(|| format!("include_bytes!({:?})", packed.display().to_string()));
    let packed = packed.map_or("None".to_owned(), |packed| format!("Some({packed})"));
    let mut code = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        code,
        "File {{ path: {:?}, media_type: {:?}, etag: {:?}, immutable: {}, \
         bytes: include_bytes!({:?}), gzip: {packed} }},",
        format!("/{name}"),
        media_type(&name),
        etag(&bytes),
        // The bundler puts a hash of the content into these names.
        name.starts_with("assets/"),
        path.display().to_string(),
    );
    Ok(code)
}

fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn etag(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in &Sha256::digest(bytes)[..16] {
        let _ = write!(text, "{byte:02x}");
    }
    text + "\""
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
