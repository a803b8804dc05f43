//! Answers with an error: always JSON, always with what to do instead.

use std::borrow::Cow;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer with an error status.
#[derive(Debug, Serialize)]
pub(super) struct ErrorAnswer {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong.
    error: Cow<'static, str>,
    /// What to do.
    remedy: Cow<'static, str>,
    /// The parameter with the invalid value.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// All paths, for a request to an unknown one.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    paths: &'static [&'static str],
}

impl ErrorAnswer {
    pub(super) fn new(
        status: StatusCode,
        error: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error: error.into(), remedy: remedy.into(), parameter: None, paths: &[] }
    }

    /// An answer 400 because of one parameter.
    pub(super) fn parameter(
        name: &str,
        error: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        let answer = Self::new(StatusCode::BAD_REQUEST, error, remedy);
        Self { parameter: Some(name.to_owned()), ..answer }
    }

    /// Adds the list of all paths.
    pub(super) fn with_paths(self, paths: &'static [&'static str]) -> Self {
        Self { paths, ..self }
    }
}

impl IntoResponse for ErrorAnswer {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
