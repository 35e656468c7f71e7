#!/bin/sh
# usage: daemons.sh [end [PID] | wait PID]
# Prints the process number of each daemon of this installation, one a line; with "end", ends them
# all, except PID; with "wait", waits until the shell that is process PID has become one or ended.
#
# A daemon is a process that runs the confd beside this file, or ran it before an upgrade replaced
# it. A one-time run or an inspection tool is none, nor is a process of another root directory or
# namespace (a container), or a child that is about to run a command. There may be several: the
# original agent or a user at a terminal may have started one that no pid file knows. Exit status:
# 0, or 1 when one could not be ended.

bin=$(CDPATH='' cd -P -- "$(dirname -- "$0")" && pwd) || exit 1
# Flags with which confd is no daemon, or one that changes nothing here.
tools='onetime|noop|root|version|help|help-functions|h|diff|dump|redact|render|get|lint|rehearse|keys|expect|update|check|status|doctor|cmd-info|errand|setup'

# The value of field $2 in the status of process $1.
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" 2>/dev/null; }

# Whether process $1 still runs; one that waits to be reaped does not.
alive() {
    case $(field "$1" State) in
    '' | Z* | X*) return 1 ;;
    esac
}

# The words of the command line of process directory $1, one a line.
words_of() { tr '\000' '\n' 2>/dev/null <"$1/cmdline"; }

# Prints the numbers of the processes with that program, whatever they do.
candidates() {
    if [ "$(id -u)" = 0 ]; then
        # One process for all of them, since there may be thousands. Those of the installed program
        # come first.
        # shellcheck disable=SC2012  # the names are numbers
        ls -l /proc/[0-9]*/exe 2>/dev/null | while read -r line; do
            pid=${line%%/exe -> *}
            case ${line#*/exe -> } in
            "$bin/confd") echo "1 ${pid##*/}" ;;
            "$bin/confd"*) echo "2 ${pid##*/}" ;;
            esac
        done | sort -n | sed 's/.* //'
    else
        # The program of another user's process is hidden, its command line is not.
        grep -ls "^$bin/confd" /proc/[0-9]*/cmdline | while read -r file; do
            [ "$(words_of "${file%/cmdline}" | sed -n 1p)" != "$bin/confd" ] || basename "${file%/cmdline}"
        done
    fi
}

# Whether process $1 was started with a flag that makes it a tool.
is_tool() {
    words_of "/proc/$1" | grep -Ex -e "--?($tools)(=.*)?" |
        grep -Eqv '=(0|f|F|false|FALSE|False)$'
}

# Whether process $1 sees the same files and process numbers as this one. What cannot be read does
# not tell them apart.
is_here() {
    for name in mnt pid; do
        own=$(readlink "/proc/$$/ns/$name" 2>/dev/null) its=$(readlink "/proc/$1/ns/$name" 2>/dev/null)
        [ -z "$own" ] || [ -z "$its" ] || [ "$own" = "$its" ] || return 1
    done
    # shellcheck disable=SC3013  # dash and busybox have it
    [ ! -e "/proc/$1/root/." ] || [ "/proc/$1/root/." -ef /. ]
}

list() {
    all=$(candidates)
    for pid in $all; do
        parent=$(field "$pid" PPid)
        # A command's process is the daemon's double until it runs the command.
        case "
$all
" in
        *"
${parent:--}
"*) continue ;;
        esac
        if alive "$pid" && is_here "$pid" && ! is_tool "$pid"; then echo "$pid"; fi
    done
}

nap() { sleep 0.1 2>/dev/null || sleep 1; }

# Prints those of $1 that still run.
remaining() {
    for pid in $1; do
        ! alive "$pid" || echo "$pid"
    done
}

# Sends $2 to processes $1, and waits for $3 naps until all are gone.
signal_and_wait() {
    left=$3
    # shellcheck disable=SC2086  # a list
    kill "$2" $1 2>/dev/null
    while [ -n "$(remaining "$1")" ]; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        nap
    done
}

# Ends every daemon except $1. It ends between two steps, which takes no time. Should it hang, it
# may be killed: files are swapped whole. What one daemon has just started may be another.
end() {
    for _ in 1 2 3; do
        pids=
        for pid in $(list); do
            [ "$pid" = "$1" ] || pids="$pids $pid"
        done
        [ -n "$pids" ] || return 0
        if ! signal_and_wait "$pids" -TERM 300; then
            echo "confd (pid$pids) does not end; killing it"
            if ! signal_and_wait "$pids" -KILL 50; then
                echo "confd (pid$pids) could not be stopped"
                return 1
            fi
        fi
    done
}

# Waits for process $1, at most 10 s.
wait_for() {
    left=100
    # shellcheck disable=SC3013  # dash and busybox have it
    while [ "$left" -gt 0 ] && alive "$1" && [ ! "/proc/$1/exe" -ef "$bin/confd" ]; do
        left=$((left - 1))
        nap
    done
}

case ${1:-}:${2:-} in
:) list ;;
end:*) end "${2:-}" ;;
wait:[0-9]*) wait_for "$2" ;;
*)
    sed -n 's/^# usage: /usage: /p' "$0"
    exit 2
    ;;
esac
