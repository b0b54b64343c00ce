#!/bin/sh
# Takes a record: runs all benches several times on one processor, then writes the
# medians to benches/results/ and prints the tables.
#
#   benches/record.sh [RUNS] [PROCESSOR] [FILTER]
set -eu
cd "$(dirname "$0")/.."
runs=${1:-3}
processor=${2:-1}
filter=${3:-}
folder=${CARGO_TARGET_DIR:-$PWD/target}/bench-record

cargo bench -q -p benches --no-run
cargo build -q --release -p benches --bin bench-table
rm -rf "$folder"
pin=
if command -v taskset >/dev/null; then
    pin="taskset -c $processor"
fi
run=1
while [ "$run" -le "$runs" ]; do
    echo "run $run of $runs, load $(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo unknown)" >&2
    CRITERION_HOME=$folder/$run $pin cargo bench -q -p benches -- --quiet $filter >&2
    run=$((run + 1))
done
cargo run -q --release -p benches --bin bench-table -- "$folder"/*
