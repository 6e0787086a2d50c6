#!/usr/bin/env bash
# Sets a machine up to build, check and test this project. Run it as often as you like: it
# installs only what is missing, and takes under a second when nothing is.
#
#   pkg-config/setup.sh          native, wasm and web
#   pkg-config/setup.sh PART…    only these:
#   pkg-config/setup.sh native   Rust, a C compiler, Python with its packages `cryptography` and `cbor2`
#   pkg-config/setup.sh wasm     a compiler for wasm32-unknown-unknown
#   pkg-config/setup.sh web      what builds and tests for browsers: wasm-bindgen, wasm-pack,
#                                the npm tools, Chromium
#   pkg-config/setup.sh deny     cargo-deny, which `make check` needs
#   pkg-config/setup.sh peers    what `make bench-merkle` and `make bench-sync` compare with in JavaScript
#   pkg-config/setup.sh env      prints the exports that wasm builds need; to be eval'ed
#
# To add a tool: pin it in tools.lock, write setup_<name>, name it in the table at the end.
set -Eeuo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
manifest=$root/Cargo.toml
scratch=

readonly wasm=wasm32-unknown-unknown
# The rustup name of Debian's compiler, where that one builds the wasm.
readonly web=web
readonly web_lib=/usr/lib/rustlib/$wasm
readonly web_stamp=$web_lib/built-by
# rustup takes two seconds where it can reach its server; where it cannot, it may hang.
readonly rustup_seconds=20

# A shell that has eval'ed `setup.sh env` asks for the web compiler; the questions below are
# about the one that the user chose.
if [ "${RUSTUP_TOOLCHAIN:-}" = "$web" ]; then unset RUSTUP_TOOLCHAIN; fi

# ---- speaking and failing --------------------------------------------------------------

# Everything that people read goes to standard error: `env` owns standard output.
say() { printf 'setup: %s\n' "$*" >&2; }

die() { # MESSAGE ADVICE
  say "failed: $1"
  say "what to do: $2"
  exit 1
}

# Runs a command in silence; when it fails, shows how it ended, its name, and the advice.
attempt() { # ADVICE COMMAND…
  local advice=$1 status=0
  shift
  "$@" >"$scratch/log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 20 "$scratch/log" >&2
    die "$* (exit code $status)" "$advice"
  fi
}

clean_up() { if [ -n "$scratch" ]; then rm -rf "$scratch"; fi; }
trap clean_up EXIT
trap 'say "failed in line $LINENO: $BASH_COMMAND"' ERR
scratch=$(mktemp -d)

# ---- small questions -------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

pinned() { # KEY
  sed -n "s/^$1=//p" "$here/tools.lock"
}

