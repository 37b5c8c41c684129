#!/usr/bin/env bash
# Runs a whole cluster on this machine without containers: Postgres, Redis, 3 nodes, and a proxy that gives every
# request to the next node (no stickiness). Data is private and goes when it ends; ctrl-c ends everything cleanly.
#
#   CLUSTER_PORT=3000   the proxy; nodes take the next 3 ports, their admin listeners +11…, Redis +20, Postgres +21
#   CLUSTER_BIN=…       a rookery that is built already, instead of `cargo build`
set -euo pipefail
cd "$(dirname "$0")/../.."

deploy/local/install.sh
bin=${CLUSTER_BIN:-}
if [ -z "$bin" ]; then
  cargo build
  bin=target/debug/rookery
fi

port=${CLUSTER_PORT:-3000}
redis_port=$((port + 20))
postgres_port=$((port + 21))
logs=$PWD/target/cluster
mkdir -p "$logs"
dir=$(mktemp -d /var/tmp/rookery-cluster.XXXXXX)
chmod 755 "$dir"

declare -A name_of
nodes_left=3
start() { # start NAME COMMAND…: in the background, its output in target/cluster/NAME.log
  local name=$1
  shift
  # In a session of its own: ctrl-c is for this script, which ends them in order.
  setsid "$@" </dev/null >"$logs/$name.log" 2>&1 &
  name_of[$!]=$name
}

stop() { # stop SIGNAL NAME…: ends what is still running under these names and waits for it
  local signal=$1 pid name
  shift
  for name in "$@"; do
    for pid in "${!name_of[@]}"; do
      if [[ ${name_of[$pid]} == "$name" ]]; then
        kill -s "$signal" "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        unset "name_of[$pid]"
      fi
    done
  done
}

finish() {
  trap - EXIT INT TERM
  echo "stopping"
  for pid in "${!name_of[@]}"; do
    if [[ ${name_of[$pid]} == node-* ]]; then kill -s TERM "$pid" 2>/dev/null || true; fi
  done
  stop TERM node-1 node-2 node-3
  stop TERM proxy redis
  stop INT postgres
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 0' INT TERM

wait_for() { # wait_for WHAT COMMAND…: up to 60 s
  local what=$1 tries=0
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then
      echo "$what did not come up; its last words:" >&2
      tail -n 5 "$logs/$what.log" >&2
      exit 1
    fi
    sleep 0.2
  done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
ready() { # GET /readyz answers 200
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
  head -n 1 <&3 | grep -q ' 200 '
}

for taken in "$port" $((port + 1)) $((port + 2)) $((port + 3)) "$redis_port" "$postgres_port"; do
  if listens "$taken"; then
    echo "port $taken is in use: choose another base with CLUSTER_PORT=…" >&2
    exit 1
  fi
done

# Postgres refuses to run as root; its own user comes with the package.
as_postgres=()
if [ "$(id -u)" -eq 0 ]; then as_postgres=(setpriv --reuid postgres --regid postgres --init-groups --); fi
pg_bin=$(dirname "$(readlink -f "$(command -v postgres || ls /usr/lib/postgresql/*/bin/postgres | tail -n 1)")")
mkdir "$dir/postgres" "$dir/redis"
if [ "$(id -u)" -eq 0 ]; then chown postgres "$dir/postgres"; fi
(cd "$dir" && "${as_postgres[@]}" "$pg_bin/initdb" --no-sync -A trust -U rookery -E UTF8 --locale=C -D "$dir/postgres") >"$logs/initdb.log"
start postgres "${as_postgres[@]}" "$pg_bin/postgres" -D "$dir/postgres" -p "$postgres_port" \
  -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200
start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir/redis"
wait_for redis listens "$redis_port"
wait_for postgres "$pg_bin/pg_isready" -q -h 127.0.0.1 -p "$postgres_port"

ROOKERY__AUTH__HS256_SECRET=$(head -c 32 /dev/urandom | base64 | tr -d '\n')
ROOKERY__AUTH__SERVICE_KEYS=$(head -c 16 /dev/urandom | base64 | tr -d '\n=+/')
export ROOKERY__AUTH__HS256_SECRET ROOKERY__AUTH__SERVICE_KEYS
export ROOKERY__STORE__URL=postgres://rookery@127.0.0.1:$postgres_port/postgres
export ROOKERY__BUS__URL=redis://127.0.0.1:$redis_port
export ROOKERY__GATEWAY__CORS_ORIGINS=http://127.0.0.1:$port,http://localhost:$port
for n in 1 2 3; do
  start "node-$n" env ROOKERY__SERVER__NODE_ID="node-$n" ROOKERY__SERVER__LISTEN="127.0.0.1:$((port + n))" \
    ROOKERY__SERVER__ADMIN_LISTEN="127.0.0.1:$((port + 10 + n))" ROOKERY__SERVER__TRUSTED_PROXIES=127.0.0.1 "$bin" serve
done
for n in 1 2 3; do wait_for "node-$n" ready $((port + 10 + n)); done

sed -e "s/@PORT@/$port/" -e "s/@NODE1@/$((port + 1))/;s/@NODE2@/$((port + 2))/;s/@NODE3@/$((port + 3))/" \
  -e "s/@ADMIN1@/$((port + 11))/;s/@ADMIN2@/$((port + 12))/;s/@ADMIN3@/$((port + 13))/" \
  deploy/local/haproxy.cfg >"$dir/haproxy.cfg"
start proxy "$(command -v haproxy || echo /usr/sbin/haproxy)" -f "$dir/haproxy.cfg"
wait_for proxy listens "$port"

cat <<READY

  Rookery is running: http://127.0.0.1:$port   (every request to the next node)
  nodes               http://127.0.0.1:$((port + 1)) $((port + 2)) $((port + 3))   metrics http://127.0.0.1:$((port + 11))/metrics
  store, bus          $ROOKERY__STORE__URL  $ROOKERY__BUS__URL
  logs                target/cluster/
  service key         $ROOKERY__AUTH__SERVICE_KEYS
  token of user ann   $("$bin" token --user ann --name Ann --ttl 24h)

  Try it:  kill -9 $(for pid in "${!name_of[@]}"; do [[ ${name_of[$pid]} == node-2 ]] && echo "$pid"; done)   ends node-2.   ctrl-c ends everything.

READY

while [ "$nodes_left" -gt 0 ]; do
  status=0
  { wait -n -p ended "${!name_of[@]}"; } 2>/dev/null || status=$?
  name=${name_of[$ended]}
  unset "name_of[$ended]"
  echo "$name has ended (status $status): target/cluster/$name.log"
  if [[ $name == node-* ]]; then nodes_left=$((nodes_left - 1)); fi
done
exit 1
