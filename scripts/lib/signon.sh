#!/bin/bash
# Tests of log-ins that other programs check, to be sourced by bash.
#
#   test_ldap    log-ins by a directory, with slapd of OpenLDAP

# shellcheck source=scripts/lib/apt.sh
source "${BASH_SOURCE[0]%/*}/apt.sh"

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

test_ldap() {
    slapd_install || return
    DAAS_REQUIRE_SIGN_ON=1 cargo test -p daas-core --features ldap --test ldap | some_tests
}
