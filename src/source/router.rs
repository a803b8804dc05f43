//! Decides which worker gets a record. Pure; used by the source thread.
//!
//! In:  a record's value, not validated yet, and its offset.
//! Out: a worker; the same one for the same user id, however its JSON is written.
//! Holds: for every event the parser accepts, the user id found here is the parser's, so all
//! events of a user meet in one worker. Values without one are spread by offset. Any bytes are
//! taken; each is looked at once; nothing is allocated.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use crate::{
    event::{Field, FieldNames, text},
    ids::{PartitionId, WorkerId},
};

/// Unescaped bytes of a user id that decide its worker. Longer ones that begin alike share a
/// worker, which is harmless; the bound lets an escaped one be unescaped on the stack.
const HASHED_BYTES: usize = 256;

/// What decides a record's worker.
#[derive(Debug)]
pub enum Routing {
    /// Its user: all of a user's records meet, whatever partitions they are in.
    ByUser(Router),
    /// Its partition, of which a worker has every so many-th: a partition's records stay in order.
    ByPartition {
        /// How many there are.
        workers: usize,
    },
}

impl Routing {
    /// The worker for a record.
    #[inline]
    pub fn worker_of(&self, partition: PartitionId, offset: i64, value: &[u8]) -> WorkerId {
        match self {
            Self::ByUser(router) => router.worker_of(value, offset),
            Self::ByPartition { workers } => worker_of_partition(partition, *workers),
        }
    }
}

/// The one of so many workers that has a partition.
pub(super) fn worker_of_partition(partition: PartitionId, workers: usize) -> WorkerId {
    WorkerId(partition.0 as usize % workers)
}

/// Assigns records to workers by their users.
#[derive(Debug)]
pub struct Router {
    name: String,
    /// How the ordinary event begins, up to the colon: `{"user_id":`. When each event is searched
    /// for the field instead, the router takes 70 % more instructions (benches/instructions.rs).
    first_member: Vec<u8>,
    workers: u64,
    /// Fixed seed: a user's worker must not change while the process runs.
    hash: FixedState,
}

impl Router {
    /// A router to `workers` workers, at least one.
    pub fn new(fields: &FieldNames, workers: usize) -> Self {
        assert!(workers > 0, "there is a worker to route to");
        let name = fields.get(Field::UserId).to_owned();
        Self {
            first_member: format!("{{\"{name}\":").into_bytes(),
            name,
            workers: workers as u64,
            hash: FixedState::default(),
        }
    }

    /// The worker for a record with this value and offset.
    #[inline]
    pub fn worker_of(&self, value: &[u8], offset: i64) -> WorkerId {
        if self.workers == 1 {
            return WorkerId(0);
        }
        let user_id = match value.strip_prefix(&*self.first_member) {
            Some(rest) => string_at(skip_whitespace(rest)),
            None => find_user_id(value, &self.name),
        };
        match user_id.and_then(|raw| self.hash_user_id(raw)) {
            Some(hash) => {
                let scaled = u128::from(hash) * u128::from(self.workers);
                WorkerId((scaled >> 64) as usize)
            }
            None => WorkerId((offset as u64 % self.workers) as usize),
        }
    }

    /// Hash of a user id as it stands between its quotes; `None` if its escapes are not JSON's.
    #[inline]
    fn hash_user_id(&self, raw: &[u8]) -> Option<u64> {
        if memchr::memchr(b'\\', raw).is_none() {
            return Some(self.hash_text(&raw[..raw.len().min(HASHED_BYTES)]));
        }
        let mut text = [0; HASHED_BYTES];
        let mut length = 0;
        text::unescape(raw, |piece| {
            let room = &mut text[length..];
            let taken = piece.len().min(room.len());
            room[..taken].copy_from_slice(&piece[..taken]);
            length += taken;
            length < HASHED_BYTES
        })?;
        Some(self.hash_text(&text[..length]))
    }

