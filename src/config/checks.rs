//! Checks of single values that are texts, numbers or words.
//!
//! Pure. Each takes what was typed and gives the value, or what was expected instead.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use clap::{ValueEnum, builder::PossibleValue};
use jiff::Timestamp;

use super::StartFrom;
use crate::{ids::InstanceId, limits};

/// The words that a setting takes.
pub fn possible_values<T: ValueEnum>() -> Vec<PossibleValue> {
    let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    // Without the comments: a help with them takes a paragraph for each value.
    values.map(|value| value.help(None::<&str>)).collect()
}

/// Parses one of some words.
pub fn parse_choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let values = possible_values::<T>();
        let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        format!("expected {}", alternatives(&names))
    })
}

/// `a, b or c`.
pub fn alternatives<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [first @ .., before, last] => {
            [first, &[&format!("{before} or {last}")]].concat().join(", ")
        }
        all => all.concat(),
    }
}

/// Parses a whole number in a range.
pub fn parse_number<N>(text: &str, range: RangeInclusive<N>) -> Result<N, String>
where
    N: FromStr + PartialOrd + Display,
{
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (from, to) = range.into_inner();
    number.ok_or_else(|| format!("expected a whole number from {from} to {to}"))
}

/// Parses `true` or `false`, which have other names in variables.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// Parses a `bootstrap.servers` list: `host:port`, comma-separated, each perhaps with a protocol
/// (`SSL://host:port`). Gives it back without blanks around the entries.
pub fn parse_brokers(text: &str) -> Result<String, String> {
    let entries: Vec<&str> = text.split(',').map(str::trim).collect();
    let Some(wrong) = entries.iter().find(|entry| !is_broker(entry)) else {
        return Ok(entries.join(","));
    };
    let what = if wrong.is_empty() { "an empty entry".to_owned() } else { format!("{wrong:?}") };
    Err(format!("expected host:port, several separated by commas, but found {what}"))
}

fn is_broker(entry: &str) -> bool {
    let address = entry.split_once("://").map_or(entry, |(_, address)| address);
    // In an IPv6 address in brackets only what follows the bracket can be a port.
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (address, None),
    };
    !host.is_empty()
        && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/')
        && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'))
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Parses a consumer group's name.
pub fn parse_group_id(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err("expected a name without control characters, not empty".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses a topic name by Kafka's rule.
pub fn parse_topic(text: &str) -> Result<String, String> {
    parse_kafka_name(text, limits::MAX_TOPIC_NAME_BYTES)
}

/// Parses a static member name, which follows the rule for topics but is shorter.
pub fn parse_instance_id(text: &str) -> Result<InstanceId, String> {
    let name = parse_kafka_name(text, limits::INSTANCE_ID_MAX_BYTES)?;
    Ok(InstanceId::parse(&name).expect("the rule for topics is the stricter one"))
}

/// The rule of `org.apache.kafka.common.internals.Topic`.
fn parse_kafka_name(text: &str, max_bytes: usize) -> Result<String, String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let what = if text.is_empty() || text == "." || text == ".." {
        "not empty, \".\" or \"..\"".to_owned()
    } else if let Some(c) = text.chars().find(|c| !is_legal(*c)) {
        format!("but found {c:?}")
    } else if text.len() > max_bytes {
        format!("at most {max_bytes}")
    } else {
        return Ok(text.to_owned());
    };
    Err(format!("expected a name of letters, digits, '.', '_' and '-', {what}"))
}

/// Splits `name=value` at the first `=`. The value may be empty and may hold more of them.
pub fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("expected name=value".to_owned()),
    }
}

/// Parses `earliest`, `latest` or an RFC 3339 time with its offset.
pub fn parse_start_from(text: &str) -> Result<StartFrom, String> {
    match text {
        "earliest" => return Ok(StartFrom::Earliest),
        "latest" => return Ok(StartFrom::Latest),
        _ => {}
    }
    match parse_time(text) {
        // Negative numbers are the protocol's own marks for the ends of a log.
        Ok(ms) if ms >= 0 => Ok(StartFrom::Time(ms)),
        Ok(_) => Err("expected a time from 1970 on; use earliest".to_owned()),
        Err(_) => Err("expected earliest, latest or a time with its offset such as \
                       2024-11-02T13:00:00Z"
            .to_owned()),
    }
}

/// Parses an RFC 3339 time, to milliseconds since the Unix epoch.
pub fn parse_time(text: &str) -> Result<i64, String> {
    text.parse::<Timestamp>()
        .map(Timestamp::as_millisecond)
        .map_err(|_| "expected a time with its offset such as 2024-11-02T13:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_listed_with_an_or() {
        assert_eq!(alternatives(&["a"]), "a");
        assert_eq!(alternatives(&["a", "b"]), "a or b");
        assert_eq!(alternatives(&["a", "b", "c"]), "a, b or c");
    }

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
            assert_eq!(parse_instance_id(good).as_ref().map(InstanceId::as_str), Ok(good));
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
