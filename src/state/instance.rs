//! The name under which this instance commits.
//!
//! Generated once into the state folder, so that committed metadata tells our own epochs from
//! those of another machine or of a folder that was thrown away. Holds: it is a valid
//! [`InstanceId`].

use std::{fs, io::Write, path::Path};

use tracing::warn;

use super::{
    error::StateError,
    folder::{self, FolderLock, INSTANCE_ID, not_writable},
};
use crate::{ids::InstanceId, limits::INSTANCE_ID_MAX_BYTES};

/// The configured id, else the one in the state folder, which is generated when it is missing.
///
/// Fails when the configured one has a wrong form, or the folder cannot be written.
pub fn instance_id(dir: &Path, configured: Option<&str>) -> Result<String, StateError> {
    if let Some(value) = configured {
        let valid = InstanceId::is_valid(value).then(|| value.to_owned());
        let refused =
            || StateError::BadInstanceId { value: value.to_owned(), max: INSTANCE_ID_MAX_BYTES };
        return valid.ok_or_else(refused);
    }
    if let Some(id) = read(dir) {
        return Ok(id);
    }
    folder::prepare(dir)?;
    let _lock = FolderLock::take(dir)?;
    read_or_generate(dir)
}

/// The id in the folder, generated when there is none. The caller holds the folder's lock.
pub(super) fn read_or_generate(dir: &Path) -> Result<String, StateError> {
    if let Some(id) = read(dir) {
        return Ok(id);
    }
    let path = dir.join(INSTANCE_ID);
    if path.exists() {
        warn!(path = %path.display(), "the instance id is damaged; a new one is generated");
    }
    let id = uuid::Uuid::new_v4().to_string();
    let written = fs::File::create(&path).and_then(|mut file| {
        writeln!(file, "{id}")?;
        file.sync_all()
    });
    written.map_err(|source| not_writable(dir, source))?;
    Ok(id)
}

/// The id in the folder, if there is a valid one.
pub(super) fn read(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join(INSTANCE_ID)).ok()?;
    let id = text.strip_suffix('\n')?;
    InstanceId::is_valid(id).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder for the test")
    }

    #[test]
    fn is_generated_once() {
        let dir = folder();
        let first = instance_id(dir.path(), None).expect("generated");
        assert!(InstanceId::is_valid(&first), "{first}");
        assert_eq!(instance_id(dir.path(), None).expect("read back"), first);
        assert_ne!(instance_id(folder().path(), None).expect("generated"), first);
    }

    #[test]
    fn a_configured_one_wins_and_writes_nothing() {
        let dir = folder();
        assert_eq!(instance_id(dir.path(), Some("node-1.a_B")).expect("valid"), "node-1.a_B");
        assert!(!dir.path().join(INSTANCE_ID).exists());
    }

    #[test]
    fn a_colon_a_blank_and_an_overlong_one_are_refused() {
        let long = "x".repeat(INSTANCE_ID_MAX_BYTES + 1);
        for bad in ["", "a:b", "a b", "ä", &long] {
            let error = instance_id(folder().path(), Some(bad)).expect_err(bad);
            assert!(error.to_string().contains("--instance-id"), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn a_damaged_one_is_replaced() {
        let dir = folder();
        for damaged in ["", "half", "a:b\n", "\n"] {
            fs::write(dir.path().join(INSTANCE_ID), damaged).expect("writable");
            let id = instance_id(dir.path(), None).expect("generated");
            assert_eq!(id.len(), 36, "{id}");
        }
    }
}
