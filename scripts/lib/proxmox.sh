# The backend of Proxmox VE: against our simulator, against one that others made (fakepve), and
# our simulator against a client that others made (proxmoxer); and a machine of QEMU behind it, seen
# through guacd. Sourced by scripts/test.
# shellcheck shell=bash

proxmox_folder=$PWD/daas-core/tests/proxmoxer
proxmox_venv=${DAAS_PROXMOX_VENV:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/daas/proxmox-$(sha256sum \
    "$proxmox_folder/requirements.txt" | cut -c1-12)}

proxmox_install() {
    local made=$proxmox_venv.$$
    [[ -x $proxmox_venv/bin/fakepve ]] && return
    mkdir -p "$(dirname "$proxmox_venv")"
    # Made beside its place, so that half a one is never used.
    if ! { python3 -m venv "$made" &&
        "$made/bin/pip" install --quiet -r "$proxmox_folder/requirements.txt"; }; then
        rm -rf "$made"
        return 1
    fi
    mv "$made" "$proxmox_venv" 2>/dev/null || [[ -x $proxmox_venv/bin/fakepve ]]
}

# fakepve is another's program under another licence: it is run, and nothing of it is taken.
test_proxmox() {
    local fakepve=$proxmox_venv/bin/fakepve-here target=${CARGO_TARGET_DIR:-$PWD/target}
    need_command python3
    proxmox_install || skip "fakepve and proxmoxer cannot be installed"
    # The scripts of an environment name the place where it was made.
    printf '#!/bin/sh\nexec "%s" -m fakepve "$@"\n' "$proxmox_venv/bin/python3" >"$fakepve.$$"
    chmod 755 "$fakepve.$$"
    mv "$fakepve.$$" "$fakepve"
    # Built as all tests are, so that nothing is built twice.
    DAAS_REQUIRE_PROXMOX=1 DAAS_FAKEPVE=$fakepve cargo test --workspace --all-features \
        --test hypervisor_proxmox --test proxmox_client | some_tests
    cargo build --workspace --all-features --profile test --example pve-simulator
    "$proxmox_venv/bin/python3" "$proxmox_folder/drive.py" \
        "$target/debug/examples/pve-simulator"
}

# QEMU without a processor of its own to lend: what it shows is what matters.
test_real_machine() {
    has qemu-system-x86_64 || as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends qemu-system-x86 || skip "QEMU cannot be installed"
    need_engine
    docker image inspect daas/guacd >/dev/null 2>&1 || skip "no guacd"
    DAAS_REQUIRE_MACHINE=1 cargo test --workspace --all-features --test real_machine | some_tests
}
