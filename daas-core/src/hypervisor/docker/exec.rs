//! Commands inside containers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::Docker;
use super::fault::Fault;
use super::output::{Keep, Output};
use crate::hypervisor::ExecOutput;

/// Most that is kept of what a command or a log puts out, in bytes.
pub(super) const OUTPUT_MAX: usize = 64 << 10;
/// Longest that a command runs, in seconds. The engine cannot end a command: `timeout`
/// inside does, with the exit code 124.
const SECONDS_MAX: &str = "10";
const POLL: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ended {
    /// There is none while the command runs.
    #[serde(default)]
    exit_code: Option<i64>,
}

impl Docker {
    /// Runs a command in a container, and waits for its end.
    pub(super) async fn run(&self, container: &str, command: &[&str]) -> Result<ExecOutput, Fault> {
        let limit = ["timeout", "--kill-after=1", SECONDS_MAX];
        let command: Vec<&str> = limit.into_iter().chain(command.iter().copied()).collect();
        let body = json!({ "Cmd": command, "AttachStdout": true, "AttachStderr": true });
        let path = format!("/containers/{container}/exec");
        let Created { id } = self.raw.post(&path, &body).await?;
        let path = format!("/exec/{id}/start");
        let stream = self
            .raw
            .post_stream(&path, &json!({ "Detach": false }))
            .await?;
        let output = Output::new(Keep::First, OUTPUT_MAX).read(stream).await?;
        let code = self.exit_code(&id).await?;
        Ok(ExecOutput { code, output })
    }

    /// The engine notes the end of a command a little after the end of its output.
    async fn exit_code(&self, exec: &str) -> Result<i64, Fault> {
        loop {
            let Ended { exit_code } = self.raw.get(&format!("/exec/{exec}/json")).await?;
            match exit_code {
                Some(code) => return Ok(code),
                None => sleep(POLL).await,
            }
        }
    }

    /// The end of what a container has put out.
    pub(super) async fn tail(&self, container: &str) -> Result<Vec<u8>, Fault> {
        let path = format!("/containers/{container}/logs?stdout=1&stderr=1&tail=2000");
        let stream = self.raw.get_stream(&path).await?;
        Output::new(Keep::Last, OUTPUT_MAX).read(stream).await
    }
}
