//! Asks a running instance over HTTP.
//!
//! In:  the address of its `--http`, its token. Out: what it answers of its group.
//! Holds: one request, within a time and of a bounded size; an error names the remedy.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
};

use crate::{config::HttpToken, error::RunError, limits, status::Cluster};

const PATH: &str = "/api/v1/cluster";

/// What the instance at this address says of its group.
///
/// # Errors
/// `Refused` when the address or the token is wrong, `Failed` when it does not answer.
pub(super) fn ask(url: &str, token: Option<&HttpToken>) -> Result<Cluster, RunError> {
    let host = host_of(url).map_err(RunError::Refused)?;
    let answer = exchange(&host, token).map_err(|error| {
        RunError::Failed(format!(
            "no instance answers at {url} (--url): {error}; name one that runs, by its --http, or \
             leave out --url to read the journal"
        ))
    })?;
    let cluster = read(url, &answer)?;
    if cluster.group_id.is_empty() {
        return Err(RunError::Failed(format!(
            "the instance at {url} (--url) has not read the journal yet; ask again in a moment"
        )));
    }
    Ok(cluster)
}

/// Host and port of an address.
fn host_of(url: &str) -> Result<String, String> {
    let expected = "expected an address such as http://127.0.0.1:9464";
    let invalid = |what: &str| format!("invalid value '{url}' for '--url': {what}");
    let Some(host) = url.strip_prefix("http://") else {
        let is_https = url.starts_with("https://");
        let what = "an instance speaks plain HTTP; name it by its own --http, not by its proxy";
        return Err(invalid(if is_https { what } else { expected }));
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    let is_plain =
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    let has_port = host.rsplit_once(':').is_some_and(|(name, port)| {
        !name.is_empty() && !port.starts_with('+') && port.parse::<u16>().is_ok()
    });
    if is_plain && has_port { Ok(host.to_owned()) } else { Err(invalid(expected)) }
}

fn exchange(host: &str, token: Option<&HttpToken>) -> io::Result<Vec<u8>> {
    let mut last = io::Error::other("the name has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limits::COMMAND_FIRST_ANSWER) {
            Ok(stream) => return talk(stream, host, token),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn talk(mut stream: TcpStream, host: &str, token: Option<&HttpToken>) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(limits::COMMAND_FIRST_ANSWER))?;
    stream.set_write_timeout(Some(limits::COMMAND_FIRST_ANSWER))?;
    let token = token.map(|token| format!("Authorization: {}\r\n", token.header()));
    let token = token.unwrap_or_default();
    let request =
        format!("GET {PATH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{token}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(limits::CLUSTER_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

fn read(url: &str, answer: &[u8]) -> Result<Cluster, RunError> {
    let other = || {
        RunError::Refused(format!(
            "what answers at {url} (--url) is no instance of this version; name the --http of one"
        ))
    };
    let text = str::from_utf8(answer).map_err(|_| other())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(other)?;
    match head.split(' ').nth(1) {
        Some("200") => serde_json::from_str(body).map_err(|_| other()),
        Some("401") => Err(RunError::Refused(format!(
            "the instance at {url} (--url) asks for its token; set LOGINTIDE_HTTP_TOKEN or \
             --http-token to the one that it was started with"
        ))),
        Some("421") => Err(RunError::Refused(format!(
            "the instance at {url} (--url) is asked by a name that it does not know; write \
             localhost or an IP address"
        ))),
        _ => Err(other()),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;
    use crate::config::parse_http_token;

    /// The request, and what becomes of this answer to it.
    fn answered(answer: &'static str) -> (String, Result<Cluster, RunError>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("is bound"));
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("asked");
            let mut request = [0; 1024];
            let n = stream.read(&mut request).expect("a request");
            stream.write_all(answer.as_bytes()).expect("answered");
            String::from_utf8_lossy(&request[..n]).into_owned()
        });
        let token = parse_http_token("0123456789abcdef").expect("valid");
        let cluster = ask(&url, Some(&token));
        (server.join().expect("no panic"), cluster)
    }

    #[test]
    fn an_instance_is_asked_with_its_token() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
            {\"at_ms\":5,\"group_id\":\"g\",\"announced_partitions\":2,\"merger\":null,\
            \"run\":null,\"unowned_partitions\":[1],\"differences\":[],\"instances\":[]}";
        let (request, cluster) = answered(answer);
        assert!(
            request.starts_with("GET /api/v1/cluster HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{request}"
        );
        assert!(request.contains("\r\nAuthorization: Bearer 0123456789abcdef\r\n"), "{request}");
        let cluster = cluster.expect("an answer");
        assert_eq!((cluster.group_id.as_str(), cluster.unowned_partitions), ("g", vec![1]));
    }

    #[test]
    fn other_answers_are_errors_with_a_remedy() {
        for (answer, code, expected) in [
            ("HTTP/1.1 401 Unauthorized\r\n\r\n{}", 2, "LOGINTIDE_HTTP_TOKEN"),
            ("HTTP/1.1 421 Misdirected Request\r\n\r\n{}", 2, "write localhost"),
            ("HTTP/1.1 404 Not Found\r\n\r\n{}", 2, "no instance of this version"),
            ("HTTP/1.1 200 OK\r\n\r\n<html>", 2, "no instance of this version"),
            ("SSH-2.0-x\r\n", 2, "no instance of this version"),
            (
                "HTTP/1.1 200 OK\r\n\r\n{\"at_ms\":0,\"group_id\":\"\",\
                 \"announced_partitions\":0,\"merger\":null,\"run\":null,\
                 \"unowned_partitions\":[],\"differences\":[],\"instances\":[]}",
                1,
                "ask again in a moment",
            ),
        ] {
            let error = answered(answer).1.expect_err(answer);
            assert_eq!(error.exit_code(), code, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        let error = ask("http://127.0.0.1:1", None).expect_err("nobody listens there");
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("leave out --url"), "{error}");
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (url, host) in [
            ("http://127.0.0.1:9464", "127.0.0.1:9464"),
            ("http://node-1.example:80/", "node-1.example:80"),
            ("http://[::1]:9464", "[::1]:9464"),
        ] {
            assert_eq!(host_of(url).as_deref(), Ok(host));
        }
        for url in [
            "",
            "127.0.0.1:9464",
            "http://",
            "http://:9464",
            "http://a",
            "http://a:1/x",
            "http://a:b",
            "http://a:70000",
            "http://a b:1",
            "http://a:1\r\nx:1",
        ] {
            let error = host_of(url).expect_err(url);
            assert!(error.contains("expected an address such as"), "{error}");
        }
        assert!(host_of("https://a:1").expect_err("no TLS").contains("plain HTTP"));
    }
}
