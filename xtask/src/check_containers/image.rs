//! What the image promises: its user, its folders, its health check, and how confined it runs.

use anyhow::{Context, ensure};
use serde_json::json;

use super::project::Project;

const IMAGE: &str = "logintide:local";
const STATE: &str = "/var/lib/logintide";

/// What the image says of itself.
pub(super) fn configuration(project: &Project<'_>) -> anyhow::Result<()> {
    let text = project.docker(&["image", "inspect", IMAGE])?;
    let all: serde_json::Value = serde_json::from_str(&text).context("docker image inspect")?;
    let config = &all[0]["Config"];
    for (key, expected) in [
        ("User", json!("65532:65532")),
        ("StopSignal", json!("SIGTERM")),
        ("Entrypoint", json!(["/usr/local/bin/logintide"])),
        ("Cmd", json!(["run"])),
        ("Volumes", json!({STATE: {}})),
        ("ExposedPorts", json!({"9464/tcp": {}})),
    ] {
        let found = &config[key];
        ensure!(*found == expected, "the image's {key} is {found}, expected {expected}");
    }
    ensure!(config["Healthcheck"]["Test"].is_array(), "the image has no health check");

    let version = project.docker(&["run", "--rm", IMAGE, "--version"])?;
    ensure!(version.starts_with("logintide "), "--version prints {version:?}");
    ensure!(!version.contains("unknown"), "the image does not know its commit: {version}");
    println!("          {version}");
    let size = all[0]["Size"].as_u64().context("an image has a size")?;
    println!("          {} MB, of which {} MB are its base's", size / 1_000_000, base(project)?);
    Ok(())
}

/// Size of the base image, MB.
fn base(project: &Project<'_>) -> anyhow::Result<u64> {
    let history = project.docker(&["history", "--human=false", "--format", "{{.Size}}", IMAGE])?;
    let largest = history.lines().filter_map(|line| line.trim().parse::<u64>().ok()).max();
    Ok(largest.context("docker history lists sizes")? / 1_000_000)
}

/// How the running container is confined, from the inside and as the engine sees it.
pub(super) fn confinement(project: &Project<'_>) -> anyhow::Result<()> {
    let container = project.inspect("logintide")?;
    ensure!(container["HostConfig"]["ReadonlyRootfs"] == true, "the root can be written");
    let limit = &container["HostConfig"]["Memory"];
    ensure!(*limit == 512 * 1024 * 1024, "the memory limit is {limit}");

    let status = project.exec("logintide", &["cat", "/proc/1/status"])?;
    for (name, expected) in [
        ("Uid:", "65532\t65532\t65532\t65532"),
        ("Gid:", "65532\t65532\t65532\t65532"),
        ("CapEff:", "0000000000000000"),
        ("CapBnd:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
    ] {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let found = line.map(str::trim);
        ensure!(found == Some(expected), "{name} {found:?}, expected {expected:?}");
    }
    let owner = project.exec("logintide", &["stat", "-c", "%u:%g %a", STATE])?;
    ensure!(owner == "65532:65532 700", "{STATE} is of {owner}, expected 65532:65532 700");

    let written = project.exec("logintide", &["touch", "/tmp/here", "/var/lib/here"]);
    let refusal = format!("{:#}", written.err().context("a file outside of the volume is made")?);
    ensure!(refusal.contains("Read-only file system"), "{refusal}");
    Ok(())
}
