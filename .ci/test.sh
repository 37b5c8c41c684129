#!/usr/bin/env bash
# Runs every test. With Postgres, Redis, haproxy and Node present none may be skipped (REQUIRE_BACKENDS=1).
set -euo pipefail
cd "$(dirname "$0")/.."

if deploy/local/install.sh; then
  export REQUIRE_BACKENDS=1
  deploy/local/npm.sh tests/it/support
elif [ "${CI:-}" = true ]; then
  exit 1
else
  echo "Going on without them: the tests that need them will say that they are skipped."
fi

log=target/test.log
mkdir -p target
status=0
cargo test --workspace --features failpoints 2>&1 | tee "$log" || status=$?

awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
  END { printf "\nmake test: %d passed, %d failed, %d ignored\n", passed, failed, ignored }' "$log"
if skipped=$(grep -c '^skipped:' "$log"); then echo "make test: $skipped skipped for want of a backend"; fi
exit "$status"
