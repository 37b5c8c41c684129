#!/usr/bin/env bash
# Runs cargo-deny over deny.toml, building it once into target/tools where the machine has none.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
deny=$(command -v cargo-deny || true)
if [ -z "$deny" ]; then
  deny=target/tools/bin/cargo-deny
  if [ ! -x "$deny" ]; then
    echo "building cargo-deny $version into target/tools (once)"
    # Unoptimised: it runs for seconds, so building it faster is what counts.
    CARGO_TARGET_DIR=target/tools/build \
      cargo install --quiet cargo-deny --version "$version" --locked --debug --root target/tools
    rm -rf target/tools/build
  fi
fi

"$deny" --log-level error check --show-stats bans licenses sources

database=https://github.com/rustsec/advisory-db
if GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote --quiet "$database" HEAD >/dev/null 2>&1; then
  "$deny" --log-level error check advisories
else
  echo "advisories: NOT CHECKED, $database cannot be reached from here"
fi
