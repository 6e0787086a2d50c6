# What the scripts that run tests share: running, counting, and the closing lines. To be sourced, in the
# root of the project. A script that is started by another one adds to that one's summary.
#
#   step NAME COMMAND…     something that must succeed
#   runner NAME COMMAND…   something that must run tests
#   summary                the last line of a script: prints the counts, fails if anything was broken

logs=${CARGO_TARGET_DIR:-target}/test-logs
mkdir -p "$logs"
begun_all=$SECONDS
broken=0 # in this script
outermost=
if [ -z "${ISOROOT_TEST_SUMMARY:-}" ]; then
  outermost=1
  export ISOROOT_TEST_SUMMARY=$PWD/$logs/summary.txt
  if [[ $logs = /* ]]; then ISOROOT_TEST_SUMMARY=$logs/summary.txt; fi
  : >"$ISOROOT_TEST_SUMMARY"
fi

# Goes on after a failure, so that one run shows everything that is broken.
complain() { # NAME REASON
  broken=$((broken + 1))
  printf 'BROKEN %s: %s\n' "$1" "$2" | tee -a "$ISOROOT_TEST_SUMMARY"
}

# Runs one command, shows and keeps what it prints, and says how long it took.
step() { # NAME COMMAND…
  local name=$1 begun=$SECONDS outcome=ok
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  if ! "$@" 2>&1 | tee "$logs/$name.log"; then
    outcome=FAILED
    complain "$name" "exited with an error"
  fi
  printf -- '-- %s: %s, %d s\n' "$name" "$outcome" $((SECONDS - begun))
}

# A step that must run tests. It prints libtest's line, once for each binary,
#   test result: ok. 3 passed; 0 failed; 1 ignored; …
# or Node's, in its form for machines,
#   # pass 3
#   # fail 0
#   # cancelled 0
#   # skipped 1
# or a plain one,
#   3 passed, 0 failed
runner() { # NAME COMMAND…
  local name=$1 passed failed skipped
  step "$@"
  read -r passed failed skipped < <(awk '
    /^test result: /                { passed += $4; failed += $6; skipped += $8 }
    /^# pass [0-9]+$/               { passed += $3 }
    /^# (fail|cancelled) [0-9]+$/   { failed += $3 }
    /^# (skipped|todo) [0-9]+$/     { skipped += $3 }
    /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3 }
    END                             { print passed + 0, failed + 0, skipped + 0 }
  ' "$logs/$name.log")
  printf '%s: %d passed, %d failed, %d skipped\n' "$name" "$passed" "$failed" "$skipped" >>"$ISOROOT_TEST_SUMMARY"
  if [ $((passed + failed)) -eq 0 ]; then complain "$name" "ran no test"; fi
  if [ "$failed" -gt 0 ]; then complain "$name" "$failed failed"; fi
}

summary() {
  if [ -n "$outermost" ]; then
    printf '\n== summary, %d s in all\n' $((SECONDS - begun_all))
    cat "$ISOROOT_TEST_SUMMARY"
  fi
  [ "$broken" -eq 0 ]
}

# The native tool as the tests of it have built it: nothing is compiled twice.
build_tool() {
  cargo test --locked --all-features --no-run --test cli
}
tool=${CARGO_TARGET_DIR:-target}/debug/isoroot
