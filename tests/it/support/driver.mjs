// Drives real socket.io-clients for the tests: one command a line on stdin, one reply or observation a line on stdout.
// Ends when stdin ends, so that it never outlives the test that started it.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { Device } from "./device.mjs";

/** What is known under each name: `{socket, device?}`. */
const clients = new Map();

/** Wall-clock milliseconds with a fraction, comparable with the `createdAt` of a server on this machine. */
const now = () => performance.timeOrigin + performance.now();

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const tell = (client, kind, fields) => write({ client, kind, at: now(), ...fields });

function known(name) {
  const client = clients.get(name);
  if (!client) throw new Error(`no client is called ${name}`);
  return client;
}

/** Options that cross JSON: everything of socket.io-client but `auth` as a function. */
function open({ client, url, options }) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 500, ...options });
  clients.set(client, { socket });
  report(client, socket);
}

function report(client, socket) {
  const manager = socket.io;
  socket.onAny((event, ...args) => tell(client, "event", { event, args }));
  socket.on("connect", () => tell(client, "connect", { id: socket.id, transport: manager.engine.transport.name }));
  socket.on("disconnect", (reason) => tell(client, "disconnect", { reason }));
  socket.on("connect_error", (error) => tell(client, "refused", { message: error.message, data: error.data ?? null }));
  manager.on("open", () => {
    const engine = manager.engine;
    engine.on("upgrade", (transport) => tell(client, "upgrade", { transport: transport.name }));
    engine.on("close", (reason) => tell(client, "closed", { reason }));
  });
}

const commands = {
  open,
  emit: ({ client, args }) => void known(client).socket.emit(...args),
  /** Emits and answers with the ack's arguments. */
  ask: ({ client, args, timeoutMs }) =>
    new Promise((resolve, reject) => {
      known(client).socket.timeout(timeoutMs).emit(...args, (error, ...answer) => (error ? reject(error) : resolve(answer)));
    }),
  connect: ({ client }) => void known(client).socket.connect(),
  disconnect: ({ client }) => void known(client).socket.disconnect(),
  /** Closes the transport under a client that then reconnects by itself, as after a network change. */
  drop: ({ client }) => void known(client).socket.io.engine?.close(),
  auth: ({ client, auth }) => void (known(client).socket.auth = auth),
  state: ({ client }) => {
    const { socket, device } = known(client);
    const transport = socket.io.engine?.transport?.name ?? null;
    return { connected: socket.connected, id: socket.id ?? null, transport, device: device?.state() ?? null };
  },
  device: ({ client, url, options, device: settings }) => {
    const device = new Device(url, options, settings, (kind, fields) => tell(client, kind, fields));
    clients.set(client, { socket: device.socket, device });
  },
  send: ({ client, conversationId, content }) => known(client).device.send(conversationId, content),
  follow: ({ client, conversationId, cursor }) => void known(client).device.follow(conversationId, cursor),
  giveUp: ({ client }) => void known(client).device.giveUp(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  // Not awaited: commands begin in order, and one that waits for an ack holds no other up.
  Promise.resolve()
    .then(() => commands[command.op](command))
    .then((value) => write({ id: command.id, value: value ?? null }))
    .catch((error) => write({ id: command.id, error: error.message }));
}
process.exit(0);
