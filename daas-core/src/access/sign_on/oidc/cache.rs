//! What a provider said some time ago.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::error::OidcError;

/// How long a failure stands for the next ones. Who waits behind a call that fails would
/// otherwise wait for one of their own, one after the other.
const FAILED: Duration = Duration::from_secs(2);

/// One thing that is asked for again when it is too old.
pub(super) struct Cache<T>(Mutex<Slot<T>>);

struct Slot<T> {
    value: Option<(Instant, Arc<T>)>,
    failure: Option<(Instant, OidcError)>,
}

impl<T> Cache<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::const_new(Slot {
            value: None,
            failure: None,
        }))
    }

    /// What is there and no older than that, or what is fetched now. One fetches, the others
    /// wait for it.
    pub(super) async fn current(
        &self,
        max_age: Duration,
        fetch: impl Future<Output = Result<T, OidcError>>,
    ) -> Result<Arc<T>, OidcError> {
        let mut slot = self.0.lock().await;
        if let Some((at, value)) = &slot.value
            && at.elapsed() < max_age
        {
            return Ok(Arc::clone(value));
        }
        if let Some((at, failure)) = &slot.failure
            && at.elapsed() < FAILED
        {
            return Err(failure.clone());
        }
        match fetch.await {
            Ok(value) => {
                let value = Arc::new(value);
                slot.value = Some((Instant::now(), Arc::clone(&value)));
                slot.failure = None;
                Ok(value)
            }
            Err(failure) => {
                slot.failure = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// As if so much more time had passed since it was fetched.
    #[cfg(test)]
    pub(super) async fn grow_old(&self, by: Duration) {
        if let Some((at, _)) = &mut self.0.lock().await.value {
            *at -= by;
        }
    }
}
