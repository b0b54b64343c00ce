# Tries the interface of the server by its own description. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

readonly schemathesis_version=4.32.5
readonly api_cases_min=5000
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
    mkdir -p "$(dirname "$api_venv")"
    mv "$made" "$api_venv" 2>/dev/null || [[ -x $api_venv/bin/schemathesis ]]
}

# api_start COMMAND...: starts a server, which says where it listens, and sets api_url.
api_start() {
    local line
    # It ends with its input, and so with this shell.
    coproc api_server { exec "$@"; }
    while IFS= read -r -t 60 line <&"${api_server[0]}"; do
        api_url=http://$(grep -oE '127\.0\.0\.1:[0-9]+' <<<"$line") && return
    done
    echo "the server does not start"
    return 1
}

api_stop() {
    kill "$api_server_PID" 2>/dev/null || true
    wait "$api_server_PID" 2>/dev/null || true
}

# api_try NAME WAY OPTION...: the whole interface, by a session or by a token.
api_try() {
    local name=$1 way=$2
    echo "--- $name"
    # Its scripts name the place where it was made: so it is run as a module.
    (
        cd "$api_folder"
        PYTHONPATH=$api_lib PYTHONDONTWRITEBYTECODE=1 DAAS_URL=$api_url DAAS_WAY=$way \
            DAAS_COUNTS=$api_folder/$name.json "$api_venv/bin/python3" -m schemathesis.cli \
            --config-file "$api_lib/schemathesis.toml" run "$api_url/api/v1/openapi.json" \
            --url "$api_url" --no-color "${@:3}"
    )
}

test_api() {
    local DAAS_ADMIN_PASSWORD='a password for tests' status=0
    local api_lib=$PWD/scripts/lib api_folder=${CARGO_TARGET_DIR:-$PWD/target}/test-api
    export DAAS_ADMIN_PASSWORD
    need_command python3
    api_install || skip "schemathesis cannot be installed"
    cargo build -p daas-server --profile test --example in-memory --bin daas-server
    rm -rf "$api_folder"
    mkdir -p "$api_folder"
    trap api_stop EXIT
    api_start "${CARGO_TARGET_DIR:-target}/debug/examples/in-memory"
    curl -fsS "$api_url/api/v1/openapi.json" >"$api_folder/openapi.json"
    api_try session session --phases examples,coverage,fuzzing --max-examples 60 || status=1
    api_try token token --phases examples,coverage,fuzzing --max-examples 40 || status=1
    api_try journeys session --phases stateful --max-examples 20 || status=1
    api_stop
    python3 "$api_lib/schemathesis_count.py" "$api_folder/openapi.json" "$api_cases_min" \
        "$api_folder"/{session,token,journeys}.json || status=1
    return "$status"
}
