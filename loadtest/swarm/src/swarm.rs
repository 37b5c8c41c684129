//! All connections on one epoll loop.

use std::time::Duration;

use anyhow::{Result, bail};
use memchr::memmem::Finder;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::connection::{Connection, Stage};
use crate::cpu::Sampler;
use crate::latency::Latency;
use crate::options::Options;
use crate::report::Stats;
use crate::template::fill_number;
use crate::wire::{TEXT, connect_from, http_upgrade, now_us, put_frame, source};

/// How many rooms of how many members, and who of them sends.
#[derive(Clone, Copy)]
pub struct Shape {
    pub rooms: usize,
    pub members: usize,
    pub publishers: usize,
}

/// Whether a connection joins its conversation before it counts as ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    No,
    Yes,
}

/// How many connections are in which state.
#[derive(Default)]
pub struct Counts {
    pub pending: usize,
    pub ready: usize,
    pub dead: usize,
}

pub struct Swarm {
    pub options: Options,
    poll: Poll,
    events: Events,
    pub connections: Vec<Connection>,
    pub buffer: Vec<u8>,
    pub shape: Shape,
    pub joining: Joining,
    pub counts: Counts,
    pub handshake: Latency,
    /// Number of the measurement: messages of an earlier one are stale.
    pub step: u32,
    /// Messages sent so far, per room.
    pub sent_in_room: Vec<u32>,
    /// Makes client ids differ between runs.
    pub nonce: u64,
    pub next_client_id: u64,
    pub stats: Stats,
    pub window_end_us: u64,
    /// Each ack sends the next message.
    pub closed_loop: bool,
    pub event_prefix: Vec<u8>,
    pub find_seq: Finder<'static>,
    pub find_marker: Finder<'static>,
    pub cpu: Sampler,
}

impl Swarm {
    pub fn new(options: Options, shape: Shape, joining: Joining) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            connections: vec![],
            buffer: vec![0; 256 << 10],
            shape,
            joining,
            counts: Counts::default(),
            handshake: Latency::default(),
            step: 0,
            sent_in_room: vec![0; shape.rooms.max(1)],
            nonce: now_us() & 0xf_ffff_ffff,
            next_client_id: 0,
            stats: Stats::default(),
            window_end_us: u64::MAX,
            closed_loop: false,
            event_prefix: format!("42[\"{}\"", options.new_event).into_bytes(),
            find_seq: Finder::new(options.seq_key.as_bytes()).into_owned(),
            find_marker: Finder::new(b"@@").into_owned(),
            cpu: Sampler::new(&options.pids)?,
            options,
        })
    }

    pub fn conversation(&self, room: usize) -> String {
        fill_number(&self.options.conversation, self.options.conversation_base + room as u64)
    }

    fn open(&mut self, i: usize) -> Result<()> {
        let target = self.options.urls[i % self.options.urls.len()];
        let mut stream = TcpStream::from_std(connect_from(source(i, self.options.sources), target)?);
        self.poll.registry().register(&mut stream, Token(i), Interest::READABLE | Interest::WRITABLE)?;
        let room = i.checked_div(self.shape.members).unwrap_or(0);
        let mut connection = Connection::new(stream, self.options.first + i as u64, room, now_us());
        connection.output = http_upgrade(&self.options.path, target);
        self.connections.push(connection);
        self.counts.pending += 1;
        Ok(())
    }

    /// Opens n connections, a bounded number of handshakes at a time; returns the seconds it took.
    pub fn open_all(&mut self, n: usize) -> Result<f64> {
        let started_us = now_us();
        while self.counts.ready + self.counts.dead < n {
            while self.connections.len() < n && self.counts.pending < self.options.handshakes {
                self.open(self.connections.len())?;
            }
            self.turn(Some(20))?;
            if now_us() - started_us > 180_000_000 {
                let Counts { ready, dead, .. } = self.counts;
                bail!("handshakes did not finish: {ready} ready of {n}, {dead} dead: {}", self.stats.first_error)
            }
        }
        Ok((now_us() - started_us) as f64 / 1e6)
    }

    /// One turn of the loop, waiting at most `timeout_ms`.
    pub fn turn(&mut self, timeout_ms: Option<u64>) -> Result<()> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        if let Err(error) = self.poll.poll(&mut events, timeout_ms.map(Duration::from_millis))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            let i = event.token().0;
            if self.connections[i].stage == Stage::Dead {
                continue;
            }
            if event.is_writable() && !self.connections[i].output.is_empty() {
                self.flush(i);
            }
            if event.is_readable() || event.is_error() || event.is_read_closed() {
                self.readable(i);
            }
        }
        self.events = events;
        Ok(())
    }

    pub fn run_for(&mut self, secs: f64) -> Result<()> {
        let end_us = now_us() + (secs * 1e6) as u64;
        while now_us() < end_us {
            self.turn(Some(5))?;
        }
        Ok(())
    }

    pub fn flush(&mut self, i: usize) {
        if let Err(error) = self.connections[i].flush() {
            self.bury(i, &error.to_string());
        }
    }

    pub fn send(&mut self, i: usize, text: &[u8]) {
        if self.connections[i].stage == Stage::Dead {
            return;
        }
        put_frame(&mut self.connections[i].output, TEXT, text);
        self.flush(i);
    }

    /// Counts a connection as dead and keeps the first reason.
    pub fn bury(&mut self, i: usize, why: &str) {
        let connection = &mut self.connections[i];
        match connection.stage {
            Stage::Dead => return,
            Stage::Ready => self.counts.ready -= 1,
            Stage::Http | Stage::Engine | Stage::Namespace | Stage::Join => self.counts.pending -= 1,
        }
        self.counts.dead += 1;
        self.stats.note_error(&format!("connection {i} in {:?}: {why}", connection.stage));
        connection.stage = Stage::Dead;
        // The socket is gone either way; there is nobody to tell.
        drop(self.poll.registry().deregister(&mut connection.stream));
        drop(connection.stream.shutdown(std::net::Shutdown::Both));
    }
}
