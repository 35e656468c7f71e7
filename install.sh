#!/bin/sh
# Installs, upgrades or removes the app agent. POSIX sh; needs nothing but the files beside it in
# the archive.
#
# A file that is right already is not touched. Files are swapped whole, so that a running daemon,
# command or boot never meets half a file. What was installed is remembered by its checksum, which
# distinguishes an edited file from an old one; the files of the original agent are known by theirs,
# in originals.

set -u
umask 022
LC_ALL=C
# Who becomes root by su may be left without the administrator's commands.
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
export LC_ALL PATH

usage() {
    cat <<'END'
usage: [DESTDIR=/image] ./install.sh [--enable | --uninstall | --help]

Without an option: installs or upgrades. The service is neither enabled nor started, since the platform starts it; but where
a daemon of another agent runs, this one's takes its place.

  --enable     also start it at boot; bin/install.sh of an installed agent can do that, too
  --uninstall  stop it, and remove everything except logs, records of commands and edited files
  DESTDIR      work on the system below this directory instead of the running one
END
}

say() { echo "install.sh: $*"; }

# The file that is being written; a failure must not leave it behind.
staged=
fail() {
    echo "install.sh: $*" >&2
    [ -z "$staged" ] || rm -f "$staged"
    exit 1
}

# --- what was installed ---------------------------------------------------------------------------

# The checksum of file $1; nothing when there is none.
sum() {
    [ -f "$1" ] || return 0
    if command -v sha256sum >/dev/null 2>&1; then
        sum_line=$(sha256sum <"$1")
    else
        sum_line=$(cksum <"$1")
    fi || fail "cannot read $1"
    echo "${sum_line%% *}"
}

# The checksum that $1 had when it was last installed; nothing when it never was.
recorded() {
    [ -f "$records" ] || return 0
    while read -r record_sum record_path; do
        [ "$record_path" != "$1" ] || echo "$record_sum"
    done <"$records"
}

# Remembers that $1 was installed with checksum $2.
remember() {
    [ "$(recorded "$1")" != "$2" ] || return 0
    staged=$records.tmp
    rm -f "$records.tmp"
    {
        if [ -f "$records" ]; then
            while read -r record_sum record_path; do
                [ "$record_path" = "$1" ] || echo "$record_sum $record_path"
            done <"$records"
        fi
        echo "$2 $1"
    } >"$records.tmp" || fail "cannot write $records.tmp"
    persist "$records.tmp"
    mv -f "$records.tmp" "$records" || fail "cannot replace $records"
    staged=
}

# Whether $2 is the checksum of a known file of the original agent that $1 from the archive
# replaces.
is_original() {
    while read -r original_sum original_name _; do
        [ "$original_sum $original_name" != "$2 $1" ] || return 0
    done <"$here/originals"
    return 1
}

# Makes file $1 survive a power cut before it gets its name, else that could leave an empty file.
# Where dd cannot sync one file, all are synced.
persist() {
    dd if=/dev/null of="$1" conv=notrunc,fsync 2>/dev/null || sync
}

# --- installing -----------------------------------------------------------------------------------

