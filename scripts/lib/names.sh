# Names that are scripts, on the page of a server as it is run. Sourced by scripts/test, after
# desktops.sh.
# shellcheck shell=bash

# The test starts the server, and ends it.
test_names() {
    local target=${CARGO_TARGET_DIR:-$PWD/target}
    need_command chromium
    page_up
    # Built as all tests are, so that nothing is built twice; with the page that was built.
    cargo build --workspace --all-features --profile test --bin daas-server
    TEST_SERVER=$(realpath "$target")/debug/daas-server \
        vitest names --config vitest.names.config.ts
}
