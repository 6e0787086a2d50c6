# Everything a developer or CI does here has a name below. The work itself is in cargo and
# in the scripts under pkg-config/, so that each can also be run alone.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Wasm may need another compiler than the native build: setup.sh knows which.
WASM_ENV = wasm_env=$$(pkg-config/setup.sh env); eval "$$wasm_env"
WASM = --target wasm32-unknown-unknown

.PHONY: help setup demo page test test-full test-web fuzz bench bench-web bench-merkle bench-sync demo-diff package size check fmt clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Install what is missing on this machine (seconds when nothing is)
	@pkg-config/setup.sh

demo: ## Show the tool at work, then serve the demo page until Ctrl-C
	@pkg-config/setup.sh native
	cargo build --locked --release --features cli
	python3 pkg-config/demo.py
	@# Only where somebody watches, unless told: a job of CI would never end.
	@# Monitor mode, so that Ctrl-C ends the hub and not make.
	@serve=$${ISOROOT_DEMO_SERVE:-}; \
	if [ -z "$$serve" ] && [ -t 0 ] && [ -t 1 ]; then serve=1; fi; \
	if [ "$$serve" = 1 ]; then \
	  $(MAKE) --no-print-directory page; \
	  set -m; \
	  python3 pkg-config/demo-page.py; \
	else \
	  echo "The demo page is not served here; ISOROOT_DEMO_SERVE=1 make demo serves it"; \
	fi

page: package ## Build the demo page over the package: target/www, for isoroot hub --www
	node pkg-config/build-page.mjs

test: setup ## Run all tests: native, in Node, in Chromium; of the package, of whole pages
	@pkg-config/run-tests.sh

test-full: setup ## The same with the long property tests and simulations
	@pkg-config/run-tests.sh full

test-web: setup ## Only those in Node and Chromium
	@pkg-config/run-tests.sh web

fuzz: ## Fuzz every decoder for FUZZ_SECONDS each (60); FUZZ_TARGET=file only that one
	@pkg-config/setup.sh native
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} cargo test --locked --release --features fuzzing --test fuzz -- \
	  --ignored --nocapture fuzz_for_a_time

bench: ## Build the command line tool and measure it
	@pkg-config/setup.sh native
	cargo build --locked --release --features cli
	python3 pkg-config/bench.py

bench-web: package ## Build command line tool and package, and measure the package in Chromium
	cargo build --locked --release --features cli
	node pkg-config/bench-web.mjs

bench-merkle: ## Measure the Merkle map, native and as wasm, beside other trees
	@pkg-config/setup.sh native wasm web peers
	node pkg-config/bench-merkle.mjs

bench-sync: ## Measure what finding the difference of two sets costs, beside other ways
	@pkg-config/setup.sh native peers
	@# Without a browser its rows are left out.
	@pkg-config/setup.sh wasm web || true
	node pkg-config/bench-sync.mjs

demo-diff: ## The same for a million entries twice, a hundred apart, in a few seconds
	@pkg-config/setup.sh native
	node pkg-config/bench-sync.mjs --diff

package: ## Build the npm package: target/package/isoroot-x.y.z.tgz
	@pkg-config/setup.sh wasm web
	node pkg-config/build-package.mjs

size: package ## What a page loads of it, raw and compressed; fails above the limit
	node pkg-config/measure-size.mjs

check: ## Format, lints on both targets, docs, licences and sources of dependencies
	@pkg-config/setup.sh native wasm deny
	cargo fmt --check
	cargo fmt --check --manifest-path benches/peers/Cargo.toml
	cargo clippy --locked --all-targets --all-features -- -D warnings
	$(WASM_ENV); cargo clippy --locked $(WASM) --lib -- -D warnings
	$(WASM_ENV); cargo clippy --locked $(WASM) --lib --tests --features bindings-test,sim -- -D warnings
	cargo check --locked --no-default-features
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@# The advisories come from a server of their own, which a closed network does not reach:
	@# not having them is said aloud, having them and failing is a failure.
	@if timeout 20 cargo deny fetch db >/dev/null 2>&1; then \
	  cargo deny --locked check advisories; \
	else \
	  echo "advisories SKIPPED: the RustSec database could not be fetched within 20 s"; \
	fi

fmt: ## Format the source
	cargo fmt
	cargo fmt --manifest-path benches/peers/Cargo.toml

clean: ## Remove everything that was built, and the demo's data
	rm -rf target/demo
	cargo clean
