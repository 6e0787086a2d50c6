#!/usr/bin/env bash
# Builds the npm package, and one that can be made to crash, and runs their tests: of behaviour in Node, of
# types, and of the packed file in the tools of those who use it, with pages in headless Chromium. Closes
# with one line of counts for each runner.
#
#   pkg-config/run-package-tests.sh
#
# `make setup` installs what it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. pkg-config/runners.sh

step package-build node pkg-config/build-package.mjs
step package-build-test node pkg-config/build-package.mjs --test
runner package-node node --test --test-reporter=tap tests/package/
runner package-consumers node tests/consumers/run.mjs

summary
