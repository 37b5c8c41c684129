//! What is sent.

use anyhow::Result;

use crate::marker::Marker;
use crate::swarm::{Shape, Swarm};
use crate::template::pad;
use crate::wire::now_us;

impl Swarm {
    /// Connection `i` sends the next message of its room; latency counts from `sent_us`.
    pub fn publish(&mut self, i: usize, publisher: usize, sent_us: u64) {
        let room = self.connections[i].room;
        let n = self.sent_in_room[room];
        self.sent_in_room[room] += 1;
        self.next_client_id += 1;
        let connection = &mut self.connections[i];
        let ack = connection.next_ack;
        connection.next_ack += 1;
        connection.acks.push_back((ack, sent_us));
        let marker = Marker { step: self.step, n, publisher, sent_us }.write(room);
        let content = pad(marker, self.options.content_bytes);
        let client_id = format!("{:x}-{:x}", self.nonce, self.next_client_id);
        let body = self.options.send.replace("{c}", &self.conversation(room));
        let body = body.replace("{content}", &content).replace("{cid}", &client_id);
        self.stats.sent += 1;
        self.send(i, format!("42{ack}{body}").as_bytes());
    }

    /// Sends at `rate` messages/s for `secs`, whatever comes back (open loop). A message that leaves more than 1.5 ms late counts from when
    /// it was due, so that a slow server cannot hide by slowing the generator.
    pub fn send_at_rate(&mut self, rate: f64, secs: f64) -> Result<()> {
        let started_us = now_us();
        self.window_end_us = started_us + (secs * 1e6) as u64;
        let total = (rate * secs) as u64;
        let mut k = 0;
        while k < total {
            let now = now_us();
            let mut burst = 0;
            while k < total && burst < 64 {
                let due_us = started_us + (k as f64 * 1e6 / rate) as u64;
                if due_us > now {
                    break;
                }
                let (i, publisher) = self.publisher_of(k);
                self.publish(i, publisher, if now - due_us > 1500 { due_us } else { now });
                k += 1;
                burst += 1;
            }
            if now > self.window_end_us + 5_000_000 {
                break;
            }
            self.turn(Some(if burst >= 64 { 0 } else { 1 }))?;
        }
        Ok(())
    }

    /// Who sends message `k`: rooms in turn, and in each room its publishers in turn, spread over the nodes.
    fn publisher_of(&self, k: u64) -> (usize, usize) {
        let Shape { rooms, members, publishers } = self.shape;
        let (room, publisher) = (k as usize % rooms, k as usize / rooms % publishers);
        (room * members + (publisher * (members / publishers) + publisher) % members, publisher)
    }
}
