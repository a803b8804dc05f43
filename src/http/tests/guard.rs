//! Who is let in, and what every answer carries.

use std::net::Ipv6Addr;

use super::*;
use crate::http::assets::{ASSETS, Asset};

const TOKEN: &str = "0123456789abcdef";

#[test]
fn on_loopback_only_names_that_cannot_be_rebound_are_answered() {
    let server = Server::start();
    for path in ["/", "/metrics", "/healthz", "/api/v1/status", "/nothing"] {
        for host in ["evil.example", "evil.example:9464", "localhost.evil.example"] {
            let answer = server.ask_with("GET", path, &format!("host: {host}\r\n"));
            assert!(answer.error(421).contains("Host header"), "{path} {host}");
        }
    }
    for host in ["localhost:9464", "127.0.0.1", "[::1]:80"] {
        let answer = server.ask_with("GET", "/api/v1/status", &format!("host: {host}\r\n"));
        assert_eq!(answer.status, 200, "{host}");
    }
    server.stop();
}

#[test]
fn beyond_loopback_any_name_is_answered() {
    for any in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
        let address = SocketAddr::new(any, 0);
        if TcpListener::bind(address).is_err() {
            println!("left out: this machine has no {any}");
            continue;
        }
        let server = Server::start_with(Some(TOKEN), address);
        let answer = server.ask_with("GET", "/healthz", "host: logintide.example\r\n");
        assert_eq!(answer.status, 200);
        server.stop();
    }
}

#[test]
fn the_token_guards_the_api_and_nothing_else() {
    let server = Server::start_with(Some(TOKEN), (Ipv4Addr::LOCALHOST, 0).into());
    let api = [
        "/api/v1/status",
        "/api/v1/windows",
        "/api/v1/windows/0",
        "/api/v1/audit",
        "/api/v1/history",
        "/api/v1/stream",
        "/api/v1/nothing",
        "/api",
    ];
    let with = |value: &str, path: &str| {
        let headers = format!("host: localhost\r\nauthorization: {value}\r\n");
        server.ask_with("GET", path, &headers)
    };
    for path in api {
        let answer = server.get(path);
        assert!(answer.error(401).contains("requires a token"), "{path}");
        assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
        for (wrong, expected) in [
            ("Bearer 0123456789abcdeF", "token is wrong"),
            ("Bearer 0123456789abcde", "token is wrong"),
            ("Bearer ", "no bearer token"),
            ("Basic 0123456789abcdef", "no bearer token"),
            (TOKEN, "no bearer token"),
        ] {
            let error = with(wrong, path).error(401);
            assert!(error.contains(expected), "{path} {wrong}: {error}");
        }
        let in_the_path = server.get(&format!("{path}?token={TOKEN}"));
        assert_eq!(in_the_path.status, 401, "a token in an address is not looked at");
    }
    let right = format!("Bearer {TOKEN}");
    assert_eq!(with(&right, "/api/v1/status").status, 200);
    assert_eq!(with(&right, "/api/v1/audit").status, 200);
    with(&right, "/api/v1/nothing").error(404);
    for path in ["/", "/app.js", "/healthz", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    server.stop();
}

#[test]
fn every_answer_carries_the_headers() {
    let server = Server::start_with(Some(TOKEN), (Ipv4Addr::LOCALHOST, 0).into());
    let foreign = server.ask_with("GET", "/", "host: evil.example\r\n");
    for answer in [
        server.get("/"),
        server.get("/metrics"),
        server.get("/nothing"),
        server.get("/api/v1/status"),
        server.ask("POST", "/metrics"),
        foreign,
    ] {
        let head = format!("{}\r\n", answer.head);
        for expected in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; ",
            "x-content-type-options: nosniff\r\n",
            "x-frame-options: deny\r\n",
            "referrer-policy: no-referrer\r\n",
            "cross-origin-resource-policy: same-origin\r\n",
            "cache-control: no-",
        ] {
            assert!(head.contains(&format!("\r\n{expected}")), "{expected}: {head}");
        }
        assert!(!head.contains("unsafe-") && !head.contains("access-control-"), "{head}");
    }
    server.stop();
}

#[test]
fn the_page_is_asked_for_again_and_sent_when_it_has_changed() {
    let server = Server::start();
    for asset in ASSETS {
        let answer = server.get(asset.path);
        assert_eq!((answer.status, answer.body.as_str()), (200, asset.text));
        assert!(answer.head.contains(&format!("content-type: {}", asset.content_type)));
        assert!(answer.head.contains("\r\ncache-control: no-cache"), "{}", answer.head);
        let tag = answer.head.lines().find_map(|line| line.strip_prefix("etag: "));
        let headers = format!("host: localhost\r\nif-none-match: {}\r\n", tag.expect("a tag"));
        let again = server.ask_with("GET", asset.path, &headers);
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    }
    server.stop();
}

#[test]
fn the_page_runs_under_its_own_policy_and_stays_readable() {
    for Asset { path, text, .. } in ASSETS {
        let lines = text.lines().count();
        assert!((2..=400).contains(&lines), "{path} has {lines} lines");
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{path}: {line}");
        }
        // Values become text, never markup; nothing is fetched from elsewhere.
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "https:",
            "style=",
            "onclick=",
            "@import",
            "localStorage",
            "document.cookie",
        ] {
            assert!(!text.contains(forbidden), "{path} has {forbidden}");
        }
        let elsewhere = text.matches("http:").count() - text.matches("http://www.w3.org/").count();
        assert_eq!(elsewhere, 0, "{path} names another server");
    }
}
