#!/usr/bin/env bash
# Runs all tests, then proves that the core and the wasm build still compile. Goes on after
# a failure, so that one run shows everything that is broken; fails at the end if anything
# did, or if a runner that should run tests ran none.
#
#   pkg-config/run-tests.sh         what `make test` runs
#   pkg-config/run-tests.sh full    the same with the long property tests and simulations
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  '') ;;
  full) export ISOROOT_TEST_FULL=1 ;;
  *)
    echo "usage: pkg-config/run-tests.sh [full]" >&2
    exit 2
    ;;
esac

logs=${CARGO_TARGET_DIR:-target}/test-logs
mkdir -p "$logs"
counts=() # one closing line a runner
broken=() # what failed, and why

# Runs one command, shows and keeps what it prints, and says how long it took.
step() { # NAME COMMAND…
  local name=$1 begun=$SECONDS outcome=ok
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  if ! "$@" 2>&1 | tee "$logs/$name.log"; then
    outcome=FAILED
    broken+=("$name: exited with an error")
  fi
  printf -- '-- %s: %s, %d s\n' "$name" "$outcome" $((SECONDS - begun))
}

# A step that must run tests. A runner closes with libtest's line, once for each binary,
#   test result: ok. 3 passed; 0 failed; 1 ignored; …
# or with a plain one,
#   3 passed, 0 failed
runner() { # NAME COMMAND…
  local name=$1 passed failed skipped
  step "$@"
  read -r passed failed skipped < <(awk '
    /^test result: /                    { passed += $4; failed += $6; skipped += $8 }
    /^[0-9]+ passed, [0-9]+ failed/     { passed += $1; failed += $3 }
    END                                 { print passed + 0, failed + 0, skipped + 0 }
  ' "$logs/$name.log")
  counts+=("$name: $passed passed, $failed failed, $skipped skipped")
  if [ $((passed + failed)) -eq 0 ]; then broken+=("$name: ran no test"); fi
  if [ "$failed" -gt 0 ]; then broken+=("$name: $failed failed"); fi
}

wasm_env=$(pkg-config/setup.sh env)
on_wasm() { # COMMAND…
  (
    eval "$wasm_env"
    "$@" --target wasm32-unknown-unknown
  )
}

runner cargo-test cargo test --locked --all-features --no-fail-fast --lib --bins --tests --examples
runner doc-test cargo test --locked --all-features --no-fail-fast --doc
runner golden python3 tests/golden/confirm.py
step core cargo check --locked --no-default-features
step wasm-core on_wasm cargo check --locked --no-default-features
step wasm on_wasm cargo check --locked

printf '\n== summary, %d s in all\n' "$SECONDS"
if [ "${#broken[@]}" -gt 0 ]; then printf 'BROKEN %s\n' "${broken[@]}"; fi
printf '%s\n' "${counts[@]}"
[ "${#broken[@]}" -eq 0 ]
