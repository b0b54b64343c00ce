# Runs steps, one after the other, and counts them. Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

logs=${CARGO_TARGET_DIR:-$PWD/target}/test-logs
rm -rf "$logs"
mkdir -p "$logs"
# Lines of "RESULT SECONDS NAME", and the reasons for what was not run.
results=()
reasons=()
# What a step exits with that cannot run on this machine.
readonly skipped=77

# Ends the present step as skipped. What it did before counts all the same.
skip() {
    echo "skipped: $*"
    exit "$skipped"
}

is_wanted() {
    local word
    [[ ${#wanted[@]} -eq 0 ]] && return
    for word in "${wanted[@]}"; do
        [[ $1 == *"$word"* ]] && return
    done
    return 1
}

# step NAME COMMAND...: runs a command in a shell of its own, in which errors end it.
step() {
    local name=$1 began=$SECONDS status log result=passed
    is_wanted "$name" || return 0
    log=$logs/$(printf '%02d' "${#results[@]}")
    printf '\n=== %s\n' "$name"
    set +e
    (
        set -e
        "${@:2}"
    ) 2>&1 </dev/null | tee "$log"
    status=${PIPESTATUS[0]}
    set -e
    case $status in
        0) ;;
        "$skipped") result=skipped ;;
        *) result=FAILED ;;
    esac
    note_reasons "$name" "$log"
    results+=("$result $((SECONDS - began)) $name")
    printf -- '--- %s: %s, %s s\n' "$name" "$result" "$((SECONDS - began))"
}

# Remembers why a step, or a test in it, was not run: "skipped: REASON" of a step,
# "SKIPPED: REASON", "NAME: not run, REASON" or "NAME: not there" of a test.
note_reasons() {
    local line
    while IFS= read -r line; do
        reasons+=("$1: $line")
    done < <(grep -E '^(skipped: |SKIPPED: |[a-z_-]+: not (run|there))' "$2" || true)
}

# Passes on what a test runner prints, and fails unless it ran at least one test: a filter
# that fits nothing is not a success.
some_tests() {
    awk '{ print; fflush() }
        /^test result: ok\. [1-9]/ { some = 1 }
        END { if (!some) { print "no test was run"; exit 1 } }'
}

count_results() {
    local line count=0
    for line in "${results[@]}"; do
        [[ $line != "$1 "* ]] || count=$((count + 1))
    done
    echo "$count"
}

# Sums up a column of the test runners' lines, such as "12 passed".
count_tests() {
    cat "$logs"/* | awk -v what="$1" '
        /^test result: / { for (i = 2; i <= NF; i++) if ($i == what ";") sum += $(i - 1) }
        END { print sum + 0 }'
}

# Prints all that was counted; fails if anything failed.
summary() {
    local line result seconds name passed failed skips
    printf '\n=== summary, %s s\n' "$SECONDS"
    for line in "${results[@]}"; do
        read -r result seconds name <<<"$line"
        printf '%-8s %5s s  %s\n' "$result" "$seconds" "$name"
    done
    grep -h '^test result: ' "$logs"/* | grep -v ' 0 passed; 0 failed; 0 ignored;' || true
    echo "skipped:"
    printf '  %s\n' "${reasons[@]:-nothing}"
    passed=$(($(count_results passed) + $(count_tests passed)))
    failed=$(($(count_results FAILED) + $(count_tests failed)))
    # A step that was skipped has left its reason, and so has a test.
    skips=$((${#reasons[@]} + $(count_tests ignored)))
    echo "$passed passed, $failed failed, $skips skipped"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}
