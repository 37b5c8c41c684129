//! Counts what the transport does, without two cores writing the same cache line on every delivery.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use metrics::{counter, gauge};

use super::application::DisconnectReason;
use super::outbox::Written;
use crate::telemetry::metrics::{
    REQUESTS_FORWARDED, REQUESTS_REFUSED, SESSIONS, SESSIONS_ENDED, SESSIONS_OPENED, WriteCounters,
};

/// More stripes than threads write at once on common machines.
const STRIPES: usize = 16;

/// The transport's counters.
pub(super) struct Tally {
    stripes: [Stripe; STRIPES],
    published: WriteCounters,
}

/// Counters of one or a few threads, on a cache line of their own.
#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    offered: AtomicU64,
    calls: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
}

thread_local! {
    static STRIPE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES
    };
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { stripes: Default::default(), published: WriteCounters::registered() }
    }

    /// A frame was sent, whenever it is written.
    pub(super) fn offered(&self) {
        self.stripe().offered.fetch_add(1, Ordering::Relaxed);
    }

    /// All frames ever sent.
    pub(super) fn offered_sum(&self) -> u64 {
        self.sum(|stripe| &stripe.offered)
    }

    pub(super) fn wrote(&self, written: Written) {
        if written.calls == 0 {
            return;
        }
        let stripe = self.stripe();
        stripe.calls.fetch_add(written.calls, Ordering::Relaxed);
        stripe.frames.fetch_add(written.frames, Ordering::Relaxed);
        stripe.bytes.fetch_add(written.bytes, Ordering::Relaxed);
    }

    pub(super) fn opened(&self) {
        counter!(SESSIONS_OPENED).increment(1);
    }

    pub(super) fn ended(&self, reason: DisconnectReason) {
        counter!(SESSIONS_ENDED, "reason" => reason.word()).increment(1);
    }

    pub(super) fn refused(&self, why: &'static str) {
        counter!(REQUESTS_REFUSED, "why" => why).increment(1);
    }

    pub(super) fn forwarded(&self, kind: &'static str) {
        counter!(REQUESTS_FORWARDED, "kind" => kind).increment(1);
    }

    /// Hands the sums to the recorder.
    pub(super) fn publish(&self, open: usize) {
        self.published.calls.absolute(self.sum(|stripe| &stripe.calls));
        self.published.frames.absolute(self.sum(|stripe| &stripe.frames));
        self.published.bytes.absolute(self.sum(|stripe| &stripe.bytes));
        gauge!(SESSIONS).set(open as f64);
    }

    fn stripe(&self) -> &Stripe {
        &self.stripes[STRIPE.with(|stripe| *stripe)]
    }

    fn sum(&self, field: fn(&Stripe) -> &AtomicU64) -> u64 {
        self.stripes.iter().map(|stripe| field(stripe).load(Ordering::Relaxed)).sum()
    }
}
