//! The secret that the HTTP API asks for. Pure.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::limits;

/// A token of printable ASCII. It is shown nowhere. A comparison takes a time that depends on its
/// length alone.
#[derive(Clone)]
pub struct HttpToken(String);

impl HttpToken {
    /// The value of the `Authorization` header that presents it.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether `presented` is this token.
    pub fn is(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }
}

impl fmt::Debug for HttpToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpToken(hidden)")
    }
}

/// Checks a token. The error does not show it.
pub fn parse_http_token(text: &str) -> Result<HttpToken, String> {
    const HOW: &str = "make one with: openssl rand -hex 16";
    let (shortest, longest) = limits::HTTP_TOKEN_BYTES;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("expected printable ASCII without blanks; {HOW}"));
    }
    if text.len() < shortest {
        return Err(format!("expected at least {shortest} characters; {HOW}"));
    }
    if text.len() > longest {
        return Err(format!("expected at most {longest} characters; {HOW}"));
    }
    Ok(HttpToken(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_only_and_stays_hidden() {
        let token = parse_http_token("0123456789abcdef").expect("long enough");
        assert!(token.is(b"0123456789abcdef"));
        for other in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0"] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{token:?}"), "HttpToken(hidden)");
    }

    #[test]
    fn tokens_that_are_short_long_or_unsendable_are_refused_unseen() {
        for (bad, expected) in [
            (String::new(), "at least 16"),
            ("hunter2".to_owned(), "at least 16"),
            ("x".repeat(257), "at most 256"),
            ("hunter2 hunter2 hunter2".to_owned(), "without blanks"),
            ("hünter2hünter2hünter2".to_owned(), "printable ASCII"),
        ] {
            let error = parse_http_token(&bad).expect_err("refused");
            assert!(error.contains(expected) && !error.contains("nter2"), "{error}");
        }
        assert!(parse_http_token(&"x".repeat(256)).is_ok());
    }
}
