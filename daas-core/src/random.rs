//! What is random, and the time: from the operating system, or from a simulation.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

/// Fills bytes that nobody can guess.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    #[cfg(feature = "simulation")]
    if crate::simulation::fill(bytes) {
        return Ok(());
    }
    getrandom::fill(bytes).map_err(|error| Error::Unavailable {
        backend: "the operating system",
        operation: "giving random bits",
        source: Some(error.into()),
    })
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    #[cfg(feature = "simulation")]
    if let Some(now) = crate::simulation::now() {
        return now.0;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
