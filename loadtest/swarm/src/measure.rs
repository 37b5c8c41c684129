//! The measurements: idle, storm, fanout, max, ingest.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::options::{Cli, Measure, Options, Rooms};
use crate::report::{Stats, Window};
use crate::swarm::{Joining, Shape, Swarm};
use crate::wire::{now_us, round3};

const ALONE: Shape = Shape { rooms: 1, members: 0, publishers: 1 };

pub fn run(cli: Cli) -> Result<Value> {
    let joining = |join| if join { Joining::Yes } else { Joining::No };
    match cli.measure {
        Measure::Idle { n, secs, join } => idle(Swarm::new(cli.options, ALONE, joining(join))?, n, secs),
        Measure::Storm { n, join } => storm(Swarm::new(cli.options, ALONE, joining(join))?, n),
        Measure::Fanout(rooms) => prepared(cli.options, &rooms)?.fanout(rooms.rate, rooms.secs),
        Measure::Max { rooms, p99 } => max(prepared(cli.options, &rooms)?, &rooms, p99),
        Measure::Ingest { rooms, inflight, secs, warmup } => {
            let mut swarm = Swarm::new(cli.options, Shape { rooms, members: 2, publishers: 1 }, Joining::Yes)?;
            swarm.prepare(0.0, 0.0)?;
            if warmup > 0.0 {
                swarm.ingest(inflight, warmup)?;
                swarm.run_for(0.5)?;
            }
            swarm.ingest(inflight, secs)
        }
    }
}

fn prepared(options: Options, rooms: &Rooms) -> Result<Swarm> {
    let shape = Shape { rooms: rooms.rooms, members: rooms.members, publishers: rooms.publishers };
    let mut swarm = Swarm::new(options, shape, Joining::Yes)?;
    swarm.prepare(rooms.warmup, rooms.rate)?;
    Ok(swarm)
}

fn idle(mut swarm: Swarm, n: usize, secs: f64) -> Result<Value> {
    let before = swarm.cpu.rss_kib();
    swarm.cpu.mark();
    let open_secs = swarm.open_all(n)?;
    swarm.run_for(3.0)?;
    let opening = swarm.cpu.since();
    let after = swarm.cpu.rss_kib();
    swarm.cpu.mark();
    swarm.run_for(secs)?;
    let holding = swarm.cpu.since();
    let per_connection = |name: &String| {
        let grown = after[name].saturating_sub(before[name]);
        round3(grown as f64 / swarm.counts.ready.max(1) as f64)
    };
    let kib_per_connection: serde_json::Map<String, Value> =
        after.keys().map(|name| (name.clone(), json!(per_connection(name)))).collect();
    Ok(json!({
        "label": swarm.options.label, "n": n, "ready": swarm.counts.ready, "dead": swarm.counts.dead,
        "first_error": swarm.stats.first_error, "open_secs": round3(open_secs), "rss_before_kib": before, "rss_after_kib": after,
        "kib_per_connection": kib_per_connection, "cpu_open_s": opening.named, "held_secs": secs,
        "rss_end_kib": swarm.cpu.rss_kib(), "cpu_hold_s": holding.named, "cpu_swarm_s": round3(holding.own),
    }))
}

fn storm(mut swarm: Swarm, n: usize) -> Result<Value> {
    swarm.cpu.mark();
    let secs = swarm.open_all(n)?;
    let spent = swarm.cpu.since();
    let ready = swarm.counts.ready as f64;
    Ok(json!({
        "label": swarm.options.label, "n": n, "ready": swarm.counts.ready, "dead": swarm.counts.dead,
        "first_error": swarm.stats.first_error, "secs": round3(secs), "connections_per_s": (ready / secs).round(),
        "latency_ms": swarm.handshake.json(), "cpu_s": spent.named,
        "cpu_per_10k_connections": round3(spent.total() / ready.max(1.0) * 1e4), "cpu_swarm_s": round3(spent.own),
    }))
}

