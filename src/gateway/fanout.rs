//! Turns what a vocabulary says into frames: once per thing, vocabulary and node.

use bytes::{Bytes, BytesMut};

use super::transport::Frame;
use crate::domain::{Event, Signal};
use crate::protocol::{Emissions, Slot, dialect};

/// The frames of an event, one behind the other; none when the vocabulary has no word for it.
pub(super) fn event_frames(slot: Slot, event: &Event) -> Option<Bytes> {
    let mut out = Emissions::default();
    dialect(slot).event(event, &mut out);
    in_one(slot, out)
}

/// The frames of a signal.
pub(super) fn signal_frames(slot: Slot, signal: &Signal) -> Option<Bytes> {
    let mut out = Emissions::default();
    dialect(slot).signal(signal, &mut out);
    in_one(slot, out)
}

/// The frames of what is said to one session alone.
pub(super) fn frames(slot: Slot, emissions: Emissions) -> impl Iterator<Item = Frame> {
    let namespace = dialect(slot).namespace();
    emissions.into_iter().map(move |emission| Frame::event(namespace, &emission.name, &emission.payload))
}

fn in_one(slot: Slot, emissions: Emissions) -> Option<Bytes> {
    let mut frames = frames(slot, emissions);
    let first = frames.next()?.into_bytes();
    let Some(second) = frames.next() else { return Some(first) };
    let mut all = BytesMut::from(first);
    for frame in std::iter::once(second).chain(frames) {
        all.extend_from_slice(&frame.into_bytes());
    }
    Some(all.freeze())
}
