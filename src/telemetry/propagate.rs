//! Carries a trace from node to node: the W3C `traceparent` of the present span out, and in again.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header's name, which the envelope's field is named after.
const TRACEPARENT: &str = "traceparent";

/// The `traceparent` of the present span; none outside of spans, and where their level is not logged.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes `span`, which must not have been entered yet, a child of what came over the wire. What is no `traceparent` is ignored.
pub fn continue_trace(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    if context.span().span_context().is_valid() {
        // Without a log there is no trace to continue.
        drop(span.set_parent(context));
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const REMOTE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn with_traces(test: impl FnOnce()) {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        tracing::subscriber::with_default(subscriber, test);
    }

    #[test]
    fn a_trace_goes_on_under_the_identity_it_came_with() {
        with_traces(|| {
            let span = tracing::info_span!("receive");
            continue_trace(&span, REMOTE);
            let _entered = span.enter();
            let out = traceparent().unwrap();
            assert!(out.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{out}");
            assert!(out.ends_with("-01") && !out.contains("00f067aa0ba902b7"), "{out}");
        });
    }

    #[test]
    fn what_is_no_trace_starts_a_new_one() {
        with_traces(|| {
            for text in ["", "garbage", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
                let span = tracing::info_span!("receive");
                continue_trace(&span, text);
                let out = span.in_scope(traceparent).unwrap();
                assert_eq!(out.len(), REMOTE.len(), "{out}");
            }
            assert_eq!(traceparent(), None);
        });
    }
}
