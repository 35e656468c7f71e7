#!/bin/sh
# usage: .ci/dist.sh [--toolchain] [TARGET...]
# TARGET: linux-amd64 linux-arm64 windows-amd64 (default: all that can be built)
# Builds the static program for each TARGET and packs it, its installer and the documents into
# dist/app-agent-VERSION-TARGET.*. The same sources and compiler give the same bytes, in any
# directory and at any time. With --toolchain it only installs what the builds need.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
umask 022
export LC_ALL=C TZ=UTC
. .ci/toolchain.sh

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

# The largest size of a Linux program, in bytes.
limit=1703936

# Times in the archives: the commit's, or a fixed one where there is no history (not before 1980,
# where zip begins).
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 1476165281)}"
export SOURCE_DATE_EPOCH

# Builds for Rust target $1 with linker flags $2; leaves the program in target/dist/$1/release/.
compile() {
    # The paths of this machine are no part of the program.
    RUSTC_BOOTSTRAP=1 CARGO=$cargo RUSTC=$rustc RUSTFLAGS=$2 CARGO_INCREMENTAL=0 \
        "$cargo" build --quiet --release --target "$1" --target-dir target/dist \
        -Ztrim-paths --config 'profile.release.trim-paths="all"' \
        -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
}

# Makes a directory with a libunwind.a in it, by the C compiler's tools that begin with $1, and sets
# standins to its name. Nothing else is in there: a compiler's search path must not find the other C
# library. Another source has another directory, so that cargo links again.
stand_in() {
    standins=target/dist/$1standins-$(cksum <.ci/standins.c | cut -d ' ' -f 1)
    mkdir -p "$standins"
    "${1}gcc" -Os -ffunction-sections -c .ci/standins.c -o "$standins.o"
    rm -f "$standins/libunwind.a"
    "${1}ar" rcD "$standins/libunwind.a" "$standins.o"
}

# Makes a linker for Windows that gets the paths of this directory as relative ones, and sets linker
# to its name. GNU ld sorts what the program imports by the paths of the libraries, so that their
# order would depend on where this directory is.
relative_linker() {
    linker=target/dist/linker/x86_64-w64-mingw32-gcc
    mkdir -p "${linker%/*}"
    cat >"$linker" <<'END'
#!/bin/sh
for argument; do
    shift
    set -- "$@" "${argument#"$PWD"/}"
done
exec x86_64-w64-mingw32-gcc "$@"
END
    chmod 755 "$linker"
}

# Builds the program for $1.
build() {
    static="-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no"
    # For size: functions with much on the stack stay functions; compares instead of tables of
    # places to jump to; equal ends of branches are one; no padding between the parts of the file.
    # (LLVM's machine outliner would save 37 KB more, and take 1.7 times as long for the files of a
    # large cluster.)
    static="$static -C llvm-args=-inline-max-stacksize=512 -C llvm-args=-min-jump-table-entries=12"
    static="$static -C llvm-args=-tail-merge-size=2 -C link-arg=-znoseparate-code"
    # A panic says what, not where: the places in the sources would be 50 KB. Whoever has the
    # address from a core file finds the place in a program of the same sources that was built with
    # CARGO_PROFILE_RELEASE_STRIP=false.
    static="$static -Zlocation-detail=none -Zfmt-debug=shallow"
    # SHA-256 for one password, not for disks.
    static="$static --cfg sha2_backend_soft=\"compact\" --cfg sha2_256_backend=\"soft\""
    case $1 in
    linux-amd64)
        stand_in ""
        static="$static -L native=$standins"
        has_own_musl x86_64-unknown-linux-musl || static="$static -C link-self-contained=no -C linker=musl-gcc"
        compile x86_64-unknown-linux-musl "$static"
        ;;
    linux-arm64)
        if has_debian_arm64; then
            stand_in aarch64-linux-gnu-
            static="$static -L native=$standins -L native=$arm64_musl -C link-arg=-B$arm64_musl"
            static="$static -C link-self-contained=no -C linker=aarch64-linux-gnu-gcc"
        else
            static="$static -C linker-flavor=ld.lld -C linker=$(own_linker)"
        fi
        compile aarch64-unknown-linux-musl "$static"
        ;;
    windows-amd64)
        relative_linker
        # The compiler's own import libraries are there, too.
        mkdir -p target/dist/tmp
        TMPDIR=$root/target/dist/tmp \
            compile x86_64-win7-windows-gnu "-C linker=$linker -C link-arg=-Wl,--no-insert-timestamp"
        ;;
    esac
}

