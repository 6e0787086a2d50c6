#!/usr/bin/env bash
# Runs the tests for wasm32 where they belong: in windows and workers of headless Chromium and in
# Node. Starts what they talk to: a relay, and a real hub. Closes with one line of counts for each runner.
#
#   pkg-config/run-web-tests.sh
#
#   ISOROOT_TEST_PORT=45871   the first of three ports on loopback: of the relay for the WebSocket tests,
#                             of the page that the tests are, and of the hub
#
# `make setup` installs what it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. pkg-config/runners.sh

port=${ISOROOT_TEST_PORT:-45871}
running=()
data=$(mktemp -d)
clean_up() {
  if [ "${#running[@]}" -gt 0 ]; then kill "${running[@]}" 2>/dev/null || true; fi
  rm -rf "$data"
}
trap clean_up EXIT

# Ports are fixed, since the tests know them from the day they are compiled.
await_line() { # WHAT FILE PID
  local tries
  for tries in $(seq 100); do
    if [ -s "$2" ]; then return; fi
    if ! kill -0 "$3" 2>/dev/null; then break; fi
    sleep 0.1
  done
  cat "$2.errors" >&2
  echo "$1 does not run: is one of the ports $port to $((port + 2)) taken? ISOROOT_TEST_PORT names others" >&2
  exit 1
}

start() { # WHAT COMMAND…
  local what=$1
  shift
  "$@" >"$data/$what" 2>"$data/$what.errors" &
  running+=($!)
  await_line "the $what" "$data/$what" $!
}

step web-tool build_tool
start relay node tests/web/relay.mjs "$port"
start hub "$tool" hub --listen "127.0.0.1:$((port + 2))" --data "$data/store" --origin "http://127.0.0.1:$((port + 1))"

wasm_env=$(pkg-config/setup.sh env)
eval "$wasm_env"
export ISOROOT_TEST_RELAY=ws://127.0.0.1:$port
export WASM_BINDGEN_TEST_ADDRESS=127.0.0.1:$((port + 1))
export ISOROOT_TEST_HUB=ws://127.0.0.1:$((port + 2))/sync
export WASM_BINDGEN_TEST_WEBDRIVER_JSON=$PWD/pkg-config/webdriver.json
# Of a whole runner, in seconds; the machine may be busy.
export WASM_BINDGEN_TEST_TIMEOUT=300

wasm_pack_test() { # TEST… -- wasm-pack's arguments…
  local tests=()
  while [ "$1" != -- ]; do
    tests+=(--test "$1")
    shift
  done
  shift
  wasm-pack test --mode no-install "$@" -- --locked --features web,sim "${tests[@]}"
}

# The variable, not an attribute in the test, says where one runs: wasm-pack passes in silence over
# tests that ask for another place.
in_chromium() { # WASM_BINDGEN_USE_… TEST…
  local -x "$1=1"
  wasm_pack_test "${@:2}" -- --headless --chrome --chromedriver "$(command -v chromedriver)"
}

# A test that finds no hub passes: here there is one.
met_the_hub() { # RUNNER
  grep -q '^test .*f125_two_nodes_of_a_page_are_equal_through_a_hub .*ok' "$logs/$1.log" &&
    ! grep -q 'ISOROOT_TEST_HUB names no hub' "$logs/$1.log" || complain "$1" "did not meet the hub"
}

runner wasm-node wasm_pack_test web_anywhere -- --node
runner wasm-window in_chromium WASM_BINDGEN_USE_BROWSER web_anywhere web_browser
met_the_hub wasm-window
runner wasm-dedicated-worker in_chromium WASM_BINDGEN_USE_DEDICATED_WORKER web_anywhere web_browser
met_the_hub wasm-dedicated-worker
runner wasm-shared-worker in_chromium WASM_BINDGEN_USE_SHARED_WORKER web_anywhere
runner wasm-service-worker in_chromium WASM_BINDGEN_USE_SERVICE_WORKER web_anywhere

summary
