//! Every error that the methods of the interface have, with what it means.

use super::super::fault::Class::{
    self, Busy, Conflict, Exhausted, Fatal, Gone, Permission, Retryable, Unknown,
};
use super::*;

const TASK: Origin = Origin::Task;

const fn status(status: u16) -> Origin {
    Origin::Status {
        status,
        changes: true,
    }
}

const fn reading(status: u16) -> Origin {
    Origin::Status {
        status,
        changes: false,
    }
}

/// From the sources of Proxmox VE 9, one row for each error, with values put in; what is said
/// of parameters stands behind the sentence.
#[rustfmt::skip]
const METHODS: &[(Origin, &str, Class)] = &[
    (status(400), "Parameter verification failed.", Fatal),
    (status(400), "Parameter verification failed. content: upload content-type 'x1' is not allowed", Fatal),
    (status(400), "Parameter verification failed. delete: unknown option 'x1'", Fatal),
    (status(400), "Parameter verification failed. delete: you can't use '-delete x1' and '-revert x1' at the same time", Fatal),
    (status(400), "Parameter verification failed. delete: you can't use '-x1' and -delete x1' at the same time", Fatal),
    (status(400), "Parameter verification failed. delete: you can't use '-x1' and -revert x1' at the same time", Fatal),
    (status(400), "Parameter verification failed. filename: invalid filename or wrong extension", Fatal),
    (status(400), "Parameter verification failed. filename: wrong file extension", Fatal),
    (status(400), "Parameter verification failed. force: Only root may use this option.", Permission),
    (status(400), "Parameter verification failed. keepActive: Only root may use this option.", Permission),
    (status(400), "Parameter verification failed. migratedfrom: Only root may use this option.", Permission),
    (status(400), "Parameter verification failed. migration_network: Only root may use this option.", Permission),
    (status(400), "Parameter verification failed. migration_type: Only root may use this option.", Permission),
    (status(400), "Parameter verification failed. nocheck: Only root may use this option.", Permission),
    (status(400), "Parameter verification failed. overrule-shutdown: Not applicable for HA resources.", Fatal),
    (status(400), "Parameter verification failed. revert: unknown option 'x1'", Fatal),
    (status(400), "Parameter verification failed. revert: you can't use '-delete x1' and -revert x1' at the same time", Fatal),
    (status(400), "Parameter verification failed. revert: you can't use '-x1' and '-revert x1' at the same time", Fatal),
    (status(400), "Parameter verification failed. skiplock: Only root may use this option.", Permission),
    (status(400), "Parameter verification failed. snapshot: cannot use 'snapshot' parameter with 'current' current: cannot use 'sna", Fatal),
    (status(400), "Parameter verification failed. storage: No such storage.", Fatal),
    (status(400), "Parameter verification failed. storage: storage 'x1' does not support vm images", Fatal),
    (status(400), "Parameter verification failed. target: target is local node.", Conflict),
    (status(400), "Parameter verification failed. targetstorage: failed to parse storage map: Input/output error", Fatal),
    (status(400), "Parameter verification failed. targetstorage: targetstorage can only by used with migratedfrom.", Fatal),
    (status(400), "Parameter verification failed. tokenid: Token already exists.", Conflict),
    (status(400), "Parameter verification failed. upid: no such task", Gone),
    (status(400), "Parameter verification failed. upid: unable to parse worker upid", Fatal),
    (status(400), "Parameter verification failed. vmid: VM 100 already exists", Conflict),
    (status(400), "Parameter verification failed. volume: no storage specified - incomplete volume ID", Fatal),
    (status(400), "Parameter verification failed. volume: Input/output error", Fatal),
    (status(400), "Parameter verification failed. x1: Only root may use this option.", Permission),
    (status(401), "authentication failure", Permission),
    (status(403), "Permission check failed", Permission),
    (status(500), "'download' cannot be used together with 'start' or 'limit' parameters", Fatal),
    (status(500), "'x1' is not a valid token ID - not able to split into user and to", Fatal),
    (status(500), "CT 100 already running", Conflict),
    (status(500), "CT 100 not running", Conflict),
    (status(500), "Cannot live-migrate replicated VM to node 'x1' - not a replication", Fatal),
    (status(500), "Cannot live-migrate, snapshot (with RAM), or hibernate a VM with: {block", Fatal),
    (status(500), "Cannot suspend HA managed VM to disk", Fatal),
    (status(500), "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist", Gone),
    (status(500), "Could not create compressed file stream for file 'x1' - Input/output error", Fatal),
    (status(500), "Could not determine current size of volume 'x1'", Fatal),
    (status(500), "Could not open file 'x1' - Input/output error", Fatal),
    (status(500), "Lost 'create' config lock, aborting.", Busy),
    (status(500), "Storage 'x1' is already a pool member", Conflict),
    (status(500), "Storage 'x1' is not a pool member", Fatal),
    (status(500), "Token already exists.", Conflict),
    (status(500), "VM is paused - cannot shutdown", Conflict),
    (status(500), "VM 100 belongs already to pool 'x1' and 'allow-move' is ", Conflict),
    (status(500), "VM 100 is already a pool member", Conflict),
    (status(500), "VM 100 is not a pool member", Fatal),
    (status(500), "VM 100 is running - destroy failed", Conflict),
    (status(500), "VM 100 not running", Conflict),
    (status(500), "ambiguous case insensitive match of username 'x1', cannot safely", Fatal),
    (status(500), "can't clone to non-shared storage 'x1'", Fatal),
    (status(500), "can't migrate running VM without --online", Conflict),
    (status(500), "can't resize mount point owned by another container (x1)", Fatal),
    (status(500), "can't upload to storage type 'qemu'", Fatal),
    (status(500), "can't upload to storage type 'qemu', not a file based storage!", Fatal),
    (status(500), "cannot suspend VM to disk due to passed-through PCI device(s), which lac", Fatal),
    (status(500), "checksum mismatch (file change by other user?)", Conflict),
    (status(500), "connection check for storage 'x1' failed - Input/output error", Retryable),
    (status(500), "container did not stop", Conflict),
    (status(500), "disk 'x1' does not exist", Fatal),
    (status(500), "disk 'x1' has no associated volume", Fatal),
    (status(500), "disk is already at specified size", Conflict),
    (status(500), "encountered invalid lock, expected 'snapshot-delete'", Busy),
    (status(500), "failed to get ip for node 'pve1' in network 'x1'", Fatal),
    (status(500), "failed to open container 100's command socket: Input/output error", Fatal),
    (status(500), "generate_random_bytes_in_range: invalid length x1", Fatal),
    (status(500), "internal error", Fatal),
    (status(500), "internal error: bad output from mtunnel", Fatal),
    (status(500), "internal error: unexpected output from mtunnel", Fatal),
    (status(500), "invalid size string", Fatal),
    (status(500), "live-restore is only compatible with backup images from a Proxmox Backup", Fatal),
    (status(500), "missing temporary file name", Fatal),
    (status(500), "no command specified", Fatal),
    (status(500), "no options specified", Fatal),
    (status(500), "no spice port", Fatal),
    (status(500), "no storage ID specified", Fatal),
    (status(500), "no such token 'x1' for user 'x1'", Fatal),
    (status(500), "no such user ('x1')", Fatal),
    (status(500), "parameter 'format' not allowed for linked clones", Fatal),
    (status(500), "parameter 'storage' not allowed for linked clones", Fatal),
    (status(500), "parse_volume - unknown type: x1", Fatal),
    (status(500), "pipe requires cli environment", Fatal),
    (status(500), "pool 'x1' does not exist", Fatal),
    (status(500), "pool 'x1' does not exist", Fatal),
    (status(500), "root-only command 'x1'", Permission),
    (status(500), "snapshot 'before' does not exist", Gone),
    (status(500), "storage 'x1' is not configured for content-type 'x1'", Fatal),
    (status(500), "storage 'x1' does not exist", Fatal),
    (status(500), "storage 'x1' is disabled", Fatal),
    (status(500), "storage 'x1' is not available on node 'pve1'", Fatal),
    (status(500), "storage 'x1' is not online", Retryable),
    (status(500), "top-most snapshot of TPM state 'x1' on storage with 'snapshot-as-vo", Fatal),
    (status(500), "unable to create template, because VM contains snapshots", Conflict),
    (status(500), "unable to find configuration file for qemu 100 on node 'pve1'", Gone),
    (status(500), "unable to get any free VMID in range [x1, x1]", Exhausted),
    (status(500), "unable to remove CT 100 - used in HA resources and purge parameter no", Conflict),
    (status(500), "unable to remove VM 100 - used in HA resources and purge parameter no", Conflict),
    (status(500), "unable to shrink disk size", Fatal),
    (status(500), "unable to use snapshot name 'current' (reserved name)", Fatal),
    (status(500), "unable to use snapshot name 'pending' (reserved name)", Fatal),
    (status(500), "unable to use snapshot name 'vzdump' (reserved name)", Fatal),
    (status(500), "unexpected command 'x1'", Fatal),
    (status(500), "unexpected required permission 'x1' for command '{command_n", Fatal),
    (status(500), "unexpected state change", Busy),
    (status(500), "unknown backup archive type", Fatal),
    (status(500), "user name 'x1' is too long (x1 > 64)", Fatal),
    (status(500), "user name 'x1' is too short", Fatal),
    (status(500), "you can't convert a VM to template if VM is running", Conflict),
    (status(500), "you can't convert a template to a template", Conflict),
    (status(500), "you can't delete a snapshot if vm is a template", Fatal),
    (status(500), "you can't resize a cdrom", Fatal),
    (status(500), "unable to restore VM 100 - vm is running", Conflict),
    (status(500), "can't remove VM 100 - protection mode enabled", Conflict),
    (status(500), "VM is locked (clone)", Busy),
    (TASK, "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist", Gone),
    (TASK, "Failed to obtain guest migration lock - replication running?", Busy),
    (TASK, "Failed to run vncproxy.", Fatal),
    (TASK, "Quotas are not supported by unprivileged containers.", Fatal),
    (TASK, "VM quit/powerdown failed", Conflict),
    (TASK, "VM quit/powerdown failed - got timeout", Conflict),
    (TASK, "VM 100 already running", Conflict),
    (TASK, "base volume 'x1' is still in use by linked cloned", Conflict),
    (TASK, "base volume 'x1' is still in use by linked clones", Conflict),
    (TASK, "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout", Retryable),
    (TASK, "connection check for storage 'x1' failed - Input/output error", Retryable),
    (TASK, "connection failed: Input/output error", Fatal),
    (TASK, "connection timed out", Fatal),
    (TASK, "container did not stop", Conflict),
    (TASK, "could not remove reboot request for 100: Input/output error", Fatal),
    (TASK, "decompression not supported for x1", Fatal),
    (TASK, "failed to create SSL socket: Input/output error", Fatal),
    (TASK, "failed to create pipe: Input/output error", Fatal),
    (TASK, "failed to create socket: Input/output error", Fatal),
    (TASK, "failed to get file descriptor flags: Input/output error", Fatal),
    (TASK, "failed to open container 100's command socket: Input/output error", Fatal),
    (TASK, "failed to remove CLOEXEC flag from fd: Input/output error", Fatal),
    (TASK, "got wrong lock", Busy),
    (TASK, "snapshot 'before' does not exist", Gone),
    (TASK, "snapshot feature is not available", Fatal),
    (TASK, "snapshot name 'before' already used", Conflict),
    (TASK, "unable to rollback to incomplete snapshot (snapstate = x1)", Conflict),
    (TASK, "unable to rollback vm 100: vm is running", Conflict),
    (TASK, "unexpected state change", Busy),
    (TASK, "you can't rollback if vm is a template", Fatal),
    (TASK, "you can't start a CT if it's a template", Fatal),
    (TASK, "you can't start a vm if it's a template", Fatal),
    (TASK, "you can't take a snapshot if it's a template", Fatal),
    (TASK, "VM is locked (clone)", Busy),
];

