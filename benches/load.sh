#!/usr/bin/env bash
# Load on tunnels: builds all, then measures the tunnel of daas-server, a plain relay and
# guacamole-lite one after the other, and prints a table.
#
#   benches/load.sh                 1,000 idle and 200 busy tunnels; figures go into results/
#   benches/load.sh --smoke         a few tunnels for two seconds; fails where one is no good
#   benches/load.sh OPTION...       options of tunnel-load, such as --idle 100 --target daas
#
# Needs Node for guacamole-lite. All of it stays on this machine and ends by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v node > /dev/null || ! command -v npm > /dev/null; then
    echo "load.sh: Node and npm are needed for guacamole-lite" >&2
    exit 1
fi
npm ci --prefix benches/load --no-audit --no-fund --silent
cargo build --quiet --release -p benches --features load --bins

# Each tunnel takes two files of the server.
limit=$(ulimit -Hn)
[ "$limit" = unlimited ] || [ "$(ulimit -Sn)" = "$limit" ] || ulimit -Sn "$limit"

[ $# -gt 0 ] || set -- --save
exec target/release/tunnel-load "$@"
