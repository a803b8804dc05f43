//! Makes the larger answers one at a time, and gives all other tasks a turn after each.
//!
//! On the http thread. However many requests arrive at once, a new connection and the small
//! answers, health among them, wait for at most one larger answer.

use std::sync::Arc;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{sync::Semaphore, task::yield_now};

use super::{App, error_answer::ErrorAnswer, places::Peer};

/// Admits one larger answer at a time; the others wait in the order of their arrival.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits for the turn, makes the answer if it is still wanted, and passes the turn on after all
    /// tasks that do not wait for it had theirs.
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

/// Answers a request when it is its turn.
pub(super) async fn in_turn(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let answer = app.turns.take(|| peer.has_place(), next.run(request)).await;
    answer.unwrap_or_else(|| {
        // Nobody reads this answer: another connection has the place.
        let error = "too many connections";
        ErrorAnswer::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again").into_response()
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