    fn hash_text(&self, text: &[u8]) -> u64 {
        let mut hasher = self.hash.build_hasher();
        hasher.write(text);
        hasher.finish()
    }
}

/// Finds the user id in a JSON object: the value of the first top-level member whose key says
/// `name` after unescaping, as it stands between its quotes. `None` if there is none, it is no
/// string, or the text is not JSON as far as it was looked at.
pub fn find_user_id<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = skip_whitespace(value).strip_prefix(b"{")?;
    loop {
        rest = skip_whitespace(rest);
        let key = string_at(rest)?;
        let colon = skip_whitespace(&rest[key.len() + 2..]);
        let value = skip_whitespace(colon.strip_prefix(b":")?);
        if text::equals(key, name.as_bytes()) {
            return string_at(value);
        }
        rest = skip_whitespace(skip_value(value)?).strip_prefix(b",")?;
    }
}

/// The content of the string that `text` begins with.
#[inline]
fn string_at(text: &[u8]) -> Option<&[u8]> {
    let content = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &content[at..])?;
        if content[at] == b'"' {
            return Some(&content[..at]);
        }
        // A backslash: whatever follows it is not the end.
        at += 2;
        if at >= content.len() {
            return None;
        }
    }
}

/// What follows the value that `text` begins with.
fn skip_value(text: &[u8]) -> Option<&[u8]> {
    match text.first()? {
        b'"' => Some(&text[string_at(text)?.len() + 2..]),
        b'{' | b'[' => skip_container(text),
        _ => {
            let end = text.iter().position(|byte| matches!(byte, b',' | b'}'))?;
            Some(&text[end..])
        }
    }
}

