//! The one gate between asynchronous code and calls that block a thread.
//!
//! Drivers that block (SQLite, HTTP clients without an event loop) and heavy computations
//! (password hashes) run here and nowhere else. A gate has a number of permits: so many
//! calls run at a time, the others wait without holding a thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, oneshot};
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
    threads: Threads,
}

type Call = Box<dyn FnOnce() + Send>;

/// Where calls run.
#[derive(Clone, Debug)]
enum Threads {
    /// On those of the present runtime.
    Shared,
    /// On some of its own; they end with the last gate.
    Own(mpsc::Sender<Call>),
}

impl Gate {
    /// A gate for at most `permits` calls at a time; at least one.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self {
            permits: permits_of(permits),
            threads: Threads::Shared,
        }
    }

    /// A gate for computations that give way to everything else: it has threads of its own,
    /// which run only on processors that nobody else wants (`SCHED_IDLE` of Linux; elsewhere
    /// they are like all others). A low priority would not do: a thread that wakes up still
    /// waits for some milliseconds until one of low priority has used up its slice. Long ones
    /// call [`pause`] on their way.
    ///
    /// # Errors
    /// Where the operating system gives no more threads.
    pub fn in_the_background(permits: usize, name: &str) -> io::Result<Self> {
        let (calls, waiting) = mpsc::channel::<Call>();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..permits.max(1) {
            let waiting = Arc::clone(&waiting);
            let thread = thread::Builder::new().name(name.to_owned());
            drop(thread.spawn(move || work_off(&waiting))?);
        }
        Ok(Self {
            permits: permits_of(permits),
            threads: Threads::Own(calls),
        })
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
        let call = move || {
            // Held by the call, not by who waits for it.
            let _permit = permit;
            call()
        };
        #[cfg(feature = "simulation")]
        if crate::simulation::is_here() {
            return Ok(call());
        }
        match &self.threads {
            Threads::Shared => shared(call).await,
            Threads::Own(calls) => own(calls, call).await,
        }
    }

    /// Refuses calls from now on, also those that wait for a permit.
    pub fn close(&self) {
        self.permits.close();
    }
}

/// Leaves the processor for a moment (60 µs with Linux, whose timers have 50 µs of slack).
///
/// Computations in the background call it every 200 µs or so. That they give way to whatever
/// wakes up is not enough: Linux looks for threads that wait for another processor only when
/// one has nothing to do at all, not even something of `SCHED_IDLE`. Those that wait would do
/// so until the computation ends.
pub fn pause() {
    #[cfg(feature = "simulation")]
    if crate::simulation::is_here() {
        return;
    }
    thread::sleep(Duration::from_micros(1));
}

fn permits_of(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)))
}

async fn shared<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    task::spawn_blocking(call).await.map_err(|error| {
        if error.is_panic() {
            BlockingError::Panicked
        } else {
            BlockingError::Closed
        }
    })
}

async fn own<T: Send + 'static>(
    calls: &mpsc::Sender<Call>,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let (answer, answered) = oneshot::channel();
    let call = Box::new(move || {
        // Without an answer whoever waits knows of the panic; nobody may be waiting.
        if let Ok(value) = catch_unwind(AssertUnwindSafe(call)) {
            drop(answer.send(value));
        }
    });
    calls.send(call).map_err(|_| BlockingError::Closed)?;
    answered.await.map_err(|_| BlockingError::Panicked)
}

/// Runs one call after the other until there is no gate any more.
fn work_off(waiting: &Mutex<mpsc::Receiver<Call>>) {
    give_way();
    loop {
        let call = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match call {
            Ok(call) => call(),
            Err(mpsc::RecvError) => return,
        }
    }
}

#[cfg(target_os = "linux")]
fn give_way() {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) =
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy)
    {
        tracing::debug!(?error, "the policy of a thread stays");
    }
}

#[cfg(not(target_os = "linux"))]
const fn give_way() {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;

    fn gates(permits: usize) -> [Gate; 2] {
        [
            Gate::new(permits),
            Gate::in_the_background(permits, "test").unwrap(),
        ]
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_background_gives_way() {
        // The 41st field of stat is the policy (proc(5)); 5 is SCHED_IDLE (sched(7)).
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            fields.split(' ').nth(38).unwrap().to_owned()
        };
        let [shared, own] = gates(1);
        assert_eq!(shared.run(policy).await.unwrap(), "0");
        assert_eq!(own.run(policy).await.unwrap(), "5");
    }

    #[tokio::test]
    async fn no_more_calls_run_than_there_are_permits() {
        for gate in gates(2) {
            no_more_than_two(gate).await;
        }
    }

    async fn no_more_than_two(gate: Gate) {
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
        for gate in gates(1) {
            abandoned(gate).await;
        }
    }

    async fn abandoned(gate: Gate) {
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
        for gate in gates(1) {
            panics_and_closes(gate).await;
        }
    }

    async fn panics_and_closes(gate: Gate) {
        let panicked = gate.run(|| std::panic::resume_unwind(Box::new(()))).await;
        assert!(matches!(panicked, Err(BlockingError::Panicked)));
        assert!(gate.run(|| ()).await.is_ok());
        gate.close();
        assert!(matches!(gate.run(|| ()).await, Err(BlockingError::Closed)));
    }
}
