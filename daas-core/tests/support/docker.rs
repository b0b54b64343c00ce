//! A real Docker engine for tests. Where none can be had they say `SKIPPED: <reason>` and
//! pass; with `DAAS_REQUIRE_DOCKER=1` they fail.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The folder of the project.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a script of bash answers, run in the folder of the project.
pub fn shell(script: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("bash");
    command.current_dir(project()).args(["-c", script, "bash"]);
    command.args(arguments).output().unwrap()
}

/// What a command of the Docker client answers.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Starts the engine if none runs, and builds images, once for a process; answers why that is
/// not possible. An engine that was started outlives this process: others may have begun to
/// use it meanwhile, and the next tests find it. `scripts/test` starts one before all of them,
/// and ends it.
fn prepared(images: &[&str]) -> Result<(), &'static str> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepare = || {
        let only: String = images
            .iter()
            .map(|name| format!(" --only {name}"))
            .collect();
        let script = format!(". scripts/lib/docker.sh && docker_up && scripts/images{only}");
        // Whatever goes on in the background must not hold this output open.
        let script = format!(
            "log=$(mktemp); ({script}) > \"$log\" 2>&1; code=$?; tail -n 1 \"$log\"; rm \"$log\"; exit $code"
        );
        let output = shell(&script, &[]);
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        }
    };
    PREPARED
        .get_or_init(prepare)
        .as_ref()
        .copied()
        .map_err(String::as_str)
}

/// Whether there is an engine; says so where there is none, past the capture of output. It
/// has to be asked for the same images each time.
pub fn is_ready(images: &[&str]) -> bool {
    let Err(reason) = prepared(images) else {
        return true;
    };
    assert!(
        std::env::var_os("DAAS_REQUIRE_DOCKER").is_none(),
        "no Docker engine: {reason}"
    );
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: {test}: {reason}").unwrap();
    false
}
