//! Bytes of stored values: version byte, body, CRC-32C of key, version and body. Pure.
//!
//! The checksum covers the key, so that a value found under another key is noticed. It is checked
//! before the version: a flipped bit is damage, not a newer format.

use serde::{Serialize, de::DeserializeOwned};

use super::FORMAT_VERSION;

/// Bytes a value is longer than its body.
pub(super) const OVERHEAD_BYTES: usize = 1 + CRC_BYTES;

const CRC_BYTES: usize = 4;

/// Why stored bytes are of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Damaged or incomplete.
    Broken(String),
    /// Written by a later version of the program.
    Newer(u8),
}

/// The value of `body` under `key`.
pub(super) fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(body.len() + OVERHEAD_BYTES);
    value.push(FORMAT_VERSION);
    value.extend_from_slice(body);
    let crc = checksum(key, &value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

/// The body of a sealed value.
pub(super) fn unseal<'v>(key: &[u8], value: &'v [u8]) -> Result<&'v [u8], Flaw> {
    let Some((content, stored)) = value.split_last_chunk::<CRC_BYTES>() else {
        return Err(broken(key, "is too short"));
    };
    if u32::from_le_bytes(*stored) != checksum(key, content) {
        return Err(broken(key, "fails its checksum"));
    }
    match content.split_first() {
        Some((&FORMAT_VERSION, body)) => Ok(body),
        Some((&version, _)) if version > FORMAT_VERSION => Err(Flaw::Newer(version)),
        _ => Err(broken(key, "has no valid version byte")),
    }
}

/// A sealed value of the serialised `content`.
pub(super) fn encode<T: Serialize>(key: &[u8], content: &T) -> Vec<u8> {
    seal(key, &serialize(content))
}

/// The content of a sealed, serialised value.
pub(super) fn decode<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, Flaw> {
    deserialize(key, unseal(key, value)?)
}

/// Postcard bytes of `content`.
pub(super) fn serialize<T: Serialize>(content: &T) -> Vec<u8> {
    postcard::to_allocvec(content).expect("state types serialise into memory without errors")
}

/// The content of postcard bytes; bytes left over are a flaw.
pub(super) fn deserialize<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, Flaw> {
    match postcard::take_from_bytes(bytes) {
        Ok((content, [])) => Ok(content),
        Ok(_) => Err(broken(key, "has bytes left over")),
        Err(error) => Err(broken(key, &format!("cannot be decoded ({error})"))),
    }
}

/// A flaw of the value under `key`.
pub(super) fn broken(key: &[u8], what: &str) -> Flaw {
    Flaw::Broken(format!("the value of '{}' {what}", key.escape_ascii()))
}

fn checksum(key: &[u8], content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sealed_body_comes_back(key: Vec<u8>, body: Vec<u8>) {
            let value = seal(&key, &body);
            prop_assert_eq!(unseal(&key, &value).expect("as sealed"), &body[..]);
        }

        #[test]
        fn any_flipped_bit_is_noticed(body: Vec<u8>, at: prop::sample::Index, bit in 0..8) {
            let mut value = seal(b"key", &body);
            let at = at.index(value.len());
            value[at] ^= 1_u8 << bit;
            prop_assert!(matches!(unseal(b"key", &value), Err(Flaw::Broken(_))));
        }

        #[test]
        fn a_cut_value_is_noticed(body: Vec<u8>, keep: prop::sample::Index) {
            let value = seal(b"key", &body);
            let keep = keep.index(value.len());
            prop_assert!(matches!(unseal(b"key", &value[..keep]), Err(Flaw::Broken(_))));
        }
    }

    #[test]
    fn a_value_under_another_key_is_broken() {
        let flaw = unseal(b"window/b", &seal(b"window/a", b"body")).expect_err("other key");
        assert_eq!(flaw, Flaw::Broken("the value of 'window/b' fails its checksum".to_owned()));
    }

    #[test]
    fn a_later_version_is_newer_and_not_broken() {
        let mut value = vec![FORMAT_VERSION + 1, 1, 2];
        value.extend_from_slice(&checksum(b"key", &value).to_le_bytes());
        assert_eq!(unseal(b"key", &value), Err(Flaw::Newer(FORMAT_VERSION + 1)));
    }

    #[test]
    fn bytes_left_over_are_broken() {
        let value = encode(b"key", &(1_u8, 2_u8));
        assert!(matches!(decode::<u8>(b"key", &value), Err(Flaw::Broken(_))));
    }
}
