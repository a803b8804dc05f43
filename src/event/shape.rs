//! What the keys of events without nesting mean, by their raw text. Pure; one per parser.
//!
//! Events of one producer have the same keys in the same order, so that nearly every event has the
//! keys of one before it. Of those the text is compared, sixteen bytes at a time and without a
//! branch, and what was found in the one before is taken over. When each key is looked up instead,
//! a worker takes 15 % more instructions per event (benches/instructions.rs).
//! Holds: it is taken over only where every key means what it meant there.

use simd_json::Node;

use super::{
    field::{Known, KnownKeys},
    layout::Places,
};

/// Members up to which keys are remembered: those of one event for each number of members.
const MAX_MEMBERS: usize = 16;

/// Bytes that are compared at once: a key and its closing quote.
const TEXT_BYTES: usize = size_of::<u128>();

/// Nodes of a member: key and value.
const NODES: usize = 2;

/// Tokens of a member: key, colon, value, and the comma or the closing brace.
const TOKENS: usize = 4;

/// An event without nesting.
#[derive(Clone, Copy)]
pub(super) struct Flat<'t, 'a> {
    pub(super) raw: &'a [u8],
    /// Of the object's inside.
    pub(super) nodes: &'t [Node<'a>],
    /// Positions behind the opening brace.
    pub(super) tokens: &'t [u32],
}

impl<'t, 'a> Flat<'t, 'a> {
    fn members(self) -> usize {
        self.nodes.len() / NODES
    }

    /// The nodes of the keys.
    fn keys(&self) -> impl Iterator<Item = &'t Node<'a>> {
        self.nodes.as_chunks::<NODES>().0.iter().map(|[key, _]| key)
    }
}

/// The keys met last, by the number of members; the last one is of no event that is remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes([Shape; MAX_MEMBERS + 2]);

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShapeId(usize);

const NOT_REMEMBERED: ShapeId = ShapeId(MAX_MEMBERS + 1);

#[derive(Debug, Clone, Default)]
struct Shape {
    /// None while there was no event of that many members.
    keys: Vec<Key>,
    /// Whether a key is too long for its `Key`.
    has_long: bool,
    places: Places,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    text: Text,
    /// The bytes of `text` that count: none of a key that is too long to stand there.
    mask: Text,
    meaning: Option<Known>,
}

/// Sixteen bytes.
type Text = [u64; TEXT_BYTES / size_of::<u64>()];

impl Shapes {
    /// Where the known members of an event of this shape are.
    #[inline]
    pub(super) fn places(&self, ShapeId(shape): ShapeId) -> &Places {
        &self.0[shape].places
    }

    /// The shape of an event whose keys are those of one before.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "otherwise half its instructions are the call's")]
    pub(super) fn find(&self, event: Flat<'_, '_>, known: &KnownKeys) -> Option<ShapeId> {
        let members = event.members();
        let Shape { keys, has_long, .. } = self.0[..=MAX_MEMBERS].get(members)?;
        let mut different = u64::from(keys.is_empty());
        for (&[position, ..], key) in event.tokens.as_chunks::<TOKENS>().0.iter().zip(keys) {
            let text = text_behind(event.raw, position as usize);
            different |= (text[0] ^ key.text[0]) & key.mask[0];
            different |= (text[1] ^ key.text[1]) & key.mask[1];
        }
        if *has_long {
            let means_other = |(node, key): (&_, &Key)| {
                key.mask == [0, 0] && known.find_node(node) != key.meaning
            };
            different |= u64::from(event.keys().zip(keys).any(means_other));
        }
        (different == 0).then_some(ShapeId(members))
    }

    /// Takes the places of an event's known members; of one without nesting the keys, too.
    #[cold]
    pub(super) fn add(
        &mut self,
        event: Option<Flat<'_, '_>>,
        known: &KnownKeys,
        places: Places,
    ) -> ShapeId {
        // Of less text nothing can be told, and no valid event has less.
        let is_told = |event: &Flat<'_, '_>| event.raw.len() >= TEXT_BYTES;
        let Some(event) = event.filter(is_told).filter(|event| event.members() <= MAX_MEMBERS)
        else {
            self.0[NOT_REMEMBERED.0].places = places;
            return NOT_REMEMBERED;
        };
        let members = event.members();
        let positions = event.tokens.as_chunks::<TOKENS>().0.iter();
        let keys = positions.zip(event.keys()).map(|(&[position, colon, ..], node)| {
            let position = position as usize;
            let quoted = event.raw[position + 1..colon as usize].trim_ascii_end();
            let unused = TEXT_BYTES.checked_sub(quoted.len());
            let mask = halves(unused.map_or(0, |unused| u128::MAX >> (8 * unused)));
            let text = text_behind(event.raw, position);
            let text = [text[0] & mask[0], text[1] & mask[1]];
            Key { text, mask, meaning: known.find_node(node) }
        });
        let shape = &mut self.0[members];
        shape.keys.clear();
        shape.keys.extend(keys);
        shape.has_long = shape.keys.iter().any(|key| key.mask == [0, 0]);
        shape.places = places;
        ShapeId(members)
    }
}

