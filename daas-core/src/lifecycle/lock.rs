//! One lock for each instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::model::InstanceId;

/// Locks by id; those that nobody holds or waits for are forgotten.
#[derive(Debug, Default)]
pub(super) struct Locks {
    locks: Mutex<HashMap<InstanceId, Weak<AsyncMutex<()>>>>,
}

impl Locks {
    /// Waits until nobody else has the lock.
    pub(super) async fn lock(&self, id: InstanceId) -> OwnedMutexGuard<()> {
        self.of(id).lock_owned().await
    }

    /// The lock, unless somebody has it.
    pub(super) fn try_lock(&self, id: InstanceId) -> Option<OwnedMutexGuard<()>> {
        self.of(id).try_lock_owned().ok()
    }

    fn of(&self, id: InstanceId) -> Arc<AsyncMutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&id).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        locks.insert(id, Arc::downgrade(&lock));
        lock
    }
}
