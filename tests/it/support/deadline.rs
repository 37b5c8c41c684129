//! Waiting for something with a deadline, instead of sleeping and hoping.

use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for anything. Generous: only a failing test ever waits this long.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks `probe` until it answers, up to [`DEADLINE`]; panics with `what` after that.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, probe: impl FnMut() -> F) -> T {
    until_within(DEADLINE, what, probe).await
}

/// Like [`until`], with a deadline of its own.
pub async fn until_within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
