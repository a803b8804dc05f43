//! Which values are secret, and how one is read from a file.
//!
//! Reads the file that a property `<secret>.file` names. Holds: no problem and no line of this
//! program holds a secret's value.

use std::{fs::File, io::Read, path::Path};

use crate::limits;

/// Secret properties whose names do not say so: private keys, and a line that may hold a secret.
const SECRETS: &[&str] = &["ssl.key.pem", "sasl.oauthbearer.config"];

/// What says in a name that its value is secret.
const WORDS: &[&str] = &["password", "passphrase", "secret", "token", "private.key.pem"];

/// Whether the value of a property or setting is secret. In doubt the rule hides a value; an
/// address, such as that of a token server, is not secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_address = name.rsplit('.').next() == Some("url");
    let says_so = WORDS.iter().any(|word| name.contains(word));
    says_so && !is_address || SECRETS.contains(&name.as_str())
}

/// The property whose value the file of `<property>.file` holds; `None` for a property that is not
/// secret: librdkafka has some of its own that end so.
pub fn property_of_file(name: &str) -> Option<&str> {
    name.strip_suffix(".file").filter(|property| is_secret(property))
}

/// The secret in a file, without the line break at its end.
///
/// # Errors
/// What was expected; it follows the setting's name and the path.
pub fn read(path: &Path) -> Result<String, String> {
    let cannot = |error| format!("expected a readable file with the secret: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(limits::SECRET_FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limits::SECRET_FILE_MAX_BYTES {
        let most = limits::SECRET_FILE_MAX_BYTES >> 10;
        return Err(format!("expected a file of at most {most} KiB that holds the secret alone"));
    }
    let mut secret = String::from_utf8(bytes)
        .map_err(|_| "expected a file with the secret as UTF-8 text".to_owned())?;
    let without_break = secret.strip_suffix('\n').unwrap_or(&secret);
    let length = without_break.strip_suffix('\r').unwrap_or(without_break).len();
    secret.truncate(length);
    if secret.is_empty() {
        return Err("expected a file with the secret, but it is empty".to_owned());
    }
    if secret.contains('\0') {
        return Err("expected a file with the secret as text, but it holds a zero byte".to_owned());
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for secret in [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.assertion.private.key.pem",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.config",
            "http_token",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for open in [
            "sasl.username",
            "sasl.mechanisms",
            "security.protocol",
            "ssl.key.location",
            "sasl.oauthbearer.token.endpoint.url",
        ] {
            assert!(!is_secret(open), "{open}");
        }
    }

    #[test]
    fn only_a_secrets_file_is_read() {
        assert_eq!(property_of_file("sasl.password.file"), Some("sasl.password"));
        assert_eq!(property_of_file("sasl.password"), None);
        assert_eq!(property_of_file("sasl.oauthbearer.assertion.private.key.file"), None);
    }

    #[test]
    fn one_line_break_at_the_end_is_left_out() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("secret");
        for (content, secret) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            (" two\nlines \n\n", " two\nlines \n"),
        ] {
            fs::write(&path, content).expect("writable");
            assert_eq!(read(&path).as_deref(), Ok(secret));
        }
    }

    #[test]
    fn a_file_without_a_secret_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("secret");
        assert!(read(&path).expect_err("missing").starts_with("expected a readable file"));
        assert!(read(dir.path()).expect_err("a folder").starts_with("expected a readable file"));
        let large = vec![b'x'; limits::SECRET_FILE_MAX_BYTES as usize + 1];
        for (content, what) in [
            (&b""[..], "but it is empty"),
            (b"\n", "but it is empty"),
            (b"\xff\xfe", "as UTF-8 text"),
            (b"hunter\x002", "holds a zero byte"),
            (&large, "at most 64 KiB"),
        ] {
            fs::write(&path, content).expect("writable");
            let problem = read(&path).expect_err(what);
            assert!(problem.contains(what) && !problem.contains("hunter"), "{problem}");
        }
    }
}
