//! What a configuration takes from the machine: where the state folder is by default, and more.
//!
//! Pure: the environment is an argument, read in one place.

use std::path::PathBuf;

use rustix::system::uname;

use super::MemoryPlan;

/// What a configuration takes from the machine instead of from settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `$STATE_DIRECTORY`, which systemd sets; it may list several folders.
    pub state_directory: Option<String>,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<String>,
    /// `$HOME`.
    pub home: Option<String>,
    /// Name of this host.
    pub host: String,
    /// The folder that relative paths begin at.
    pub current_dir: PathBuf,
    /// Cores this process may use.
    pub cores: usize,
}

impl Surroundings {
    /// Reads environment, host name and core count.
    pub fn read() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            state_directory: variable("STATE_DIRECTORY"),
            xdg_state_home: variable("XDG_STATE_HOME"),
            home: variable("HOME"),
            host: uname().nodename().to_string_lossy().into_owned(),
            current_dir: std::env::current_dir().unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Worker threads by default: all cores but one for the source and one for the sink, as far as
    /// the budget holds them.
    pub fn default_workers(&self, memory: &MemoryPlan) -> usize {
        self.cores.saturating_sub(2).clamp(1, memory.most_workers())
    }
}

/// Parses the name of a folder.
pub fn parse_state_dir(text: &str) -> Result<PathBuf, String> {
    match text.trim() {
        "" => Err("expected a folder".to_owned()),
        _ => Ok(PathBuf::from(text)),
    }
}

/// The state folder when `--state-dir` is not given: `$STATE_DIRECTORY`, else the group's folder
/// below the XDG state folder. The error says what to set.
pub fn default_state_dir(group_id: &str, surroundings: &Surroundings) -> Result<PathBuf, String> {
    if let Some(first) = surroundings.state_directory.as_deref().and_then(|l| l.split(':').next()) {
        return Ok(PathBuf::from(first));
    }
    if group_id.contains(['/', '\\', '\0']) || group_id == "." || group_id == ".." {
        return Err(format!(
            "the group '{group_id}' cannot name a state folder; set --state-dir or another --group-id"
        ));
    }
    // The XDG specification has relative paths ignored.
    let xdg = surroundings.xdg_state_home.as_deref().map(PathBuf::from);
    let home = surroundings.home.as_deref().map(|home| PathBuf::from(home).join(".local/state"));
    let base = xdg.filter(|path| path.is_absolute()).or(home).ok_or(
        "missing value for '--state-dir': $STATE_DIRECTORY, $XDG_STATE_HOME and $HOME are not set \
         either; set --state-dir",
    )?;
    Ok(base.join("logintide").join(group_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings { home: Some("/home/u".into()), cores: 8, ..Surroundings::default() }
    }

    #[test]
    fn systemds_folder_comes_first_and_is_used_as_it_is() {
        let mut surroundings = surroundings();
        surroundings.state_directory = Some("/var/lib/logintide:/var/lib/other".into());
        surroundings.xdg_state_home = Some("/x".into());
        let dir = default_state_dir("a/b", &surroundings);
        assert_eq!(dir, Ok(PathBuf::from("/var/lib/logintide")));
    }

    #[test]
    fn xdg_then_home_with_the_groups_name() {
        let mut surroundings = surroundings();
        surroundings.xdg_state_home = Some("/x".into());
        assert_eq!(default_state_dir("g", &surroundings), Ok("/x/logintide/g".into()));
        surroundings.xdg_state_home = Some("relative".into());
        let home = Ok("/home/u/.local/state/logintide/g".into());
        assert_eq!(default_state_dir("g", &surroundings), home);
        surroundings.xdg_state_home = None;
        assert_eq!(default_state_dir("g", &surroundings), home);
    }

    #[test]
    fn a_group_that_would_leave_the_folder_is_refused() {
        for group in ["a/b", "..", "."] {
            let what = default_state_dir(group, &surroundings()).expect_err("no folder");
            assert!(what.contains("--group-id") && what.contains("--state-dir"), "{what}");
        }
    }

    #[test]
    fn without_any_folder_the_remedy_is_named() {
        let nothing = Surroundings::default();
        let what = default_state_dir("g", &nothing).expect_err("no folder");
        assert!(what.ends_with("set --state-dir"), "{what}");
        let memory = MemoryPlan::new(256 << 20).expect("large enough");
        assert_eq!(nothing.default_workers(&memory), 1);
        assert_eq!(surroundings().default_workers(&memory), 6);
    }
}