/// The text behind the opening quote at a position; behind the end there are zeros.
#[inline]
fn text_behind(raw: &[u8], quote: usize) -> Text {
    if let Some(text) = raw.get(quote + 1..).and_then(<[u8]>::first_chunk::<TEXT_BYTES>) {
        return halves(u128::from_le_bytes(*text));
    }
    near_the_end(raw, quote)
}

/// As `text_behind`, where less than sixteen bytes are left.
fn near_the_end(raw: &[u8], quote: usize) -> Text {
    let missing = (quote + 1 + TEXT_BYTES).saturating_sub(raw.len());
    let text = raw.last_chunk().map_or(0, |last| u128::from_le_bytes(*last));
    halves(text.checked_shr(8 * missing as u32).unwrap_or(0))
}

#[inline]
fn halves(text: u128) -> Text {
    [text as u64, (text >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use crate::event::{Enricher, EventConfig, Parser};

    /// Keys that differ in their last bytes, behind the sixteenth, or in how they are written.
    const KEYS: [&str; 14] = [
        "user_id",
        "user_ip",
        "timestamp",
        "timestamp2",
        "ip",
        "i",
        "",
        r"\u0069p",
        "locale",
        "fifteen_letters",
        "sixteen__letters",
        "processed_timestamp",
        "processed_timestamq",
        "a_key_that_is_longer_than_all_others",
    ];

    fn event(members: &[(&str, &str)], spaces: &str) -> String {
        let member = |(key, value): &(&str, &str)| format!(r#""{key}"{spaces}:{value}"#);
        format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
    }

    /// What a parser says of an event: the enriched one, or why there is none.
    fn read(parser: &mut Parser, raw: &str) -> Result<String, String> {
        let event = parser.parse(raw.as_bytes(), 1_730_653_310_000);
        let event = event.map_err(|reject| format!("{:?} {:?}", reject.reason, reject.field))?;
        let counted = [event.user_id, event.locale].join(" ");
        let mut out = counted.into_bytes();
        Enricher::new(&EventConfig::default()).append(raw.as_bytes(), &event, 0, &mut out);
        Ok(String::from_utf8(out).expect("enriched events are UTF-8"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn events_before_it_change_nothing(
            events in vec(
                (vec((select(&KEYS[..]), select(vec!["1", r#""a""#, "[]"])), 0..5), select(vec!["", " "])),
                1..12,
            ),
            required in any::<bool>(),
        ) {
            let config = EventConfig::default();
            let mut experienced = Parser::new(&config);
            for (members, spaces) in &events {
                let always = [("user_id", r#""u""#), ("timestamp", "1730653310")];
                let always = if required { &always[..] } else { &[] };
                let raw = event(&[members, always].concat(), spaces);
                prop_assert_eq!(
                    read(&mut experienced, &raw),
                    read(&mut Parser::new(&config), &raw),
                    "{}", raw
                );
            }
        }
    }

    #[test]
    fn more_members_than_are_remembered_are_read_all_the_same() {
        let mut parser = Parser::new(&EventConfig::default());
        let names: Vec<_> = (0..40).map(|number| format!("key{number}")).collect();
        for members in (0..40).chain([3, 14, 15, 39]) {
            for user in [r#""one""#, r#""two""#] {
                let mut all = vec![("user_id", user), ("timestamp", "1730653310")];
                all.extend(names[..members].iter().map(|name| (name.as_str(), "1")));
                let told = read(&mut parser, &event(&all, "")).expect("a valid event");
                assert!(told.starts_with(user.trim_matches('"')), "{members}: {told}");
            }
        }
    }

    #[test]
    fn of_a_very_short_event_nothing_is_remembered() {
        let mut parser = Parser::new(&EventConfig::default());
        for _ in 0..2 {
            for (raw, missing) in
                [(r#"{"user_id":"u"}"#, "Timestamp"), (r#"{"user_ip":"u"}"#, "UserId")]
            {
                let refused = read(&mut parser, raw).expect_err(raw);
                assert_eq!(refused, format!("MissingField Some({missing})"), "{raw}");
            }
        }
    }

    /// The same keys in the same places, but of other lengths or with other last letters.
    #[test]
    fn a_key_that_begins_like_another_is_not_it() {
        let mut parser = Parser::new(&EventConfig::default());
        let with = |key| event(&[("timestamp", "1730653310"), (key, r#""u""#)], "");
        read(&mut parser, &with("user_id")).expect("a valid event");
        for other in ["user_ie", "user_i", "user_id2", "", "user_id_that_is_very_long"] {
            let refused = read(&mut parser, &with(other)).expect_err(other);
            assert_eq!(refused, "MissingField Some(UserId)", "{other}");
            read(&mut parser, &with("user_id")).expect("a valid event");
        }
    }
}
