#!/bin/sh
# Installs, upgrades or removes the app agent. POSIX sh; needs nothing but the files beside it in the archive that `make dist` makes.
#
# Nothing is changed that already is as it should be. Files are swapped whole, so that a running daemon, command or boot never
# meets half a file. What was installed is remembered by its checksum: that tells an edited file from an old one.

set -u
umask 022
LC_ALL=C
# Who becomes root by su may be left without the administrator's commands.
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
export LC_ALL PATH

usage() {
    cat <<'END'
usage: [DESTDIR=/image] ./install.sh [--enable | --uninstall | --help]

Without an option: installs or upgrades. The service is neither started nor enabled: the platform starts it.

  --enable     also start it at boot; bin/install.sh of an installed agent can do that, too
  --uninstall  stop it, and remove all but logs, the records of commands, and files that somebody edited
  DESTDIR      work on the system below this folder instead of the running one
END
}

say() { echo "install.sh: $*"; }
fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# --- what was installed ---------------------------------------------------------------------------------------------------

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
}

# Makes file $1 last through a power cut before it gets its name, or that leaves an empty file; where dd cannot sync: everybody's.
persist() {
    dd if=/dev/null of="$1" conv=notrunc,fsync 2>/dev/null || sync
}

# --- installing -----------------------------------------------------------------------------------------------------------

# Makes folder $1 and those above it. A link in an image must not lead to this machine's own files.
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

# Makes $2 a copy of $1 with mode $3, by a rename in its own folder. With $4 the copy must first run with that argument.
swap_in() {
    rm -f "$2.tmp"
    cp "$1" "$2.tmp" || fail "cannot write $2.tmp"
    chmod "$3" "$2.tmp" || fail "cannot change the mode of $2.tmp"
    [ "$(id -u)" != 0 ] || chown 0:0 "$2.tmp" || fail "cannot change the owner of $2.tmp"
    if [ -n "${4:-}" ] && ! "$2.tmp" "$4" >/dev/null 2>&1; then
        rm -f "$2.tmp"
        fail "$1 does not run on this machine ($(uname -s) $(uname -m))"
    fi
    persist "$2.tmp"
    mv -f "$2.tmp" "$2" || fail "cannot replace $2"
}

# Keeps a copy of $1, which is about to be replaced, below data/replaced: under its whole path, since two are named confd.
set_aside() {
    make_dir "$base/data/replaced${1%/*}"
    cp -p "$DESTDIR$1" "$DESTDIR$base/data/replaced$1" || fail "cannot copy $1 to $base/data/replaced$1"
    say "$1 was not from here; it is kept as $base/data/replaced$1"
}

# Installs $1 from the archive as $2 with mode $3, whatever was there; what somebody else put there is kept in data/replaced.
program() {
    new=$(sum "$here/$1") && old=$(sum "$DESTDIR$2") || exit 1
    if [ "$old" != "$new" ] || [ -h "$DESTDIR$2" ] || ! has_mode "$DESTDIR$2" "$3"; then
        if [ -n "$old" ] && [ "$old" != "$new" ] && [ "$old" != "$(recorded "$2")" ]; then
            set_aside "$2"
        fi
        swap_in "$here/$1" "$DESTDIR$2" "$3" "${4:-}"
        say "installed $2"
    fi
    remember "$2" "$new"
}

# Installs $1 from the archive as $2, unless somebody edited that: then the new one is put beside it, as $2.$3. A file that was
# there before any of ours counts as edited when $4 is "keep"; one that was beside it and took its place does not.
configuration() {
    new=$(sum "$here/$1") && old=$(sum "$DESTDIR$2") || exit 1
    known=$(recorded "$2") beside=$DESTDIR$2.$3
    if [ "$old" = "$new" ]; then
        rm -f "$beside"
        remember "$2" "$new"
    elif [ -z "$old" ] || [ "$old" = "$known" ] || [ "$old" = "$(recorded "$2.$3")" ] || { [ -z "$known" ] && [ "$4" = replace ]; }; then
        program "$1" "$2" 644
        rm -f "$beside"
    else
        [ "$(sum "$beside")" = "$new" ] || swap_in "$here/$1" "$beside" 644
        remember "$2.$3" "$new"
        say "$2 was edited and stays; the new one is $2.$3"
    fi
}

# systemd, openrc or sysv (which upstart serves as well): by what runs, or by what an image would run as its first process.
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

# Old security labels would keep the daemon from starting, and the system's rotation away from logs below /opt.
restore_labels() {
    [ -z "$DESTDIR" ] && command -v restorecon >/dev/null 2>&1 || return 0
    ! command -v selinuxenabled >/dev/null 2>&1 || selinuxenabled || return 0
    for place in "$base" /etc/confd "$init_script" "$rotation" "$unit"; do
        [ ! -e "$place" ] || restorecon -R "$place" || fail "restorecon $place failed"
    done
    chcon -R -t var_log_t "$base/log" || say "chcon $base/log failed: SELinux may keep logrotate from its logs"
}

