#!/usr/bin/env bash
# Runs all tests, natively, in Node and in Chromium, and proves that the core and the wasm build compile
# on their own. Goes on after a failure, so that one run shows everything that is broken; fails at the end
# if anything did, or if a runner that should run tests ran none.
#
#   pkg-config/run-tests.sh         what `make test` runs
#   pkg-config/run-tests.sh full    the same with the long property tests and simulations
#   pkg-config/run-tests.sh web     only what runs in Node and Chromium
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  '') ;;
  full) export ISOROOT_TEST_FULL=1 ;;
  web) ;;
  *)
    echo "usage: pkg-config/run-tests.sh [full|web]" >&2
    exit 2
    ;;
esac

. pkg-config/runners.sh

wasm_env=$(pkg-config/setup.sh env)
on_wasm() { # COMMAND…
  (
    eval "$wasm_env"
    "$@" --target wasm32-unknown-unknown
  )
}

if [ "${1:-}" != web ]; then
  runner native cargo test --locked --all-features --no-fail-fast --lib --bins --tests --examples
  runner doc cargo test --locked --all-features --no-fail-fast --doc
  runner golden python3 tests/golden/confirm.py
  step core cargo check --locked --no-default-features
  step wasm-core on_wasm cargo check --locked --no-default-features
  step wasm on_wasm cargo check --locked
  step wasm-web on_wasm cargo check --locked --features web,sim
fi
step web-all pkg-config/run-web-tests.sh
step package-all pkg-config/run-package-tests.sh
step pages-all pkg-config/run-page-tests.sh

summary
