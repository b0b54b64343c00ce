# Checks and tests on the machine's own target. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

# Sets of features of guac-protocol that are checked by themselves.
readonly features=("" alloc std bytes tokio-util)

check_format() {
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
}

lint_workspace() {
    cargo clippy --workspace --all-targets --all-features -- -D warnings
}

# Without other packages beside it, whose features would be added to its own.
lint_features() {
    local set
    for set in "${features[@]}"; do
        echo "features: ${set:-none}"
        cargo clippy -p guac-protocol --lib --no-default-features --features "$set" -- \
            -D warnings
    done
}

lint_fuzz() {
    cargo clippy --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings
}

build_docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
}

test_workspace() {
    if docker_answers; then
        export DAAS_REQUIRE_DOCKER=1
    fi
    cargo test --workspace --all-features --no-fail-fast | some_tests
}

test_features() {
    local set
    for set in "${features[@]}"; do
        echo "features: ${set:-none}"
        cargo test -p guac-protocol --lib --no-default-features --features "$set" | some_tests
    done
}

has_flags() {
    local flag
    for flag in "$@"; do
        grep -qw "$flag" /proc/cpuinfo || return 1
    done
}

# The kernel that the library ought to choose by what the system says of the processor.
expected_kernel() {
    if ! has_flags avx2 bmi1 bmi2 abm popcnt; then
        echo Sse2
    elif ! has_flags avx512f avx512bw avx512vl avx512vbmi avx512_vbmi2; then
        echo Avx2
    else
        echo Avx512
    fi
}

test_best_kernel() {
    local kernel
    [[ $(uname -m) == x86_64 && -r /proc/cpuinfo ]] || skip "not x86-64 Linux"
    kernel=$(expected_kernel)
    GUAC_KERNEL=$kernel cargo test -p guac-protocol --lib kernel::tests | some_tests
    [[ $kernel == Avx512 ]] || skip "this processor has only $kernel; what is beyond is not run"
}

test_without_simd() {
    RUSTFLAGS="--cfg guac_no_simd" GUAC_KERNEL=Swar \
        cargo test -p guac-protocol --all-features --lib --tests | some_tests
}

smoke_benches() {
    compgen -G "benches/benches/*.rs" >/dev/null || skip "there are no benches yet"
    cargo bench -p benches --benches -- --test
}

# depends_on PACKAGE WORD OPTION...: whether a package is in the dependencies of another.
depends_on() {
    cargo tree -p "$1" --prefix none "${@:3}" | grep "^$2 " >/dev/null
}

refuse() {
    ! depends_on "$@" || {
        echo "$1 depends on $2 (cargo tree ${*:3})"
        return 1
    }
}

# The arrows point one way: daas-server, daas-core, guac-protocol.
check_dependencies() {
    local packages
    refuse guac-protocol daas-core --all-features
    refuse guac-protocol daas-server --all-features
    refuse daas-core daas-server --all-features
    refuse guac-protocol tokio --no-default-features --features std,bytes -e normal,build
    depends_on guac-protocol tokio --features tokio-util -e normal
    packages=$(cargo tree -p guac-protocol --prefix none -e normal,build)
    echo "$packages"
    [[ $(wc -l <<<"$packages") -eq 1 ]] || {
        echo "guac-protocol has a dependency by default"
        return 1
    }
}

build_package() {
    cargo package -p guac-protocol --allow-dirty
}
