//! What passed through a session, readable while it runs.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::model::Timestamp;

/// Counts of a session that runs.
#[derive(Debug, Default)]
pub struct Counters {
    bytes_to_browser: AtomicU64,
    instructions_to_browser: AtomicU64,
    frames_to_browser: AtomicU64,
    bytes_to_gateway: AtomicU64,
    instructions_from_browser: AtomicU64,
    buffered: AtomicU64,
    buffered_max: AtomicU64,
    /// When there was input last, as a [`Timestamp`]; 0 where there was none.
    input_at: AtomicI64,
}

/// Counts of a session at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes of the gateway that the browser's transport took.
    pub bytes_to_browser: u64,
    /// Instructions of the gateway that were passed on.
    pub instructions_to_browser: u64,
    /// Messages that these went in.
    pub frames_to_browser: u64,
    /// Bytes that the gateway took.
    pub bytes_to_gateway: u64,
    /// Instructions that came from the browser, those for the tunnel among them.
    pub instructions_from_browser: u64,
    /// Bytes of memory that the session's buffers take now.
    pub buffered: u64,
    /// Most bytes that they took.
    pub buffered_max: u64,
}

impl Counters {
    /// All counts now; each is exact, though not all are of the same moment.
    #[must_use]
    pub fn snapshot(&self) -> Statistics {
        Statistics {
            bytes_to_browser: self.bytes_to_browser.load(Relaxed),
            instructions_to_browser: self.instructions_to_browser.load(Relaxed),
            frames_to_browser: self.frames_to_browser.load(Relaxed),
            bytes_to_gateway: self.bytes_to_gateway.load(Relaxed),
            instructions_from_browser: self.instructions_from_browser.load(Relaxed),
            buffered: self.buffered.load(Relaxed),
            buffered_max: self.buffered_max.load(Relaxed),
        }
    }

    /// When keys, pointer or fingers last did something that was for the desktop.
    #[must_use]
    pub fn input_at(&self) -> Option<Timestamp> {
        let at = self.input_at.load(Relaxed);
        (at > 0).then_some(Timestamp(at))
    }

    pub(super) fn had_input(&self) {
        self.input_at.store(Timestamp::now().0, Relaxed);
    }

    pub(super) fn sent_to_browser(&self, bytes: usize, instructions: usize) {
        self.bytes_to_browser.fetch_add(bytes as u64, Relaxed);
        self.instructions_to_browser
            .fetch_add(instructions as u64, Relaxed);
        self.frames_to_browser.fetch_add(1, Relaxed);
    }

    pub(super) fn sent_to_gateway(&self, bytes: usize) {
        self.bytes_to_gateway.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn received_from_browser(&self, instructions: usize) {
        self.instructions_from_browser
            .fetch_add(instructions as u64, Relaxed);
    }

    /// A buffer changed from one capacity to another.
    pub(super) fn resized(&self, from: usize, to: usize) {
        let (from, to) = (from as u64, to as u64);
        if to >= from {
            let now = self.buffered.fetch_add(to - from, Relaxed) + (to - from);
            self.buffered_max.fetch_max(now, Relaxed);
        } else {
            self.buffered.fetch_sub(from - to, Relaxed);
        }
    }
}
