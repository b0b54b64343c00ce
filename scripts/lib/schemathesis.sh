# Tries the interface of the server by its own description. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

readonly schemathesis_version=4.32.5
# Requests that have to be answered, all runs together.
readonly api_cases_min=5000
api_lib=$PWD/scripts/lib
api_target=${CARGO_TARGET_DIR:-$PWD/target}
api_folder=$api_target/test-api
api_venv=${DAAS_SCHEMATHESIS:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/daas/schemathesis-$schemathesis_version}

api_install() {
    local made=$api_venv.$$
    [[ -x $api_venv/bin/schemathesis ]] && return
    # Made beside its place, so that half a one is never used.
    if ! { python3 -m venv "$made" &&
        "$made/bin/pip" install --quiet "schemathesis==$schemathesis_version"; }; then
        rm -rf "$made"
        return 1
    fi
    mv "$made" "$api_venv" 2>/dev/null || [[ -x $api_venv/bin/schemathesis ]]
}

# api_start NAME COMMAND...: starts a server, which says where it listens; sets api_url and
# api_server.
api_start() {
    local log=$api_folder/$1.log
    "${@:2}" >"$log" 2>&1 &
    api_server=$!
    for _ in $(seq 600); do
        api_url=$(grep -m 1 -oE 'listening on (http://)?[0-9.:]+' "$log") && break
        kill -0 "$api_server" 2>/dev/null || break
        sleep 0.1
    done
    [[ -n $api_url ]] || {
        cat "$log"
        exit 1
    }
    api_url=http://${api_url##*[ /]}
}

api_stop() {
    kill "$api_server" 2>/dev/null || true
    wait "$api_server" || true
}

# api_try NAME WAY OPTION...: tries the server that was started, as somebody who is logged in
# (session) or as a program (token).
api_try() {
    echo "--- $1"
    # Its scripts name the place where it was made: so it is run as a module.
    (
        cd "$api_folder"
        PYTHONPATH=$api_lib PYTHONDONTWRITEBYTECODE=1 DAAS_URL=$api_url DAAS_WAY=$2 \
            DAAS_COUNTS=$api_folder/$1.json "$api_venv/bin/python3" -m schemathesis.cli \
            --config-file "$api_lib/schemathesis.toml" run openapi.json --url "$api_url" \
            --checks all --no-color "${@:3}"
    )
}

# With a hypervisor in memory all operations can succeed.
try_server_in_memory() {
    local status=0
    api_start in-memory "$api_target/debug/examples/in-memory"
    # From its own address, schemathesis would leave the description itself out.
    python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())' \
        "$api_url/api/v1/openapi.json" >"$api_folder/openapi.json"
    api_try session session --phases coverage,fuzzing --max-examples 60 || status=1
    api_try token token --phases coverage,fuzzing --max-examples 40 || status=1
    api_try journeys session --phases stateful --max-time 20 || status=1
    api_stop
    return "$status"
}

# As it is run. Desktops are not launched, and what needs an engine and guacd to be there is
# left out: that is for other steps.
try_server_itself() {
    local status=0
    api_start daas-server env DAAS_SERVER__LISTEN=127.0.0.1:0 DAAS_LOG__FILTER=info \
        DAAS_DOCKER__SOCKET="$api_folder/no.sock" \
        DAAS_STORAGE__PATH="$api_folder/data/daas.sqlite3" DAAS_SERVER__PUBLIC_METRICS=true \
        DAAS_SERVER__TRUSTED_PROXIES='["127.0.0.1"]' \
        DAAS_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS=0 \
        DAAS_LIMITS__REQUESTS_PER_SECOND_PER_ACCOUNT=0 "$api_target/debug/daas-server" serve
    DAAS_DESKTOPS=no api_try itself session --phases coverage --exclude-operation-id ready \
        --exclude-operation-id launchInstance || status=1
    api_stop
    return "$status"
}

test_api() {
    local status=0
    need_command python3
    mkdir -p "$(dirname "$api_venv")"
    api_install || skip "schemathesis cannot be installed"
    # Built as all tests are, so that nothing is built twice.
    cargo build --workspace --all-features --profile test --example in-memory --bin daas-server
    rm -rf "$api_folder"
    mkdir -p "$api_folder/data"
    export DAAS_ADMIN_PASSWORD='a password for tests'
    trap 'kill "$api_server" 2>/dev/null || true' EXIT
    try_server_in_memory || status=1
    try_server_itself || status=1
    python3 "$api_lib/schemathesis_count.py" "$api_folder/openapi.json" "$api_cases_min" \
        "$api_folder"/{session,token,journeys,itself}.json || status=1
    return "$status"
}
