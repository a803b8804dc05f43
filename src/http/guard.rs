//! What every request must pass, and what every answer carries.
//!
//! On the http thread. A browser that was led here by another site gets nothing: on a loopback
//! address only names that cannot be rebound are answered, and no answer may be framed, run foreign
//! code or ask anyone else for anything.

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

use super::{App, refusal::Refusal};
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

/// Adds the headers. What says nothing about caching is never stored: it is of this moment.
pub(super) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses what is too large, has a body, or comes under another's name.
pub(super) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let refusal = match check(&app, &request) {
        Ok(()) => return next.run(request).await,
        Err(refusal) => refusal,
    };
    // What else such a request brings is not read.
    ([(CONNECTION, "close")], refusal).into_response()
}

fn check(app: &App, request: &Request) -> Result<(), Refusal> {
    let path_bytes = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if path_bytes > limits::HTTP_PATH_BYTES {
        let error = format!("the path has more than {} bytes", limits::HTTP_PATH_BYTES);
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, error, "shorten it"));
    }
    let head_bytes: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if head_bytes > limits::HTTP_HEAD_BYTES {
        let error = format!("the headers have more than {} bytes", limits::HTTP_HEAD_BYTES);
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Refusal::new(status, error, "send fewer; cookies are not needed"));
    }
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if reads && !request.body().is_end_stream() {
        let error = "a request has no body here";
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "leave it out"));
    }
    if app.is_loopback && !is_local(request.headers()) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this port is on a loopback address, and the Host header names another host",
            "ask for localhost or an IP address; have a proxy send `Host: localhost`",
        ));
    }
    Ok(())
}

/// A name that someone else's name server can point here is not local; an address cannot be
/// pointed.
fn is_local(headers: &HeaderMap) -> bool {
    headers.get_all(HOST).iter().all(|host| {
        let Ok(host) = host.to_str() else { return false };
        let name = match host.rsplit_once(':') {
            // In an IPv6 address in brackets only what follows the bracket can be a port.
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        name.eq_ignore_ascii_case("localhost") || address.unwrap_or(name).parse::<IpAddr>().is_ok()
    })
}

/// Asks for the token, where there is one.
pub(super) async fn authorize(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(token) = &app.context.token else { return next.run(request).await };
    let presented = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let error = match presented.map(bearer) {
        Some(Some(presented)) if token.is(presented) => return next.run(request).await,
        Some(Some(_)) => "this is not the token",
        Some(None) => "the Authorization header holds no bearer token",
        None => "the API asks for a token",
    };
    let remedy = "send the header `Authorization: Bearer TOKEN` with the value of --http-token";
    let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"logintide\"")];
    (challenge, Refusal::new(StatusCode::UNAUTHORIZED, error, remedy)).into_response()
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
