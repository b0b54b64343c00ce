//! A real OpenID provider for tests: oidc-provider of npm. Where it cannot run tests say
//! `SKIPPED: <reason>` and pass; with `DAAS_REQUIRE_SIGN_ON=1` they fail.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A provider that runs as long as this is held.
pub(crate) struct Provider {
    process: Child,
    pub(crate) issuer: String,
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../daas-core/tests/oidc-provider")
}

/// Why no provider can be started here.
fn missing() -> Option<&'static str> {
    let node = Command::new("node").arg("--version").output();
    let version = node.map(|output| String::from_utf8(output.stdout).unwrap());
    let version = version.unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next();
    if major.and_then(|major| major.parse::<u32>().ok()) < Some(20) {
        return Some("there is no Node of version 20 or newer");
    }
    let is_there = folder().join("node_modules/oidc-provider").is_dir();
    (!is_there).then_some("`npm ci` was not run in daas-core/tests/oidc-provider")
}

impl Provider {
    /// Starts one as its script takes it; says so where there is none, past the capture of
    /// output.
    pub(crate) fn start(config: &Value) -> Option<Self> {
        if let Some(reason) = missing() {
            let is_required = std::env::var_os("DAAS_REQUIRE_SIGN_ON").is_some();
            assert!(!is_required, "a provider is required: {reason}");
            let mut out = std::io::stderr();
            writeln!(out, "SKIPPED: oidc: {reason}").unwrap();
            return None;
        }
        let mut command = Command::new("node");
        command
            .current_dir(folder())
            .arg("provider.mjs")
            .arg(config.to_string());
        let pipes = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = pipes.spawn().unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the provider does not start");
        let issuer = ready["issuer"].as_str().unwrap().to_owned();
        Some(Self { process, issuer })
    }
}
