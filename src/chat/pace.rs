//! How fast one session may ask: a soft answer beyond the rate, the end of the session at ten times of it.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::Limits;
use crate::domain::{ChatError, Command, ErrorCode};

/// The window that the configured rates speak of.
const WINDOW: Duration = Duration::from_secs(10);
/// How many times the soft rate ends the session.
const HARD_FACTOR: u32 = 10;

/// What becomes of one more command of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pace {
    /// Within the rate.
    Fine,
    /// Beyond it: answer this and do nothing.
    Slower(ChatError),
    /// Far beyond it: close the session.
    Hostile,
}

/// The paused clock of a test, or the machine's.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Instant>>;

/// A soft and a hard bucket of one kind.
#[derive(Debug)]
struct Rate {
    soft: Bucket,
    hard: Bucket,
}

impl Rate {
    fn new(per_window: u32) -> Self {
        let per_window = per_window.max(1);
        Self { soft: bucket(per_window), hard: bucket(per_window.saturating_mul(HARD_FACTOR)) }
    }

    fn check(&self) -> Pace {
        if self.hard.check().is_err() {
            return Pace::Hostile;
        }
        match self.soft.check() {
            Ok(()) => Pace::Fine,
            Err(not_until) => Pace::Slower(too_fast(not_until.wait_time_from(TokioClock.now()))),
        }
    }
}

fn bucket(per_window: u32) -> Bucket {
    let burst = NonZeroU32::new(per_window).expect("a rate is at least one");
    let quota = Quota::with_period(WINDOW / per_window).expect("a window holds more than no time").allow_burst(burst);
    RateLimiter::direct_with_clock(quota, TokioClock)
}

fn too_fast(wait: Duration) -> ChatError {
    let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    let message = "too many in a short time".to_owned();
    ChatError { code: ErrorCode::RateLimited, message, retry_after_ms: Some(retry_after_ms) }
}

/// What one session has asked lately. Owned by the session, a few hundred bytes.
#[derive(Debug)]
pub struct SessionPace {
    rates: Option<(Rate, Rate)>,
}

impl SessionPace {
    /// A session that has asked nothing yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let rates = limits.rates_kept.then(|| (Rate::new(limits.commands_per_10s), Rate::new(limits.messages_per_10s)));
        Self { rates }
    }

    /// Counts something that is no send: a query, or an event that could not be read.
    pub fn ask(&self) -> Pace {
        self.rates.as_ref().map_or(Pace::Fine, |(commands, _)| commands.check())
    }

    /// Counts a command.
    pub fn command(&self, command: &Command) -> Pace {
        let Some((commands, messages)) = &self.rates else { return Pace::Fine };
        let pace = commands.check();
        if !matches!(command, Command::SendMessage { .. }) {
            return pace;
        }
        // Both are counted, so that a flood of sends is seen for what it is even where the commands refuse it already.
        match (pace, messages.check()) {
            (Pace::Hostile, _) | (_, Pace::Hostile) => Pace::Hostile,
            (slower @ Pace::Slower(_), _) | (Pace::Fine, slower) => slower,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(commands_per_10s: u32) -> SessionPace {
        SessionPace::new(&Limits { commands_per_10s, ..Limits::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_rate_the_answer_says_when_to_come_back_and_then_it_is_fine() {
        let pace = pace(20);
        for _ in 0..20 {
            assert_eq!(pace.ask(), Pace::Fine);
        }
        let Pace::Slower(error) = pace.ask() else { panic!("the 21st is too fast") };
        assert_eq!(error.code, ErrorCode::RateLimited);
        tokio::time::advance(Duration::from_millis(error.retry_after_ms.unwrap() + 1)).await;
        assert_eq!(pace.ask(), Pace::Fine);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_times_the_rate_ends_the_session() {
        let pace = pace(20);
        let verdicts: Vec<Pace> = (0..201).map(|_| pace.ask()).collect();
        assert!(!verdicts[..200].contains(&Pace::Hostile));
        assert_eq!(verdicts[200], Pace::Hostile);
    }

    #[tokio::test(start_paused = true)]
    async fn without_rates_nothing_is_too_fast() {
        let pace = SessionPace::new(&Limits { rates_kept: false, ..Limits::default() });
        assert!((0..100_000).all(|_| pace.ask() == Pace::Fine));
    }
}
