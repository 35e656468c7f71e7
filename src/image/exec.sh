#!/bin/sh
# Runs the command of the platform that stands in log/cmd.info as "ID:COMMAND"; confd calls this after that file changed.
# Each ID is started once and never again, whatever happens to cmd.info, to confd or to the machine.
#
# The command's output goes to log/app.log; its start and end go to log/cmd.log. There is no time limit, unless log/cmd.timeout
# holds a number of seconds. Exit: 0 when there was nothing to do or the command succeeded, else 1.

base=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
log=$base/log
started=$base/data/cmd.started

say() { echo "exec.sh: $*" >&2; }

# Writes that $id is in state $1.
note() {
    printf '%s %s [%s]: %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$id" "$1" "$command" >>"$log/cmd.log"
}

refuse() {
    say "$1; command $id is not started"
    note failed1
    exit 1
}

# Makes file $1 last through a power cut: its own sync where dd can do that, else everybody's.
persist() {
    dd if=/dev/null of="$1" conv=notrunc,fsync 2>/dev/null || sync
}

# The name of the record of $id. An id with unusual characters is spelled in hexadecimal after a "=", which plain ids never have.
record_name() {
    case $id in
    .* | *[!A-Za-z0-9._-]*) printf '=%s' "$(printf '%s' "$id" | od -An -tx1 | tr -d ' \n')" ;;
    *) printf '%s' "$id" ;;
    esac
}

run() {
    limit=$(cat "$log/cmd.timeout" 2>/dev/null)
    case $limit in
    '' | *[!0-9]*) /bin/sh -c "$command" ;;
    *) timeout "$limit" /bin/sh -c "$command" ;;
    esac
}

[ -s "$log/cmd.info" ] || exit 0
info=$(cat "$log/cmd.info") || exit 1
[ -n "$info" ] || exit 0
id=${info%%:*}
command=${info#*:}
if [ -z "$id" ] || [ "$id" = "$info" ]; then
    say "$log/cmd.info is not ID:COMMAND"
    exit 1
fi

name=$(record_name)
record=$started/$name
if [ -e "$record" ]; then
    say "command $id was started before"
    exit 0
fi
# The agent that was here before this one kept no records, but it wrote the same log.
if [ "$name" = "$id" ] && grep -Fqs " $id [executing]: " "$log/cmd.log"; then
    say "command $id was started before, says cmd.log"
    exit 0
fi

mkdir -p "$started" || refuse "cannot make $started"
# With -C the file is made or the redirection fails, in one step: of two callers one goes on.
if ! (set -C && : >"$record") 2>/dev/null; then
    [ ! -e "$record" ] || exit 0
    refuse "cannot make $record"
fi
persist "$record" || refuse "cannot sync $record"

# A caught signal, unlike an ignored one, is not handed down: the command may die of it, and this script tells how it ended.
trap : HUP INT TERM
note executing
run </dev/null >>"$log/app.log" 2>&1
status=$?
if [ "$status" = 0 ]; then
    note successful
    exit 0
fi
note "failed$status"
exit 1
