#!/bin/sh
# Runs the cases of the Autobahn test suite against a WebSocket echo server, by kosoku.
# usage: kosoku.sh HOST:PORT DIRECTORY-FOR-THE-REPORT
# Ends with 77 where kosoku cannot be installed, and with 1 where a case failed.
set -eu

address=$1
report=$2
venv=${DAAS_KOSOKU:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/daas/kosoku-0.1.0}

if [ ! -x "$venv/bin/kosoku" ]; then
    # Made beside its place, so that half a one is never used.
    made="$venv.$$"
    trap 'rm -rf "$made"' EXIT
    { python3 -m venv "$made" && "$made/bin/pip" install --quiet kosoku==0.1.0; } || {
        echo "kosoku cannot be installed" >&2
        exit 77
    }
    # Its scripts name the place where it was made: so it is run as a module below.
    mkdir -p "$(dirname "$venv")"
    mv "$made" "$venv" 2>/dev/null || [ -x "$venv/bin/kosoku" ]
fi

# Not 12 and 13: compression is not offered.
exec "$venv/bin/python3" -c 'from kosoku._cli import main; main()' \
    --mode fuzzingclient --outdir "$report" --parallelism 4 \
    --include '1.*' --include '2.*' --include '3.*' --include '4.*' --include '5.*' \
    --include '6.*' --include '7.*' --include '9.*' --include '10.*' "$address"
