#!/bin/bash
# What an installation has on the Docker engine, to be sourced by bash.
#
#   installation_remove NAME RANGE  removes all of it: desktops with their homes, networks,
#                                   the guard and its rules

# Those of desktops by their names: an engine that was killed may have lost the labels.
named_volumes() {
    docker volume ls -q | grep -E "^$1-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-(home|secrets)\$" || true
}

installation_remove() {
    local label="label=daas.installation=$1" table
    table=daas_${1//-/_}
    docker ps -aq --filter "$label" | xargs -r docker rm -fv > /dev/null
    { docker volume ls -q --filter "$label"; named_volumes "$1"; } | sort -u \
        | xargs -r docker volume rm -f > /dev/null
    # Gateways are in these networks, and are not ours to remove.
    for network in $(docker network ls -q --filter "$label"); do
        docker network inspect -f '{{range $id, $_ := .Containers}}{{$id}} {{end}}' "$network" \
            | xargs -rn1 docker network disconnect -f "$network"
        docker network rm "$network" > /dev/null
    done
    if docker image inspect daas/guard > /dev/null 2>&1; then
        docker run --rm --network host --cap-drop ALL --cap-add NET_ADMIN -e "DAAS_TABLE=$table" \
            -e "DAAS_RANGE=$2" -e DAAS_BRIDGES=daas- daas/guard remove > /dev/null
    fi
}
