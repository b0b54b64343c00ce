//! How a program ends: one line on stderr, and a code that a script can tell apart.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a program ends early.
///
/// The codes are those of `sysexits.h`, the convention of BSD.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The arguments make no sense: 64.
    Usage(String),
    /// What was read is no stream of instructions: 65.
    Malformed(guac_protocol::Error),
    /// What was read ends inside an instruction, after so many bytes: 65.
    Truncated(u64),
    /// Something that has a name cannot be opened: 66.
    Open(String, io::Error),
    /// No connections can be accepted at an address: 74.
    Listen(String, io::Error),
    /// Something that has a name cannot be read any further: 74.
    Read(String, io::Error),
    /// Something that has a name cannot be written to any further: 74.
    Write(String, io::Error),
}

impl Failure {
    /// Arguments that make no sense.
    pub fn usage(reason: impl fmt::Display) -> Self {
        Self::Usage(reason.to_string())
    }

    /// For stdout, which cannot be written to.
    pub fn stdout(error: io::Error) -> Self {
        Self::Write("stdout".to_owned(), error)
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Malformed(_) | Self::Truncated(_) => 65,
            Self::Open(..) => 66,
            Self::Listen(..) | Self::Read(..) | Self::Write(..) => 74,
        }
    }

    /// Whether the reader of our output is gone, as in `guac-dump FILE | head`. That is
    /// the reader's right, and nothing to report.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(_, error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<guac_protocol::Error> for Failure {
    fn from(error: guac_protocol::Error) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) => f.write_str(reason),
            Self::Malformed(error) => write!(f, "error at byte {}: {}", error.offset, error.kind),
            Self::Truncated(offset) => write!(f, "truncated at byte {offset}"),
            Self::Open(name, error) => write!(f, "cannot open {name}: {error}"),
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Read(name, error) => write!(f, "cannot read {name}: {error}"),
            Self::Write(name, error) => write!(f, "cannot write to {name}: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Reports a failure on stderr, followed by the first line of the help where the arguments
/// were wrong, and answers the exit code of the program.
#[must_use]
pub fn finish(result: Result<(), Failure>, help: &str) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    if failure.is_closed_pipe() {
        return ExitCode::SUCCESS;
    }
    // Where stderr is closed, there is nobody left to tell: the code has to do.
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{failure}");
    if let (Failure::Usage(_), Some(usage)) = (&failure, help.lines().next()) {
        let _ = writeln!(stderr, "{usage}");
    }
    ExitCode::from(failure.code())
}

/// Prints the help on stdout.
///
/// # Errors
/// Where stdout cannot be written to.
pub fn print_help(help: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(help.as_bytes());
    written
        .and_then(|()| stdout.flush())
        .map_err(Failure::stdout)
}
