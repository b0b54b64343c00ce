//! The one gate between asynchronous code and calls that block a thread.
//!
//! Drivers that block (SQLite, HTTP clients without an event loop) and heavy computations
//! (password hashes) run here and nowhere else. A gate has a number of permits: so many
//! calls run at a time, the others wait without holding a thread.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task;

/// Why a blocking call has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BlockingError {
    /// The gate was closed, as the program is about to end.
    #[error("no more blocking calls are accepted")]
    Closed,
    /// The call panicked.
    #[error("a blocking call panicked")]
    Panicked,
}

/// A gate with a number of permits. Clones share them.
#[derive(Clone, Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
}

impl Gate {
    /// A gate for at most `permits` calls at a time; at least one.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    /// Runs a call on a thread that may block, once a permit is free.
    ///
    /// A call that has started cannot be stopped: it ends and keeps its permit until then,
    /// even if nobody waits for the answer any more. Bound its time inside.
    ///
    /// # Errors
    /// [`BlockingError::Closed`] after [`close`](Self::close), [`BlockingError::Panicked`]
    /// where the call panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| BlockingError::Closed)?;
        let task = task::spawn_blocking(move || {
            // Held by the call, not by who waits for it.
            let _permit = permit;
            call()
        });
        task.await.map_err(|error| {
            if error.is_panic() {
                BlockingError::Panicked
            } else {
                BlockingError::Closed
            }
        })
    }

    /// Refuses calls from now on, also those that wait for a permit.
    pub fn close(&self) {
        self.permits.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;

    #[tokio::test]
    async fn no_more_calls_run_than_there_are_permits() {
        let gate = Gate::new(2);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let (gate, running, most) = (gate.clone(), running.clone(), most.clone());
                tokio::spawn(async move {
                    gate.run(move || {
                        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, SeqCst);
                    })
                    .await
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert!((1..=2).contains(&most.load(SeqCst)));
    }

    #[tokio::test]
    async fn an_abandoned_call_keeps_its_permit() {
        let gate = Gate::new(1);
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let abandoned = tokio::spawn({
            let gate = gate.clone();
            async move {
                let call = move || {
                    started.send(()).unwrap();
                    released.recv().unwrap();
                };
                gate.run(call).await
            }
        });
        let wait = Gate::new(1);
        wait.run(move || has_started.recv().unwrap()).await.unwrap();
        abandoned.abort();
        assert!(abandoned.await.is_err());
        assert_eq!(gate.permits.available_permits(), 0);
        release.send(()).unwrap();
        assert_eq!(gate.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn panics_and_closing_are_told_apart() {
        let gate = Gate::new(1);
        let panicked = gate.run(|| std::panic::resume_unwind(Box::new(()))).await;
        assert!(matches!(panicked, Err(BlockingError::Panicked)));
        assert!(gate.run(|| ()).await.is_ok());
        gate.close();
        assert!(matches!(gate.run(|| ()).await, Err(BlockingError::Closed)));
    }
}
