# The page, and desktops with a real engine, guacd and browser. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

need_engine() {
    docker_answers || skip "no Docker engine"
}

build_images() {
    need_engine
    scripts/images --only guard --only editor --only desktop
}

# No present Debian has guacd: nothing else may depend on the one that had.
build_guacd() {
    need_engine
    scripts/images --only guacd || skip "guacd can be had neither from a registry nor from Debian"
}

# Runs tests of the page, and ends with the line that is counted: vitest NAME ARGUMENT...
vitest() {
    local report=$logs/../vitest-$1.json status=0
    rm -f "$report"
    page_npm exec -- vitest run --reporter=default --reporter=json --outputFile="$report" "${@:2}" || status=$?
    # shellcheck disable=SC2016 # it is JavaScript
    node -e '
        const all = JSON.parse(require("fs").readFileSync(process.argv[1]));
        const [passed, failed] = [all.numPassedTests, all.numFailedTests];
        const rest = all.numTotalTests - passed - failed;
        console.log(`test result: ${failed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed; ${rest} ignored;`);
        process.exit(passed > 0 ? 0 : 1);' "$report"
    return "$status"
}

test_page_in_browser() {
    need_command chromium
    vitest browser --config vitest.e2e.config.ts
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

tables_of_guards() {
    docker run --rm --network host --cap-drop ALL --cap-add NET_ADMIN --entrypoint nft daas/guard \
        list tables | grep daas || true
}

# What a demo leaves behind; there should be nothing.
left_behind() {
    docker ps -aq --filter "label=daas.installation=$1"
    docker ps -aq --filter "name=^$1-"
    docker network ls -q --filter "label=daas.installation=$1"
    docker network ls -q --filter "name=^$1-"
    docker volume ls -q --filter "label=daas.installation=$1"
    docker volume ls -q --filter "name=^$1-"
    tables_of_guards | grep "daas_$1\$" || true
}

wait_until_ready() {
    local _
    for _ in $(seq 600); do
        grep -q '^DaaS is ready' "$1" && return
        kill -0 "$2" 2>/dev/null || break
        sleep 1
    done
    cat "$1"
    echo "the demo did not become ready"
    return 1
}

# The demo as a person runs it, a browser in front of it, and nothing left behind.
test_desktops() {
    local port demo status=0 left output=$logs/../demo.log
    need_engine
    need_command chromium
    docker image inspect daas/guacd >/dev/null 2>&1 || skip "no guacd"
    port=$(free_port)
    export DAAS_DOCKER__INSTALLATION=try DAAS_DOCKER__RANGE=10.215.0.0/16
    export DAAS_ADMIN_PASSWORD=try-$RANDOM$RANDOM$RANDOM TEST_URL=http://127.0.0.1:$port
    export TEST_PICTURES=${logs%/*}/test-pictures
    scripts/demo --port "$port" >"$output" 2>&1 &
    demo=$!
    wait_until_ready "$output" "$demo" || return
    grep '^DaaS is ready' "$output" | sed 's/password .*/password …/'
    vitest real --config vitest.real.config.ts || status=$?
    if [[ $status -eq 0 ]]; then
        page_npm run --silent launches -- 5 || status=$?
    fi
    # Not SIGINT, which a shell lets its background jobs ignore.
    kill -TERM "$demo"
    wait "$demo" || true
    left=$(left_behind "$DAAS_DOCKER__INSTALLATION")
    [[ -z $left ]] || {
        echo "left behind: $left"
        status=1
    }
    return "$status"
}
