//! Finds the members of an event, in the decoded tape and in the raw text. Pure.
//!
//! simd-json leaves two parallel records of a document: the tape (one node per value, decoded) and
//! the structural index (the position of every token: the start of each string, number and literal
//! and each of `{}[],:`). Walking both in step ties a decoded value to its raw text.
//! Holds: positions ascend and are inside the raw text.

use simd_json::Node;

use super::{
    Field, Reject, RejectReason,
    field::{FieldSet, KeyMeaning, KnownKeys},
    shape::{Flat, Shapes},
};

/// The facts about the raw text that enriching needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    /// Position of every token.
    tokens: &'a [u32],
    /// Length of the raw text.
    pub(super) raw_len: usize,
    /// Position of the object's opening brace.
    pub(super) start: usize,
    /// End of the last value.
    pub(super) end: usize,
    /// Whether a space follows the first colon or comma.
    pub(super) spaced: bool,
    /// Whether the object must be rewritten: it has a field that enriching adds, or a value to
    /// replace.
    pub(super) rewrite: bool,
    /// Optional fields that are missing.
    pub(super) absent: FieldSet,
    /// Optional fields that are null or "".
    pub(super) replaced: FieldSet,
}

/// The known members of an event.
#[derive(Clone, Copy)]
pub(super) struct FoundMembers<'t, 'a> {
    raw: &'a [u8],
    nodes: &'t [Node<'a>],
    places: &'t MemberPlaces,
    pub(super) layout: Layout<'a>,
}

/// The place of a member's value: the indexes of its node and of its token. 0, the place of the
/// event itself, means that the member is missing.
#[derive(Debug, Clone, Copy, Default)]
struct ValuePlace {
    node: u32,
    token: u32,
}

/// The places of the known members' values.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MemberPlaces {
    /// Indexed by field.
    slots: [ValuePlace; Field::ALL.len()],
    /// Whether the event has a field that enriching adds.
    has_added: bool,
}

/// Finds the known members of a decoded event. `shapes` are those of earlier events.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what it returns is large, and taken apart at once")]
pub(super) fn find<'t, 'a>(
    raw: &'a [u8],
    nodes: &'t [Node<'a>],
    tokens: &'a [u32],
    known: &KnownKeys,
    shapes: &'t mut Shapes,
) -> Result<FoundMembers<'t, 'a>, Reject> {
    let (Some((&Node::Object { len: members, .. }, inner)), [start, behind_start @ ..]) =
        (nodes.split_first(), tokens)
    else {
        return Err(Reject::new(RejectReason::NotAnObject));
    };
    // Whether no value is an object or an array, as in most events.
    let is_flat = inner.len() == 2 * members && tokens.len() == 1 + 4 * members;
    let event = Flat { raw, nodes: inner, tokens: behind_start };
    let shape = match is_flat.then(|| shapes.find(event, known)).flatten() {
        Some(shape) => shape,
        None => shapes.add(is_flat.then_some(event), known, collect(members_of(inner), known)?),
    };
    let places = shapes.places(shape);
    let closing = tokens.last().map_or(0, |last| *last as usize);
    let layout = Layout {
        tokens,
        raw_len: raw.len(),
        start: *start as usize,
        end: raw[..closing].trim_ascii_end().len(),
        spaced: members > 0 && is_spaced(raw, tokens, 3 + extent(&nodes[2..]).1),
        rewrite: places.has_added,
        absent: FieldSet::default(),
        replaced: FieldSet::default(),
    };
    Ok(FoundMembers { raw, nodes, places, layout })
}

/// Collects the places of the known members' values.
#[inline(never)]
fn collect<'t, 'a: 't>(
    members: impl Iterator<Item = (&'t Node<'a>, ValuePlace)>,
    known: &KnownKeys,
) -> Result<MemberPlaces, Reject> {
    let mut places = MemberPlaces::default();
    for (key, value) in members {
        match known.find_node(key) {
            Some(KeyMeaning::Input(field)) => {
                let slot = &mut places.slots[field as usize];
                if slot.node != 0 {
                    return Err(Reject::of(field, RejectReason::DuplicateField));
                }
                *slot = value;
            }
            Some(KeyMeaning::Added) => places.has_added = true,
            None => {}
        }
    }
    Ok(places)
}

