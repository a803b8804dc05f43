//! The instance id when `--instance-id` is not given.
//!
//! Pure. Holds: it depends on the host and the folder's place alone, so that an instance whose
//! folder was lost takes its place in the group again.

use std::path::{Path, PathBuf};

use crate::{ids::InstanceId, limits::INSTANCE_ID_MAX_BYTES};

/// The host's name and a hash of the state folder's absolute path: two instances of one host have
/// different folders.
pub fn default_instance_id(host: &str, state_dir: &Path) -> InstanceId {
    // The same folder, also when its name ends in a slash.
    let path: PathBuf = state_dir.components().collect();
    let hash = format!("-{:08x}", crc32c::crc32c(path.as_os_str().as_encoded_bytes()));
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let host: String = host.chars().map(|c| if is_legal(c) { c } else { '-' }).collect();
    // All of it is ASCII now.
    let length = host.len().min(INSTANCE_ID_MAX_BYTES - hash.len());
    InstanceId::parse(&(host[..length].to_owned() + &hash)).expect("only legal characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(host: &str, dir: &str) -> String {
        default_instance_id(host, Path::new(dir)).to_string()
    }

    #[test]
    fn a_folder_that_was_wiped_keeps_the_id_and_another_one_has_its_own() {
        let first = id("node-1", "/var/lib/logintide");
        assert_eq!(first, "node-1-90bdf79a");
        assert_eq!(first, id("node-1", "/var/lib/./logintide/"));
        assert_ne!(first, id("node-1", "/var/lib/logintide2"));
        assert_ne!(first, id("node-2", "/var/lib/logintide"));
    }

    #[test]
    fn any_host_name_becomes_a_legal_id() {
        for (host, begin) in [
            ("web.example_7", "web.example_7-"),
            ("my host:1", "my-host-1-"),
            ("h\u{f6}st", "h-st-"),
            ("", "-"),
        ] {
            let id = id(host, "/s");
            assert!(id.starts_with(begin) && id.len() == begin.len() + 8, "{id}");
        }
        let id = id(&"x".repeat(500), "/s");
        assert_eq!(id.len(), INSTANCE_ID_MAX_BYTES);
        assert!(InstanceId::parse(&id).is_some());
    }
}
