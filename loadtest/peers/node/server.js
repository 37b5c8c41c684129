// The Node reference: one chat node on socket.io 4.8, its Redis adapter and pg, with the same durable behaviour as Rookery's
// (a message is committed before it is acknowledged and broadcast).
//
// VARIANT=plain: everything as it comes. VARIANT=tuned: WebSocket only, native masking, sharded adapter with a channel per room.
import http from 'node:http'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import jwt from 'jsonwebtoken'
import pg from 'pg'
import { createClient } from 'redis'
import { Server } from 'socket.io'

const { PORT, JWT_SECRET, POSTGRES_URL, REDIS_URL, VARIANT = 'tuned' } = process.env
const tuned = VARIANT === 'tuned'

const INSERT = `WITH c AS (UPDATE conversations SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq)
 INSERT INTO messages (conversation_id, seq, sender_id, client_id, content)
 SELECT $1, c.last_seq, $2, $3, $4 FROM c RETURNING id, seq, (extract(epoch from created_at)*1000)::bigint AS ts`
const MEMBER = 'SELECT 1 FROM members WHERE conversation_id=$1 AND user_id=$2'

const pool = new pg.Pool({ connectionString: POSTGRES_URL, max: 10 })
const known = new Map()

async function isMember(conversation, user) {
  const key = `${conversation}:${user}`
  if (!known.has(key)) {
    const found = await pool.query({ name: 'member', text: MEMBER, values: [conversation, user] })
    known.set(key, found.rowCount > 0)
  }
  return known.get(key)
}

function serve(io) {
  io.use((socket, next) => {
    try {
      socket.data.user = jwt.verify(socket.handshake.auth.token, JWT_SECRET, { algorithms: ['HS256'] }).sub
      next()
    } catch {
      next(new Error('unauthorized'))
    }
  })
  io.on('connection', (socket) => {
    const { user } = socket.data
    const answering = (act) => async (payload, ack) => {
      try {
        if (!(await isMember(payload.conversationId, user))) return ack({ error: 'forbidden' })
        ack(await act(payload))
      } catch (error) {
        ack({ error: error.message })
      }
    }
    socket.on('join', answering(async ({ conversationId }) => {
      await socket.join(String(conversationId))
      return { ok: true }
    }))
    socket.on('message:send', answering(async ({ conversationId, content, clientId }) => {
      const { rows } = await pool.query({ name: 'insert', text: INSERT, values: [conversationId, user, clientId, content] })
      const [id, seq, createdAt] = [Number(rows[0].id), Number(rows[0].seq), Number(rows[0].ts)]
      io.to(String(conversationId)).emit('message:new', { id, seq, conversationId, senderId: user, content, clientId, createdAt })
      return { id, seq }
    }))
  })
}

const publisher = createClient({ url: REDIS_URL })
const subscriber = publisher.duplicate()
await Promise.all([publisher.connect(), subscriber.connect()])
const server = http.createServer()
const options = tuned ? { transports: ['websocket'], serveClient: false, perMessageDeflate: false, httpCompression: false } : {}
const adapter = tuned ? createShardedAdapter(publisher, subscriber, { subscriptionMode: 'dynamic' }) : createAdapter(publisher, subscriber)
const io = new Server(server, { ...options, adapter })
if (tuned) io.engine.on('connection', (connection) => { connection.request = null })
serve(io)
server.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 4096 }, () => console.log('listening'))
