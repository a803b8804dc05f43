//! The routes, and those outside the API.
//!
//! On the http thread. Every handler reads what other threads have published and returns at once;
//! the larger answers are made one at a time.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{App, api, assets, error_answer::ErrorAnswer, guard, stream, turns, windows};
use crate::metrics::{self, HealthReport, Metric};

/// All paths; the answer to an unknown path lists them.
pub(super) const PATHS: &[&str] = &[
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/status",
    "/api/v1/cluster",
    "/api/v1/windows",
    "/api/v1/windows/{start}",
    "/api/v1/audit",
    "/api/v1/history",
    "/api/v1/stream",
];

/// All routes.
pub(super) fn router(app: App) -> Router {
    let api = Router::new()
        .route("/v1/status", get(api::status))
        .route("/v1/cluster", get(api::cluster))
        .route("/v1/windows", get(windows::list))
        .route("/v1/windows/{start}", get(windows::one))
        .route("/v1/audit", get(api::audit))
        .route("/v1/history", get(api::history))
        .route("/v1/stream", get(stream::open));
    let in_turn = || middleware::from_fn_with_state(app.clone(), turns::in_turn);
    let api = refusing(api).layer(in_turn());
    let api = api.layer(middleware::from_fn_with_state(app.clone(), guard::authorize));
    let all = assets::routes()
        .route("/metrics", get(exposition).layer(in_turn()))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz));
    refusing(all)
        .nest("/api", api)
        .layer(middleware::from_fn_with_state(app.clone(), guard::admit))
        .layer(middleware::map_response(guard::harden))
        .with_state(app)
}

/// Adds the error answers to unknown paths and methods.
fn refusing(router: Router<App>) -> Router<App> {
    router
        .fallback(async || {
            ErrorAnswer::new(StatusCode::NOT_FOUND, "unknown path", "use one of `paths`")
                .with_paths(PATHS)
        })
        .method_not_allowed_fallback(async || {
            let error = "only GET and HEAD are served";
            let answer = ErrorAnswer::new(StatusCode::METHOD_NOT_ALLOWED, error, "use GET");
            ([("allow", "GET,HEAD")], answer.with_paths(PATHS))
        })
}

async fn exposition(State(app): State<App>) -> Response {
    let report = app.context.health.report();
    for (metric, holds) in [
        (Metric::Healthy, report.healthy),
        (Metric::Ready, report.ready),
        (Metric::Stalled, report.stalled),
    ] {
        metrics::set(metric, f64::from(u8::from(holds)));
    }
    // The version parameter is part of the text format.
    let content_type = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, app.context.metrics.render()).into_response()
}

async fn healthz(State(app): State<App>) -> (StatusCode, Json<HealthReport>) {
    let report = app.context.health.report();
    (ok_if(report.healthy), Json(report))
}

async fn readyz(State(app): State<App>) -> (StatusCode, Json<HealthReport>) {
    let report = app.context.health.report();
    (ok_if(report.ready), Json(report))
}

fn ok_if(holds: bool) -> StatusCode {
    if holds { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
