#!/bin/bash
# Functions around the Docker engine, to be sourced by bash.
#
#   docker_up    sees to it that the engine answers: installs it if need be (Debian and
#                Ubuntu, as root) and starts it if its socket is silent
#   docker_down  stops the engine, if docker_up of this shell started it

# shellcheck source=scripts/lib/apt.sh
source "${BASH_SOURCE[0]%/*}/apt.sh"

docker_say() { echo "docker: $*" >&2; }

docker_answers() { timeout 10 docker version --format '{{.Server.Version}}' > /dev/null 2>&1; }

docker_install() {
    command -v docker > /dev/null && command -v dockerd > /dev/null && return
    apt_install "the Docker engine" docker.io
}

docker_up() {
    docker_answers && return
    docker_install || return
    docker_answers && return
    [ "$(id -u)" = 0 ] || { docker_say "the engine does not answer, and only root can start it"; return 1; }
    docker_log=$(mktemp "${TMPDIR:-/tmp}/dockerd.XXXXXX.log")
    docker_say "starting the engine, its log is $docker_log"
    setsid dockerd > "$docker_log" 2>&1 < /dev/null &
    docker_started=$!
    docker_wait
}

# Waits until the engine that was started answers, for at most half a minute.
docker_wait() {
    for _ in $(seq 60); do
        docker_answers && return
        kill -0 "$docker_started" 2> /dev/null || break
        sleep 0.5
    done
    docker_say "the engine does not start: $(tail -n 5 "$docker_log")"
    docker_down
    return 1
}

docker_down() {
    [ -n "${docker_started:-}" ] || return 0
    kill "$docker_started" 2> /dev/null
    for _ in $(seq 30); do
        kill -0 "$docker_started" 2> /dev/null || break
        sleep 0.5
    done
    rm -f "$docker_log"
    docker_started=
}
