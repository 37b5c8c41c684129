// Measures Rookery against its peers on this machine, in one run, alternated, and prints a table.
//
//   ROWS=idle,light,…   which rows (all)        PEERS=rookery,node   whom        RUNS=1   of which the median is taken
//   CONNECTIONS=15000   held by the row `idle`  SECS=10              of each measurement
//
// Raw lines are kept in target/bench/. Absolute times are those of a shared machine; only the ratios are facts.
import { execFile, execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { SECRET, node, rookery } from './peers.mjs'
import { postgres, redis, stop, stopAll, temporaryFolder } from './servers.mjs'

const { ROWS, PEERS = 'rookery,node', RUNS = '1', CONNECTIONS = '15000', SECS = '10' } = process.env
const swarmBinary = fileURLToPath(new URL('../target/release/swarm', import.meta.url))
const results = fileURLToPath(new URL('../target/bench/', import.meta.url))
const sum = (values) => Object.entries(values).filter(([name]) => name.startsWith('node')).reduce((total, [, value]) => total + value, 0)

// A row: rooms to seed, what swarm is told, and the figure that is looked at.
const rows = {
  idle: { label: 'idle KiB per connection', rooms: 1, members: 1, users: Number(CONNECTIONS), args: ['idle', '--n', CONNECTIONS, '--secs', '5'], figure: (line) => sum(line.kib_per_connection) },
  storm: { label: 'authenticated connections/s', rooms: 1, members: 1, users: 8000, args: ['storm', '--n', '8000'], figure: (line) => line.connections_per_s },
  light: { label: 'CPU s per 1M deliveries, 20 × 50, 10,000/s', rooms: 20, members: 50, args: ['fanout', '--rooms', '20', '--members', '50', '--rate', '200', '--secs', SECS], figure: (line) => line.cpu_per_1m_deliveries.total },
  wide: { label: 'CPU s per 1M deliveries, 2 × 500, 10,000/s', rooms: 2, members: 500, args: ['fanout', '--rooms', '2', '--members', '500', '--rate', '20', '--secs', SECS], figure: (line) => line.cpu_per_1m_deliveries.total },
  latency: { label: 'p99 ms send → receive at 10,000 deliveries/s', rooms: 20, members: 50, args: ['fanout', '--rooms', '20', '--members', '50', '--rate', '200', '--secs', SECS], figure: (line) => line.latency_ms.p99 },
  max: { label: 'max deliveries/s, p99 < 200 ms, 20 × 50', rooms: 20, members: 50, args: ['max', '--rooms', '20', '--members', '50', '--rate', '1000', '--secs', '5'], figure: (line) => line?.deliveries_per_s },
  ingest: { label: 'durable acked messages/s, 500 × 2', rooms: 500, members: 2, args: ['ingest', '--rooms', '500', '--inflight', '256', '--secs', SECS], figure: (line) => line.acked_per_s },
  cost: { label: 'CPU s per 10k durable messages', rooms: 500, members: 2, args: ['ingest', '--rooms', '500', '--inflight', '256', '--secs', SECS], figure: (line) => line.cpu_per_10k_messages.total }
}

async function measure (peer, row, servers) {
  const ports = [17001, 17002]
  const context = { ...servers, ports, rooms: row.rooms, members: row.members, users: row.users ?? row.rooms * row.members }
  const nodes = await peer.start(context)
  try {
    await peer.seed(context)
    const pids = [...nodes.map((child, i) => `node${i + 1}=${child.pid}`), `redis=${servers.redis.pid}`, `postgres=${servers.postgres.pid}`]
    const flags = ['--urls', ports.map((port) => `127.0.0.1:${port}`).join(), '--secret', SECRET, '--pids', pids.join(), '--label', peer.name, ...peer.words]
    const { stdout } = await promisify(execFile)(swarmBinary, [...flags, ...row.args], { maxBuffer: 1 << 24 })
    appendFileSync(`${results}raw.jsonl`, stdout)
    return JSON.parse(stdout)
  } finally {
    await Promise.all(nodes.map((child) => stop(child)))
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

async function main () {
  mkdirSync(results, { recursive: true })
  const dir = temporaryFolder()
  const servers = { dir, postgresUrl: 'postgres://postgres@127.0.0.1:17432/postgres', redisUrl: 'redis://127.0.0.1:17379' }
  servers.postgres = await postgres(dir, 17432)
  servers.redis = await redis(dir, 17379)
  const peers = [rookery, node].filter((peer) => PEERS.split(',').includes(peer.name))
  const faults = []
  console.log(`| row | ${peers.map((peer) => peer.name).join(' | ')} | ratio |\n|---|${peers.map(() => '---|').join('')}---|`)
  for (const [name, row] of Object.entries(rows).filter(([key]) => !ROWS || ROWS.split(',').includes(key))) {
    const figures = new Map(peers.map((peer) => [peer, []]))
    for (let run = 0; run < Number(RUNS); run++) {
      // Alternated, so that a machine that slows down does not favour one of them.
      for (const peer of run % 2 ? peers.toReversed() : peers) {
        const line = await measure(peer, row, servers)
        figures.get(peer).push(row.figure(line))
        const wrong = ['lost', 'doubled', 'inverted_seq', 'errors', 'dead'].filter((key) => line?.[key] > 0)
        if (wrong.length) faults.push(`${name} ${peer.name}: ${wrong.map((key) => `${key} ${line[key]}`).join(', ')} ${line.first_error ?? ''}`)
      }
    }
    const medians = peers.map((peer) => median(figures.get(peer)))
    const ratio = medians.length > 1 ? (medians[0] / medians[1]).toFixed(2) : ''
    console.log(`| ${row.label} | ${medians.map((value) => value?.toLocaleString('en')).join(' | ')} | ${ratio} |`)
  }
  if (faults.length) console.log(`\nFaults seen:\n${faults.map((text) => `- ${text}`).join('\n')}`)
  const version = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' }).trim()
  console.log(`\nnode ${process.version}, ${version('redis-server', '--version').split(' ').slice(0, 3).join(' ')}, ${version('psql', '--version')}, ${RUNS} run(s), Linux ${version('uname', '-r')}`)
}

process.once('SIGINT', () => stopAll().then(() => process.exit(130)))
try {
  await main()
} finally {
  await stopAll()
}
