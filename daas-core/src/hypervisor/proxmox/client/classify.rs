//! What the texts of errors mean. There are no codes: almost everything that goes wrong is
//! status 500 or the end of a task, and a sentence.

use super::fault::Class;

/// Where a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The status of an answer, and whether the call would have changed something.
    Status { status: u16, changes: bool },
    /// The end of a task.
    Task,
}

/// Sentences, and what they mean; the first that fits counts. `*` stands for anything.
///
/// What a worker says when it is told to do what is done already is `Conflict`: whether the
/// state is the one that was wanted has to be looked at.
const SENTENCES: &[(&str, Class)] = &[
    // Somebody holds a lock for a moment, and nothing was begun. Cloning puts its own words
    // before what its worker says.
    ("can't lock file * got timeout", Class::Retryable),
    ("got lock request timeout", Class::Retryable),
    ("no quorum", Class::Retryable),
    ("cluster not ready", Class::Retryable),
    ("connection check for storage '*' failed", Class::Retryable),
    ("storage '*' is not online", Class::Retryable),
    ("Cannot allocate memory", Class::Exhausted),
    // A lock in the configuration lasts as long as what is being done.
    ("is locked (*)", Class::Busy),
    ("got wrong lock", Class::Busy),
    ("encountered invalid lock", Class::Busy),
    ("Lost 'create' config lock", Class::Busy),
    ("unexpected state change", Class::Busy),
    ("Failed to obtain guest migration lock", Class::Busy),
    // Gone, or moved to another node.
    ("Configuration file '*' does not exist", Class::Gone),
    ("unable to find configuration file for", Class::Gone),
    ("snapshot '*' does not exist", Class::Gone),
    ("no such task", Class::Gone),
    // Not for us.
    ("Permission check failed", Class::Permission),
    ("Only root may use this option", Class::Permission),
    ("only root can set", Class::Permission),
    ("root-only command", Class::Permission),
    ("authentication failure", Class::Permission),
    // Room.
    ("No space left on device", Class::Exhausted),
    ("Disk quota exceeded", Class::Exhausted),
    ("insufficient free space", Class::Exhausted),
    ("unable to get any free VMID", Class::Exhausted),
    // Not in this state.
    ("already running", Class::Conflict),
    ("VM is paused - cannot shutdown", Class::Conflict),
    ("VM * not running", Class::Conflict),
    ("CT * not running", Class::Conflict),
    ("QEMU guest agent is not running", Class::Conflict),
    ("is running - destroy failed", Class::Conflict),
    ("vm is running", Class::Conflict),
    ("if VM is running", Class::Conflict),
    ("running VM without --online", Class::Conflict),
    ("VM quit/powerdown failed", Class::Conflict),
    ("container did not stop", Class::Conflict),
    ("already exists", Class::Conflict),
    ("snapshot name '*' already used", Class::Conflict),
    ("unable to rollback to incomplete snapshot", Class::Conflict),
    ("is not most recent snapshot", Class::Conflict),
    ("is already a pool member", Class::Conflict),
    ("belongs already to pool", Class::Conflict),
    ("checksum mismatch", Class::Conflict),
    ("is already at specified size", Class::Conflict),
    ("target is local node", Class::Conflict),
    ("still in use by linked clone", Class::Conflict),
    ("protection mode enabled", Class::Conflict),
    ("used in HA resources", Class::Conflict),
    ("because VM contains snapshots", Class::Conflict),
    ("can't convert a template to a template", Class::Conflict),
    // The worker died.
    ("unexpected status", Class::Unknown),
    ("interrupted by signal", Class::Unknown),
];

/// What a text means.
pub(super) fn classify(origin: Origin, text: &str) -> Class {
    // What stands between us and the node says nothing of what the node did.
    if let Some(class) = by_proxy(origin) {
        return class;
    }
    let known = SENTENCES.iter().find(|(pattern, _)| fits(pattern, text));
    if let Some((_, class)) = known {
        return *class;
    }
    match origin {
        Origin::Status {
            status: 401 | 403, ..
        } => Class::Permission,
        Origin::Status {
            status: 429 | 503, ..
        } => Class::Retryable,
        _ => Class::Fatal,
    }
}

/// What the program that passes calls on to nodes says of itself: 595 that it cannot connect,
/// 596 to 599 that something went wrong after that. Gateways before it say 502 and 504.
fn by_proxy(origin: Origin) -> Option<Class> {
    match origin {
        Origin::Status { status: 595, .. } => Some(Class::Retryable),
        Origin::Status {
            status: 502 | 504 | 596..=599,
            changes,
        } => Some(if changes {
            Class::Unknown
        } else {
            Class::Retryable
        }),
        _ => None,
    }
}

/// Whether the parts of a pattern stand in a text in this order.
fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = text;
    for part in pattern.split('*') {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
