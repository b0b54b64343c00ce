# The fuzz targets, for a few seconds each. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

# Tracing of comparisons would cost half of the speed; the input here is single bytes.
readonly fuzz_options=(--no-trace-compares)

need_cargo_fuzz() {
    has_cargo_fuzz || skip "no cargo-fuzz $cargo_fuzz_version"
}

test_seeds() {
    cargo test --manifest-path fuzz/Cargo.toml | some_tests
}

build_fuzz() {
    need_cargo_fuzz
    unstable_cargo fuzz build "${fuzz_options[@]}"
}

# run_fuzz TARGET: from the committed seeds, and what it finds is not kept.
run_fuzz() {
    local corpus
    need_cargo_fuzz
    corpus=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$corpus'" EXIT
    # Only `unsafe` code could use a stack frame that is gone, and what there is of it
    # keeps no pointers: not to watch for that saves a fifth of the time.
    ASAN_OPTIONS=detect_stack_use_after_return=0 \
        unstable_cargo fuzz run "${fuzz_options[@]}" "$1" "$corpus" "fuzz/seeds/$1" -- \
        -max_total_time="${FUZZ_SECONDS:-10}" -timeout=10 -print_final_stats=1 2>&1 |
        grep -Ev '^#[0-9]+\s+(NEW|REDUCE|pulse)|^\s*NEW_FUNC|DE: |^".*# Uses'
}
