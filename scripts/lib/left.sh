# Whether a run leaves anything outside of its folder. Sourced by scripts/test, after
# desktops.sh.
# shellcheck shell=bash disable=SC2154

# What there is on the engine that may be of a test, and the tables of guards.
on_engine() {
    docker_answers || return 0
    {
        docker container ls -a --format 'container {{.Names}} {{.Image}} {{.Labels}}'
        docker network ls --format 'network {{.Name}} {{.Labels}}'
        docker volume ls --format 'volume {{.Name}} {{.Labels}}'
    } | awk '/daas/ { print $1, $2 }'
    docker image inspect daas/guard >/dev/null 2>&1 || return 0
    tables_of_guards
}

# Programs that were built here, and containers of engines that a test started.
running() {
    local process exe target
    target=$(realpath "${CARGO_TARGET_DIR:-target}")
    for process in /proc/[0-9]*; do
        exe=$(readlink "$process/exe") || continue
        # The engine of this machine has its socket elsewhere.
        if [[ $exe == "$target"/* ]] ||
            { [[ $exe == */containerd-shim* ]] && grep -qs /exec/containerd/ "$process/cmdline"; }; then
            echo "process ${process#/proc/} $exe"
        fi
    done
}

network_namespaces() {
    command -v ip >/dev/null || return 0
    ip netns list | sed -n 's/^\(daas[^ ]*\).*/network namespace \1/p'
}

what_there_is() {
    { on_engine; running; network_namespaces; } | sort
}

# check_left FILE: fails if there is more than what FILE says that was there before. What ends by
# itself may take a moment.
check_left() {
    local left _
    for _ in $(seq 20); do
        left=$(what_there_is | comm -13 "$1" -)
        [[ -n $left ]] || return 0
        sleep 0.5
    done
    printf 'left behind:\n%s\n' "$left"
    return 1
}
