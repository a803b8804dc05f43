//! The compose file, the workflows, the systemd unit and the scripts.

use std::{fs, process::Command};

use anyhow::{Context, ensure};

use crate::{deploy_tools, shell};

const COMPOSE: &str = "docker-compose.yml";
const UNIT: &str = "deploy/systemd/logintide@.service";
/// Folders of scripts.
const SCRIPTS: [&str; 4] = [".ci", "scripts", "scripts/kafka", "deploy/stand-ins"];
/// Most that `systemd-analyze security` may give the unit, in tenths: 1.3 when this was written.
const EXPOSURE_TENTHS: &str = "20";

/// The files of a folder with this extension, relative to the project's folder and sorted.
///
/// # Errors
/// The folder cannot be read, or there are none.
pub(super) fn in_folder(folder: &str, extension: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(shell::root().join(folder)).with_context(|| folder.to_owned())? {
        let path = entry?.path();
        if path.extension().is_some_and(|is| is == extension) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            found.push(format!("{folder}/{name}"));
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "{folder} has no *.{extension}");
    Ok(found)
}

pub(super) fn workflows() -> anyhow::Result<()> {
    let workflows = in_folder(".github/workflows", "yml")?;
    deploy_tools::output(deploy_tools::command("actionlint").args(workflows)).map(drop)
}

/// What reads the compose file: docker's plugin, or the library that the plugin reads it with.
pub(super) fn compose_reader() -> Option<Command> {
    let mut version = deploy_tools::command("docker");
    if deploy_tools::output(version.args(["compose", "version"])).is_ok() {
        let mut docker = deploy_tools::command("docker");
        docker.args(["compose", "--file", COMPOSE, "config", "--quiet"]);
        return Some(docker);
    }
    let library = deploy_tools::folder().join("go/bin/cmd");
    library.is_file().then(|| {
        let mut command = Command::new(library);
        command.arg(COMPOSE).current_dir(shell::root());
        command
    })
}

pub(super) fn compose() -> anyhow::Result<()> {
    let mut reader = compose_reader().context("what reads the compose file was there")?;
    deploy_tools::output(&mut reader).map(drop)
}

/// The unit is well formed, and confines the program.
pub(super) fn unit() -> anyhow::Result<()> {
    let text = fs::read_to_string(shell::root().join(UNIT)).context(UNIT)?;
    // Here the program is not where the unit expects it, nor its user.
    let text = text.replace("ExecStart=/usr/local/bin/logintide", "ExecStart=/bin/true");
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("logintide@.service");
    fs::write(&path, text)?;
    let analyze = || deploy_tools::command("systemd-analyze");
    // Without the flag, a setting that is ignored for an error in it is only a warning.
    deploy_tools::output(
        analyze().args(["verify", "--man=no", "--recursive-errors=no"]).arg(&path),
    )?;
    let threshold = format!("--threshold={EXPOSURE_TENTHS}");
    deploy_tools::output(analyze().args(["security", "--offline=yes", &threshold, UNIT]))?;
    Ok(())
}

pub(super) fn scripts() -> anyhow::Result<()> {
    let mut scripts = Vec::new();
    for folder in SCRIPTS {
        for entry in fs::read_dir(shell::root().join(folder)).context(folder)? {
            let path = entry?.path();
            // What is no text is no script.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let first = text.lines().next().unwrap_or_default();
            let interpreted = first.starts_with("#!") && first.ends_with("sh");
            if interpreted || first.starts_with("# shellcheck shell=") {
                scripts.push(path);
            }
        }
    }
    ensure!(!scripts.is_empty(), "no script was found");
    scripts.sort();
    deploy_tools::output(deploy_tools::command("shellcheck").arg("-x").args(scripts)).map(drop)
}
