//! The programs that look at what is under deploy/, and where they are.
//!
//! Holds: those that the machine has come before those that `scripts/setup --deploy` put into
//! `.tools`; nothing is installed here.

use std::{env, ffi::OsString, fs, path::PathBuf, process::Command};

use anyhow::{Context, bail};

use crate::shell;

/// What scripts/setup unpacks and builds, relative to `.tools`.
const FOLDERS: [&str; 3] = ["go/bin", "debian/usr/bin", "debian/usr/sbin"];
/// Names the Kubernetes version that the chart is rendered and checked for.
const VERSIONS: &str = "scripts/setup-tools.sh";

/// Where scripts/setup puts them.
pub(crate) fn folder() -> PathBuf {
    shell::root().join(".tools")
}

/// The folders of programs in there.
pub(crate) fn folders() -> [PathBuf; 3] {
    FOLDERS.map(|name| folder().join(name))
}

/// `PATH` with the tools' folders behind the machine's.
pub(crate) fn search_path() -> OsString {
    let machine = env::var_os("PATH").unwrap_or_default();
    env::join_paths(env::split_paths(&machine).chain(folders())).unwrap_or(machine)
}

/// Where this program is, if anywhere.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&search_path()).map(|place| place.join(program)).find(|path| path.is_file())
}

/// A command of this program, in the project's folder; what it starts finds the tools, too.
pub(crate) fn command(program: &str) -> Command {
    let path = find(program).unwrap_or_else(|| program.into());
    let mut command = Command::new(path);
    command.current_dir(shell::root()).env("PATH", search_path());
    command
}

/// What the program prints on stdout.
///
/// # Errors
/// It cannot be started, or it fails: then with all that it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shell::shown(command);
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed ({})\n{}", output.status, testkit::text(&output).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The Kubernetes version that the chart is rendered and checked for.
///
/// # Errors
/// scripts/setup does not name it.
pub(crate) fn kubernetes_version() -> anyhow::Result<String> {
    let text = fs::read_to_string(shell::root().join(VERSIONS)).context(VERSIONS)?;
    let mut lines = text.lines();
    let version = lines.find_map(|line| line.strip_prefix("readonly KUBERNETES_VERSION="));
    Ok(version.with_context(|| format!("{VERSIONS} names no KUBERNETES_VERSION"))?.to_owned())
}

/// The folder of that version's schemas, if it is there.
pub(crate) fn schemas(version: &str) -> Option<PathBuf> {
    let schemas = folder().join(format!("schemas/v{version}-local-strict"));
    schemas.join("statefulset-apps-v1.json").is_file().then_some(schemas)
}