at_least() { # VERSION FLOOR
  [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

version_of() { # COMMAND: the second word of `rustc 1.95.0 (…)`, or nothing
  "$1" --version 2>/dev/null | cut -d ' ' -f 2 || true
}

with_packages() { # PYTHON
  "$1" -c 'import cbor2, cryptography' >/dev/null 2>&1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

apt_install() { # PACKAGE…
  local by_hand="as root: apt-get update && apt-get install $*"
  have apt-get || die "$* not found, and there is no apt-get here" "install the like of: $*"
  [ "$(id -u)" -eq 0 ] || have sudo || die "$* not found, and neither root nor sudo to install it" "$by_hand"
  # The list on a fresh machine may lack the security archive, and with it the current compiler.
  attempt "$by_hand" as_root apt-get -o DPkg::Lock::Timeout=120 update
  # --no-remove: Debian's own rustc or rustup would be thrown out without a question.
  attempt "$by_hand (it stops where it would have to remove a package of yours)" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
    install -y --no-install-recommends --no-remove "$@"
}

# ---- native ----------------------------------------------------------------------------

setup_native() {
  local floor found tool missing=()
  floor=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$manifest")
  for tool in rustc cargo; do
    found=$(version_of "$tool")
    [ -n "$found" ] || die "$tool does not run" "install Rust $floor or later from https://rustup.rs, and open a new shell"
    at_least "$found" "$floor" || die "$tool $found is older than $floor" "rustup update stable"
  done

  have cc || missing+=(gcc libc6-dev)
  have python3 || missing+=(python3)
  # tests/peer is made of them. A python3 of the user's own may lack them where Debian's has them.
  if ! with_packages python3 && ! with_packages /usr/bin/python3; then
    missing+=(python3-cbor2 python3-cryptography)
  fi
  if [ "${#missing[@]}" -gt 0 ]; then
    say "native: installing ${missing[*]} (about 30 s)"
    apt_install "${missing[@]}"
  fi
  say "native: ready, rustc $(version_of rustc)"
}

# ---- wasm ------------------------------------------------------------------------------

# Does the user's own compiler have the wasm32 standard library?
default_has_wasm() {
  local lib
  lib=$(rustc --print target-libdir --target "$wasm" 2>/dev/null) || return 1
  compgen -G "$lib/libcore-*.rlib" >/dev/null
}

# Debian's compiler comes without a linker for wasm32; rustup's brings one.
rust_lld() {
  local host
  host=$(rustc --version --verbose | sed -n 's/^host: //p')
  printf '%s/lib/rustlib/%s/bin/rust-lld' "$(rustc --print sysroot)" "$host"
}

web_packages_there() {
  local found
  [ -x /usr/bin/cargo ] && [ -x /usr/bin/cargo-clippy ] &&
    [ -f /usr/lib/rustlib/src/rust/library/sysroot/Cargo.toml ] || return 1
  found=$(version_of /usr/bin/rustc)
  [ -n "$found" ] && at_least "$found" "$(pinned DEBIAN_RUST_MIN)"
}

# A standard library serves only the very compiler that built it.
web_std_fresh() {
  [ -f "$web_stamp" ] && [ "$(cat "$web_stamp")" = "$(/usr/bin/rustc --version)" ]
}

web_linked() {
  [ "$(rustup which --toolchain "$web" rustc 2>/dev/null)" -ef /usr/bin/rustc ]
}

web_ready() {
  have rustup && web_packages_there && web_std_fresh && web_linked
}

ask_rustup() {
  have rustup || return 1
  say "wasm: asking rustup for $wasm (seconds; given up after $rustup_seconds)"
  # Without `timeout` (macOS) there is no Debian way to go on to either, so waiting is right.
  if have timeout; then
    timeout "$rustup_seconds" rustup target add "$wasm" >"$scratch/log" 2>&1 </dev/null
  else
    rustup target add "$wasm" >"$scratch/log" 2>&1 </dev/null
  fi
}

# Debian's compiler, with the standard library for wasm32 built from its sources.
debian_way() {
  local build=$scratch/std new=$scratch/$wasm
  have apt-get || die "rustup target add $wasm" "run it by hand and see why it fails"
  have rustup || die "rustup not found" "install it from https://rustup.rs: it holds the two compilers side by side"
  [ -x "$(rust_lld)" ] || die "no rust-lld at $(rust_lld)" "rustup toolchain install stable"

  if ! web_packages_there; then
    say "wasm: rustup could not; installing Debian's compiler and its sources (about 60 s)"
    apt_install rustc-web cargo-web rust-web-src rust-web-clippy
    web_packages_there || die "Debian's rustc is $(version_of /usr/bin/rustc), not $(pinned DEBIAN_RUST_MIN) or later" \
      "enable the bookworm-security archive of Debian, or get rustup target add $wasm to work"
  fi
  if ! web_std_fresh; then
    say "wasm: building the standard library for $wasm (about 40 s)"
    # As the compiler's own build does it: std uses unstable features, and its crates must be
    # kept out of reach of those who link it. Bitcode is for link-time optimisation.
    attempt "see the end of the build above; the crates come from crates.io" \
      env RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes" RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
      /usr/bin/cargo build --release --features panic-unwind --target "$wasm" \
      --manifest-path /usr/lib/rustlib/src/rust/library/sysroot/Cargo.toml --target-dir "$build"
    mkdir -p "$new/lib"
    cp "$build/$wasm"/release/deps/*.rlib "$new/lib/"
    /usr/bin/rustc --version >"$new/built-by"
    # The stamp moves in together with what it vouches for: no half-copied library passes.
    [ "$(id -u)" -eq 0 ] || have sudo || die "cannot write to $web_lib" "run pkg-config/setup.sh wasm once as root"
    attempt "see the message above" as_root rm -rf "$web_lib" "$web_lib.new"
    attempt "see the message above" as_root cp -r "$new" "$web_lib.new"
    attempt "see the message above" as_root chmod -R a+rX "$web_lib.new"
    attempt "see the message above" as_root mv "$web_lib.new" "$web_lib"
  fi
  if ! web_linked; then
    say "wasm: making Debian's compiler known to rustup as '$web' (at once)"
    attempt "rustup toolchain link $web /usr" rustup toolchain link "$web" /usr
  fi
}

setup_wasm() {
  if default_has_wasm; then
    say "wasm: ready, rustc $(version_of rustc)"
    return
  fi
  if ! web_ready; then
    if ask_rustup && default_has_wasm; then
      say "wasm: ready, rustc $(version_of rustc)"
      return
    fi
    debian_way
  fi
  say "wasm: ready, Debian's rustc $(version_of /usr/bin/rustc)"
}

print_env() {
  if default_has_wasm; then return; fi
  web_ready || die "no compiler for $wasm" "pkg-config/setup.sh wasm"
  printf 'export RUSTUP_TOOLCHAIN=%q\n' "$web"
  printf 'export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=%q\n' "$(rust_lld)"
}

# ---- web -------------------------------------------------------------------------------

# Builds a tool of the Cargo registry, unless this very version is there.
cargo_tool() { # COMMAND CRATE VERSION DURATION OPTION…
  local command=$1 crate=$2 version=$3 duration=$4 found advice
  shift 4
  found=$(version_of "$command")
  if [ "$found" = "$version" ]; then return; fi
  say "web: building $crate $version from crates.io (about $duration)${found:+, in place of $found}"
  advice="cargo install $crate --version $version $*"
  # A target folder of the caller's is neither its place nor to be filled with it.
  attempt "$advice" env -u CARGO_TARGET_DIR cargo install "$crate" --version "$version" --force "$@"
  found=$(version_of "$command")
  [ "$found" = "$version" ] || die "$command is ${found:-not found} on the PATH, after $version was installed" \
    "put ${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin first on the PATH"
}

# The version of a crate in Cargo.lock: the command line must be the library's very twin.
locked() { # CRATE
  awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/[^0-9.]/, ""); print; exit }' "$root/Cargo.lock"
}

# Installs what the lock file of a folder says, unless it is there.
npm_tools() { # FOLDER
  local folder=$1
  if cmp -s "$folder/package-lock.json" "$folder/node_modules/installed-by"; then return; fi
  say "web: installing the npm tools of ${folder#"$root/"}/package-lock.json (about 30 s)"
  attempt "npm --prefix $folder ci" npm --prefix "$folder" ci --no-audit --no-fund
  cp "$folder/package-lock.json" "$folder/node_modules/installed-by"
}

browser_version() { # COMMAND: the first number of `Chromium 156.0.1 built on …` or `ChromeDriver 156.0.1 (…)`
  "$1" --version 2>/dev/null | grep -o '[0-9][0-9.]*' | head -n 1 || true
}

browser_ready() {
  local chromium driver
  chromium=$(browser_version chromium)
  driver=$(browser_version chromedriver)
  [ -n "$chromium" ] && [ "$chromium" = "$driver" ] && at_least "$chromium" "$(pinned CHROMIUM_MIN)"
}

setup_web() {
  local found floor bindgen
  floor=$(pinned NODE_MIN)
  found=$(node --version 2>/dev/null | tr -d v || true)
  { [ -n "$found" ] && at_least "$found" "$floor" && have npm; } ||
    die "node $floor or later, with npm, is needed; found ${found:-none}" "install it from https://nodejs.org"

  if ! browser_ready; then
    say "web: installing Debian's Chromium and its driver (about 60 s)"
    apt_install chromium chromium-driver
    browser_ready || die "chromium is $(browser_version chromium), chromedriver $(browser_version chromedriver)" \
      "both must be of one version, $(pinned CHROMIUM_MIN) or later, and on the PATH"
  fi

  npm_tools "$here"
  # Of those who use the package; the tests install it among them.
  npm_tools "$root/tests/consumers"

  bindgen=$(locked wasm-bindgen)
  [ -n "$bindgen" ] || die "no wasm-bindgen in Cargo.lock" "git checkout Cargo.lock"
  # Without --locked: this crate's own lock file does not resolve.
  cargo_tool wasm-bindgen wasm-bindgen-cli "$bindgen" "3 minutes"
  cargo_tool wasm-pack wasm-pack "$(pinned WASM_PACK)" "2 minutes" --locked
  say "web: ready, Chromium $(browser_version chromium), wasm-bindgen $bindgen, wasm-pack $(pinned WASM_PACK), node $found"
}

# ---- checks ----------------------------------------------------------------------------

setup_deny() {
  local pin
  pin=$(pinned CARGO_DENY)
  if [ "$(cargo deny --version 2>/dev/null)" != "cargo-deny $pin" ]; then
    say "deny: building cargo-deny $pin from crates.io (about 5 minutes)"
    attempt "cargo install cargo-deny --version $pin --locked" \
      cargo install cargo-deny --version "$pin" --locked
  fi
  say "deny: ready, cargo-deny $pin"
}

# ---- what was asked for ----------------------------------------------------------------

if [ $# -eq 0 ]; then set -- native wasm web; fi
for part in "$@"; do
  case $part in
    native) setup_native ;;
    wasm) setup_wasm ;;
    web) setup_web ;;
    deny) setup_deny ;;
    peers) npm_tools "$root/benches/peers" ;;
    env) print_env ;;
    *)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
done
