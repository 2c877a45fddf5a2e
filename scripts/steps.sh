# How ./dev runs a step: in a process group of its own, with its output in build/log, showing that it is alive, how far
# it is, how long it took, and its end if it failed. Ctrl-C ends it at once, whatever runs in it. Sourced by ./dev.
# shellcheck shell=bash

passed=0
failed=0
steps=0       # begun
steps_total=0 # if it is known how many there will be
job=          # the process group that runs
ticker=
rooted= # `yes`: root's processes run in the step; as another user, only sudo can end them

die() {
    echo "dev: $*" >&2
    exit 1
}

end_job() {
    [[ -n $job ]] || return 0
    local signal i
    for signal in INT TERM KILL; do
        # A package manager is asked, not killed.
        [[ $signal == KILL && $rooted == yes ]] && break
        kill "-$signal" -- "-$job" 2>/dev/null || { ((EUID != 0)) && sudo -n kill "-$signal" -- "-$job"; } 2>/dev/null || true
        for ((i = 0; i < 20; ++i)); do
            kill -0 -- "-$job" 2>/dev/null || break 2
            sleep 0.05
        done
    done
    job=
}

on_exit() {
    trap '' HUP INT PIPE TERM
    [[ -z $ticker ]] || kill "$ticker" 2>/dev/null || true
    end_job
}
trap on_exit EXIT
trap 'exit 129' HUP
trap '{ [[ -z $job ]] || echo; echo "dev: interrupted" >&2; } 2>/dev/null; exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

# step NAME COMMAND...: a function too; then with `&&` and `return`, as `set -e` does not hold there.
step() {
    local name=$1 started=$SECONDS status=0 number=''
    shift
    steps=$((steps + 1))
    ((steps_total == 0)) || number="$steps of $steps_total: "
    last_log=build/log/$(tr -cs 'a-zA-Z0-9\n' - <<<"${name:0:60}" | sed 's/-$//').log
    mkdir -p build/log
    echo "-- $number$name"
    set -m # a job's processes are a group, so that all of them can be ended
    ("$@") </dev/null >"$last_log" 2>&1 &
    job=$!
    set +m
    tick "$last_log" $$ &
    ticker=$!
    wait "$job" || status=$?
    job=
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    ticker=
    [[ -t 1 ]] && printf '\r\033[K'
    if ((status == 0)); then
        echo "   ok, $(span $((SECONDS - started)))"
    else
        echo "   FAILED after $(span $((SECONDS - started))); the end of $last_log:"
        tail -n 60 "$last_log" | sed 's/^/   | /'
    fi
    return "$status"
}

span() { if (($1 < 120)); then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi; }

# On a terminal the last line of the log, as much of it as fits; else a sign of life each minute.
tick() {
    local log=$1 parent=$2 started=$SECONDS line columns
    trap 'exit 0' TERM
    while sleep 1; do
        kill -0 "$parent" 2>/dev/null || exit 0
        line=$(tail -c 2000 "$log" 2>/dev/null | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | tr '\r' '\n' | tr -d '\000-\010\013-\037' |
            grep -v '^[[:space:]]*$' | tail -n 1) || true
        if [[ -t 1 ]]; then
            columns=$(stty size 2>/dev/null </dev/tty | cut -d' ' -f2) || true
            ((${columns:-0} > 20)) || columns=80
            line="   $(span $((SECONDS - started)))  $line"
            printf '\r\033[K%s' "${line:0:columns-1}"
        elif (((SECONDS - started) % 60 == 0)); then
            echo "   ... $(span $((SECONDS - started)))  ${line:0:100}"
        fi
    done
}

# A step that is one check of the whole.
check() {
    if step "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# How many jobs at a time: one for each processor, and 750 MB for each, which is what a compiler of this code takes. A
# container's own limit counts as the machine's memory does. JOBS says otherwise.
parallel() {
    local cores=${JOBS:-} memory limit used root=${CGROUP_ROOT:-/sys/fs/cgroup} group
    [[ -z $cores ]] || { echo "$cores" && return; }
    cores=$(nproc)
    memory=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
    group=$root$(sed -n 's/^0:://p' /proc/self/cgroup 2>/dev/null)
    [[ -e $group/memory.max ]] || group=$root
    limit=$(cat "$group/memory.max" 2>/dev/null || cat "$root/memory/memory.limit_in_bytes" 2>/dev/null) || limit=max
    if [[ $limit =~ ^[0-9]{1,15}$ ]]; then
        used=$(cat "$group/memory.stat" "$root/memory/memory.stat" 2>/dev/null | awk '/^(anon|total_rss) / { print $2; exit }') || true
        limit=$(((limit - ${used:-0}) / 1048576))
        ((limit > memory)) || memory=$limit
    fi
    ((memory /= 750)) || true
    ((memory >= 1)) || memory=1
    echo $((cores < memory ? cores : memory))
}
