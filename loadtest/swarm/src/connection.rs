//! One simulated client.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;

/// How far a connection has come.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub enum Stage {
    /// Waiting for `101`.
    Http,
    /// Waiting for the Engine.IO open packet.
    Engine,
    /// Waiting for the namespace.
    Namespace,
    /// Waiting for the ack of its join.
    Join,
    Ready,
    Dead,
}

pub struct Connection {
    pub stream: TcpStream,
    pub stage: Stage,
    /// Number of its user.
    pub user: u64,
    /// Number of its room.
    pub room: usize,
    /// Bytes of an unfinished frame.
    pub input: Vec<u8>,
    /// Bytes not written yet.
    pub output: Vec<u8>,
    pub opened_at_us: u64,
    pub next_ack: u32,
    /// Sends without an answer: ack id and when they were sent.
    pub acks: VecDeque<(u32, u64)>,
    /// The highest server number seen.
    pub last_seq: i64,
    /// The last message seen of each publisher.
    pub last_of_publisher: Vec<u32>,
    /// A bit per message of the room that has arrived.
    pub seen: Vec<u64>,
}

impl Connection {
    pub fn new(stream: TcpStream, user: u64, room: usize, now_us: u64) -> Self {
        Self {
            stream,
            stage: Stage::Http,
            user,
            room,
            input: vec![],
            output: vec![],
            opened_at_us: now_us,
            next_ack: 0,
            acks: VecDeque::new(),
            last_seq: 0,
            last_of_publisher: vec![],
            seen: vec![],
        }
    }

    /// Writes what is queued, as far as the kernel takes it.
    pub fn flush(&mut self) -> Result<(), std::io::Error> {
        match self.stream.write(&self.output) {
            Ok(written) => {
                self.output.drain(..written);
                if self.output.is_empty() && self.output.capacity() > 1024 {
                    self.output = vec![];
                }
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads once: `None` when there is nothing to read now.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, std::io::Error> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "closed")),
                Ok(n) => return Ok(Some(n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Forgets what was seen, at the start of a measurement.
    pub fn reset(&mut self) {
        self.seen.clear();
        self.last_of_publisher.clear();
        self.acks.clear();
    }

    /// Notes message `n`; false when it was here before.
    pub fn see(&mut self, n: u32) -> bool {
        let (word, bit) = (n as usize / 64, 1_u64 << (n % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 8, 0);
        }
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    /// Notes the order of one publisher's messages; false when this one overtook a later one.
    pub fn in_order(&mut self, publisher: usize, n: u32) -> bool {
        if self.last_of_publisher.len() <= publisher {
            self.last_of_publisher.resize(publisher + 1, 0);
        }
        let rises = n >= self.last_of_publisher[publisher];
        if rises {
            self.last_of_publisher[publisher] = n;
        }
        rises
    }
}
