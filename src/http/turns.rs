//! Makes the larger answers one at a time, and lets everyone else have a turn after each.
//!
//! On the http thread. However many requests have come at once, a new connection and the answers
//! that are small, health among them, wait for one larger answer and not for all.

use std::sync::Arc;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{sync::Semaphore, task::yield_now};

use super::{App, places::Peer, refusal::Refusal};

/// Who may make a larger answer; the others wait in the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits for the turn, makes the answer unless it is not wanted any more, and gives the turn on
    /// when all others that are not waiting for it have had theirs.
    async fn take<T>(
        &self,
        is_wanted: impl Fn() -> bool,
        make: impl Future<Output = T>,
    ) -> Option<T> {
        let _turn = self.0.acquire().await.expect("the semaphore is never closed");
        if !is_wanted() {
            return None;
        }
        let answer = make.await;
        yield_now().await;
        Some(answer)
    }
}

/// Answers when it is this request's turn.
pub(super) async fn in_turn(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let answer = app.turns.take(|| peer.has_place(), next.run(request)).await;
    answer.unwrap_or_else(|| {
        // Nobody reads this: the connection's place was given to another.
        let error = "too many connections";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again").into_response()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn everyone_else_has_a_turn_after_each_larger_answer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (turns, made) = (Turns::new(), Arc::new(AtomicUsize::new(0)));
        runtime.block_on(async {
            for n in 0..20 {
                let (turns, made) = (turns.clone(), Arc::clone(&made));
                tokio::spawn(async move {
                    // Every second connection has lost its place meanwhile.
                    turns.take(|| n % 2 == 0, async { made.fetch_add(1, Relaxed) }).await
                });
            }
            let mut seen = 0;
            while seen < 10 {
                yield_now().await;
                let now = made.load(Relaxed);
                assert!(now <= seen + 1, "{} answers in one turn", now - seen);
                seen = now;
            }
        });
    }
}
