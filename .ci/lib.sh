# shellcheck shell=bash
# What the scripts of this folder share: the cache, steps with their seconds, work in the background, and the word for what is
# not there. Read from the root of the repository, with `set -euo pipefail` on.

# Everything that is built or installed lies here, outside the checkout: a machine that ran before does less.
cache="${LAYERJOULE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/layerjoule-ci}"
mkdir -p "$cache/logs"
export LAYERJOULE_CI_CACHE="$cache"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
# Backtraces without lines: less to generate and to link.
export CARGO_PROFILE_DEV_DEBUG=0

# The exit code of a script whose peer is not there, where that is no error.
absent=77

# missing NAME WHY HOW: says that a peer is not there and how to get it. Under CI=true that is an error, elsewhere a skip.
missing() {
    if [ "${CI:-}" = true ]; then
        printf 'error: %s: %s\n  how to get it: %s\n' "$1" "$2" "$3" >&2
        return 1
    fi
    printf 'skipped: %s (%s; %s)\n' "$1" "$2" "$3" >&2
    [ -z "${LAYERJOULE_CI_SKIPPED:-}" ] || printf '%s (%s; %s)\n' "$1" "$2" "$3" >>"$LAYERJOULE_CI_SKIPPED"
    return "$absent"
}

# leave CODE: ends a script whose peer is not there. What was skipped is no failure of the script.
leave() {
    [ "$1" = "$absent" ] && exit 0
    exit "$1"
}

# locked NAME COMMAND…: one at a time, over all scripts; the output goes to logs/NAME.
locked() {
    local name=$1
    shift
    (
        flock 9
        "$@"
    ) 9>"$cache/logs/$name.lock" >"$cache/logs/$name" 2>&1
}

# The line of a log that says most about why it ended.
reason() {
    { grep -E '^(ERROR|error|E:|fatal)' "$cache/logs/$1" || tail -n 1 "$cache/logs/$1"; } | tail -n 1 | cut -c 1-200
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# --- steps and their table, for .ci/run ---

# Begins the account of a run. What ends the script prints the table, whether it went well or not.
account() {
    run=$(mktemp -d)
    export LAYERJOULE_CI_SKIPPED="$run/skipped"
    : >"$run/skipped"
    : >"$run/steps"
    begun=$SECONDS
    current=
    beside=
    declare -gA job_of=()
    trap 'finish $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

step() {
    close_step
    current=$1
    current_begun=$SECONDS
    printf '\n=== %s (%d s)\n' "$1" "$((SECONDS - begun))"
    end_guard
    guard &
    guard_process=$!
}

# Ends a step that hangs, long before the machine's own limit ends all without a word, and says what ran.
guard() {
    trap - EXIT INT TERM
    local limit=${LAYERJOULE_CI_STEP_SECONDS:-1800} child
    sleep "$limit" &
    trap 'kill %1; exit' TERM
    wait
    printf '\nerror: this step has run for %d s and is ended; processes that began in it (seconds, command):\n' "$limit"
    ps -e -o etimes=,args= --sort=-etimes | awk -v most="$limit" '$1 <= most && $2 !~ /^(ps|awk|sort|sleep|\[.*)$/' | cut -c 1-200
    for child in $(pgrep -P $$); do
        [ "$child" = "$BASHPID" ] || kill -TERM "$child"
    done
}

end_guard() {
    [ -z "${guard_process:-}" ] || kill "$guard_process" 2>/dev/null || true
    guard_process=
}

close_step() {
    [ -z "$current" ] || printf '%s\t%d\n%s' "$current" "$((SECONDS - current_begun))" "$beside" >>"$run/steps"
    beside=
}

finish() {
    local code=$1 job name seconds
    trap - EXIT
    set +e
    end_guard
    for job in "${job_of[@]}"; do kill -TERM -- "-$job" 2>/dev/null; done
    close_step
    printf '\n%-72s | seconds\n%s-+--------\n' step "$(printf '%72s' '' | tr ' ' -)"
    while IFS=$'\t' read -r name seconds; do printf '%-72s | %7d\n' "$name" "$seconds"; done <"$run/steps"
    printf '%-72s | %7d\n' "in all" "$((SECONDS - begun))"
    if [ -s "$run/skipped" ]; then
        printf '\nskipped:\n'
        sort -u "$run/skipped" | sed 's/^/  /'
    fi
    [ "$code" = 0 ] || printf '\nfailed in: %s (exit code %d)\n' "${current:-the beginning}" "$code"
    rm -rf "$run"
    exit "$code"
}

# start [--low] NAME COMMAND [NAME COMMAND]…: runs functions or scripts in the background, one after the other, each with its
# output in a file. What fails does not stop those after it. `--low` is for what may wait: it takes the processor's idle time.
start() {
    local low=
    if [ "$1" = --low ]; then
        low=1
        shift
    fi
    # A process group of its own, so that all of it can be ended.
    set -m
    (
        set +em
        trap - EXIT INT TERM
        [ -z "$low" ] || renice -n 19 -p "$BASHPID" >/dev/null
        # What runs as idle gives the processor up at once.
        [ -z "$low" ] || chrt --idle --pid 0 "$BASHPID" 2>/dev/null || true
        while [ $# -gt 0 ]; do
            since=$SECONDS
            (
                set -e
                "$2"
            ) >"$run/$1.log" 2>&1 </dev/null
            printf '%d %d\n' $? "$((SECONDS - since))" >"$run/$1.partial"
            mv "$run/$1.partial" "$run/$1.ended"
            shift 2
        done
    ) &
    set +m
    while [ $# -gt 0 ]; do
        job_of[$1]=$!
        shift 2
    done
}

# await NAME…: waits for work in the background, prints what it printed, and fails where it failed. Its seconds go into the
# table beside those of the step that waits.
await() {
    local name code seconds
    for name; do
        while [ ! -f "$run/$name.ended" ]; do
            kill -0 "${job_of[$name]}" 2>/dev/null || [ -f "$run/$name.ended" ] || { echo "error: $name was ended" >&2; return 1; }
            sleep 0.2
        done
        read -r code seconds <"$run/$name.ended"
        printf -- '--- %s (%d s beside other work)\n' "$name" "$seconds"
        cat "$run/$name.log"
        beside+="  beside others: $name"$'\t'"$seconds"$'\n'
        if [ "$code" != 0 ]; then
            current="$current: $name"
            return "$code"
        fi
    done
}