/// What follows the object or array that `text` begins with. Which bracket closes which is left
/// to the parser.
fn skip_container(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0usize;
    let mut rest = text;
    loop {
        match rest.first()? {
            b'"' => {
                rest = &rest[string_at(rest)?.len() + 2..];
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        rest = &rest[1..];
        if depth == 0 {
            return Some(rest);
        }
    }
}

#[inline]
fn skip_whitespace(text: &[u8]) -> &[u8] {
    let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\n' | b'\r');
    match text.first() {
        Some(first) if blank(&first) => &text[text.iter().take_while(blank).count()..],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{
        EventConfig, Parser,
        tests::{RECORD_MS, SAMPLE, generate},
    };

    fn text_of(raw: &[u8]) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        text::unescape(raw, |piece| {
            text.extend_from_slice(piece);
            true
        })?;
        Some(text)
    }

    fn router(workers: usize) -> Router {
        Router::new(&FieldNames::default(), workers)
    }

    /// Where an ordinary event of this user goes.
    fn home_of(router: &Router, user_id: &str) -> WorkerId {
        let user_id = serde_json::to_string(user_id).expect("a string");
        router.worker_of(format!(r#"{{"user_id":{user_id}}}"#).as_bytes(), 0)
    }

    #[test]
    fn finds_the_top_level_user_id_only() {
        for (value, expected) in [
            (SAMPLE, Some("424cdd21-063a-43a7-b91b-7ca1a833afae")),
            (r#" { "a" : {"user_id":"x"} , "user_id" : "u" } "#, Some("u")),
            (r#"{"a":["}",{"b":"\"]"}],"b":1e5,"c":null,"user_id":"u"}"#, Some("u")),
            (r#"{"\u0075ser_id":"\u0075"}"#, Some(r"\u0075")),
            (r#"{"user_id":"\\"}"#, Some(r"\\")),
            (r#"{"a":"\\","user_id":"u"}"#, Some("u")),
            (r#"{"a":{},"user_id":"u"}"#, Some("u")),
            (r#"{"user_id":5}"#, None),
            (r#"{"user_id":"u"#, None),
            (r#"{"user_id":"u\"#, None),
            (r#"{"user_id":"u\""#, None),
            (r#"{"a":[[]"#, None),
            (r#"{"a" "user_id":"u"}"#, None),
            (r#"["user_id","u"]"#, None),
            ("{}", None),
            ("{", None),
            ("", None),
        ] {
            let found = find_user_id(value.as_bytes(), "user_id");
            assert_eq!(found, expected.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn one_user_has_one_worker_however_it_is_written() {
        let router = router(7);
        let long = "é".repeat(200);
        for (raw, text) in [
            ("\\u0075ser-1", "user-1"),
            ("\\ud83d\\ude00\\/", "😀/"),
            (&format!("\\u00e9{}", "é".repeat(199)), &long),
            (&"\\u00E9".repeat(200), &long),
            (&format!("{}\\u00e9", "é".repeat(127)), &"é".repeat(128)),
        ] {
            let home = home_of(&router, text);
            for value in [
                format!(r#"{{"user_id":"{raw}","x":1}}"#),
                format!(r#"{{"user_id": "{raw}"}}"#),
                format!(r#"{{"x":1,"user_id":"{raw}"}}"#),
            ] {
                assert_eq!(router.worker_of(value.as_bytes(), 5), home, "{value}");
            }
        }
    }

    #[test]
    fn users_and_anonymous_records_are_spread_evenly() {
        for workers in 1..=9 {
            let router = router(workers);
            let mut users = vec![0usize; workers];
            let mut anonymous = vec![0usize; workers];
            for index in 0..9000 {
                users[home_of(&router, &format!("user-{index}")).0] += 1;
                anonymous[router.worker_of(b"no json", index).0] += 1;
            }
            let even = 9000 / workers;
            for count in users.into_iter().chain(anonymous) {
                assert!(count.abs_diff(even) <= even / 5, "{count} of {even}");
            }
        }
    }

    #[test]
    fn a_renamed_user_id_is_found() {
        let mut names = FieldNames::default();
        names.set("user_id", "sub").expect("a free name");
        let router = Router::new(&names, 64);
        let home = router.worker_of(br#"{"sub":"u"}"#, 0);
        assert_eq!(router.worker_of(br#"{"user_id":"x","sub":"u"}"#, 1), home);
        assert_eq!(home, home_of(&self::router(64), "u"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn finds_what_the_parser_finds(event in generate::event()) {
            let value = event.text.as_bytes();
            let mut parser = Parser::new(&EventConfig::default());
            let parsed = parser.parse(value, RECORD_MS).expect("a valid event");
            let found = find_user_id(value, "user_id").and_then(text_of);
            prop_assert_eq!(found.as_deref(), Some(parsed.user_id.as_bytes()));
            let router = router(1000);
            prop_assert_eq!(router.worker_of(value, 7), home_of(&router, parsed.user_id));
        }

        #[test]
        fn agrees_on_almost_json_or_the_parser_refuses(value in generate::mutated()) {
            let found = find_user_id(&value, "user_id").and_then(text_of);
            router(3).worker_of(&value, -1);
            if let Ok(parsed) = Parser::new(&EventConfig::default()).parse(&value, RECORD_MS) {
                prop_assert_eq!(found.as_deref(), Some(parsed.user_id.as_bytes()));
            }
        }

        #[test]
        fn takes_any_tokens(value in generate::tokens()) {
            let value = value.as_bytes();
            let found = find_user_id(value, "user_id").and_then(text_of);
            router(3).worker_of(value, i64::MIN);
            if let Ok(parsed) = Parser::new(&EventConfig::default()).parse(value, RECORD_MS) {
                prop_assert_eq!(found.as_deref(), Some(parsed.user_id.as_bytes()));
            }
        }

        #[test]
        fn takes_any_bytes(value in prop::collection::vec(any::<u8>(), 0..100), offset: i64) {
            prop_assert!(router(3).worker_of(&value, offset).0 < 3);
            let mut braced = br#"{"user_id":"#.to_vec();
            braced.extend(&value);
            prop_assert!(router(3).worker_of(&braced, offset).0 < 3);
        }
    }
}
