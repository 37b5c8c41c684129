// Private servers for a measurement: Postgres, Redis, nodes of Rookery and of its peers. All of them end with the process.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'

const running = new Set()
const asRoot = process.getuid() === 0

/** Starts a server whose output goes to a file; it is ended with the process. */
export function start (name, command, args, { env = {}, dir }) {
  const log = openSync(join(dir, `${name}.log`), 'a')
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log] })
  running.add(child)
  child.once('exit', (code, signal) => {
    running.delete(child)
    if (!child.stopping && code !== 0) console.error(`${name} ended by itself (${code ?? signal}); its log: ${dir}/${name}.log`)
  })
  return child
}

/** Ends a server and waits for it. */
export async function stop (child, signal = 'SIGTERM') {
  if (!running.has(child)) return
  child.stopping = true
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

export async function stopAll () {
  await Promise.all([...running].map((child) => stop(child, 'SIGTERM')))
}

/** Waits until a port answers, for at most 30 s. */
export async function listening (port) {
  const deadline = Date.now() + 30_000
  const answers = () => new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
  while (!(await answers())) {
    if (Date.now() > deadline) throw new Error(`nothing answers at port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function postgresBin () {
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => b - a)
  return join('/usr/lib/postgresql', versions[0], 'bin')
}

/** A temporary folder that the user postgres can enter. */
export function temporaryFolder () {
  const dir = mkdtempSync('/var/tmp/rookery-bench.')
  chmodSync(dir, 0o755)
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Postgres with everything that makes a commit durable switched on. Refuses to run as root, so it runs as `postgres` then. */
export async function postgres (dir, port) {
  const data = join(dir, 'postgres')
  const bin = postgresBin()
  const as = (command, args) => asRoot ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, args]
  if (asRoot) execFileSync('install', ['-d', '-o', 'postgres', '-m', '700', data])
  const [initdb, initdbArgs] = as(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C'])
  execFileSync(initdb, initdbArgs, { stdio: 'ignore' })
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', shared_buffers: '256MB', max_wal_size: '2GB', fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' }
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  // Directly, not through runuser, which would stand between it and its children in the CPU figures.
  const [command, args] = asRoot ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', join(bin, 'postgres'), '-D', data, ...flags]] : [join(bin, 'postgres'), ['-D', data, ...flags]]
  const child = start('postgres', command, args, { dir })
  await listening(port)
  return child
}

/** Redis without persistence. */
export async function redis (dir, port) {
  const child = start('redis', 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir], { dir })
  await listening(port)
  return child
}

/** Runs SQL in a database. */
export function sql (url, script) {
  execFileSync('psql', ['-q', '-v', 'ON_ERROR_STOP=1', url], { input: script, stdio: ['pipe', 'ignore', 'inherit'] })
}
