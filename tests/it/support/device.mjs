// A device that keeps the promise's half of the client: a cursor for each conversation, an outbox that sends again
// with the same clientId, and a record of everything that its application would have seen.

import { randomUUID } from "node:crypto";
import { io } from "socket.io-client";

const CURSORS_PER_SYNC = 500;

export class Device {
  /** Acked neither ok nor finally refused, in the order of their sending. */
  #outbox = [];
  /** Conversations that have to be synced once the running sync is over. */
  #suspect = new Set();
  #syncing = false;
  #epoch = null;
  #connection = 0;
  #cursors;
  #personal;

  /**
   * @param settings `user`, `token`, `cursors` {conversationId: seq or null}, `personal` (a seq or null), `ackTimeoutMs`,
   *   `window`: how many sends of one conversation may be in flight
   * @param observe called with (kind, fields) for everything that happens
   */
  constructor(url, options, settings, observe) {
    this.settings = { ackTimeoutMs: 3000, window: 8, ...settings };
    this.observe = observe;
    this.#cursors = new Map(Object.entries(settings.cursors ?? {}));
    this.#personal = settings.personal ?? null;
    const auth = (give) => give({ token: settings.token, ...(this.#personal === null ? {} : { personal: this.#personal }) });
    this.socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 500, auth, ...options });
    for (const [conversationId, cursor] of this.#cursors) this.observe("follow", { conversationId, cursor });
    this.#listen();
  }

  #listen() {
    this.socket.on("connect", () => {
      this.#connection += 1;
      this.observe("connect", { id: this.socket.id, transport: this.socket.io.engine.transport.name });
      for (const conversationId of this.#cursors.keys()) this.#suspect.add(conversationId);
      this.#sync();
      this.#flush();
    });
    this.socket.on("disconnect", (reason) => {
      this.#syncing = false;
      this.observe("disconnect", { reason });
    });
    this.socket.on("connect_error", (error) => this.observe("refused", { message: error.message, data: error.data ?? null }));
    this.socket.onAny((event, payload) => this.#live(event, payload));
  }

  state() {
    const cursors = Object.fromEntries(this.#cursors);
    return { cursors, personal: this.#personal, outbox: this.#outbox.length, syncing: this.#syncing || this.#suspect.size > 0 };
  }

  /** Begins to read a conversation: after `cursor`, or from its head when that is null. */
  follow(conversationId, cursor) {
    this.#cursors.set(conversationId, cursor);
    this.observe("follow", { conversationId, cursor });
    this.#suspect.add(conversationId);
    this.#sync();
  }

  // ---- reading

  #live(event, payload) {
    if (payload?.personalSeq !== undefined) return this.#livePersonal(event, payload);
    const { conversationId, seq } = payload ?? {};
    if (seq === undefined || !this.#cursors.has(conversationId)) return;
    const cursor = this.#cursors.get(conversationId);
    if (cursor === null || seq <= cursor) return;
    if (seq === cursor + 1) return this.#deliver(event, payload);
    // A hole. The events after it come again with the sync that fills it.
    if (!this.#syncing) this.observe("gap", { conversationId, cursor, seq });
    this.#suspect.add(conversationId);
    this.#sync();
  }

  #livePersonal(event, payload) {
    const { personalSeq } = payload;
    if (this.#personal !== null && personalSeq <= this.#personal) return;
    this.#personal = personalSeq;
    this.observe("personal", { event, personalSeq, payload });
  }

  #deliver(event, payload) {
    const { conversationId, seq, message } = payload;
    this.#cursors.set(conversationId, seq);
    const sent = event === "message:new" ? { messageId: message.id, clientId: message.clientId, senderId: message.senderId } : {};
    const shown = message ? { content: message.content, createdAt: message.createdAt } : {};
    const user = payload.userId === undefined ? {} : { userId: payload.userId };
    this.observe("deliver", { conversationId, seq, event, ...sent, ...shown, ...user });
    // The last that a removed user sees of a conversation.
    if (event === "member:removed" && payload.userId === this.settings.user) this.#cursors.delete(conversationId);
  }

  /** Syncs what is suspect, page by page, one request at a time. */
  #sync() {
    if (this.#syncing || this.#suspect.size === 0 || !this.socket.connected) return;
    this.#syncing = true;
    const connection = this.#connection;
    const asked = [...this.#suspect].slice(0, CURSORS_PER_SYNC);
    asked.forEach((conversationId) => this.#suspect.delete(conversationId));
    const cursors = Object.fromEntries(asked.map((id) => [id, this.#cursors.get(id) ?? null]));
    const request = { cursors, ...(this.#epoch ? { epoch: this.#epoch } : {}) };
    this.socket.timeout(this.settings.ackTimeoutMs).emit("sync", request, (error, answer) => {
      // A new connection has begun its own sync of everything.
      if (connection !== this.#connection || !this.socket.connected) return;
      this.#syncing = false;
      if (error || !answer.ok) {
        this.observe("syncFailed", { error: error?.message ?? answer.error });
        asked.forEach((conversationId) => this.#suspect.add(conversationId));
        setTimeout(() => this.#sync(), answer?.error?.retryAfterMs ?? 200);
        return;
      }
      this.#epoch = answer.epoch;
      answer.conversations.forEach((page) => this.#page(page));
      this.#sync();
    });
  }

  #page(page) {
    const { conversationId } = page;
    if (!this.#cursors.has(conversationId)) return;
    if (page.error) {
      this.#cursors.delete(conversationId);
      this.observe("gone", { conversationId, error: page.error });
      return;
    }
    if (page.reset) {
      this.#cursors.set(conversationId, page.head);
      this.observe("reset", { conversationId, head: page.head });
      this.#suspect.add(conversationId);
      return;
    }
    if (this.#cursors.get(conversationId) === null) {
      this.#cursors.set(conversationId, page.to);
      this.observe("attached", { conversationId, cursor: page.to });
    }
    for (const event of page.events) {
      const cursor = this.#cursors.get(conversationId);
      if (event.seq <= cursor) continue;
      if (event.seq > cursor + 1) this.observe("gap", { conversationId, cursor, seq: event.seq });
      this.#deliver(event.event, event);
    }
    if (!page.complete) this.#suspect.add(conversationId);
  }

  // ---- writing

  /** Puts a message into the outbox and gives its clientId. */
  send(conversationId, content) {
    const item = { clientId: randomUUID(), conversationId, content, attempts: 0, inFlight: false, notBefore: 0 };
    this.#outbox.push(item);
    this.observe("invoke", { conversationId, clientId: item.clientId, content });
    this.#flush();
    return item.clientId;
  }

  /** Ends the attempts: what has no answer by now stays unknown. */
  giveUp() {
    for (const { conversationId, clientId, attempts } of this.#outbox) {
      this.observe("unknown", { conversationId, clientId, attempts });
    }
    this.#outbox = [];
  }

  #flush() {
    if (!this.socket.connected) return;
    const inFlight = new Map();
    const blocked = new Set();
    for (const item of this.#outbox) {
      const { conversationId } = item;
      const running = inFlight.get(conversationId) ?? 0;
      // Never past one that waits: a conversation's sends leave in their order.
      if (item.notBefore > performance.now()) blocked.add(conversationId);
      if (item.inFlight) inFlight.set(conversationId, running + 1);
      else if (!blocked.has(conversationId) && running < this.settings.window) {
        inFlight.set(conversationId, running + 1);
        this.#attempt(item);
      }
    }
  }

  #attempt(item) {
    const { clientId, conversationId, content } = item;
    const connection = this.#connection;
    item.inFlight = true;
    item.attempts += 1;
    this.observe("attempt", { conversationId, clientId, connection, attempt: item.attempts });
    const payload = { conversationId, clientId, content };
    this.socket.timeout(this.settings.ackTimeoutMs).emit("message:send", payload, (error, answer) => {
      item.inFlight = false;
      if (!this.#outbox.includes(item)) return;
      const code = answer?.error?.code;
      if (!error && answer.ok) this.#done(item, "ack", { connection, seq: answer.message.seq, messageId: answer.message.id, duplicate: answer.duplicate });
      else if (!error && code !== "unavailable" && code !== "rate_limited") this.#done(item, "failed", { error: answer.error });
      else this.#again(item, answer?.error?.retryAfterMs ?? 100);
    });
  }

  #done(item, kind, fields) {
    const { conversationId, clientId, attempts } = item;
    this.#outbox.splice(this.#outbox.indexOf(item), 1);
    this.observe(kind, { conversationId, clientId, attempts, ...fields });
    this.#flush();
  }

  #again(item, delayMs) {
    item.notBefore = performance.now() + delayMs;
    setTimeout(() => this.#flush(), delayMs + 1);
  }
}
