# Other targets, by cross compiler, emulator, Node and Miri. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

readonly simd128="-C target-feature=+simd128"
readonly avx2="+avx2,+bmi1,+bmi2,+lzcnt,+popcnt"
readonly avx512="$avx2,+avx512f,+avx512bw,+avx512vl,+avx512vbmi,+avx512vbmi2"

# What a target leaves unused or does otherwise shows only there.
lint_targets() {
    local lint=(cargo clippy -p guac-protocol --lib)
    RUSTFLAGS="--cfg guac_no_simd" "${lint[@]}" --all-features -- -D warnings
    lint_target aarch64-unknown-linux-gnu
    lint_target thumbv7em-none-eabi --no-default-features --features alloc
    lint_target wasm32-unknown-unknown
    RUSTFLAGS=$simd128 lint_target wasm32-unknown-unknown
}

lint_target() {
    need_target "$1"
    cargo clippy -p guac-protocol --lib --target "$@" -- -D warnings
}

build_bare_metal() {
    need_target thumbv7em-none-eabi
    local build=(cargo build -p guac-protocol --target thumbv7em-none-eabi)
    "${build[@]}" --no-default-features
    "${build[@]}" --no-default-features --features alloc
    "${build[@]}" --no-default-features --features bytes
}

build_wasm() {
    need_target wasm32-unknown-unknown
    local build=(cargo build -p guac-protocol --target wasm32-unknown-unknown)
    "${build[@]}" --no-default-features
    "${build[@]}"
    RUSTFLAGS=$simd128 "${build[@]}" --no-default-features
    RUSTFLAGS=$simd128 "${build[@]}"
}

# cross_test TARGET: the unit tests, and those other tests that are about kernels.
cross_test() {
    local tests=(--lib) name
    for name in kernels properties edges; do
        [[ ! -e guac-protocol/tests/$name.rs ]] || tests+=(--test "$name")
    done
    # An emulator is slow: fewer cases of each property.
    PROPTEST_CASES=${PROPTEST_CASES:-32} \
        cargo test -p guac-protocol --target "$1" "${tests[@]}" | some_tests
}

test_neon() {
    need_target aarch64-unknown-linux-gnu
    need_command aarch64-linux-gnu-gcc
    need_command qemu-aarch64
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
        GUAC_KERNEL=Neon cross_test aarch64-unknown-linux-gnu
}

# test_wasm KERNEL RUSTFLAGS
test_wasm() {
    need_target wasm32-wasip1
    need_command node
    CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings $PWD/scripts/lib/wasi.mjs" \
        RUSTFLAGS=$2 GUAC_KERNEL=$1 cross_test wasm32-wasip1
}

# miri TARGET FILTER...: the kernel tests, which decode and scan as well.
miri() {
    need_miri
    cargo +nightly miri test -p guac-protocol --lib --target "$1" -- "${@:2}" | some_tests
}

miri_avx2() {
    RUSTFLAGS="-C target-feature=$avx2" miri x86_64-unknown-linux-gnu kernel::tests
}

miri_avx512() {
    RUSTFLAGS="-C target-feature=$avx512" \
        miri x86_64-unknown-linux-gnu kernel::tests::primitives kernel::tests::counts
    skip "Miri lacks the instructions for validation and elements (vpternlog, vpcompress)"
}

miri_neon() {
    miri aarch64-unknown-linux-gnu kernel::tests
}

miri_big_endian() {
    miri s390x-unknown-linux-gnu kernel::tests
}
