#!/usr/bin/env bash
# Runs the tests of whole pages, in headless Chromium, through real hubs. Builds the native tool and the
# npm package where sources are newer. Closes with one line of counts.
#
#   pkg-config/run-page-tests.sh             all of them
#   pkg-config/run-page-tests.sh tabs hub    tests/pages/tabs.test.mjs and hub.test.mjs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. pkg-config/runners.sh

files=(tests/pages/*.test.mjs)
if [ $# -gt 0 ]; then files=("${@/%/.test.mjs}") && files=("${files[@]/#/tests/pages/}"); fi

# Whether the package is there, and nothing that it is made of is newer.
fresh_package() {
  local packed
  packed=$(compgen -G "${CARGO_TARGET_DIR:-target}/package/isoroot-*.tgz") || return 1
  [ -z "$(find src pkg-config/ts Cargo.toml Cargo.lock pkg-config/build-package.mjs -newer "$packed" -print -quit)" ]
}

step pages-tool build_tool
if ! fresh_package; then step pages-package node pkg-config/build-package.mjs; fi
# One file at a time: each has a browser and hubs of its own, and times would say nothing.
runner pages env ISOROOT_TOOL="$(realpath "$tool")" node --test --test-concurrency=1 --test-reporter=tap "${files[@]}"

summary