# Makes the archive for TARGET $1 from directory $2: sorted, owned by nobody in particular, with the
# commit's time.
pack() {
    archive=app-agent-$version-$1
    find "$2" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    case $1 in
    linux-*)
        tar -C target/dist/pack --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
            -cf - "app-agent-$1" | gzip -9n >"dist/$archive.tar.gz.new"
        mv "dist/$archive.tar.gz.new" "dist/$archive.tar.gz"
        ;;
    windows-*)
        rm -f "dist/$archive.zip"
        (cd target/dist/pack && find "app-agent-$1" -type f | sort | zip -q -9 -X "$root/dist/$archive.zip" -@)
        ;;
    esac
}

# Copies $1 to $2 with the line ends that cmd.exe and the editors of old systems of Windows need.
copy_for_windows() { sed 's/$/\r/' "$1" >"$2"; }

# Copies the documents and the example into directory $1. A link to what is not there becomes plain
# text.
add_documents() {
    mkdir -p "$1/docs" "$1/example"
    cp LICENSE THIRD-PARTY-NOTICES.txt README.md README.zh-CN.md CHANGELOG.md SECURITY.md "$1/"
    cp docs/*.md "$1/docs/"
    cp -R tests/fixtures/zookeeper "$1/example/"
    for page in "$1"/*.md "$1"/docs/*.md; do
        sed -i 's|tests/fixtures/zookeeper|example/zookeeper|g' "$page"
        grep -o ']([^)]*)' "$page" | sed 's/^](//; s/[#)].*//' | sort -u | while read -r target; do
            case $target in
            '' | http*:*) ;;
            *) [ -e "$(dirname "$page")/$target" ] || sed -i "s|!*\[\([^]]*\)\](${target}[^)]*)|\1|g" "$page" ;;
            esac
        done
    done
}

# Puts the files of TARGET $1 into one directory and packs that.
collect() {
    directory=target/dist/pack/app-agent-$1
    rm -rf "$directory"
    mkdir -p "$directory" dist
    add_documents "$directory"
    case $1 in
    linux-amd64) cp target/dist/x86_64-unknown-linux-musl/release/confd "$directory/" ;;
    linux-arm64) cp target/dist/aarch64-unknown-linux-musl/release/confd "$directory/" ;;
    windows-amd64) cp target/dist/x86_64-win7-windows-gnu/release/confd.exe "$directory/" ;;
    esac
    case $1 in
    linux-*)
        cp install.sh "$directory/"
        (cd src/image && cp exec.sh daemons.sh confd.init confd.openrc confd.service app-agent.logrotate cmd.info.toml \
            cmd.info.tmpl originals confd.8 confd.bash-completion "$root/$directory/")
        ;;
    windows-*)
        cp src/image/cmd.info.tmpl src/image/originals "$directory/"
        for file in install.bat src/image/exec.bat src/image/cmd.info.windows.toml; do
            copy_for_windows "$file" "$directory/$(basename "$file" | sed 's/\.windows//')"
        done
        for file in "$directory"/*.md "$directory"/docs/*.md "$directory"/*.txt "$directory/LICENSE"; do
            mv "$file" "$directory/unix" && copy_for_windows "$directory/unix" "$file"
        done
        rm "$directory/unix" "$directory/example/zookeeper/run"
        ;;
    esac
    find "$directory" -type d -exec chmod 755 {} +
    find "$directory" -type f -exec chmod 644 {} +
    for file in confd confd.exe confd.init confd.openrc install.sh exec.sh daemons.sh example/zookeeper/run; do
        [ ! -f "$directory/$file" ] || chmod 755 "$directory/$file"
    done
    pack "$1" "$directory"
}

# Prints the size of the program for TARGET $1, and fails when it is above the limit.
check_size() {
    program=target/dist/pack/app-agent-$1/confd
    [ -f "$program" ] || program=$program.exe
    size=$(wc -c <"$program")
    echo "$program: $size bytes"
    case $1 in
    linux-*) [ "$size" -le "$limit" ] || { echo "it must not be larger than $limit bytes" >&2 && exit 1; } ;;
    esac
}

only_toolchain=
[ "${1:-}" != --toolchain ] || { only_toolchain=yes && shift; }
wanted=$*
status=0
for name in ${wanted:-linux-amd64 windows-amd64 linux-arm64}; do
    [ -z "$only_toolchain" ] || install_for "$name"
    lacking=$(missing_for "$name")
    if [ -n "$lacking" ]; then
        printf 'cannot build for %s; missing:\n%s\n' "$name" "$lacking" >&2
        # The third is made where the toolchain happens to allow it, unless it was asked for by
        # name.
        [ "$name" = linux-arm64 ] && [ -z "$wanted" ] || status=1
    elif [ -z "$only_toolchain" ]; then
        find_compiler
        build "$name"
        collect "$name"
        check_size "$name"
        ls -l "dist/app-agent-$version-$name".*
    fi
done
exit $status
