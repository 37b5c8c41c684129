//! Random schedules: simulated clusters in which everything happens at the worst moment, and an oracle at every session.
//!
//! One schedule again: `SEED=… cargo test --features failpoints --test it schedules::one_seed`. More of them: `SCHEDULES=…`.

mod actions;
mod attaching;
pub mod device;
mod ending;
pub mod log;
mod node;
mod plan;
pub mod random;
mod store_calls;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plan::Planted;
use rookery::chat::sequencer::Flaw;
use world::{Happening, World};

/// How many schedules a test run plays.
const SCHEDULES: u64 = 100_000;

/// How many the search for a planted flaw may play.
const SEARCH_MAX: u64 = 20_000;

fn number_from_outside(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Plays one schedule and says what went wrong, and how many events were delivered.
fn play(seed: u64, planted: Option<Planted>) -> (Vec<String>, u64) {
    let mut world = World::new(seed, planted);
    let mut at = 0;
    for number in 0..world.plan.actions {
        at += world.random.between(0, world.plan.pause_max);
        world.plan_in(at, Happening::Act(number));
    }
    let mut poll_at = 0;
    while poll_at < at {
        poll_at += world.random.between(world.plan.poll_pause_max / 2, world.plan.poll_pause_max);
        for node in 0..world.nodes.len() {
            let (polled, delay) = (world.at(node), poll_at + world.random.below(10_000));
            world.plan_in(delay, Happening::PollAsked(polled));
        }
    }
    world.run_dry();
    world.heal();
    world.judge()
}

fn assert_clean(seed: u64) -> u64 {
    let (problems, delivered) = play(seed, None);
    let again = format!("SEED={seed} cargo test --features failpoints --test it schedules::one_seed");
    assert!(problems.is_empty(), "seed {seed}:\n{}\nagain: {again}", problems.join("\n"));
    delivered
}

#[test]
fn every_session_hears_each_event_once_and_in_order_whatever_store_bus_and_nodes_do() {
    let schedules = number_from_outside("SCHEDULES").unwrap_or(SCHEDULES);
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get() as u64);
    let delivered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for core in 0..cores {
            let delivered = &delivered;
            scope.spawn(move || {
                for seed in (core..schedules).step_by(cores as usize) {
                    delivered.fetch_add(assert_clean(seed), Ordering::Relaxed);
                }
            });
        }
    });
    let delivered = delivered.into_inner();
    println!("{schedules} schedules, {delivered} events delivered");
    assert!(delivered > schedules, "the schedules deliver too little to show anything: {delivered}");
}

#[test]
fn one_seed() {
    assert_clean(number_from_outside("SEED").unwrap_or(1));
}

#[test]
fn every_planted_flaw_is_found() {
    const PLANTED: &[Planted] = &[
        Planted::CheckThenRegister,
        Planted::In(Flaw::NoDedupe),
        Planted::In(Flaw::NoHold),
        Planted::In(Flaw::NoRepair),
        Planted::In(Flaw::DeafWhileCold),
        Planted::In(Flaw::StalePoint),
        Planted::In(Flaw::NoCatchUp),
        Planted::In(Flaw::LiveWhileJoining),
        Planted::In(Flaw::HeldForgotten),
        Planted::In(Flaw::LeavingKept),
        Planted::In(Flaw::RemovedKept),
        Planted::In(Flaw::EpochIgnored),
    ];
    let all_found = AtomicBool::new(true);
    std::thread::scope(|scope| {
        for planted in PLANTED {
            let all_found = &all_found;
            scope.spawn(move || {
                let found = (0..SEARCH_MAX).find(|seed| !play(*seed, Some(*planted)).0.is_empty());
                println!("{planted:?}: {found:?}");
                all_found.fetch_and(found.is_some(), Ordering::Relaxed);
            });
        }
    });
    assert!(all_found.into_inner(), "a flaw that the schedules do not find: see above");
}
