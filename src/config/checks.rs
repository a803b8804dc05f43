//! Checks of single settings that are text: brokers, names, pairs, start positions.
//!
//! Pure. Each takes what was typed and gives the value or a remedy that follows
//! "`--setting value:`".

use jiff::Timestamp;

use super::{LogFormat, StartFrom};
use crate::limits;

/// Checks a `bootstrap.servers` list: `host:port`, comma-separated, each perhaps with a protocol
/// (`SSL://host:port`). Gives it back without blanks around the entries.
pub fn parse_brokers(text: &str) -> Result<String, String> {
    const HOW: &str = "write host:port, several separated by commas";
    let mut brokers = Vec::new();
    for entry in text.split(',').map(str::trim) {
        if entry.is_empty() {
            return Err(format!("holds an empty entry; {HOW}"));
        }
        let address = entry.split_once("://").map_or(entry, |(_, address)| address);
        // In an IPv6 address in brackets only what follows the bracket can be a port.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (address, None),
        };
        let host_ok = !host.is_empty()
            && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/')
            && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
        let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !host_ok || !port_ok {
            return Err(format!("holds {entry:?}, which is no broker address; {HOW}"));
        }
        brokers.push(entry);
    }
    Ok(brokers.join(","))
}

/// Checks a consumer group's name.
pub fn parse_group_id(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("is empty; give the group a name".to_owned());
    }
    if text.contains(char::is_control) {
        return Err("holds a control character; use printable ones".to_owned());
    }
    Ok(text.to_owned())
}

/// Checks a topic name by Kafka's rule.
pub fn parse_topic(text: &str) -> Result<String, String> {
    parse_kafka_name(text, limits::MAX_TOPIC_NAME_BYTES)
        .map_err(|what| format!("is no legal topic name: {what}"))
}

/// Checks a static member name, which follows the rule for topics but is shorter.
pub fn parse_instance_id(text: &str) -> Result<String, String> {
    parse_kafka_name(text, limits::INSTANCE_ID_MAX_BYTES)
        .map_err(|what| format!("is no legal instance name: {what}"))
}

/// The rule of `org.apache.kafka.common.internals.Topic`.
fn parse_kafka_name(text: &str, max_bytes: usize) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text == "." || text == ".." {
        return Err("it must not be empty, \".\" or \"..\"".to_owned());
    }
    if text.len() > max_bytes {
        return Err(format!("it has more than {max_bytes} characters"));
    }
    match text.chars().find(|c| !legal(*c)) {
        Some(c) => Err(format!("it holds {c:?}; use letters, digits, '.', '_' and '-'")),
        None => Ok(text.to_owned()),
    }
}

/// Splits `name=value` at the first `=`. The value may be empty and may hold more of them.
pub fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        Some(_) => Err("has no name before the '='; write name=value".to_owned()),
        None => Err("has no '='; write name=value".to_owned()),
    }
}

/// Parses `earliest`, `latest` or an RFC 3339 time with its offset.
pub fn parse_start_from(text: &str) -> Result<StartFrom, String> {
    match text {
        "earliest" => return Ok(StartFrom::Earliest),
        "latest" => return Ok(StartFrom::Latest),
        _ => {}
    }
    let time: Timestamp = text.parse().map_err(|_| {
        "is no start position; write earliest, latest or a time with its offset such as \
         2024-11-02T13:00:00Z"
            .to_owned()
    })?;
    // Negative numbers are the protocol's own marks for the ends of a log.
    match time.as_millisecond() {
        ms if ms >= 0 => Ok(StartFrom::Time(ms)),
        _ => Err("lies before 1970; use earliest".to_owned()),
    }
}

/// Parses the form of the log.
pub fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is no format; use text or json".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_lists() {
        for good in ["localhost", "a:9092", "SSL://a.b:9093,PLAINTEXT://c:1", "[::1]:9092", "[::1]"]
        {
            assert_eq!(parse_brokers(good).as_deref(), Ok(good));
        }
        assert_eq!(parse_brokers(" a:1 , b:2 ").as_deref(), Ok("a:1,b:2"));
        for bad in [
            "", " ", "a:1,", ",a:1", "a:0", "a:65536", "a:x", ":9092", "a b:1", "::1:9092", "a/b:1",
        ] {
            assert!(parse_brokers(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn topic_and_instance_names_follow_kafkas_rule() {
        for good in ["user-login", "a", "A.b_c-9", "..."] {
            assert_eq!(parse_topic(good).as_deref(), Ok(good));
            assert_eq!(parse_instance_id(good).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "a b", "a/b", "a:b", "\u{e9}", "^a.*"] {
            assert!(parse_topic(bad).is_err(), "{bad:?}");
            assert!(parse_instance_id(bad).is_err(), "{bad:?}");
        }
        let name = |bytes| "x".repeat(bytes);
        assert!(parse_topic(&name(249)).is_ok() && parse_topic(&name(250)).is_err());
        assert!(parse_instance_id(&name(128)).is_ok() && parse_instance_id(&name(129)).is_err());
    }

    #[test]
    fn group_names() {
        assert_eq!(parse_group_id("my group").as_deref(), Ok("my group"));
        for bad in ["", "  ", "a\nb"] {
            assert!(parse_group_id(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_pair_is_split_at_its_first_equals_sign() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(parse_pair("a=b"), pair("a", "b"));
        assert_eq!(parse_pair("a=b=c,d"), pair("a", "b=c,d"));
        assert_eq!(parse_pair("a="), pair("a", ""));
        assert!(parse_pair("a").is_err());
        assert!(parse_pair("=b").is_err());
    }

    #[test]
    fn start_positions() {
        assert_eq!(parse_start_from("earliest"), Ok(StartFrom::Earliest));
        assert_eq!(parse_start_from("latest"), Ok(StartFrom::Latest));
        let time = Ok(StartFrom::Time(1_730_552_400_000));
        assert_eq!(parse_start_from("2024-11-02T13:00:00Z"), time);
        assert_eq!(parse_start_from("2024-11-02T15:00:00+02:00"), time);
        for bad in [
            "",
            "Earliest",
            "1730552400",
            "2024-11-02",
            "2024-11-02T13:00:00",
            "-1",
            "1969-12-31T23:59:59Z",
        ] {
            assert!(parse_start_from(bad).is_err(), "{bad:?}");
        }
    }
}
