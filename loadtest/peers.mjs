// Who is measured: how to start two nodes of each, how to make them know users and rooms, and which words they use.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { listening, sql, start } from './servers.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const SERVICE_KEY = randomBytes(24).toString('hex')
export const SECRET = randomBytes(24).toString('hex')

const user = (i) => `u${i}`
const conversation = (i) => `00000000-0000-4000-9000-${i.toString(16).padStart(12, '0')}`

async function post (port, path, body) {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}

async function inChunks (items, size, act) {
  for (let at = 0; at < items.length; at += size) await act(items.slice(at, at + size))
}

/** Rookery: two nodes on Postgres and Redis, rate limits off. */
export const rookery = {
  name: 'rookery',
  words: [],
  async start ({ dir, ports, postgresUrl, redisUrl }) {
    sql(postgresUrl, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public;')
    const nodes = []
    for (const [i, port] of ports.entries()) {
      const env = {
        ROOKERY__SERVER__LISTEN: `127.0.0.1:${port}`,
        ROOKERY__SERVER__ADMIN_LISTEN: `127.0.0.1:${port + 10}`,
        ROOKERY__SERVER__NODE_ID: `bench-${i + 1}`,
        ROOKERY__STORE__URL: postgresUrl,
        ROOKERY__BUS__URL: redisUrl,
        ROOKERY__AUTH__HS256_SECRET: SECRET,
        ROOKERY__AUTH__SERVICE_KEYS: SERVICE_KEY,
        ROOKERY__LIMITS__ENABLED: 'false',
        // Two nodes and everything else share the cores: one worker each is the cheaper way.
        TOKIO_WORKER_THREADS: '1'
      }
      nodes.push(start(`rookery-${i + 1}`, here('../target/release/rookery'), [], { env, dir }))
      await listening(port)
    }
    return nodes
  },
  async seed ({ ports, rooms, members, users }) {
    const everybody = Array.from({ length: users }, (_, i) => ({ id: user(i) }))
    await inChunks(everybody, 1000, (items) => post(ports[0], '/service/users', { users: items }))
    const all = Array.from({ length: rooms }, (_, r) => ({
      id: conversation(r + 1),
      kind: 'group',
      memberIds: Array.from({ length: members }, (_, m) => user(r * members + m))
    }))
    await inChunks(all, 100, (items) => post(ports[0], '/service/conversations', { conversations: items }))
  }
}

/** The Node reference (peers/node), in its best variant. */
export const node = {
  name: 'node',
  words: ['--conversation', '{i}', '--join', '["join",{"conversationId":{c}}]'],
  async start ({ dir, ports, postgresUrl, redisUrl }) {
    sql(postgresUrl, `DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${readFileSync(here('peers/node/schema.sql'))}`)
    const nodes = []
    for (const [i, port] of ports.entries()) {
      const env = { PORT: String(port), JWT_SECRET: SECRET, POSTGRES_URL: postgresUrl, REDIS_URL: redisUrl, VARIANT: 'tuned' }
      nodes.push(start(`node-${i + 1}`, process.execPath, [here('peers/node/server.js')], { env, dir }))
      await listening(port)
    }
    return nodes
  },
  async seed ({ postgresUrl, rooms, members }) {
    sql(postgresUrl, `INSERT INTO conversations (id) SELECT generate_series(1, ${rooms});
      INSERT INTO members SELECT 1 + i / ${members}, 'u' || i FROM generate_series(0, ${rooms * members - 1}) AS i;`)
  }
}
