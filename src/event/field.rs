//! The input fields that have a meaning here, and their names in the input.
//!
//! Pure. [`KnownKeys`] finds the field of an unescaped key; it is built once from [`FieldNames`].
//! Holds: no two fields share a name, none has the name of an added field, and no name needs
//! escaping in JSON.

use simd_json::Node;

use crate::limits;

/// A field of the input that has a meaning here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Field {
    /// The user who logged in; required.
    UserId,
    /// Event time; required.
    Timestamp,
    /// Version of the client application; counted.
    AppVersion,
    /// Platform of the device; counted.
    DeviceType,
    /// Address of the client.
    Ip,
    /// Location of the client; counted.
    Locale,
    /// Identity of the device.
    DeviceId,
}

impl Field {
    /// Every field, in the order in which defaults are appended.
    pub const ALL: [Self; 7] = [
        Self::UserId,
        Self::Timestamp,
        Self::AppVersion,
        Self::DeviceType,
        Self::Ip,
        Self::Locale,
        Self::DeviceId,
    ];

    /// The optional fields.
    pub const OPTIONAL: [Self; 5] =
        [Self::AppVersion, Self::DeviceType, Self::Ip, Self::Locale, Self::DeviceId];

    /// The documented name, used in configuration, metrics and dead-letter details.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::Timestamp => "timestamp",
            Self::AppVersion => "app_version",
            Self::DeviceType => "device_type",
            Self::Ip => "ip",
            Self::Locale => "locale",
            Self::DeviceId => "device_id",
        }
    }
}

/// Names of the fields that enrichment adds, in their order. No input field may have such a name.
pub const ADDED_FIELDS: [&str; 3] = ["processed_timestamp", "readable_timestamp", "hour_of_day"];

/// The name of each field in the input; the documented name unless set otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldNames {
    names: [String; Field::ALL.len()],
}

impl Default for FieldNames {
    fn default() -> Self {
        Self { names: Field::ALL.map(|field| field.name().to_owned()) }
    }
}

impl FieldNames {
    /// Sets the name in the input of a field, which is given by its documented name.
    ///
    /// # Errors
    /// A message for the user when the field is unknown or the name cannot be used.
    pub fn set(&mut self, field: &str, name: &str) -> Result<(), String> {
        let setting = format!("field {field}={name}");
        let Some(target) = Field::ALL.into_iter().find(|known| known.name() == field) else {
            let known = Field::ALL.map(Field::name).join(", ");
            return Err(format!("{setting}: there is no field `{field}`; use one of {known}"));
        };
        if name.is_empty() || name.len() > limits::FIELD_NAME_MAX_BYTES {
            return Err(format!(
                "{setting}: a field name has 1 to {} bytes, this one has {}",
                limits::FIELD_NAME_MAX_BYTES,
                name.len()
            ));
        }
        // The decoder writes U+FFFD for what it cannot decode; such a key must not match by
        // accident.
        if let Some(c) =
            name.chars().find(|c| c.is_control() || matches!(c, '"' | '\\' | '\u{fffd}'))
        {
            return Err(format!(
                "{setting}: a field name cannot contain {c:?}; rename the field where it is made"
            ));
        }
        if ADDED_FIELDS.contains(&name) {
            return Err(format!(
                "{setting}: `{name}` is added to every event; choose an input field of another name"
            ));
        }
        let taken = |other: &Field| *other != target && self.get(*other) == name;
        if let Some(other) = Field::ALL.into_iter().find(taken) {
            let other = other.name();
            return Err(format!(
                "{setting}: `{name}` is already read as {other}; give {other} another name first"
            ));
        }
        name.clone_into(&mut self.names[target as usize]);
        Ok(())
    }

