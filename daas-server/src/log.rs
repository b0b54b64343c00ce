//! The log: lines for people, or JSON, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Log, LogFormat};

/// Begins to log. Only the first call in a process takes effect.
///
/// # Errors
/// Where somebody else logs already.
pub(crate) fn begin(log: &Log) -> Result<(), TryInitError> {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = registry().with(log.filter.clone());
    match log.format {
        LogFormat::Json => registry.with(lines.json()).try_init(),
        LogFormat::Plain => {
            let colours = io::stderr().is_terminal();
            registry.with(lines.with_ansi(colours)).try_init()
        }
    }
}
