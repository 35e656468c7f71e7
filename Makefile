# One command for each thing that anybody does with this repository; `make help` lists them.

CARGO ?= cargo
CONFD = target/release/confd
VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
LINUX = dist/app-agent-$(VERSION)-linux-amd64.tar.gz
ARM64 = dist/app-agent-$(VERSION)-linux-arm64.tar.gz
WINDOWS = dist/app-agent-$(VERSION)-windows-amd64.zip
# What of this repository is shell.
SCRIPTS = install.sh .ci/run tests/fixtures/zookeeper/run src/image/confd.init src/image/confd.openrc src/image/confd.bash-completion $(wildcard src/image/*.sh .ci/*.sh .ci/try-*)

.PHONY: build run lab test compare torture fleet lint bench fuzz generated dist release try twice toolchain help

build: ## build target/release/confd (the default)
	$(CARGO) build --release --locked

run: build ## render the ZooKeeper example from recorded metadata into target/run
	@tests/fixtures/zookeeper/run $(CONFD) target/run

lab: ## show the ZooKeeper example in the browser; IMAGE=directory another image
	$(CARGO) run --locked --profile lab --package confd-lab -- $(or $(IMAGE),tests/fixtures/zookeeper)

# Most tests wait for processes rather than compute: more of them at once than there are cores.
test: export RUST_TEST_THREADS ?= 8
test: ## run all tests; PROOF_SHARE=1 runs the long ones in full
	$(CARGO) test --locked
	$(CARGO) test --locked --profile lab --package confd-lab

compare: ## compare with a real Go of version 1.19: GO=path, YAML=directory of yaml.v2; COMPARE_BATCHES=1000 asks more
	COMPARE_GO=$(GO) COMPARE_YAML=$(YAML) $(CARGO) test --locked --test it compare -- --nocapture

lint: ## check the formatting, clippy's findings and the scripts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then echo shellcheck -x $(SCRIPTS); shellcheck -x $(SCRIPTS); \
	else echo "shellcheck is not installed: the scripts are not checked"; fi

torture: ## kill it, fail its calls, lie to it, flood it; a few minutes, the figures at the end
	PROOF_SHARE=1 $(CARGO) test --locked --test it torture:: -- --show-output

fleet: ## measure 500 daemons at one metadata server: a change, a restart, an idle minute
	$(CARGO) bench --locked --bench fleet

bench: ## measure; CONFD=path measures that program, OTHER=path another confd beside it, CASES=names only those
	$(CARGO) bench --locked --bench process -- $(CASES)
	$(if $(CASES),,$(CARGO) bench --locked --bench template)

fuzz: ## fuzz every parser for FUZZ_SECONDS (60) each; needs cargo-fuzz
	.ci/fuzz.sh

dist: ## build the static programs and pack them with their installers into dist/; TARGETS=linux-amd64 only that one
	.ci/dist.sh $(TARGETS)

release: ## make all that is released, in dist/: archives, bill of materials, SHA256SUMS; DRAFT=1 for an unfinished one
	.ci/release.sh $(if $(DRAFT),--draft)

generated: ## write the manual page, the completion and the third-party notices again, from the tables and Cargo.lock
	$(CARGO) run --quiet --locked --example release update

try: ## try what is in dist/: its lists, an old kernel, real Debian roots, 64-bit ARM emulated, wine
	.ci/try-release
	.ci/try-linux $(LINUX)
	.ci/try-arm64 $(ARM64)
	.ci/try-images $(LINUX)
	@if [ -e .ci/try-windows ]; then echo .ci/try-windows $(WINDOWS); .ci/try-windows $(WINDOWS); fi

twice: ## build all archives once more in another directory: they must be the same bytes
	.ci/try-twice $(LINUX) $(ARM64) $(WINDOWS)

toolchain: ## install what `make dist` needs, where that is possible
	.ci/dist.sh --toolchain $(TARGETS)

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile
