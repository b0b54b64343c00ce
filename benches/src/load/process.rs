//! Processes that are started here, what they use, and their end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{LISTENING, Result};

/// A process that listens; it ends with this value.
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
    ticks_per_s: f64,
}

impl Process {
    /// Starts it, and waits until it says where it listens.
    ///
    /// # Errors
    /// Where it cannot be started, or says something else.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut process = Self {
            child: child.map_err(|error| format!("{name}: {error}"))?,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            ticks_per_s: ticks_per_s()?,
        };
        let mut line = String::new();
        if let Some(out) = process.child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix(LISTENING);
        let address = address.ok_or_else(|| format!("{name} did not start"))?;
        process.address = address.parse()?;
        Ok(process)
    }

    fn file(&self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.child.id());
        Ok(fs::read_to_string(path)?)
    }

    /// Time of processors that it has used so far, in whole ticks of the kernel.
    ///
    /// # Errors
    /// Where it has ended.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let stat = self.file("stat")?;
        // The name of the program, in brackets, may hold anything (proc(5)).
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let fields: Vec<_> = fields.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> {
            Ok(fields
                .get(index)
                .ok_or("/proc/PID/stat is short")?
                .parse()?)
        };
        Ok(Duration::from_secs_f64(
            (ticks(11)? + ticks(12)?) / self.ticks_per_s,
        ))
    }

    /// Memory that it has now, in KiB.
    ///
    /// # Errors
    /// Where it has ended.
    pub(super) fn resident_kib(&self) -> Result<f64> {
        let status = self.file("status")?;
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.ok_or("/proc/PID/status without VmRSS")?.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ticks_per_s() -> Result<f64> {
    let output = Command::new("getconf").arg("CLK_TCK").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Says so where this process may not open enough files.
///
/// # Errors
/// Where there are too few.
pub(super) fn check_files(needed: usize) -> Result<()> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default();
    match soft.parse::<usize>() {
        Ok(soft) if soft < needed => Err(format!(
            "a process may open {soft} files here, and {needed} are needed: \
             run `ulimit -n {needed}` first"
        )
        .into()),
        // A number, or "unlimited".
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn shell(script: &str) -> Result<Process> {
        Process::start(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_process_is_measured_and_ended() {
        let process = shell("echo listening on 127.0.0.1:9; exec sleep 20").unwrap();
        assert_eq!(process.address.port(), 9);
        assert!(process.resident_kib().unwrap() > 100.0);
        assert!(process.cpu().unwrap() < Duration::from_secs(5));
        let stat = format!("/proc/{}/stat", process.child.id());
        assert!(fs::exists(&stat).unwrap());
        drop(process);
        assert!(!fs::exists(&stat).unwrap());
    }

    #[test]
    fn one_that_does_not_listen_is_an_error() {
        assert!(shell("echo nothing").is_err());
        assert!(shell("exit 3").is_err());
    }

    #[test]
    fn too_few_files_are_told() {
        check_files(3).unwrap();
        let error = check_files(usize::MAX).err().map(|error| error.to_string());
        if let Some(error) = error {
            assert!(error.contains("ulimit -n"), "{error}");
        }
    }
}
