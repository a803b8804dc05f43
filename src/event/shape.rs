//! Remembers the keys of flat events (without nesting), to skip looking them up. Pure; one per
//! parser.
//!
//! Events of one producer have the same keys in the same order, so nearly every event has the keys
//! of an earlier one. The raw texts of the keys are compared, sixteen bytes at a time and without a
//! branch; when they are equal, the places found in the earlier event are used again.
//! When each key is looked up instead, a worker takes 15 % more instructions per event
//! (benches/instructions.rs).
//! Holds: they are used only when every key has the same meaning as in the earlier event.

use simd_json::Node;

use super::{
    field::{KeyMeaning, KnownKeys},
    layout::MemberPlaces,
};

/// Most members of an event whose keys are remembered. One event is remembered for each number of
/// members.
const MAX_MEMBERS: usize = 16;

/// Bytes that are compared at once: they hold a short key and its closing quote.
const TEXT_BYTES: usize = size_of::<u128>();

/// Nodes of a member: key and value.
const NODES: usize = 2;

/// Tokens of a member: key, colon, value, and the comma or the closing brace.
const TOKENS: usize = 4;

/// An event without nesting.
#[derive(Clone, Copy)]
pub(super) struct Flat<'t, 'a> {
    pub(super) raw: &'a [u8],
    /// Nodes inside the object.
    pub(super) nodes: &'t [Node<'a>],
    /// Positions of the tokens after the opening brace.
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

/// The remembered keys, by the number of members. The last entry holds the places of an event that
/// is not remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes([Shape; MAX_MEMBERS + 2]);

/// Index of an entry of `Shapes`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShapeId(usize);

const NOT_REMEMBERED: ShapeId = ShapeId(MAX_MEMBERS + 1);

#[derive(Debug, Clone, Default)]
struct Shape {
    /// Empty until an event with this number of members arrives.
    keys: Vec<ShapeKey>,
    /// Whether a key is too long for its `ShapeKey`.
    has_long: bool,
    places: MemberPlaces,
}

#[derive(Debug, Clone, Copy)]
struct ShapeKey {
    text: Text,
    /// Which bytes of `text` are compared: none if the key is too long for it.
    mask: Text,
    meaning: Option<KeyMeaning>,
}

/// Sixteen bytes.
type Text = [u64; TEXT_BYTES / size_of::<u64>()];

impl Shapes {
    /// The places of the known members in an event of this shape.
    #[inline]
    pub(super) fn places(&self, ShapeId(shape): ShapeId) -> &MemberPlaces {
        &self.0[shape].places
    }

    /// The shape of an event, if its keys are those of a remembered event.
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
            let means_other = |(node, key): (&_, &ShapeKey)| {
                key.mask == [0, 0] && known.find_node(node) != key.meaning
            };
            different |= u64::from(event.keys().zip(keys).any(means_other));
        }
        (different == 0).then_some(ShapeId(members))
    }

    /// Stores the places of an event's known members, and the keys of a flat event.
    #[cold]
    pub(super) fn add(
        &mut self,
        event: Option<Flat<'_, '_>>,
        known: &KnownKeys,
        places: MemberPlaces,
    ) -> ShapeId {
        // Comparing needs so much text; a valid event always has it.
        let is_long = |event: &Flat<'_, '_>| event.raw.len() >= TEXT_BYTES;
        let Some(event) = event.filter(is_long).filter(|event| event.members() <= MAX_MEMBERS)
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
            ShapeKey { text, mask, meaning: known.find_node(node) }
        });
        let shape = &mut self.0[members];
        shape.keys.clear();
        shape.keys.extend(keys);
        shape.has_long = shape.keys.iter().any(|key| key.mask == [0, 0]);
        shape.places = places;
        ShapeId(members)
    }
}

/// The text after the opening quote at a position, with zeros after its end.
#[inline]
fn text_behind(raw: &[u8], quote: usize) -> Text {
    if let Some(text) = raw.get(quote + 1..).and_then(<[u8]>::first_chunk::<TEXT_BYTES>) {
        return halves(u128::from_le_bytes(*text));
    }
    near_the_end(raw, quote)
}

/// The same as `text_behind`, when fewer than sixteen bytes are left.
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

    /// The enriched event, or why the parser rejects it.
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
