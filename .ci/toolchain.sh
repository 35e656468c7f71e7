# shellcheck shell=sh
# Finds what can build static programs here; sourced by dist.sh. Sets cargo, rustc and host; the
# functions answer for one target each. Two kinds of compiler will do, each with the source of its
# library, which is built for size: rustup's with the targets added, or Debian's rustc-web with
# musl-tools.

# Where Debian's musl-dev for 64-bit ARM is: in the directory that ARM64_MUSL names, installed, or
# unpacked by install_for.
arm64_unpacked=target/toolchain
arm64_musl=${ARM64_MUSL:-/usr/lib/aarch64-linux-musl}
[ -n "${ARM64_MUSL:-}" ] || [ -e "$arm64_musl" ] || arm64_musl=$arm64_unpacked/usr/lib/aarch64-linux-musl

# The directory of rustc $1's standard library source, when that is installed.
library_source() {
    source_of_rust=$("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library
    [ -f "$source_of_rust/std/Cargo.toml" ] && echo "$source_of_rust"
}

# The first compiler that has the library's source, else the first one at all; $CARGO and $RUSTC go
# before everything.
find_compiler() {
    cargo=${CARGO:-$(command -v cargo || :)}
    rustc=${RUSTC:-$(command -v rustc || :)}
    if [ -z "${CARGO:-}" ] && [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ]; then
        if [ -z "$rustc" ] || { ! library_source "$rustc" && library_source /usr/bin/rustc; } >/dev/null; then
            cargo=/usr/bin/cargo rustc=/usr/bin/rustc
        fi
    fi
    [ -n "$cargo" ] && [ -n "$rustc" ] || return 1
    host=$("$rustc" -vV | sed -n 's/^host: //p')
}

# Whether rustup's own musl (libc, start files, unwinder) for target $1 is there.
has_own_musl() {
    [ -f "$("$rustc" --print target-libdir --target "$1" 2>/dev/null)/self-contained/crt1.o" ]
}

# The linker that comes with rustup's compiler: for targets of another machine.
own_linker() {
    linker=$("$rustc" --print sysroot)/lib/rustlib/$host/bin/rust-lld
    [ -x "$linker" ] && echo "$linker"
}

# Whether Debian's packages for 64-bit ARM are there.
has_debian_arm64() {
    [ -f "$arm64_musl/crt1.o" ] && command -v aarch64-linux-gnu-gcc >/dev/null && library_source "$rustc" >/dev/null
}

# Prints what is missing to build for $1 (linux-amd64, linux-arm64, windows-amd64); nothing when all
# is there.
missing_for() {
    find_compiler || { echo "a Rust compiler (rustup, or Debian's cargo-web and rustc-web)"; return; }
    case $1 in
    linux-amd64)
        command -v gcc >/dev/null || echo "gcc"
        library_source "$rustc" >/dev/null || echo "rust-web-src (or: rustup component add rust-src)"
        has_own_musl x86_64-unknown-linux-musl || command -v musl-gcc >/dev/null ||
            echo "musl-tools (or: rustup target add x86_64-unknown-linux-musl)"
        ;;
    linux-arm64)
        ! has_debian_arm64 || return 0
        library_source "$rustc" >/dev/null || echo "rust-web-src (or: rustup component add rust-src)"
        has_own_musl aarch64-unknown-linux-musl ||
            echo "rustup target add aarch64-unknown-linux-musl (or: gcc-aarch64-linux-gnu and musl-dev:arm64)"
        own_linker >/dev/null || echo "rust-lld (part of rustup's toolchains)"
        ;;
    windows-amd64)
        library_source "$rustc" >/dev/null || echo "rust-web-src (or: rustup component add rust-src)"
        command -v x86_64-w64-mingw32-gcc >/dev/null || echo "gcc-mingw-w64-x86-64"
        command -v zip >/dev/null || echo "zip"
        ;;
    *) echo "a target named $1" ;;
    esac
}

# Installs what is missing for $1: rustup's part where that is the compiler, the rest with apt-get
# as root. What it cannot install is still missing afterwards, and is for the caller to report.
install_for() {
    [ -n "$(missing_for "$1")" ] || return 0
    packages="cargo-web rustc-web rust-web-src"
    if command -v rustup >/dev/null; then
        case $1 in
        linux-amd64) rustup target add x86_64-unknown-linux-musl && packages= ;;
        linux-arm64) rustup target add aarch64-unknown-linux-musl && packages= ;;
        esac
        rustup component add rust-src && packages=
    fi
    case $1 in
    linux-amd64) packages="$packages gcc musl-tools" ;;
    linux-arm64) packages="$packages gcc-aarch64-linux-gnu" ;;
    windows-amd64) packages="$packages gcc-mingw-w64-x86-64 zip" ;;
    esac
    [ -n "$(missing_for "$1")" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    apt-get update -qq || :
    # shellcheck disable=SC2086  # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages || :
    [ "$1" != linux-arm64 ] || [ -f "$arm64_musl/crt1.o" ] || unpack_arm64_musl || :
}

# Unpacks Debian's musl-dev for 64-bit ARM without installing it: this machine keeps its one
# architecture.
unpack_arm64_musl() {
    mkdir -p "$arm64_unpacked"
    both="-o APT::Architectures::=$(dpkg --print-architecture) -o APT::Architectures::=arm64"
    # shellcheck disable=SC2086  # options
    (cd "$arm64_unpacked" && apt-get $both update -qq && apt-get $both download -qq musl-dev:arm64 &&
        dpkg -x musl-dev_*_arm64.deb . && rm musl-dev_*_arm64.deb)
    arm64_musl=$arm64_unpacked/usr/lib/aarch64-linux-musl
}