do_install() {
    [ ! -f "$here/src/image/confd.init" ] ||
        fail "this is the source: run make dist, unpack dist/app-agent-linux-*.tar.gz on the image and run install.sh there"
    for file in confd exec.sh confd.init confd.service app-agent.logrotate cmd.info.toml cmd.info.tmpl install.sh; do
        [ -f "$here/$file" ] || fail "$here/$file is missing: unpack the whole archive"
    done
    for dir in "$base/bin" "$base/log" "$base/run" "$base/data/cmd.started" \
        /etc/confd/conf.d /etc/confd/templates /etc/init.d /etc/logrotate.d; do
        make_dir "$dir"
    done
    trial=-version
    [ -z "$DESTDIR" ] || trial=
    program confd "$base/bin/confd" 755 "$trial"
    program exec.sh "$base/bin/exec.sh" 755
    program install.sh "$base/bin/install.sh" 755
    program confd.init "$init_script" 755
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
    if [ -z "$DESTDIR" ] && "$init_script" status >/dev/null 2>&1; then
        say "the daemon still runs the program that it was started with; to change that: service confd restart"
    fi
}

# --- starting at boot -----------------------------------------------------------------------------------------------------

do_enable() {
    case $(init_system) in
    systemd)
        make_dir "${unit%/*}/multi-user.target.wants"
        [ -h "$DESTDIR$wanted" ] || ln -s "$unit" "$DESTDIR$wanted" || fail "cannot make $DESTDIR$wanted"
        reload_systemd
        ;;
    openrc) inside rc-update add confd default || fail "rc-update failed" ;;
    sysv)
        if has update-rc.d; then
            inside update-rc.d confd defaults >/dev/null || fail "update-rc.d failed"
            inside update-rc.d confd enable >/dev/null || fail "update-rc.d failed"
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
    say "confd starts at boot"
}

# The init scripts' tools want the script to be there still, but for update-rc.d: that one wants it gone.
do_disable() {
    rm -f "$DESTDIR$wanted" || fail "cannot remove $DESTDIR$wanted"
    case $(init_system) in
    openrc) [ ! -h "$DESTDIR/etc/runlevels/default/confd" ] || inside rc-update del confd default || fail "rc-update failed" ;;
    sysv)
        if ! has update-rc.d && has chkconfig; then
            inside chkconfig --del confd >/dev/null 2>&1 || say "chkconfig did not know confd"
        elif ! has update-rc.d && has insserv; then
            inside insserv -r confd >/dev/null 2>&1 || say "insserv did not know confd"
        fi
        ;;
    esac
}

# --- removing -------------------------------------------------------------------------------------------------------------

# Removes $1 if it is as it was installed.
remove() {
    rm -f "$DESTDIR$1.new" "$DESTDIR$1.rpmnew" "$DESTDIR$1.tmp" || fail "cannot remove what is beside $1"
    now=$(sum "$DESTDIR$1") || exit 1
    [ -n "$now" ] || return 0
    if [ "$now" != "$(recorded "$1")" ]; then
        say "$1 was edited and stays"
        return 0
    fi
    rm -f "$DESTDIR$1" || fail "cannot remove $1"
    say "removed $1"
}

do_uninstall() {
    [ -f "$records" ] || fail "the app agent is not installed${DESTDIR:+ in $DESTDIR}"
    if [ -z "$DESTDIR" ] && [ -x "$init_script" ]; then
        "$init_script" stop || fail "confd could not be stopped"
    fi
    do_disable
    for path in "$unit" "$init_script" "$rotation" /etc/confd/conf.d/cmd.info.toml /etc/confd/templates/cmd.info.tmpl \
        "$base/bin/confd" "$base/bin/exec.sh" "$base/bin/install.sh"; do
        remove "$path"
    done
    if [ "$(init_system)" = sysv ] && has update-rc.d; then
        inside update-rc.d confd remove >/dev/null || fail "update-rc.d failed"
    fi
    rm -f "$records" "$DESTDIR$base"/run/confd.pid* || fail "cannot remove $records"
    # What confd has made for itself.
    rm -f "$DESTDIR"/etc/confd/.confd.lock "$DESTDIR"/etc/confd/conf.d/.confd.lock "$DESTDIR"/etc/confd/status.json ||
        fail "cannot remove the lock files of confd"
    reload_systemd
    # Only what is empty goes.
    for dir in "$base/bin" "$base/run" "$base/data/cmd.started" "$base/data" "$base/log" "$base" "${base%/*}" \
        /etc/confd/conf.d /etc/confd/templates /etc/confd; do
        rmdir "$DESTDIR$dir" 2>/dev/null || :
    done
    say "the app agent is removed"
    [ ! -d "$DESTDIR$base" ] || say "logs and records of commands are still in $base"
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

    here=$(CDPATH='' cd -P -- "$(dirname -- "$0")" && pwd) || fail "cannot find the folder of $0"
    DESTDIR=${DESTDIR:-}
    if [ -n "$DESTDIR" ]; then
        DESTDIR=$(CDPATH='' cd -P -- "$DESTDIR" && pwd) || fail "DESTDIR is not a folder"
        [ "$DESTDIR" != / ] || DESTDIR=
    fi
    [ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "must be run as root, or with DESTDIR"

    base=/opt/qingcloud/app-agent
    records=$DESTDIR$base/data/installed
    init_script=/etc/init.d/confd
    unit=/etc/systemd/system/confd.service
    wanted=/etc/systemd/system/multi-user.target.wants/confd.service
    rotation=/etc/logrotate.d/app-agent
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
