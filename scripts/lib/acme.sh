# Certificates by ACME, beside the directory that Let's Encrypt has for tests. Sourced by
# scripts/test.
# shellcheck shell=bash

# With Pebble, which the tests start.
test_acme() {
    command -v pebble > /dev/null || apt_install pebble --no-install-recommends pebble \
        || skip "no Pebble, and it cannot be installed"
    # Built as all tests are, so that nothing is built twice.
    DAAS_REQUIRE_ACME=1 cargo test --workspace --all-features --test acme | some_tests
}
