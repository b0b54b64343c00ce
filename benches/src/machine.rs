//! Where and when results were taken.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use guac_protocol::codepoint::Level;

/// Where and when results were taken. What cannot be found out is `unknown`.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Day in UTC, as `2026-11-24`.
    pub date: String,
    /// Commit of the repository, with a `+` after it where files were changed.
    pub commit: String,
    /// Model of the processor.
    pub cpu: String,
    /// Version of the compiler.
    pub rustc: String,
    /// The kernel that is chosen here.
    pub kernel: Level,
}

impl Machine {
    /// This machine, now.
    #[must_use]
    pub fn here() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            date: date(since.map_or(0, |since| since.as_secs() / 86_400)),
            commit: commit().unwrap_or_else(unknown),
            cpu: cpu().unwrap_or_else(unknown),
            rustc: output("rustc", &["-V"]).unwrap_or_else(unknown),
            kernel: Level::detect(),
        }
    }

    /// Name for a file of results: `2026-11-24-amd-epyc`.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let cpu = self.cpu.to_lowercase();
        let words = cpu.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        format!("{}-{}", self.date, words.join("-"))
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// First line that a program prints, if it is there and content.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(line)
}

fn commit() -> Option<String> {
    let mut commit = output("git", &["rev-parse", "--short=12", "HEAD"])?;
    let changed = output("git", &["status", "--porcelain", "-uno"])?;
    if !changed.is_empty() {
        commit.push('+');
    }
    Some(commit)
}

/// Linux keeps it in a file, macOS answers `sysctl`.
fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    let model = lines.find(|(key, _)| key.trim() == "model name");
    let model = model.map(|(_, model)| model.trim().to_owned());
    model.or_else(|| output("sysctl", &["-n", "machdep.cpu.brand_string"]))
}

/// The date of a day counted from 1970-01-01.
fn date(days: u64) -> String {
    let (mut year, mut left) = (1970, days);
    while left >= days_in_year(year) {
        left -= days_in_year(year);
        year += 1;
    }
    let february = days_in_year(year) - 337;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= months[month] {
        left -= months[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, left + 1)
}

fn days_in_year(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    365 + u64::from(leap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(11_017), "2000-03-01");
        assert_eq!(date(20_818), "2026-12-31");
        assert_eq!(date(20_819), "2027-01-01");
    }

    #[test]
    fn files_are_named_after_day_and_processor() {
        let machine = Machine {
            date: date(0),
            cpu: "Intel(R) Xeon(R) CPU @ 2.20GHz".to_owned(),
            ..Machine::here()
        };
        let expected = "1970-01-01-intel-r-xeon-r-cpu-2-20ghz";
        assert_eq!(machine.file_stem(), expected);
    }
}
