//! What arrives: handshake steps, acks, deliveries.

use crate::connection::Stage;
use crate::marker::Marker;
use crate::swarm::{Joining, Swarm};
use crate::template::{fill_number, token};
use crate::wire::{CLOSE, PING, PONG, TEXT, next_frame, now_us, number, put_frame};

impl Swarm {
    pub fn readable(&mut self, i: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while self.connections[i].stage != Stage::Dead {
            match self.connections[i].read(&mut buffer) {
                Ok(Some(n)) => {
                    self.arrived(i, &buffer[..n]);
                    if n < buffer.len() {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => self.bury(i, &error.to_string()),
            }
        }
        self.buffer = buffer;
    }

    fn arrived(&mut self, i: usize, bytes: &[u8]) {
        self.stats.reads += 1;
        self.stats.bytes += bytes.len() as u64;
        let now = now_us();
        if self.connections[i].input.is_empty() {
            let used = self.consume(i, bytes, now);
            self.connections[i].input.extend_from_slice(&bytes[used..]);
        } else {
            let mut input = std::mem::take(&mut self.connections[i].input);
            input.extend_from_slice(bytes);
            let used = self.consume(i, &input, now);
            input.drain(..used);
            if !input.is_empty() {
                self.connections[i].input = input;
            }
        }
    }

    /// Eats whole frames; returns how many bytes.
    fn consume(&mut self, i: usize, bytes: &[u8], now: u64) -> usize {
        let mut at = 0;
        if self.connections[i].stage == Stage::Http {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                self.bury(i, &String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
                return bytes.len();
            }
            at = end + 4;
            self.connections[i].stage = Stage::Engine;
        }
        while let Some(frame) = next_frame(bytes, at) {
            at = frame.end;
            let payload = &bytes[frame.start..frame.end];
            match frame.opcode {
                TEXT => self.text(i, payload, now),
                CLOSE => {
                    self.bury(i, "close frame");
                    return bytes.len();
                }
                PING => {
                    put_frame(&mut self.connections[i].output, PONG, payload);
                    self.flush(i);
                }
                _ => {}
            }
        }
        at
    }

    fn text(&mut self, i: usize, packet: &[u8], now: u64) {
        match packet {
            [b'4', b'2', ..] if packet.starts_with(&self.event_prefix) => self.delivery(i, packet, now),
            [b'4', b'3', rest @ ..] => self.ack(i, rest, now),
            b"2" => self.send(i, b"3"),
            [b'0', ..] => self.authenticate(i),
            [b'4', b'0', ..] => self.joined_namespace(i, now),
            [b'4', b'4', ..] => self.bury(i, &String::from_utf8_lossy(packet)),
            _ => {}
        }
    }

    fn authenticate(&mut self, i: usize) {
        let user = fill_number(&self.options.user, self.connections[i].user);
        match token(&self.options.secret, &self.options.claims.replace("{user}", &user)) {
            Ok(token) => {
                let auth = self.options.auth.replace("{jwt}", &token).replace("{user}", &user);
                self.connections[i].stage = Stage::Namespace;
                self.send(i, format!("40{auth}").as_bytes());
            }
            Err(error) => self.bury(i, &error.to_string()),
        }
    }

    fn joined_namespace(&mut self, i: usize, now: u64) {
        if self.joining == Joining::No || self.options.join.is_empty() {
            return self.is_ready(i, now);
        }
        let join = self.options.join.replace("{c}", &self.conversation(self.connections[i].room));
        self.connections[i].stage = Stage::Join;
        self.connections[i].next_ack = 1;
        self.send(i, format!("420{join}").as_bytes());
    }

    fn is_ready(&mut self, i: usize, now: u64) {
        self.connections[i].stage = Stage::Ready;
        self.counts.pending -= 1;
        self.counts.ready += 1;
        self.handshake.add(now - self.connections[i].opened_at_us);
    }

    fn ack(&mut self, i: usize, rest: &[u8], now: u64) {
        let (id, body) = number(rest);
        let refused = memchr::memmem::find(body, self.options.error.as_bytes()).is_some();
        if self.connections[i].stage == Stage::Join {
            return if refused { self.bury(i, &String::from_utf8_lossy(body)) } else { self.is_ready(i, now) };
        }
        let acks = &mut self.connections[i].acks;
        let Some(position) = acks.iter().position(|(ack, _)| u64::from(*ack) == id) else { return };
        let sent_us = acks.remove(position).map_or(now, |(_, sent_us)| sent_us);
        if refused {
            self.stats.errors += 1;
            self.stats.note_error(&String::from_utf8_lossy(body));
        } else {
            self.stats.acked += 1;
            self.stats.ack.add(now.saturating_sub(sent_us));
            self.stats.acked_in_window += u64::from(now <= self.window_end_us);
        }
        if self.closed_loop && now < self.window_end_us {
            self.publish(i, 0, now);
        }
    }

    fn delivery(&mut self, i: usize, packet: &[u8], now: u64) {
        let Some(marker) = self.find_marker.find(packet).and_then(|at| Marker::read(&packet[at..])) else { return };
        if marker.step != self.step {
            self.stats.stale += 1;
            return;
        }
        let connection = &mut self.connections[i];
        if !connection.see(marker.n) {
            self.stats.doubled += 1;
            return;
        }
        self.stats.inverted_publisher += u64::from(!connection.in_order(marker.publisher, marker.n));
        if let Some(at) = self.find_seq.find(packet) {
            let (seq, _) = number(&packet[at + self.options.seq_key.len()..]);
            if (seq as i64) <= connection.last_seq {
                self.stats.inverted_seq += 1;
            } else {
                connection.last_seq = seq as i64;
            }
        }
        self.stats.delivered += 1;
        self.stats.delivered_in_window += u64::from(now <= self.window_end_us);
        self.stats.latency.add(now.saturating_sub(marker.sent_us));
    }
}