# Makes directory $1 and those above it. A link in an image must not lead to this machine's own
# files.
make_dir() {
    if [ ! -d "$DESTDIR$1" ]; then
        [ -z "${1%/*}" ] || make_dir "${1%/*}"
        mkdir "$DESTDIR$1" || fail "cannot make $DESTDIR$1"
    fi
    real_dir=$(CDPATH='' cd -P -- "$DESTDIR$1" && pwd) || fail "cannot enter $DESTDIR$1"
    case $real_dir/ in
    "$DESTDIR"/*) ;;
    *) fail "$DESTDIR$1 leads out of $DESTDIR, to $real_dir" ;;
    esac
}

# Whether file $1 has mode $2: 755 or 644, which are all there are here.
has_mode() {
    case $2:$(ls -ld "$1") in
    755:-rwxr-xr-x* | 644:-rw-r--r--*) return 0 ;;
    *) return 1 ;;
    esac
}

# The mount point that $1 lies below, when that is mounted noexec.
noexec_mount() {
    [ -r /proc/mounts ] || return 0
    deepest='' options=
    while read -r _ mount_point _ mount_options _; do
        case $1/ in
        "${mount_point%/}"/*) [ "${#mount_point}" -lt "${#deepest}" ] || deepest=$mount_point options=$mount_options ;;
        esac
    done </proc/mounts
    case ,$options, in
    *,noexec,*) echo "$deepest" ;;
    esac
}

# Fails because $1 does not run as $2.
fail_to_run() {
    mounted=$(noexec_mount "$(CDPATH='' cd -P -- "${2%/*}" && pwd)")
    [ -z "$mounted" ] ||
        fail "$mounted is mounted noexec, so that no program there can run: mount -o remount,exec $mounted (and in /etc/fstab)"
    fail "$1 does not run on this machine ($(uname -s) $(uname -m))"
}

# Fails because $2 cannot be replaced or removed, as $1 says. Root, too, may not do that to what is
# immutable or append-only, or in such a directory.
fail_to() {
    for place in "$2" "${2%/*}"; do
        attributes=$(lsattr -d "$place" 2>/dev/null)
        case ${attributes%% *} in
        *i*) fail "cannot $1 $2: $place is immutable; chattr -i $place permits it" ;;
        *a*) fail "cannot $1 $2: $place is append-only; chattr -a $place permits it" ;;
        esac
    done
    fail "cannot $1 $2"
}

# Makes $2 a copy of $1 with mode $3, by a rename in its own directory. With $4 the copy must first
# run with that argument.
swap_in() {
    # What is renamed to a directory would land in it.
    [ ! -d "$2" ] || fail "$2 is a directory, where a file belongs"
    staged=$2.tmp
    rm -f "$2.tmp"
    cp "$1" "$2.tmp" || fail_to replace "$2"
    chmod "$3" "$2.tmp" || fail "cannot change the mode of $2.tmp"
    [ "$(id -u)" != 0 ] || chown 0:0 "$2.tmp" || fail "cannot change the owner of $2.tmp"
    if [ -n "${4:-}" ] && ! "$2.tmp" "$4" >/dev/null 2>&1; then
        fail_to_run "$1" "$2.tmp"
    fi
    persist "$2.tmp"
    mv -f "$2.tmp" "$2" || fail_to replace "$2"
    staged=
}

# Keeps a copy of $1, which is about to be replaced, below data/replaced: under its whole path,
# since two are named confd.
set_aside() {
    make_dir "$base/data/replaced${1%/*}"
    cp -p "$DESTDIR$1" "$DESTDIR$base/data/replaced$1" || fail "cannot copy $1 to $base/data/replaced$1"
    say "$1 was another agent's or edited; it is kept as $base/data/replaced$1"
}

# Whether file $2, with checksum $3, may be replaced without a trace: it is one that this installer
# or the original's has put there for $1 of the archive.
is_unedited() { [ -z "$3" ] || [ "$3" = "$(recorded "$2")" ] || is_original "$1" "$3"; }

# Installs $1 from the archive as $2 with mode $3, whatever was there; an unknown file is kept in
# data/replaced.
program() {
    new=$(sum "$here/$1") && old=$(sum "$DESTDIR$2") || exit 1
    if [ "$old" != "$new" ] || [ -h "$DESTDIR$2" ] || ! has_mode "$DESTDIR$2" "$3"; then
        [ "$old" = "$new" ] || is_unedited "$1" "$2" "$old" || set_aside "$2"
        swap_in "$here/$1" "$DESTDIR$2" "$3" "${4:-}"
        say "installed $2"
    fi
    remember "$2" "$new"
}

# Installs $1 from the archive as $2, unless that was edited: then the new one is put beside it, as
# $2.$3. A file that was there before any of these counts as edited when $4 is "keep"; one that was
# beside it and took its place does not.
configuration() {
    new=$(sum "$here/$1") && old=$(sum "$DESTDIR$2") || exit 1
    beside=$DESTDIR$2.$3
    if [ "$old" = "$new" ]; then
        rm -f "$beside"
        remember "$2" "$new"
    elif is_unedited "$1" "$2" "$old" || [ "$old" = "$(recorded "$2.$3")" ] ||
        { [ -z "$(recorded "$2")" ] && [ "$4" = replace ]; }; then
        program "$1" "$2" 644
        rm -f "$beside"
    else
        [ "$(sum "$beside")" = "$new" ] || swap_in "$here/$1" "$beside" 644
        remember "$2.$3" "$new"
        say "$2 was edited and stays; the new one is $2.$3"
    fi
}

# systemd, openrc or sysv (which upstart serves as well): by what runs, or by what an image would
# run as its first process.
init_system() {
    if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
        echo systemd
        return
    fi
    case $(readlink "$DESTDIR/sbin/init" 2>/dev/null) in
    *systemd*) echo systemd ;;
    *)
        if [ -x "$DESTDIR/sbin/openrc-run" ] || [ -x "$DESTDIR/usr/sbin/openrc-run" ]; then
            echo openrc
        elif [ ! -e "$DESTDIR/sbin/init" ] && [ ! -h "$DESTDIR/sbin/init" ] && [ -x "$DESTDIR/usr/lib/systemd/systemd" ]; then
            echo systemd
        else
            echo sysv
        fi
        ;;
    esac
}

# Runs a command of the system that is worked on.
inside() {
    if [ -n "$DESTDIR" ]; then chroot "$DESTDIR" "$@"; else "$@"; fi
}

# Whether the system that is worked on has administrator's command $1.
has() { [ -x "$DESTDIR/sbin/$1" ] || [ -x "$DESTDIR/usr/sbin/$1" ] || [ -x "$DESTDIR/usr/bin/$1" ]; }

reload_systemd() {
    [ -n "$DESTDIR" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload || fail "systemctl daemon-reload failed"
}

# Old security labels would keep the daemon from starting, and the system's rotation away from logs
# below /opt.
restore_labels() {
    [ -z "$DESTDIR" ] && command -v restorecon >/dev/null 2>&1 || return 0
    ! command -v selinuxenabled >/dev/null 2>&1 || selinuxenabled || return 0
    for place in "$base" /etc/confd "$init_script" "$rotation" "$unit"; do
        [ ! -e "$place" ] || restorecon -R "$place" || fail "restorecon $place failed"
    done
    chcon -R -t var_log_t "$base/log" || say "chcon $base/log failed: SELinux may keep logrotate from its logs"
}

# The file of the archive that becomes the init script. Debian's OpenRC takes those for SysV init,
# and its own tools expect them.
init_source() {
    if [ "$(init_system)" = openrc ] && ! has update-rc.d; then echo confd.openrc; else echo confd.init; fi
}

do_install() {
    [ ! -f "$here/src/image/confd.init" ] ||
        fail "this is the source: run make dist, unpack dist/app-agent-*-linux-*.tar.gz on the image and run install.sh there"
    for file in confd daemons.sh exec.sh confd.init confd.openrc confd.service app-agent.logrotate cmd.info.toml cmd.info.tmpl \
        originals install.sh; do
        [ -f "$here/$file" ] || fail "$here/$file is missing: unpack the whole archive"
    done
    for dir in "$base/bin" "$base/log" "$base/run" "$base/data/cmd.started" \
        /etc/confd/conf.d /etc/confd/templates /etc/init.d /etc/logrotate.d; do
        make_dir "$dir"
    done
    was_here=$(recorded "$base/bin/confd")
    trial=-version
    [ -z "$DESTDIR" ] || trial=
    program confd "$base/bin/confd" 755 "$trial"
    program exec.sh "$base/bin/exec.sh" 755
    program daemons.sh "$base/bin/daemons.sh" 755
    program install.sh "$base/bin/install.sh" 755
    program "$(init_source)" "$init_script" 755
    if [ "$(init_system)" = systemd ]; then
        make_dir "${unit%/*}"
        program confd.service "$unit" 644
    fi
    # The endings are those that logrotate and confd pass over.
    configuration app-agent.logrotate "$rotation" rpmnew replace
    configuration cmd.info.toml /etc/confd/conf.d/cmd.info.toml new keep
    configuration cmd.info.tmpl /etc/confd/templates/cmd.info.tmpl new keep
    restore_labels
    reload_systemd
    say "the app agent is installed"
    # With a unit of its own, systemd does not look at the links that started the original agent.
    if [ -z "$was_here" ] && [ "$(init_system)" = systemd ] && has_start_link; then do_enable; fi
    [ -n "$DESTDIR" ] || replace_daemons
}

# --- daemons --------------------------------------------------------------------------------------

# The process number of the daemon that the init system has started; nothing when it knows of none.
managed_daemon() {
    if [ -d /run/systemd/system ]; then
        managed=$(systemctl show -p MainPID confd.service) && managed=${managed#MainPID=}
    else
        managed=$(cat "$base/run/confd.pid" 2>/dev/null)
    fi
    for candidate in $1; do
        [ "$candidate" != "$managed" ] || echo "$managed"
    done
}

# Leaves one daemon at most: the managed one goes on with the program that it was started with.
# Where none of this agent's is managed but others run, such as the original's, the service is
# started in their place.
replace_daemons() {
    daemons=$("$base/bin/daemons.sh") || fail "cannot list the daemons"
    [ -n "$daemons" ] || return 0
    managed=$(managed_daemon "$daemons")
    if [ -n "$was_here" ] && [ -n "$managed" ]; then
        [ "$daemons" = "$managed" ] || say "ending the daemons that the service does not know: it is process $managed"
        "$base/bin/daemons.sh" end "$managed" || fail "a daemon could not be ended"
        say "the daemon still runs the program that it was started with; to change that: service confd restart"
        return 0
    fi
    say "a daemon runs that is not the service's; the service takes its place"
    "$base/bin/daemons.sh" end || fail "a daemon could not be ended"
    "$init_script" restart || fail "the service confd could not be started"
}

# --- starting at boot -----------------------------------------------------------------------------

# Runs a command, and prints what it says only when it fails: some tools warn of what is as it
# should be.
quietly() {
    output=$("$@" 2>&1) && return 0
    printf '%s\n' "$output" >&2
    return 1
}

do_enable() {
    case $(init_system) in
    systemd)
        make_dir "${unit%/*}/multi-user.target.wants"
        [ -h "$DESTDIR$wanted" ] || ln -s "$unit" "$DESTDIR$wanted" || fail "cannot make $DESTDIR$wanted"
        reload_systemd
        ;;
    openrc) quietly inside rc-update add confd default || fail "rc-update failed" ;;
    sysv)
        if has update-rc.d; then
            quietly inside update-rc.d confd defaults || fail "update-rc.d failed"
            quietly inside update-rc.d confd enable || fail "update-rc.d failed"
        elif has chkconfig; then
            inside chkconfig --add confd || fail "chkconfig failed"
            inside chkconfig confd on || fail "chkconfig failed"
        elif has insserv; then
            inside insserv confd || fail "insserv failed"
        else
            fail "found neither update-rc.d, chkconfig nor insserv to start confd at boot"
        fi
        ;;
    esac
    check_enabled
}

# Whether a directory of start links for the usual runlevels has one for confd.
has_start_link() {
    for link in "$DESTDIR"/etc/rc[2345].d/S*confd "$DESTDIR"/etc/rc.d/rc[2345].d/S*confd "$DESTDIR"/etc/init.d/rc[2345].d/S*confd; do
        [ ! -h "$link" ] || return 0
    done
    return 1
}

# Asks the init system whether it starts the service at boot.
check_enabled() {
    case $(init_system) in
    systemd)
        if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
            state=$(systemctl is-enabled confd.service 2>&1)
            [ "$state" = enabled ] || fail "confd does not start at boot: systemctl is-enabled says $state"
        else
            [ -h "$DESTDIR$wanted" ] || fail "confd does not start at boot: $wanted is not there"
            [ -f "$DESTDIR$unit" ] || fail "confd does not start at boot: $unit is not there"
        fi
        ;;
    openrc)
        # OpenRC passes over scripts of another kind, and says nothing.
        read -r interpreter <"$DESTDIR$init_script"
        case $(init_source):$interpreter in
        confd.init:* | *openrc-run) ;;
        *) fail "confd does not start at boot: $init_script does not begin with openrc-run" ;;
        esac
        inside rc-update show default | grep -q '^ *confd |' || fail "confd does not start at boot: rc-update show does not list it"
        ;;
    sysv) has_start_link || fail "confd does not start at boot: it has no link in /etc/rc2.d to /etc/rc5.d" ;;
    esac
    say "confd starts at boot"
}

# The init scripts' tools need the script to be there, except update-rc.d, which needs it to be
# gone.
do_disable() {
    rm -f "$DESTDIR$wanted" || fail "cannot remove $DESTDIR$wanted"
    case $(init_system) in
    systemd)
        # The original agent's.
        rm -f "$DESTDIR"/etc/rc?.d/[SK]??confd "$DESTDIR"/etc/rc.d/rc?.d/[SK]??confd \
            "$DESTDIR"/etc/init.d/rc?.d/[SK]??confd || fail "cannot remove the links to $init_script"
        ;;
    openrc)
        [ ! -h "$DESTDIR/etc/runlevels/default/confd" ] || quietly inside rc-update del confd default || fail "rc-update failed"
        ;;
    sysv)
        if ! has update-rc.d && has chkconfig; then
            quietly inside chkconfig --del confd || say "chkconfig did not know confd"
        elif ! has update-rc.d && has insserv; then
            quietly inside insserv -r confd || say "insserv did not know confd"
        fi
        ;;
    esac
}

# --- removing -------------------------------------------------------------------------------------

# Removes $1 if it is as it was installed.
remove() {
    rm -f "$DESTDIR$1.new" "$DESTDIR$1.rpmnew" "$DESTDIR$1.tmp" || fail "cannot remove what is beside $1"
    now=$(sum "$DESTDIR$1") || exit 1
    [ -n "$now" ] || return 0
    if [ "$now" != "$(recorded "$1")" ]; then
        say "$1 was edited and stays"
        return 0
    fi
    rm -f "$DESTDIR$1" || fail_to remove "$DESTDIR$1"
    say "removed $1"
}

stop_service() {
    [ ! -x "$init_script" ] || "$init_script" stop || fail "confd could not be stopped"
    # The service may not know all of them.
    [ ! -x "$base/bin/daemons.sh" ] || "$base/bin/daemons.sh" end || fail "a daemon could not be ended"
}

do_uninstall() {
    [ -f "$records" ] || fail "the app agent is not installed${DESTDIR:+ in $DESTDIR}"
    [ -n "$DESTDIR" ] || stop_service
    do_disable
    for path in "$unit" "$init_script" "$rotation" /etc/confd/conf.d/cmd.info.toml /etc/confd/templates/cmd.info.tmpl \
        "$base/bin/confd" "$base/bin/exec.sh" "$base/bin/daemons.sh" "$base/bin/install.sh"; do
        remove "$path"
    done
    if [ "$(init_system)" = sysv ] && has update-rc.d; then
        quietly inside update-rc.d confd remove || fail "update-rc.d failed"
    fi
    # confd.lock is the original agent's.
    rm -f "$records" "$DESTDIR$base"/run/confd.pid* "$DESTDIR$base/run/confd.lock" ||
        fail "cannot remove $records"
    # What confd has made for itself.
    rm -rf "$DESTDIR"/etc/confd/.confd.lock "$DESTDIR"/etc/confd/conf.d/.confd.lock "$DESTDIR"/etc/confd/status.json \
        "$DESTDIR"/etc/confd/owed "$DESTDIR"/etc/confd/reloads "$DESTDIR"/etc/confd/swaps "$DESTDIR"/etc/confd/made \
        "$DESTDIR"/etc/confd/.confd.generation || fail "cannot remove the locks and records of confd"
    reload_systemd
    # Only empty directories go.
    for dir in "$base/bin" "$base/run" "$base/data/cmd.started" "$base/data" "$base/log" "$base" "${base%/*}" \
        /etc/confd/conf.d /etc/confd/templates /etc/confd; do
        rmdir "$DESTDIR$dir" 2>/dev/null || :
    done
    say "the app agent is removed"
    [ ! -d "$DESTDIR$base" ] || say "logs and records of commands are still in $base"
}

# The directory of this script, which may have been called through links.
find_here() {
    script=$0
    while [ -h "$script" ]; do
        target=$(readlink "$script") || return 1
        case $target in
        /*) script=$target ;;
        *) script=$(dirname -- "$script")/$target ;;
        esac
    done
    CDPATH='' cd -P -- "$(dirname -- "$script")" && pwd
}

main() {
    action=install
    case ${1:-} in
    '') ;;
    --enable) action=enable ;;
    --uninstall) action=uninstall ;;
    --help | -h)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 1
        ;;
    esac
    [ $# -le 1 ] || fail "one option at most"

    here=$(find_here) || fail "cannot find the directory of $0"
    DESTDIR=${DESTDIR:-}
    if [ -n "$DESTDIR" ]; then
        DESTDIR=$(CDPATH='' cd -P -- "$DESTDIR" && pwd) || fail "DESTDIR is not a directory"
        [ "$DESTDIR" != / ] || DESTDIR=
    fi
    [ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "must be run as root, or with DESTDIR"

    base=/opt/qingcloud/app-agent
    records=$DESTDIR$base/data/installed
    init_script=/etc/init.d/confd
    unit=/etc/systemd/system/confd.service
    wanted=/etc/systemd/system/multi-user.target.wants/confd.service
    rotation=/etc/logrotate.d/app-agent
    trap 'fail "interrupted"' HUP INT TERM
    case $action in
    install) do_install ;;
    enable)
        # The copy that is installed has no archive beside it.
        [ "$here" = "$(CDPATH='' cd -P -- "$DESTDIR$base/bin" 2>/dev/null && pwd)" ] || do_install
        do_enable
        ;;
    uninstall) do_uninstall ;;
    esac
}

# The whole script is read before it begins: it may replace or remove itself.
main "$@"
exit
