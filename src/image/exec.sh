#!/bin/sh
# usage: exec.sh [-recover]
# Runs the platform's command that log/cmd.info holds as "ID:COMMAND"; confd calls this after that
# file has changed. Each ID is started at most once, whatever happens to cmd.info, to confd or to
# the machine. The command runs under bash where there is one, as in the original agent, else under
# sh.
#
# Its output goes to log/app.log, its start and its verdict to log/cmd.log. It has no time limit
# unless log/cmd.timeout holds a number of seconds above 0. Exit status: 0 when there was nothing to
# do or the command succeeded, else 1.
#
# A command that a reboot cut off gets its verdict at the next start; with -recover, nothing else is
# done.

base=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
log=$base/log
started=$base/data/cmd.started
# After the limit a command has this many seconds to end before it is killed.
grace=10

say() { echo "exec.sh: $*" >&2; }

# Prints $command. A blank before each further line that looks like one of cmd.log tells that it is
# none.
spell() {
    case $command in
    *"
"[0-9]*) printf '%s\n' "$command" | sed '2,$s/^[0-9-]\{10\} [0-9:]\{8\} / &/' ;;
    *) printf '%s\n' "$command" ;;
    esac
}

# Appends to cmd.log that $id is in state $1.
note() {
    printf '%s %s [%s]: %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$id" "$1" "$(spell)" >>"$log/cmd.log"
}

refuse() {
    say "$1; command $id is not started"
    note failed1
    exit 1
}

# Sets id and command from text $1, "ID:COMMAND"; fails when it is something else.
parse() {
    id=${1%%:*} command=${1#*:}
    [ -n "$id" ] && [ "$id" != "$1" ]
}

# Whether cmd.log has a line of $id in a state that matches regular expression $1. Only ids without
# unusual characters.
logged() {
    plain_id=$(printf '%s' "$id" | sed 's/\./[.]/g')
    grep -qs "^[0-9-]\{10\} [0-9:]\{8\} $plain_id \[$1\]: " "$log/cmd.log"
}

# --- records of commands --------------------------------------------------------------------------------------------------
# While a command runs, its record holds "PID START BOOT", which identify the exec.sh that waits for
# it, and a copy of cmd.info. Afterwards the record is empty.

# Makes file $1 survive a power cut: by its own sync where dd can do that, else by everybody's.
persist() {
    dd if=/dev/null of="$1" conv=notrunc,fsync 2>/dev/null || sync
}

# The name of the record of $id. An id with unusual characters is spelled in hexadecimal after "=",
# which plain ids never have.
record_name() {
    case $id in
    .* | *[!A-Za-z0-9._-]*) printf '=%s' "$(printf '%s' "$id" | od -An -tx1 | tr -d ' \n')" ;;
    *) printf '%s' "$id" ;;
    esac
}

# The identity of this boot of the machine; "-" where that is not known.
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null) || boot=-

# When process $1 was started, in ticks since the boot; "-" when there is no such process.
start_of() {
    stat_line=
    read -r stat_line 2>/dev/null <"/proc/$1/stat" || { echo -; return; }
    # The second field, the name, may contain blanks; 22 is the start.
    # shellcheck disable=SC2086  # split into fields
    set -- ${stat_line##*) }
    echo "${20:--}"
}

# Writes the verdict of each command whose exec.sh is gone. Another boot has other processes.
recover() {
    for record in "$started"/*; do
        [ -s "$record" ] || continue
        { read -r pid start its_boot && info=$(cat); } <"$record" || continue
        [ "$its_boot" != "$boot" ] || [ "$(start_of "$pid")" != "$start" ] || continue
        parse "$info" || continue
        # What lacks a verdict gets that of a killed command. (An unusual id cannot be looked up.)
        if [ "${record##*/}" != "$id" ] || ! { logged successful || logged 'failed[0-9]*'; }; then
            say "command $id was cut off"
            note failed137
        fi
        printf '' >"$record"
    done
}

# --- running --------------------------------------------------------------------------------------------------------------

# Waits for child $1, whatever signals arrive meanwhile; returns its exit status.
wait_for() {
    wait "$1"
    child_status=$?
    while [ "$child_status" -gt 128 ] && kill -0 "$1" 2>/dev/null; do
        wait "$1"
        child_status=$?
    done
    return "$child_status"
}

# Ends the command after $limit seconds: $1 is its process, or its group with a "-" before it. Exit
# status 124 when it had to.
watch() {
    sleep "$limit" &
    sleeper=$!
    trap 'kill "$sleeper" 2>/dev/null; exit 0' TERM
    # A sleep that refuses the number has not slept.
    wait "$sleeper" || exit 0
    trap '' TERM
    kill -TERM "$1" 2>/dev/null || exit 0
    while [ "$grace" -gt 0 ] && kill -0 "$1" 2>/dev/null; do
        grace=$((grace - 1))
        sleep 1
    done
    kill -KILL "$1" 2>/dev/null
    exit 124
}

# Runs $command for at most $limit seconds, in a session of its own, so that all of it can be ended;
# returns 124 when the time was over. Not by timeout(1), whose arguments differ between systems.
run_limited() {
    session=$(command -v setsid) || session=
    $session "$shell" -c "$command" &
    child=$!
    watch "${session:+-}$child" &
    watcher=$!
    wait_for "$child"
    command_status=$?
    kill -TERM "$watcher" 2>/dev/null
    wait_for "$watcher"
    [ $? != 124 ] || command_status=124
    return "$command_status"
}

run() {
    shell=$(command -v bash) || shell=/bin/sh
    limit=$(cat "$log/cmd.timeout" 2>/dev/null)
    case $limit in
    '' | *[!0-9]*) limit=0 ;;
    esac
    case $limit in
    *[1-9]*) run_limited ;;
    *) "$shell" -c "$command" ;;
    esac
}

recover
[ "${1:-}" != -recover ] || exit 0

[ -s "$log/cmd.info" ] || exit 0
info=$(cat "$log/cmd.info") || exit 1
[ -n "$info" ] || exit 0
if ! parse "$info"; then
    say "$log/cmd.info is not ID:COMMAND"
    exit 1
fi

name=$(record_name)
record=$started/$name
if [ -e "$record" ]; then
    say "command $id was started before"
    exit 0
fi
# The original agent kept no records, but it wrote the same log.
if [ "$name" = "$id" ] && logged executing; then
    say "command $id was started before, says cmd.log"
    exit 0
fi

mkdir -p "$started" || refuse "cannot make $started"
# With -C the file is made or the redirection fails, in one step: of two callers one goes on.
if ! (set -C && : >"$record") 2>/dev/null; then
    [ ! -e "$record" ] || exit 0
    refuse "cannot make $record"
fi
# Without this the command still runs once; only the verdict after a reboot would be missing.
printf '%s %s %s\n%s\n' "$$" "$(start_of $$)" "$boot" "$info" >>"$record" || say "cannot write to $record"
persist "$record" || refuse "cannot sync $record"

# A caught signal, unlike an ignored one, is not handed down: the command may die of it, and this
# script reports how it ended.
trap : HUP INT TERM
note executing
run </dev/null >>"$log/app.log" 2>&1
status=$?
if [ "$status" = 0 ]; then
    note successful
else
    note "failed$status"
fi
printf '' >"$record"
[ "$status" = 0 ] || exit 1
