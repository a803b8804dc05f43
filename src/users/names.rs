//! Numbers the names that a shard meets, so that a profile holds two bytes in place of a text.
//!
//! Holds: a name keeps its number; at most `most` names, and a later one has none.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits;

/// Number of a name, from 0 in the order in which a shard met them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(pub u16);

/// The names of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    most: u16,
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Name>,
}

impl Names {
    /// None yet, and at most so many.
    pub fn new(most: u16) -> Self {
        Self { most, texts: Vec::new(), numbers: HashMap::new() }
    }

    /// Those that were met before, in the order of their numbers.
    pub fn of(most: u16, texts: impl IntoIterator<Item = Arc<str>>) -> Self {
        let mut names = Self::new(most);
        texts.into_iter().for_each(|text| _ = names.number(&text));
        names
    }

    /// The number of a name; `None` for one that is too long or one too many.
    pub fn number(&mut self, text: &str) -> Option<Name> {
        if let Some(name) = self.numbers.get(text) {
            return Some(*name);
        }
        if text.len() > limits::MAX_VALUE_BYTES || self.texts.len() >= self.most.into() {
            return None;
        }
        let (text, name) = (Arc::<str>::from(text), Name(self.texts.len() as u16));
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, name);
        Some(name)
    }

    /// A name's text.
    pub fn text(&self, name: Name) -> &str {
        &self.texts[usize::from(name.0)]
    }

    /// All texts, in the order of their numbers.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_one_too_many_has_none() {
        let mut names = Names::new(2);
        let numbers = ["iOS", "android", "iOS", "web", &"x".repeat(65)].map(|it| names.number(it));
        assert_eq!(numbers, [Some(Name(0)), Some(Name(1)), Some(Name(0)), None, None]);
        assert_eq!((names.text(Name(1)), names.len()), ("android", 2));
        assert_eq!(Names::of(2, names.texts().iter().cloned()), names);
    }
}