/// What other layers say: locks, the cluster, the way between nodes, workers.
#[rustfmt::skip]
const LAYERS: &[(Origin, &str, Class)] = &[
    (status(500), "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", Retryable),
    (TASK, "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", Retryable),
    (TASK, "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-nfs' - got timeout", Retryable),
    (TASK, "clone failed: cfs-lock 'storage-ceph' error: got lock request timeout", Retryable),
    (TASK, "error during cfs-locked 'storage-ceph' operation: got lock request timeout", Retryable),
    (status(500), "cluster not ready - no quorum?", Retryable),
    (status(500), "error with cfs lock 'file-user_cfg': no quorum!", Retryable),
    (status(500), "cluster not ready", Retryable),
    (status(595), "No route to host", Retryable),
    (reading(595), "Connection refused", Retryable),
    (status(596), "Broken pipe", Unknown),
    (reading(596), "Connection timed out", Retryable),
    (status(597), "", Unknown),
    (reading(597), "", Retryable),
    (status(599), "Too many redirections", Unknown),
    (reading(599), "", Retryable),
    (status(502), "Bad Gateway", Unknown),
    (status(504), "Gateway Time-out", Unknown),
    (reading(504), "Gateway Time-out", Retryable),
    (status(503), "Service Unavailable", Retryable),
    (status(401), "No ticket", Permission),
    (status(401), "permission denied - invalid PVE ticket", Permission),
    (status(401), "permission denied - invalid csrf token", Permission),
    (status(401), "no such token 'main' for user 'daas@pve'", Permission),
    (status(403), "Permission check failed (/vms/100, VM.Audit)", Permission),
    (status(500), "only root can set 'args' config", Permission),
    (status(500), "VM is locked (clone)", Busy),
    (TASK, "VM is locked (backup)", Busy),
    (TASK, "CT is locked (snapshot)", Busy),
    (status(500), "unable to create VM 100: config file already exists", Conflict),
    (status(500), "unable to create VM 100 - VM 100 already exists on node 'pve2'", Conflict),
    (status(500), "VM 100 is not running", Conflict),
    (status(500), "QEMU guest agent is not running", Conflict),
    (status(500), "No QEMU guest agent configured", Fatal),
    (TASK, "unexpected status", Unknown),
    (TASK, "interrupted by signal", Unknown),
    (TASK, "clone failed: lvcreate 'pve/vm-100-disk-0' error: No space left on device", Exhausted),
    (TASK, "clone failed: unable to create image: Disk quota exceeded", Exhausted),
    (TASK, "clone failed: insufficient free space (10 extents)", Exhausted),
    (TASK, "can't rollback, 'before' is not most recent snapshot on 'vm-100-disk-0'", Conflict),
    (TASK, "shrinking disks is not supported", Fatal),
    (TASK, "start failed: QEMU exited with code 1", Fatal),
    (TASK, "start failed: Cannot allocate memory", Exhausted),
    (status(501), "Method 'GET /no/such' not implemented", Fatal),
    (status(501), "for data too large", Fatal),
    (status(506), "", Fatal),
    (status(500), "Linked clone feature is not supported for drive 'scsi0'", Fatal),
    (status(500), "", Fatal),
    (TASK, "", Fatal),
];

#[test]
fn every_error_has_its_meaning() {
    for (origin, text, expected) in METHODS.iter().chain(LAYERS) {
        assert_eq!(classify(*origin, text), *expected, "{origin:?} {text}");
    }
}

#[test]
fn every_sentence_is_needed() {
    // A sentence that no error has, or that another one hides, is a mistake.
    let used = |sentence: &(&str, Class)| {
        METHODS.iter().chain(LAYERS).any(|(_, text, _)| {
            let first = SENTENCES.iter().find(|(pattern, _)| fits(pattern, text));
            first.is_some_and(|(pattern, _)| *pattern == sentence.0)
        })
    };
    let unused: Vec<_> = SENTENCES
        .iter()
        .filter(|sentence| !used(sentence))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn patterns_fit_in_order_only() {
    assert!(fits("a*c", "xaxbxcx"));
    assert!(!fits("a*c", "ca"));
    assert!(fits("", ""));
    assert!(!fits("ab*b", "ab"));
}
