//! Answers that are not the asked one: always JSON, always with what to do instead.

use std::borrow::Cow;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer with an error status.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong.
    error: Cow<'static, str>,
    /// What to do.
    remedy: Cow<'static, str>,
    /// The parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What there is.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    paths: &'static [&'static str],
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        error: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error: error.into(), remedy: remedy.into(), parameter: None, paths: &[] }
    }

    /// 400, because of one parameter.
    pub(super) fn parameter(
        name: &str,
        error: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        let refusal = Self::new(StatusCode::BAD_REQUEST, error, remedy);
        Self { parameter: Some(name.to_owned()), ..refusal }
    }

    /// Adds the paths that there are.
    pub(super) fn with_paths(self, paths: &'static [&'static str]) -> Self {
        Self { paths, ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
