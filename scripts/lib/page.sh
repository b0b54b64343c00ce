#!/bin/bash
# Building the page, to be sourced by bash.
#
#   page_up      builds daas-server/web/dist, unless that was done from the same files
#   page_npm     runs npm there, with a Node that is new enough

# shellcheck source=scripts/lib/apt.sh
source "${BASH_SOURCE[0]%/*}/apt.sh"

page_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../daas-server/web" && pwd)

page_say() { echo "page: $*" >&2; }

page_node_fits() {
    node -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit(a >= 23 || a === 22 && b >= 12 || a === 20 && b >= 19 ? 0 : 1)' 2> /dev/null
}

page_install() {
    command -v node > /dev/null && command -v npm > /dev/null && return
    apt_install Node --no-install-recommends nodejs npm
}

# Where the distribution's Node is too old, npm brings a newer one into its cache.
page_npm() {
    (
        cd "$page_folder" || exit
        if page_node_fits; then
            npm "$@"
        else
            npm exec --yes --package=node@22 -- npm "$@"
        fi
    )
}

# One hash over all that the page is built from.
page_digest() {
    (
        cd "$page_folder" || exit
        find . \( -name node_modules -o -name dist -o -name test-results \) -prune -o -type f -print0 \
            | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64
    )
}

page_up() {
    local digest stamp=$page_folder/node_modules/.daas-built
    digest=$(page_digest)
    if [ -f "$page_folder/dist/index.html" ] && [ "$(cat "$stamp" 2> /dev/null)" = "$digest" ]; then
        page_say "up to date"
        return
    fi
    page_install || return
    page_say "installing its packages"
    page_npm ci --no-audit --no-fund --silent || return
    page_say "building"
    page_npm run --silent build > /dev/null || return
    echo "$digest" > "$stamp"
}
