# Helpers of the command-line tests. Load with:  load common
# CELLA_BIN is the folder with the built programs; CTest sets it.
# Must not: leave a process or a file behind, or sleep for a fixed time.

: "${CELLA_BIN:?CELLA_BIN names the folder with the built programs}"
: "${CELLA_SOURCE:?CELLA_SOURCE names the source tree}"
export PATH="$CELLA_BIN:$PATH" LC_ALL=C
bats_require_minimum_version 1.5.0

# Every test starts in an empty folder of its own; bats removes it.
cella_setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    export HOME="$BATS_TEST_TMPDIR"
    CELLA_PIDS=()
}

# Ends what start_background and start_host started. Call it in teardown().
cella_teardown() {
    local pid
    for pid in "${CELLA_PIDS[@]}"; do
        kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in "${CELLA_PIDS[@]}"; do
        wait_gone "$pid" || kill -KILL -- "-$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    CELLA_PIDS=()
}

# run_cella ARGUMENTS…: like bats' run, with stdout in $output and stderr in $stderr apart.
run_cella() {
    run --separate-stderr cella "$@"
}

# expect_status WORD CODE: the last command ended with this status word and exit code.
expect_status() {
    if [[ $status -ne $2 || $stderr != *"[$1]"* ]]; then
        printf 'exit code %s, expected %s with [%s]\nstdout: %s\nstderr: %s\n' \
            "$status" "$2" "$1" "$output" "$stderr" >&2
        return 1
    fi
}

# expect_ok: the last command ended with 0.
expect_ok() {
    if [[ $status -ne 0 ]]; then
        printf 'exit code %s, expected 0\nstdout: %s\nstderr: %s\n' "$status" "$output" "$stderr" >&2
        return 1
    fi
}

# start_background LOG COMMAND…: runs it in a process group of its own, output in LOG; its id is in $started.
start_background() {
    local log=$1
    shift
    set -m
    "$@" >"$log" 2>&1 3>&- &
    started=$!
    set +m
    CELLA_PIDS+=("$started")
}

# wait_for_line FILE PATTERN [SECONDS]: until FILE has a line that matches the extended regular expression.
wait_for_line() {
    local deadline=$((SECONDS + ${3:-20}))
    until grep -qE -- "$2" "$1" 2>/dev/null; do
        if ((SECONDS >= deadline)); then
            printf 'no line "%s" in %s:\n' "$2" "$1" >&2
            cat "$1" >&2
            return 1
        fi
        read -rt 0.02 <> <(:) || true
    done
}

# wait_gone PID [SECONDS]: until the process has ended.
wait_gone() {
    local deadline=$((SECONDS + ${2:-20}))
    while kill -0 "$1" 2>/dev/null && [[ $(ps -o stat= -p "$1" 2>/dev/null) != Z* ]]; do
        ((SECONDS < deadline)) || return 1
        read -rt 0.02 <> <(:) || true
    done
}

# start_host ARGUMENTS…: starts `cella host ARGUMENTS --listen 127.0.0.1:0`, waits until it listens and sets
# $host_url. The log is host.log.
start_host() {
    start_background host.log cella host --listen 127.0.0.1:0 "$@"
    host_pid=$started
    wait_for_line host.log 'http://127\.0\.0\.1:[0-9]+'
    host_url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' host.log | head -n 1)
}
