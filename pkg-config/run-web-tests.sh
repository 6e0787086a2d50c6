#!/usr/bin/env bash
# Runs the tests for wasm32 where they belong: in windows and workers of headless Chromium and in
# Node. Goes on after a failure, so that one run shows everything that is broken; fails at the end
# if anything did, or if a runner ran no test. Closes with one line of counts for each runner.
#
#   pkg-config/run-web-tests.sh
#
#   ISOROOT_TEST_PORT=45871   where the relay for the WebSocket tests listens on loopback
#   ISOROOT_TEST_HUB=ws://…   a hub to sync through as well; it must let in the tests' page, which
#                             is served at the port after the relay's then (45872):
#                             isoroot hub --origin http://127.0.0.1:45872
#
# `pkg-config/setup.sh all` installs what it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

port=${ISOROOT_TEST_PORT:-45871}
target=${CARGO_TARGET_DIR:-target}
logs=$target/test-logs
mkdir -p "$logs"
counts=() # one closing line a runner
broken=() # what failed, and why

wasm_env=$(pkg-config/setup.sh env)
eval "$wasm_env"
export ISOROOT_TEST_RELAY=ws://127.0.0.1:$port
export WASM_BINDGEN_TEST_WEBDRIVER_JSON=$PWD/pkg-config/webdriver.json
if [ -n "${ISOROOT_TEST_HUB:-}" ]; then export WASM_BINDGEN_TEST_ADDRESS=127.0.0.1:$((port + 1)); fi
# Of a whole runner, in seconds; the machine may be busy.
export WASM_BINDGEN_TEST_TIMEOUT=300

coproc relay { exec node tests/web/relay.mjs "$port"; }
relay_pid=$!
trap 'kill "$relay_pid" 2>/dev/null || true' EXIT
if ! read -r -t 10 -u "${relay[0]}"; then
  echo "the relay does not run: is port $port taken? ISOROOT_TEST_PORT names another" >&2
  exit 1
fi

# One runner: shows and keeps what it prints, and counts. It closes with libtest's line, once for
# each binary,
#   test result: ok. 3 passed; 0 failed; 1 ignored; …
runner() { # NAME TESTS… -- COMMAND…
  local name=$1 begun=$SECONDS outcome=ok passed failed skipped tests=()
  shift
  while [ "$1" != -- ]; do
    tests+=(--test "$1")
    shift
  done
  shift
  printf '\n== %s: %s\n' "$name" "${tests[*]}"
  if ! "$@" -- --locked --features web "${tests[@]}" 2>&1 | tee "$logs/$name.log"; then
    outcome=FAILED
    broken+=("$name: exited with an error")
  fi
  printf -- '-- %s: %s, %d s\n' "$name" "$outcome" $((SECONDS - begun))
  read -r passed failed skipped < <(awk '
    /^test result: / { passed += $4; failed += $6; skipped += $8 }
    END              { print passed + 0, failed + 0, skipped + 0 }
  ' "$logs/$name.log")
  counts+=("$name: $passed passed, $failed failed, $skipped skipped")
  if [ $((passed + failed)) -eq 0 ]; then broken+=("$name: ran no test"); fi
  if [ "$failed" -gt 0 ]; then broken+=("$name: $failed failed"); fi
}

# The variable, not an attribute in the test, says where one runs: wasm-pack passes in silence over
# tests that ask for another place.
in_chromium() { # WASM_BINDGEN_USE_… wasm-pack's arguments…
  local place=$1
  shift
  env "$place=1" wasm-pack test --mode no-install --headless --chrome --chromedriver "$(command -v chromedriver)" "$@"
}

runner wasm-node web_anywhere -- wasm-pack test --mode no-install --node
runner wasm-window web_anywhere web_browser -- in_chromium WASM_BINDGEN_USE_BROWSER
runner wasm-dedicated-worker web_anywhere web_browser -- in_chromium WASM_BINDGEN_USE_DEDICATED_WORKER
runner wasm-shared-worker web_anywhere -- in_chromium WASM_BINDGEN_USE_SHARED_WORKER
runner wasm-service-worker web_anywhere -- in_chromium WASM_BINDGEN_USE_SERVICE_WORKER

printf '\n== summary, %d s in all\n' "$SECONDS"
if [ "${#broken[@]}" -gt 0 ]; then printf 'BROKEN %s\n' "${broken[@]}"; fi
printf '%s\n' "${counts[@]}"
[ "${#broken[@]}" -eq 0 ]
