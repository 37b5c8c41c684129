//! What goes over the wire, word by word: a change of these files is a change of the interface.
//!
//! `INSTA_UPDATE=always cargo test --features failpoints --test it golden` writes them anew; review the difference like one of an API.

mod native;
mod things;

use rookery::protocol::{Emissions, event_view};
use serde_json::{Value, json};

use rookery::domain::Event;

/// What is emitted, as `[name, payload]` in order.
fn emitted(emissions: Emissions) -> Value {
    let shown = emissions.into_iter().map(|emission| {
        let payload: Value = serde_json::from_slice(&emission.payload).unwrap();
        json!([emission.name, payload])
    });
    shown.collect()
}

/// An event as it stands in lists of events.
fn listed(event: &Event) -> Value {
    serde_json::from_str(event_view(event).get()).unwrap()
}
