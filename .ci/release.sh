#!/bin/sh
# usage: .ci/release.sh [--draft]
# Makes all that a release consists of, in dist/: the archives for each system, the bill of
# materials and SHA256SUMS. The same sources and compiler give the same bytes. The version is that
# of Cargo.toml: it must have an entry in CHANGELOG.md, and everything must be committed, except
# with --draft.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

refuse() {
    if [ "$draft" = yes ]; then
        echo "draft: $*"
    else
        echo "release.sh: $*" >&2
        exit 1
    fi
}
draft=no
[ "${1:-}" != --draft ] || draft=yes
grep -q "^## \[\{0,1\}$version\]\{0,1\}\( \|$\)" CHANGELOG.md || refuse "CHANGELOG.md has no entry for $version"
[ -z "$(git status --porcelain 2>/dev/null)" ] || refuse "there are uncommitted changes"

targets="linux-amd64 linux-arm64 windows-amd64"
# shellcheck disable=SC2086  # a list
{
    .ci/dist.sh --toolchain $targets
    .ci/dist.sh $targets
}
name=app-agent-$version
"${CARGO:-cargo}" run --quiet --locked --example release sbom >"dist/$name.cdx.json"
(cd dist && sha256sum "$name".cdx.json "$name"-linux-*.tar.gz "$name"-windows-*.zip >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
ls -l dist/SHA256SUMS && cat dist/SHA256SUMS
