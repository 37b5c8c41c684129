#!/usr/bin/env bash
# Installs the npm packages of a folder from its lock file, once per state of that file.
set -euo pipefail
cd "$1"
stamp=node_modules/.installed
if ! cmp -s package-lock.json "$stamp"; then
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json "$stamp"
fi