/// The keys of an object and the places of their values. `inner` are the nodes inside it.
fn members_of<'t, 'a>(inner: &'t [Node<'a>]) -> impl Iterator<Item = (&'t Node<'a>, ValuePlace)> {
    let mut rest = inner;
    // The first member's value comes after the object, the key and the colon.
    let mut value = ValuePlace { node: 2, token: 3 };
    std::iter::from_fn(move || {
        let (key, values) = rest.split_first()?;
        let (nodes, tokens) = extent(values);
        rest = &values[nodes..];
        let found = value;
        value.node += 1 + nodes as u32;
        value.token += 3 + tokens as u32;
        Some((key, found))
    })
}

/// Whether a space follows the first colon, or the token after the first member (a comma or the
/// closing brace).
fn is_spaced(raw: &[u8], tokens: &[u32], behind: usize) -> bool {
    let is_followed = |token: usize| raw.get(tokens[token] as usize + 1) == Some(&b' ');
    is_followed(2) || is_followed(behind)
}

/// The numbers of nodes and of tokens of the first value.
#[inline]
fn extent(nodes: &[Node<'_>]) -> (usize, usize) {
    match nodes[0] {
        Node::Object { count, .. } | Node::Array { count, .. } => {
            let nodes = &nodes[..=count];
            (nodes.len(), nodes.iter().map(own_tokens).sum())
        }
        _ => (1, 1),
    }
}

/// The number of a node's own tokens: two brackets, commas and colons, without those inside them.
fn own_tokens(node: &Node<'_>) -> usize {
    match *node {
        Node::Object { len, .. } => 2 + len.saturating_sub(1) + len,
        Node::Array { len, .. } => 2 + len.saturating_sub(1),
        _ => 1,
    }
}

impl<'a> FoundMembers<'_, 'a> {
    /// The decoded value of a field, if the event has it.
    #[inline]
    pub(super) fn value(&self, field: Field) -> Option<Node<'a>> {
        match self.places.slots[field as usize].node {
            0 => None,
            node => Some(self.nodes[node as usize]),
        }
    }

    /// The raw text of a field's string, number or literal.
    pub(super) fn raw_text(&self, field: Field) -> &'a [u8] {
        let token = self.places.slots[field as usize].token as usize;
        let [start, next] = [token, token + 1].map(|token| self.layout.tokens[token] as usize);
        self.raw[start..next].trim_ascii_end()
    }
}

/// A top-level member of the raw text, by its positions there.
pub(super) struct Member {
    /// The comma before it, or the object's opening brace.
    pub(super) separator: usize,
    /// The opening quote of its key.
    pub(super) key_start: usize,
    /// After the closing quote of its key.
    pub(super) key_end: usize,
    pub(super) value_start: usize,
    pub(super) value_end: usize,
}

impl<'a> Layout<'a> {
    /// The members in their order. `raw` is the text that was parsed.
    pub(super) fn members<'r>(&self, raw: &'r [u8]) -> Members<'r, 'a> {
        Members { raw, tokens: self.tokens }
    }
}

/// Iterates over the top-level members of an object that is not empty.
pub(super) struct Members<'r, 'a> {
    raw: &'r [u8],
    /// The tokens from the separator before the next member.
    tokens: &'a [u32],
}

impl Iterator for Members<'_, '_> {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        let &[separator, key, colon, value, ..] = self.tokens else {
            return None;
        };
        let mut next = 3;
        let mut depth = 0usize;
        loop {
            match self.raw[self.tokens[next] as usize] {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            next += 1;
            if depth == 0 {
                break;
            }
        }
        self.tokens = &self.tokens[next..];
        let text_end = |end: u32| self.raw[..end as usize].trim_ascii_end().len();
        Some(Member {
            separator: separator as usize,
            key_start: key as usize,
            key_end: text_end(colon),
            value_start: value as usize,
            value_end: text_end(self.tokens[0]),
        })
    }
}
