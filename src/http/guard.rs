//! Checks every request, and adds the security headers to every answer.
//!
//! On the http thread. It protects a browser that another site sends here: a server on a loopback
//! address answers only for names that DNS cannot rebind, and no answer may be framed, run foreign
//! code or load anything from elsewhere.

use std::net::IpAddr;

use axum::{
    body::HttpBody,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, CONNECTION, HOST, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{App, error_answer::ErrorAnswer};
use crate::limits;

/// Headers of every answer.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Adds the headers. An answer without a caching header must not be stored, because it is of this
/// moment.
pub(super) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses a request that is too large, has a body, or names another host.
pub(super) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let answer = match check(&app, &request) {
        Ok(()) => return next.run(request).await,
        Err(answer) => answer,
    };
    // The rest of a refused request is not read.
    ([(CONNECTION, "close")], answer).into_response()
}

fn check(app: &App, request: &Request) -> Result<(), ErrorAnswer> {
    let path_bytes = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if path_bytes > limits::HTTP_PATH_BYTES {
        let error = format!("the path has more than {} bytes", limits::HTTP_PATH_BYTES);
        return Err(ErrorAnswer::new(StatusCode::URI_TOO_LONG, error, "send a shorter path"));
    }
    let head_bytes: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if head_bytes > limits::HTTP_HEAD_BYTES {
        let error = format!("the headers have more than {} bytes", limits::HTTP_HEAD_BYTES);
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(ErrorAnswer::new(status, error, "send fewer headers; cookies are not needed"));
    }
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if reads && !request.body().is_end_stream() {
        let error = "the request has a body; this server accepts none";
        return Err(ErrorAnswer::new(StatusCode::PAYLOAD_TOO_LARGE, error, "send no body"));
    }
    if app.is_loopback && !is_local(request.headers()) {
        return Err(ErrorAnswer::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this port is on a loopback address, and the Host header names another host",
            "use localhost or an IP address; a proxy should send `Host: localhost`",
        ));
    }
    Ok(())
}

/// Whether the host is local: localhost or an IP address. Any other name could be one that a
/// foreign name server resolves to this machine.
fn is_local(headers: &HeaderMap) -> bool {
    headers.get_all(HOST).iter().all(|host| {
        let Ok(host) = host.to_str() else { return false };
        let name = match host.rsplit_once(':') {
            // Of an IPv6 address in brackets, only digits after the bracket are a port.
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        name.eq_ignore_ascii_case("localhost") || address.unwrap_or(name).parse::<IpAddr>().is_ok()
    })
}

/// Requires the token, if one is set.
pub(super) async fn authorize(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(token) = &app.context.token else { return next.run(request).await };
    let presented = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let error = match presented.map(bearer) {
        Some(Some(presented)) if token.is(presented) => return next.run(request).await,
        Some(Some(_)) => "the token is wrong",
        Some(None) => "the Authorization header has no bearer token",
        None => "the API requires a token",
    };
    let remedy = "send the header `Authorization: Bearer TOKEN` with the value of --http-token";
    let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"logintide\"")];
    (challenge, ErrorAnswer::new(StatusCode::UNAUTHORIZED, error, remedy)).into_response()
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_cannot_be_rebound_are_local() {
        let is_local_host = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_str(host).expect("legal"));
            is_local(&headers)
        };
        for host in
            ["localhost", "LOCALHOST:9464", "127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "[::1]"]
        {
            assert!(is_local_host(host), "{host}");
        }
        for host in
            ["x", "evil.example:9464", "localhost.evil.example", "127.0.0.1.nip.io", "", "a:b:c"]
        {
            assert!(!is_local_host(host), "{host}");
        }
        assert!(is_local(&HeaderMap::new()), "HTTP/1.0 has no Host, browsers always send it");
        let mut two = HeaderMap::new();
        two.append(HOST, HeaderValue::from_static("localhost"));
        two.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(!is_local(&two));
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer(b"Bearer abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"bearer  abc "), Some(b"abc".as_slice()));
        for other in [b"Basic abc".as_slice(), b"Bearer", b"Bearerabc", b""] {
            assert_eq!(bearer(other), None);
        }
    }
}
