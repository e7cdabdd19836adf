# Every command of the project. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run dev build setup setup-test test test-unit chaos compose-test bench bench-quick fmt lint deny check-docs ci update-docs clean

# Built files live outside the clone, so that a new clone starts warm; `./target` where that folder cannot be made.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shopfloor
export CARGO_TARGET_DIR ?= $(shell mkdir -p "$(CACHE)/target" 2>/dev/null && [ -w "$(CACHE)/target" ] && echo "$(CACHE)/target" || echo "$(CURDIR)/target")
export SHOPFLOOR_TOOLCHAIN ?= $(CACHE)/toolchain
export PATH := $(PATH):$(CACHE)/tools/bin
export CARGO_TERM_PROGRESS_WHEN ?= never

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Sets everything up, builds, and starts Shopfloor on http://127.0.0.1:8000
	@exec ./shopfloor up

dev: ## Like run, but a debug build that is restarted when a source file changes
	@scripts/setup.sh run
	@scripts/dev.sh

build: ## Sets up what running needs and builds ./shopfloor
	@scripts/setup.sh run
	cargo build --release --locked --bin shopfloor
	@ln -sf "$(CARGO_TARGET_DIR)/release/shopfloor" ./shopfloor

setup-test: ## Installs what the tests need (Debian packages, Python tools, cargo-nextest, cargo-deny)
	@scripts/setup.sh test

test: setup-test ## Sets everything up and runs every test
	cargo test --locked --workspace --doc
	cargo nextest run --locked --workspace --all-targets

compose-test: ## Builds the images without pulling any, brings the fleet up, kills its parts, takes it down (Docker, root)
	@scripts/compose-test.sh

SEEDS ?= 10
FROM ?= 1
chaos: setup-test ## Breaks a fleet at random and checks the record: SEEDS=10 of them, beginning with seed FROM=1
	SHOPFLOOR_CHAOS_SEEDS=$(SEEDS) SHOPFLOOR_CHAOS_FROM=$(FROM) \
		cargo test --locked -p shopfloor --test chaos -- --nocapture whatever_breaks

fmt: ## Formats the code
	cargo fmt --all

lint: setup-test ## Formatting and clippy, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny: setup-test ## Licences, sources and the layering rules; advisories where their database can be reached
	@scripts/deny.sh

check-docs: ## Each invariant of the architecture names a test that exists; no file outgrows its limit
	@scripts/check-invariants.sh
	@scripts/check-tree.sh

ci: lint deny check-docs test ## Exactly what CI runs

bench: ## Measures Shopfloor and its peers on this machine and rewrites docs/benchmarks.md
	bench/run.py

bench-quick: ## Shows that the benchmarks run, with tiny counts and debug builds
	bench/run.py --quick

update-docs: ## Rewrites the documents that are generated from the code
	UPDATE_DOCS=1 cargo nextest run --locked -p shopfloor-domain -p shopfloor-pipelines -p shopfloor-telemetry

clean: ## Removes built files; ./.shopfloor stays
	cargo clean
	rm -f ./shopfloor
