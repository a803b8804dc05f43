//! `cargo xtask render-manifests`: the chart as plain manifests.

use std::process::ExitCode;

use clap::Args;

use crate::{deploy_tools, shell};

const HEAD: &str = "\
# Rendered from deploy/helm/logintide by cargo xtask render-manifests; change the chart, not this
# file. Kafka's address stands in LOGINTIDE_BROKERS. kubectl create namespace logintide, then
# kubectl apply --namespace logintide -f THIS-FILE
";

/// Renders the chart into plain manifests on stdout, for clusters without helm
///
/// deploy/kubernetes/logintide.yaml is the output without arguments; `cargo xtask check-deploy`
/// compares them.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Kafka's address [default: the chart's]
    #[arg(long, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// The namespace that it is meant to run in
    #[arg(long, value_name = "NAME", default_value = "logintide")]
    namespace: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    print!("{}", render(arguments.brokers.as_deref(), &arguments.namespace)?);
    Ok(ExitCode::SUCCESS)
}

/// The manifests, with Kafka at `brokers` or at the chart's address.
///
/// # Errors
/// helm is missing or fails.
pub(crate) fn render(brokers: Option<&str>, namespace: &str) -> anyhow::Result<String> {
    if deploy_tools::find("helm").is_none() {
        return Err(shell::Misuse("helm is missing: scripts/setup --deploy".to_owned()).into());
    }
    let version = deploy_tools::kubernetes_version()?;
    let mut helm = deploy_tools::command("helm");
    helm.args(["template", "logintide", "deploy/helm/logintide"]);
    helm.args(["--namespace", namespace, "--kube-version", &version]);
    if let Some(brokers) = brokers {
        // helm takes a comma for the end of a value.
        helm.args(["--set", &format!("kafka.brokers={}", brokers.replace(',', "\\,"))]);
    }
    Ok(format!("{HEAD}{}", deploy_tools::output(&mut helm)?))
}
