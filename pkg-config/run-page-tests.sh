#!/usr/bin/env bash
# Runs the tests of whole pages, in headless Chromium, through real hubs. Builds the native tool, and the
# npm package and the demo page where sources are newer. Closes with one line of counts.
#
#   pkg-config/run-page-tests.sh             all of them
#   pkg-config/run-page-tests.sh tabs hub    tests/pages/tabs.test.mjs and hub.test.mjs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. pkg-config/runners.sh

files=(tests/pages/*.test.mjs)
if [ $# -gt 0 ]; then files=("${@/%/.test.mjs}") && files=("${files[@]/#/tests/pages/}"); fi

built=${CARGO_TARGET_DIR:-target}
# Whether a file is there, and none of its sources is newer.
fresh() { # FILE SOURCE…
  [ -f "$1" ] && [ -z "$(find "${@:2}" -name node_modules -prune -o -newer "$1" -type f -print -quit)" ]
}

step pages-tool build_tool
packed=$(compgen -G "$built/package/isoroot-*.tgz") || packed=
if ! fresh "$packed" src pkg-config/ts Cargo.toml Cargo.lock pkg-config/build-package.mjs; then
  step pages-package node pkg-config/build-package.mjs
fi
if ! fresh "$built/www/index.html" www "$built"/package/isoroot-*.tgz pkg-config/build-page.mjs; then
  step pages-page node pkg-config/build-page.mjs
fi
# Pictures and logs of stories that failed before.
rm -f "$logs"/*-page-[0-9].png "$logs"/*-hub-[0-9].log
# One file at a time: each has a browser and hubs of its own, and times would say nothing.
runner pages env ISOROOT_TOOL="$(realpath "$tool")" node --test --test-concurrency=1 --test-reporter=tap "${files[@]}"

summary
