# Installs what the steps need beyond a Rust toolchain. What cannot be had here is said
# by the steps that need it. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

readonly targets=(
    thumbv7em-none-eabi
    wasm32-unknown-unknown
    wasm32-wasip1
    aarch64-unknown-linux-gnu
)
readonly cargo_fuzz_version=0.13.2

# COMMAND:PACKAGE of Debian.
readonly debian=(
    cc:gcc
    c++:g++
    aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
    qemu-aarch64:qemu-user
    zstd:zstd
    python3:python3
    node:nodejs
    npm:npm
    chromium:chromium
)

has() {
    command -v "$1" >/dev/null
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

install_debian() {
    local entry packages=()
    for entry in "${debian[@]}"; do
        has "${entry%%:*}" || packages+=("${entry##*:}")
    done
    # The C library for the cross compiler brings no command of its own.
    [[ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ]] || packages+=(libc6-dev-arm64-cross)
    [[ ${#packages[@]} -gt 0 ]] || return 0
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        "${packages[@]}"
}

has_target() {
    rustup target list --installed | grep -x "$1" >/dev/null
}

has_nightly() {
    rustup toolchain list | grep '^nightly' >/dev/null
}

has_miri() {
    has_nightly && cargo +nightly miri --version >/dev/null 2>&1 &&
        [[ -d $(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library ]]
}

has_cargo_fuzz() {
    cargo fuzz --version 2>/dev/null | grep -F "$cargo_fuzz_version" >/dev/null
}

# A nightly for Miri and the sanitizers.
install_nightly() {
    has_miri && return
    if has_nightly; then
        rustup component add --toolchain nightly miri rust-src
    else
        rustup toolchain install nightly --profile minimal --component miri,rust-src
    fi
}

# Each part is tried, whether or not the others could be had.
install_tools() {
    local target
    install_debian || echo "warning: Debian packages could not be installed"
    rustup component add rustfmt clippy || echo "warning: no rustfmt or clippy"
    for target in "${targets[@]}"; do
        has_target "$target" || rustup target add "$target" || echo "warning: no $target"
    done
    install_nightly || echo "warning: no nightly with Miri"
    has_cargo_fuzz || cargo install cargo-fuzz --version "$cargo_fuzz_version" --locked ||
        echo "warning: no cargo-fuzz"
    rustc --version --verbose
}

need_command() {
    has "$1" || skip "no $1"
}

need_target() {
    has_target "$1" || skip "no standard library for $1"
}

need_miri() {
    has_miri || skip "no nightly toolchain with Miri"
}

# Runs cargo with unstable options: a nightly one, or else the stable one made to accept
# them.
unstable_cargo() {
    if has_nightly; then
        cargo +nightly "$@"
    else
        RUSTC_BOOTSTRAP=1 cargo "$@"
    fi
}
