//! Stand-ins for images that cannot be pulled, made of Debian's packages.
//!
//! What each is, is in deploy/stand-ins/Dockerfile. The packages are fetched on the machine, before
//! the engine starts; in it, nothing reaches a network.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, ensure};

use super::{engine::Engine, run_logged, step};
use crate::{deploy_tools, shell};

/// The Debian release of the images in the Dockerfile.
const SUITE: &str = "bookworm";

/// What stands in for what; the first is the image as the files name it.
pub(super) const TABLE: [(&str, &str); 6] = [
    ("debian:12.11-slim", "mmdebstrap's minbase of bookworm, ca-certificates laid in"),
    ("rust:1.95.0-bookworm", "bookworm, g++, make, perl, this machine's toolchain and crates"),
    ("(rustup's llvm-tools)", "llvm-profdata of Debian's LLVM of the same major version"),
    ("apache/kafka:4.3.1", "bookworm, its Java 17, the jars of scripts/kafka/pom.xml"),
    ("prom/prometheus:v3.5.0", "bookworm's prometheus (2.42)"),
    ("prom/alertmanager:v0.28.1", "bookworm's prometheus-alertmanager (0.25)"),
];
pub(super) const GRAFANA: &str = "grafana/grafana:12.1.1: Debian has no package of it";

const BASE: &str = "stand-in/base:local";
const TOOLS: &str = "stand-in/tools:local";
/// The targets of deploy/stand-ins/Dockerfile.
const TARGETS: [&str; 4] = ["rust", "kafka", "prometheus", "alertmanager"];

/// The variables of Dockerfile and compose file that name images.
pub(super) const VARIABLES: [(&str, &str); 5] = [
    ("BUILD_IMAGE", "stand-in/rust:local"),
    ("BASE_IMAGE", BASE),
    ("KAFKA_IMAGE", "stand-in/kafka:local"),
    ("PROMETHEUS_IMAGE", "stand-in/prometheus:local"),
    ("ALERTMANAGER_IMAGE", "stand-in/alertmanager:local"),
];
/// All images of stand-ins.
pub(super) const IMAGES: [&str; 6] =
    [VARIABLES[0].1, BASE, TOOLS, VARIABLES[2].1, VARIABLES[3].1, VARIABLES[4].1];

/// Fetches packages, crates and jars into `work_dir`; what is there from an earlier run is kept.
pub(super) fn prepare(work_dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(work_dir)?;
    if deploy_tools::find("mmdebstrap").is_none() {
        let text = "no mmdebstrap: scripts/setup --containers".to_owned();
        return Err(shell::Misuse(text).into());
    }
    // The Dockerfile's own apt-get installs it, from this cache.
    let hook = "--customize-hook=chroot \"$1\" apt-get install --yes --download-only \
                --no-install-recommends ca-certificates";
    let base = ["--variant=minbase", "--skip=cleanup/apt", hook];
    bootstrap(work_dir, "base", &base)?;
    let major = llvm_major()?;
    let packages = format!(
        "--include=openjdk-17-jre-headless,wget,prometheus,prometheus-alertmanager,g++,libc6-dev,\
         make,perl,ca-certificates,llvm-{major}"
    );
    bootstrap(work_dir, "tools", &["--variant=minbase", &packages])?;
    step("toolchain, crates and jars are there", || gather(&work_dir.join("context")))
}

/// Makes a Debian as `NAME.tar`.
fn bootstrap(work_dir: &Path, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let tar = work_dir.join(format!("{name}.tar"));
    if tar.is_file() {
        return Ok(());
    }
    step(&format!("Debian's packages ({name}) are fetched"), || {
        let part = work_dir.join(format!("{name}.part.tar"));
        let mut mmdebstrap = deploy_tools::command("mmdebstrap");
        mmdebstrap.arg("--quiet").args(arguments).arg(SUITE).arg(&part);
        run_logged(&mut mmdebstrap, &work_dir.join(format!("{name}.log")))?;
        Ok(fs::rename(part, tar)?)
    })
}

/// The major version of the compiler's LLVM: a profile is only read by the same.
fn llvm_major() -> anyhow::Result<String> {
    let version = shell::output(shell::command("rustc").arg("-vV"))?;
    let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let major = llvm.and_then(|version| version.split('.').next());
    Ok(major.context("rustc -vV names no LLVM version")?.to_owned())
}

/// Fills the folder that the stand-ins are built from.
fn gather(context: &Path) -> anyhow::Result<()> {
    fs::remove_dir_all(context).ok();
    fs::create_dir_all(context.join("rust"))?;
    fs::create_dir_all(context.join("registry"))?;
    copy(&shell::root().join("deploy/stand-ins/."), context)?;

    let sysroot = shell::output(shell::command("rustc").args(["--print", "sysroot"]))?;
    for folder in ["bin", "lib", "libexec"] {
        copy(&Path::new(sysroot.trim()).join(folder), &context.join("rust"))?;
    }
    shell::run(&mut shell::cargo(["fetch", "--quiet", "--locked"]))?;
    for folder in ["index", "cache"] {
        copy(&cargo_home()?.join("registry").join(folder), &context.join("registry"))?;
    }
    shell::run(shell::command("scripts/kafka-local").arg("fetch"))?;
    let pom = shell::output(shell::command("sha256sum").arg("scripts/kafka/pom.xml"))?;
    let digest = pom.get(..12).context("sha256sum prints a digest")?;
    let jars = shell::root().join(".kafka").join(format!("libs-{digest}"));
    copy(&jars.join("."), &context.join("kafka"))
}

fn cargo_home() -> anyhow::Result<std::path::PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    ensure!(from.exists(), "{} is not there", from.display());
    deploy_tools::output(Command::new("cp").arg("-a").arg(from).arg(to)).map(drop)
}

/// Imports and builds the images in the engine.
pub(super) fn build(engine: &Engine, work_dir: &Path) -> anyhow::Result<()> {
    for (name, image) in [("base", BASE), ("tools", TOOLS)] {
        if deploy_tools::output(engine.docker().args(["image", "inspect", image])).is_err() {
            let tar = work_dir.join(format!("{name}.tar"));
            deploy_tools::output(engine.docker().arg("import").arg(tar).arg(image))?;
        }
    }
    for target in TARGETS {
        let mut docker = engine.docker();
        docker.args(["build", "--target", target, "--tag", &format!("stand-in/{target}:local")]);
        docker.arg(work_dir.join("context"));
        run_logged(&mut docker, &work_dir.join(format!("stand-in-{target}.log")))?;
    }
    Ok(())
}
