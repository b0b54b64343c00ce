//! Threads: those of tunnels go before all others.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Threads that may block: SQLite has five at most, password hashes two.
const BLOCKING_THREADS: usize = 8;
/// Niceness of the threads for requests and of all that block for them: a tenth of the
/// weight of the others. Where processors are idle it costs nothing; where log-ins hash
/// passwords on all of them, pictures do not wait for that.
const NICE: i32 = 10;
/// Most that there is.
const NICE_MAX: i32 = 19;

/// A runtime for tunnels.
///
/// # Errors
/// Where the operating system gives no more threads.
pub fn for_tunnels(threads: usize) -> io::Result<Runtime> {
    builder("daas-tunnel", threads).build()
}

/// A runtime for everything else: requests, storage, hypervisors.
///
/// # Errors
/// As [`for_tunnels`].
pub fn for_requests(threads: usize) -> io::Result<Runtime> {
    let mut builder = builder("daas-api", threads);
    builder.on_thread_start(step_back).build()
}

fn builder(name: &str, threads: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder
        .thread_name(name)
        .worker_threads(threads)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all();
    builder
}

/// Lowers the priority of this thread alone: on Linux each has its own.
fn step_back() {
    if let Err(error) = lower_by(NICE) {
        tracing::debug!(%error, "the priority of a thread stays");
    }
}

fn lower_by(nice: i32) -> rustix::io::Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let now = rustix::process::getpriority_process(None)?;
    rustix::process::setpriority_process(None, (now + nice).min(NICE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn niceness() -> i32 {
        rustix::process::getpriority_process(None).unwrap_or(i32::MAX)
    }

    #[test]
    fn tunnels_go_before_requests() -> io::Result<()> {
        let (tunnels, requests) = (for_tunnels(1)?, for_requests(1)?);
        let here = niceness();
        let seen = |runtime: &Runtime| {
            let worker = runtime.spawn(async { niceness() });
            let blocking = runtime.spawn_blocking(niceness);
            runtime.block_on(async { (worker.await.ok(), blocking.await.ok()) })
        };
        assert_eq!(seen(&tunnels), (Some(here), Some(here)));
        let low = (here + NICE).min(NICE_MAX);
        assert_eq!(seen(&requests), (Some(low), Some(low)));
        // Nor did it change anything for those who are there.
        assert_eq!(niceness(), here);
        Ok(())
    }
}