    /// The name of a field in the input.
    pub fn get(&self, field: Field) -> &str {
        &self.names[field as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FieldSet(u8);

impl FieldSet {
    pub(super) fn insert(&mut self, field: Field) {
        self.0 |= 1 << field as u8;
    }

    pub(super) fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The meaning of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyMeaning {
    /// A field of the input.
    Input(Field),
    /// A field that enrichment would add.
    Added,
}

/// Finds the meaning of a key.
#[derive(Debug, Clone)]
pub(super) struct KnownKeys {
    entries: Vec<(Box<[u8]>, KeyMeaning)>,
}

impl KnownKeys {
    pub(super) fn new(names: &FieldNames) -> Self {
        let input = Field::ALL.map(|field| (names.get(field), KeyMeaning::Input(field)));
        let added = ADDED_FIELDS.map(|name| (name, KeyMeaning::Added));
        let all = input.into_iter().chain(added);
        Self { entries: all.map(|(name, meaning)| (name.as_bytes().into(), meaning)).collect() }
    }

    /// The meaning of an unescaped key, if it has one.
    pub(super) fn find(&self, key: &[u8]) -> Option<KeyMeaning> {
        let found = self.entries.iter().find(|(name, _)| **name == *key);
        found.map(|(_, meaning)| *meaning)
    }

    /// The meaning of a key's node.
    pub(super) fn find_node(&self, key: &Node<'_>) -> Option<KeyMeaning> {
        let Node::String(key) = key else {
            unreachable!("the nodes of an object alternate between keys and values")
        };
        self.find(key.as_bytes())
    }

    /// The meaning of a key as it is written between its quotes in the raw text.
    pub(super) fn find_raw(&self, raw_key: &[u8]) -> Option<KeyMeaning> {
        if memchr::memchr(b'\\', raw_key).is_none() {
            return self.find(raw_key);
        }
        let found = self.entries.iter().find(|(name, _)| super::text::equals(raw_key, name));
        found.map(|(_, meaning)| *meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renaming_is_seen_by_lookup() {
        let mut names = FieldNames::default();
        names.set("user_id", "sub").expect("a free name");
        assert_eq!(names.get(Field::UserId), "sub");
        let known = KnownKeys::new(&names);
        assert_eq!(known.find(b"sub"), Some(KeyMeaning::Input(Field::UserId)));
        assert_eq!(known.find(b"user_id"), None);
        assert_eq!(known.find(b"hour_of_day"), Some(KeyMeaning::Added));
        assert_eq!(known.find_raw(br"\u0073ub"), Some(KeyMeaning::Input(Field::UserId)));
        assert_eq!(known.find_raw(br"\u0073u"), None);
        assert_eq!(known.find(&[b'x'; 300]), None);
    }

    #[test]
    fn every_default_name_is_found() {
        let known = KnownKeys::new(&FieldNames::default());
        for field in Field::ALL {
            assert_eq!(known.find(field.name().as_bytes()), Some(KeyMeaning::Input(field)));
        }
        for name in ADDED_FIELDS {
            assert_eq!(known.find(name.as_bytes()), Some(KeyMeaning::Added));
        }
    }

    #[test]
    fn unusable_names_are_refused_with_the_remedy() {
        let mut names = FieldNames::default();
        for (field, name, expected) in [
            ("user", "sub", "there is no field `user`"),
            ("user_id", "", "has 1 to 48 bytes"),
            ("user_id", &"x".repeat(49), "this one has 49"),
            ("user_id", "a\"b", "cannot contain '\"'"),
            ("user_id", "a\\b", "cannot contain"),
            ("user_id", "a\u{fffd}", "cannot contain"),
            ("ip", "hour_of_day", "is added to every event"),
            ("ip", "locale", "give locale another name first"),
        ] {
            let message = names.set(field, name).expect_err(name);
            assert!(message.contains(expected), "{message}");
            assert!(message.contains(&format!("{field}={name}")), "{message}");
        }
        assert_eq!(names, FieldNames::default());
        names.set("ip", "ip").expect("its own name");
        names.set("locale", "region").expect("a free name");
        names.set("ip", "locale").expect("now free");
    }
}
