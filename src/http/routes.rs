//! The routes and their answers.
//!
//! On the http thread. Every handler reads what others published and returns at once.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::HttpContext;
use crate::metrics::{self, HealthReport, Metric};

const PATHS: [&str; 2] = ["/metrics", "/healthz"];

/// An answer that is not the asked one.
#[derive(Serialize)]
struct Refusal {
    error: &'static str,
    paths: [&'static str; 2],
}

/// All routes.
pub(super) fn router(context: HttpContext) -> Router {
    Router::new()
        .route(PATHS[0], get(exposition))
        .route(PATHS[1], get(healthz))
        .fallback(async || refusal(StatusCode::NOT_FOUND, "no such path"))
        .method_not_allowed_fallback(async || {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served")
        })
        .with_state(context)
}

async fn exposition(State(context): State<HttpContext>) -> Response {
    let report = context.health.report();
    for (metric, holds) in [
        (Metric::Healthy, report.healthy),
        (Metric::Ready, report.ready),
        (Metric::Stalled, report.stalled),
    ] {
        metrics::set(metric, f64::from(u8::from(holds)));
    }
    // The version parameter is part of the text format.
    let content_type = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, context.metrics.render()).into_response()
}

async fn healthz(State(context): State<HttpContext>) -> (StatusCode, Json<HealthReport>) {
    let report = context.health.report();
    let status = if report.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

fn refusal(status: StatusCode, error: &'static str) -> Response {
    (status, Json(Refusal { error, paths: PATHS })).into_response()
}
