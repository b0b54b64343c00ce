#!/bin/bash
# guacd in a container of its own, to be sourced by bash.
#
#   guacd_up NAME    starts it in a network of the same name, and prints its address
#   guacd_down NAME  removes both

guacd_up() {
    local address
    guacd_down "$1"
    docker network create "$1" > /dev/null || return
    # It ends with all it serves when one of its own processes is broken: so it comes again.
    docker run -d --init --restart unless-stopped --name "$1" --network "$1" \
        --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
        --memory 1g --pids-limit 2000 daas/guacd > /dev/null || return
    address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1")
    for _ in $(seq 100); do
        (: > "/dev/tcp/$address/4822") 2> /dev/null && break
        sleep 0.1
    done
    echo "$address:4822"
}

guacd_down() {
    docker rm -fv "$1" > /dev/null 2>&1
    docker network rm "$1" > /dev/null 2>&1
    return 0
}
