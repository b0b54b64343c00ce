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

provider_install() {
    page_install || return
    (
        cd daas-core/tests/oidc-provider
        with_node npm ci --no-audit --no-fund --silent
    )
}

# With the provider of npm that the test starts.
test_oidc() {
    provider_install || skip "no Node, and it cannot be installed"
    # Built as all tests are, so that nothing is built twice.
    DAAS_REQUIRE_SIGN_ON=1 with_node cargo test --workspace --all-features --test oidc | some_tests
}

# Without starting it: the tests start their own. Debian's scripts of a package ask this file
# whether they may start a service; one that is there is somebody else's, and stays.
slapd_install() {
    local policy=/usr/sbin/policy-rc.d made='' status=0
    [ -x /usr/sbin/slapd ] && command -v ldapadd > /dev/null && return
    if [ "$(id -u)" = 0 ] && [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && made=1
    fi
    apt_install slapd --no-install-recommends slapd ldap-utils || status=$?
    [ -z "$made" ] || rm -f "$policy"
    return "$status"
}

# With slapd of OpenLDAP, which the tests start.
test_ldap() {
    slapd_install || skip "no slapd, and it cannot be installed"
    # Built as all tests are, so that nothing is built twice.
    DAAS_REQUIRE_SIGN_ON=1 cargo test --workspace --all-features --test ldap | some_tests
}

# The program with both of them, and where their secrets get to.
test_sign_on() {
    slapd_install || skip "no slapd, and it cannot be installed"
    provider_install || skip "no Node, and it cannot be installed"
    export DAAS_REQUIRE_SIGN_ON=1
    with_node cargo test --workspace --all-features --test sign_on | some_tests
    with_node cargo test --workspace --all-features --test canaries other_places | some_tests
}

# The same with the page, in a browser.
test_sign_on_in_browser() {
    local target=${CARGO_TARGET_DIR:-$PWD/target}
    need_command chromium
    slapd_install || skip "no slapd, and it cannot be installed"
    provider_install || skip "no Node, and it cannot be installed"
    cargo build --workspace --all-features --profile test --bin daas-server --example directory
    export TEST_SERVER=$target/debug/daas-server TEST_DIRECTORY=$target/debug/examples/directory
    export TEST_PICTURES=$target/test-pictures
    vitest sign-on --config vitest.sign-on.config.ts
}
