#!/bin/sh
# usage: .ci/fuzz.sh [TARGET...]
# Fuzzes each parser (default: all) for FUZZ_SECONDS (default: 60), one after the other.
# Starts from the kept inputs in fuzz/corpus; what it finds on the way stays in target/fuzz, for the
# next time.
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
CARGO=${CARGO:-cargo}

if ! "$CARGO" fuzz --version >/dev/null 2>&1; then
    echo "cannot fuzz: cargo-fuzz is missing; \"$CARGO install cargo-fuzz\" installs it" >&2
    echo "(without it, FUZZ_SECONDS=$seconds make test runs the same parsers over random damage to the same inputs)" >&2
    exit 1
fi
# The fuzzer's instruments are nightly's; this lets a stable compiler have them, too.
export RUSTC_BOOTSTRAP=1

[ $# -gt 0 ] || eval "set -- $("$CARGO" fuzz list | tr '\n' ' ')"
failed=
for target; do
    echo "$target: $seconds seconds"
    found=target/fuzz/$target
    mkdir -p "$found"
    # No input may take 10 seconds, or 1 GiB.
    "$CARGO" fuzz run "$target" "$found" "fuzz/corpus/$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -dict="fuzz/dict/$target.dict" -max_len=8192 -print_final_stats=1 -verbosity=0 || failed="$failed $target"
done
[ -z "$failed" ] || { echo "found something in:$failed (the inputs are in fuzz/artifacts)" >&2; exit 1; }
echo "nothing found"