/// Raises the rate while it holds, then halves the distance between what held and what did not.
fn max(mut swarm: Swarm, rooms: &Rooms, p99_ms: f64) -> Result<Value> {
    let (mut rate, mut held, mut failed, mut best) = (rooms.rate, 0.0, f64::INFINITY, Value::Null);
    for _ in 0..14 {
        let line = swarm.fanout(rate, rooms.secs)?;
        let good = holds(&line, rooms.secs, p99_ms);
        eprintln!(
            "  rate {rate:.0}: {}/s p99 {} lost {} cpu {} -> {good}",
            line["deliveries_per_s"], line["latency_ms"]["p99"], line["lost"], line["cpu_per_1m_deliveries"]["total"]
        );
        if good {
            (held, best) = (rate, line);
        } else {
            failed = rate;
        }
        if failed / held < 1.08 || swarm.counts.dead > 0 {
            break;
        }
        rate = match (failed.is_finite(), held > 0.0) {
            (true, true) => f64::midpoint(held, failed),
            (true, false) => rate / 2.0,
            (false, _) => rate * 1.5,
        };
        swarm.run_for(1.0)?;
    }
    Ok(best)
}

fn holds(line: &Value, secs: f64, p99_ms: f64) -> bool {
    let figure = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    figure(&line["latency_ms"]["p99"]) < p99_ms
        && line["lost"] == 0
        && line["errors"] == 0
        && figure(&line["deliveries_per_s"]) * secs >= 0.97 * figure(&line["expected"])
}

impl Swarm {
    fn prepare(&mut self, warmup: f64, rate: f64) -> Result<()> {
        self.open_all(self.shape.rooms * self.shape.members)?;
        if self.counts.dead > 0 {
            bail!("{} connections failed: {}", self.counts.dead, self.stats.first_error)
        }
        self.run_for(0.5)?;
        if warmup > 0.0 {
            self.fanout(rate, warmup)?;
            self.run_for(0.5)?;
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.step += 1;
        self.stats = Stats { first_error: std::mem::take(&mut self.stats.first_error), ..Stats::default() };
        self.sent_in_room.fill(0);
        self.connections.iter_mut().for_each(crate::connection::Connection::reset);
        self.window_end_us = u64::MAX;
        self.cpu.mark();
    }

    fn fanout(&mut self, rate: f64, secs: f64) -> Result<Value> {
        self.begin();
        let started_us = now_us();
        self.send_at_rate(rate, secs)?;
        self.drain()?;
        let wall_secs = (now_us() - started_us) as f64 / 1e6;
        Ok(self.report(&Window { rate: Some(rate), secs, wall_secs }))
    }

    fn ingest(&mut self, inflight: usize, secs: f64) -> Result<Value> {
        self.begin();
        let started_us = now_us();
        self.window_end_us = started_us + (secs * 1e6) as u64;
        self.closed_loop = true;
        for k in 0..inflight {
            self.publish(k % self.shape.rooms * 2 + k % 2, 0, now_us());
        }
        while now_us() < self.window_end_us {
            self.turn(Some(5))?;
        }
        self.closed_loop = false;
        self.drain()?;
        let wall_secs = (now_us() - started_us) as f64 / 1e6;
        Ok(self.report(&Window { rate: None, secs, wall_secs }))
    }

    /// Waits for what is still under way: until all is here and no double followed, or nothing came for 2 s, or 20 s passed.
    fn drain(&mut self) -> Result<()> {
        let started_us = now_us();
        let (mut last, mut last_us) = (0, started_us);
        loop {
            self.turn(Some(5))?;
            let now = now_us();
            let answered = self.stats.acked + self.stats.errors;
            let have = self.stats.delivered + answered;
            if have != last {
                (last, last_us) = (have, now);
            }
            if self.stats.delivered >= self.expected() && answered >= self.stats.sent {
                return self.run_for(0.2);
            }
            if now - last_us > 2_000_000 || now - started_us > 20_000_000 {
                return Ok(());
            }
        }
    }
}
