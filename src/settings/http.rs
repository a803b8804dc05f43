//! Who may read the HTTP port: the address, the token, and what must be said to open it.

use std::net::SocketAddr;

use super::{Checker, Noted, parse_switch};
use crate::config::{HttpToken, parse_http_token};

impl Checker {
    /// Other machines may come in only when the operator has said how.
    pub(super) fn http(&mut self) -> Result<Option<SocketAddr>, Noted> {
        let address = self.parse("http", parse_http);
        let is_open = self.parse("http_open", parse_switch);
        let (address, is_open) = (address.ok_or(Noted)?, is_open.ok_or(Noted)?);
        let has_token = self.layers.value("http_token").is_some();
        let is_remote = address.is_some_and(|address| !address.ip().to_canonical().is_loopback());
        if is_remote && !has_token && !is_open {
            let what = "is reachable from other machines; set a token in LOGINTIDE_HTTP_TOKEN, \
                        or let everyone read with --http-open";
            self.wrong("http", what);
            return Err(Noted);
        }
        if has_token && is_open {
            let (open, token) = (self.layers.name("http_open"), self.layers.name("http_token"));
            self.problems.add_text(format!("{open} and {token} exclude each other; keep one"));
            return Err(Noted);
        }
        Ok(address)
    }

    /// The value is a secret, so no problem shows it.
    pub(super) fn http_token(&mut self) -> Result<Option<HttpToken>, Noted> {
        let Some(value) = self.layers.value("http_token") else { return Ok(None) };
        let name = self.layers.name("http_token");
        parse_http_token(&value.text).map(Some).map_err(|what| {
            self.problems.add_text(format!("{name} {what}"));
            Noted
        })
    }
}

fn parse_http(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    let how = "is no address with a port; use IP:PORT such as 127.0.0.1:9464 or 0.0.0.0:9464, \
               or off";
    text.parse().map(Some).map_err(|_| how.to_owned())
}
