# Log-ins that another place checks, against real ones. Sourced by scripts/test, after page.sh.
# shellcheck shell=bash

# Runs a command with a Node that is new enough.
with_node() {
    if page_node_fits; then
        "$@"
    else
        npm exec --yes --package=node@22 -- "$@"
    fi
}

# With the provider of npm that the test starts.
test_oidc() {
    page_install || skip "no Node, and it cannot be installed"
    (
        cd daas-core/tests/oidc-provider
        with_node npm ci --no-audit --no-fund --silent
    )
    # Built as all tests are, so that nothing is built twice.
    DAAS_REQUIRE_SIGN_ON=1 with_node cargo test --workspace --all-features --test oidc | some_tests
}
