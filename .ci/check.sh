#!/usr/bin/env bash
# Checks everything that needs no running service. Each step prints its name, so that the last line names the failure.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets --features failpoints -- -D warnings

step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --features failpoints

step "dependencies"
.ci/deny.sh

step "house rules"
cargo test --quiet --features failpoints --test it tidy

step "shell and JavaScript"
for script in .ci/run .ci/*.sh deploy/local/*.sh; do bash -n "$script"; done
if command -v node >/dev/null; then
  for script in tests/it/support/*.mjs loadtest/*.mjs; do node --check "$script"; done
elif [ "${CI:-}" = true ]; then
  echo "node is missing: deploy/local/install.sh installs it" >&2
  exit 1
fi
for package in client web; do
  if [ -f "$package/package.json" ]; then
    npm --prefix "$package" ci --no-audit --no-fund
    npm --prefix "$package" run check
  fi
done

printf '\nmake check: ok in %ss\n' "$SECONDS"
