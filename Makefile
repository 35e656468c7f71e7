# One command for each thing that anybody does with this repository; `make help` lists them.

CARGO ?= cargo
CONFD = target/release/confd
# What of this repository is shell.
SCRIPTS = .ci/run tests/fixtures/zookeeper/run $(wildcard install.sh src/image/*.sh)

.PHONY: build run test lint bench help

build: ## build target/release/confd (the default)
	$(CARGO) build --release --locked

run: build ## render the ZooKeeper example from recorded metadata into target/run
	@tests/fixtures/zookeeper/run $(CONFD) target/run

test: ## run all tests; PROOF_SHARE=1 runs the long ones in full
	$(CARGO) test --locked

lint: ## check the formatting, clippy's findings and the scripts
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then echo shellcheck $(SCRIPTS); shellcheck $(SCRIPTS); \
	else echo "shellcheck is not installed: the scripts are not checked"; fi

bench: ## measure; prints figures, judges nothing
	$(CARGO) bench --locked

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile
