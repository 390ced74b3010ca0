#!/usr/bin/env bash
# Kills a job with SIGKILL at random moments and runs it again: the sink must never be partial, and must end with the bytes
# of an uninterrupted run.
#
#   benches/crash.sh [KILLS] [JOB.yaml] [limpid flags ...]      25 kills of examples/quickstart.yaml by default
#
# With KILLS_PER_RUN=20 a run is killed twenty times, each time in the first tenth (2 / 20) of the time that a whole run takes, and goes on
# where it was; then it is left to finish. That fits long jobs. By default a run is killed once, at any moment.
#
# The job must take its folders from ${out}, as the examples do, and its input must stay as it is: while cargo downloads, point
# CARGO_HOME to a copy for the quickstart. Prints one line a kill; exit code 1 at the first difference.
set -euo pipefail

kills=${1:-25}
job=${2:-examples/quickstart.yaml}
shift $(($# < 2 ? $# : 2))
limpid=${LIMPID:-target/release/limpid}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The bytes of a sink as one hash; nothing where there is no sink.
bytes() { [ ! -d "$1" ] || (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum); }

per_run=${KILLS_PER_RUN:-1}

begin=$(date +%s%N)
"$limpid" run "$job" --set out="$work/whole" "$@" >/dev/null
millis=$((($(date +%s%N) - begin) / 1000000))
expected=$(bytes "$work/whole/clean")
[ -n "$expected" ] || { echo "the job writes no sink to \${out}/clean" >&2; exit 2; }
echo "uninterrupted: $millis ms"

same() {
    if [ "$1" != "$expected" ]; then
        echo "kill $2: $3" >&2
        exit 1
    fi
}

alive=0
window=$((per_run < 2 ? millis : 2 * millis / per_run))
for kill in $(seq "$kills"); do
    out="$work/out"
    [ $(((kill - 1) % per_run)) != 0 ] || rm -rf "$out"
    "$limpid" run "$job" --set out="$out" "$@" >/dev/null 2>&1 &
    pid=$!
    after=$(((RANDOM * 32768 + RANDOM) % window))
    sleep "$(printf '%d.%03d' $((after / 1000)) $((after % 1000)))"
    if kill -9 "$pid" 2>/dev/null; then alive=$((alive + 1)); fi
    wait "$pid" 2>/dev/null || true
    seen=$(bytes "$out/clean")
    [ -z "$seen" ] || same "$seen" "$kill" "the sink is partial"
    if [ $((kill % per_run)) = 0 ] || [ "$kill" = "$kills" ]; then
        "$limpid" run "$job" --set out="$out" "$@" >/dev/null
        same "$(bytes "$out/clean")" "$kill" "the bytes differ"
        echo "kill $kill after $after ms: same bytes"
    else
        echo "kill $kill after $after ms"
    fi
done
echo "$kills kills, $alive of a process that was still running: all sinks equal"
