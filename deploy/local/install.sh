#!/usr/bin/env bash
# Makes sure that Postgres, Redis, haproxy and Node are on this machine: as root it installs what is missing from
# Debian's packages, otherwise it prints the command. No service is started: tests and `make cluster` run their own.
set -euo pipefail

packages=()
have() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }
postgres() { have postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

postgres || packages+=(postgresql)
have redis-server || packages+=(redis-server)
have haproxy || packages+=(haproxy)
have node || packages+=(nodejs)
have npm || packages+=(npm)
[ ${#packages[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing on this machine. On Debian or Ubuntu: sudo apt-get install ${packages[*]}" >&2
  exit 1
fi

# Debian asks this file before it starts a service, and the answer 101 is "no".
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}"
