#!/usr/bin/env bash
# Builds the npm package, and one that can be made to crash, and runs their tests: of behaviour in Node, of
# types, and of the packed file in the tools of those who use it, with pages in headless Chromium. Goes on after a failure; each runner
# closes with a line `N passed, N failed`, and one that ran no test is a failure.
#
#   pkg-config/run-package-tests.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

logs=${CARGO_TARGET_DIR:-target}/test-logs
mkdir -p "$logs"
broken=()

# Node's own runner says how many there were in lines of comments.
node_tests() {
  local code=0
  node --test --test-reporter=tap tests/package/ >"$logs/package-node.log" 2>&1 || code=$?
  if [ "$code" -ne 0 ]; then cat "$logs/package-node.log"; fi
  awk '/^# pass /                  { passed = $3 }
       /^# (fail|cancelled) /      { failed += $3 }
       END                         { printf "%d passed, %d failed\n", passed, failed; exit !passed || failed }
  ' "$logs/package-node.log"
}

consumers() {
  if ! cmp -s tests/consumers/package-lock.json tests/consumers/node_modules/installed-by; then
    echo "consumers: installing the tools of tests/consumers/package-lock.json (about 20 s)"
    npm --prefix tests/consumers ci --no-audit --no-fund --silent
    cp tests/consumers/package-lock.json tests/consumers/node_modules/installed-by
  fi
  node tests/consumers/run.mjs
}

node pkg-config/build-package.mjs --test
node pkg-config/build-package.mjs

for runner in node_tests consumers; do
  printf '\n== package, %s\n' "$runner"
  "$runner" || broken+=("$runner")
done

if [ "${#broken[@]}" -gt 0 ]; then
  printf 'BROKEN package: %s\n' "${broken[@]}"
  exit 1
fi
