//! The Helm chart, what it renders, and what Kubernetes' schemas say of that.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};

use crate::{deploy_tools, render_manifests, shell};

const CHART: &str = "deploy/helm/logintide";
const MANIFESTS: &str = "deploy/kubernetes/logintide.yaml";
/// Custom resources have no schema among Kubernetes' own.
pub(super) const CUSTOM: &str = "ServiceMonitor,ScaledObject";

/// Settings that the chart must refuse, and what it must say then.
const REFUSED: [(&[&str], &str); 8] = [
    (&["replicaCount=0"], "/replicaCount"),
    (&["leaveOnStop=never"], "/leaveOnStop"),
    (&["sessionTimeout=26s"], "below sessionTimeout and 20 s"),
    (&["autoscaling.minReplicas=9"], "above autoscaling.maxReplicas"),
    (&["autoscaling.type=hpa", "autoscaling.minReplicas=0"], "cannot scale to zero"),
    (&["http.open=false"], "not on loopback"),
    (&["wrokers=2"], "additional properties 'wrokers'"),
    (&["kafka.brokers=kafka"], "/kafka/brokers"),
];

/// Settings, and a line that the chart renders with them or, behind a `!`, does not render.
const RENDERED: [(&[&str], &str); 14] = [
    (&[], "  replicas: 1"),
    (&["replicaCount=3"], "  replicas: 3"),
    (&["sessionTimeout=25s"], "      terminationGracePeriodSeconds: 45"),
    (&["replicaCount=3", "autoscaling.type=keda"], "!  replicas: 3"),
    (&[], "!            - --leave-on-stop"),
    (&["leaveOnStop=true"], "            - --leave-on-stop"),
    (&["autoscaling.type=hpa"], "            - --leave-on-stop"),
    (&["autoscaling.type=keda"], "            - --leave-on-stop"),
    (&["autoscaling.type=keda", "leaveOnStop=false"], "!            - --leave-on-stop"),
    (&["autoscaling.type=keda"], "          stabilizationWindowSeconds: 300"),
    (&["autoscaling.type=keda"], "        ensureEvenDistributionOfPartitions: \"true\""),
    (&["autoscaling.kedaAuthentication=a"], "!      authenticationRef: {name: \"a\"}"),
    (&[], "          emptyDir: {sizeLimit: 2Gi}"),
    (&["persistence.enabled=true"], "!          emptyDir: {sizeLimit: 2Gi}"),
];

/// Lints and renders the chart with each of its sample values, and has it refuse what it must.
pub(super) fn chart() -> anyhow::Result<()> {
    let version = deploy_tools::kubernetes_version()?;
    let lint = ["lint", "--strict", "--kube-version", &version, CHART];
    deploy_tools::output(deploy_tools::command("helm").args(lint))?;
    for values in sample_values()? {
        let mut helm = deploy_tools::command("helm");
        deploy_tools::output(helm.args(lint).args(["--values", &values]))?;
        render(&["--values", &values])?;
    }
    for (settings, expected) in RENDERED {
        let rendered = render_with(settings)?;
        let wanted = expected.trim_start_matches('!');
        let found = rendered.lines().any(|rendered| rendered == wanted);
        let verb = if found { "renders" } else { "does not render" };
        ensure!(found == (wanted == expected), "{}: {verb} {wanted:?}", settings.join(" "));
    }
    for (settings, words) in REFUSED {
        let Err(refusal) = render_with(settings) else {
            bail!("not refused: {}", settings.join(" "))
        };
        let text = format!("{refusal:#}");
        ensure!(text.contains(words), "{}: expected {words:?}\n{text}", settings.join(" "));
    }
    Ok(())
}

fn render_with(settings: &[&str]) -> anyhow::Result<String> {
    let flags: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    render(&flags)
}

/// The plain manifests are what the chart renders, and Kafka's address is a setting.
pub(super) fn manifests() -> anyhow::Result<()> {
    let rendered = render_manifests::render(None, "logintide")?;
    let kept = fs::read_to_string(shell::root().join(MANIFESTS)).context(MANIFESTS)?;
    if let Some(difference) = first_difference(&kept, &rendered) {
        bail!(
            "{MANIFESTS} is not what the chart renders: cargo xtask render-manifests\n{difference}"
        );
    }
    let elsewhere = render_manifests::render(Some("a:1,b:2"), "logintide")?;
    ensure!(elsewhere.contains("LOGINTIDE_BROKERS, value: \"a:1,b:2\""), "--brokers is not used");
    Ok(())
}

fn first_difference(kept: &str, rendered: &str) -> Option<String> {
    let (mut kept, mut rendered) = (kept.lines(), rendered.lines());
    for number in 1.. {
        let (old, new) = (kept.next(), rendered.next());
        if old != new {
            let shown = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
            return Some(format!("line {number}:\n- {}\n+ {}", shown(old), shown(new)));
        }
        old?;
    }
    None
}

/// The plain manifests, and what the chart renders with its sample values, have Kubernetes' forms.
pub(super) fn schemas() -> anyhow::Result<()> {
    conform(&shell::root().join(MANIFESTS))?;
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("manifest.yaml");
    for values in sample_values()? {
        fs::write(&path, render(&["--values", &values])?)?;
        conform(&path)?;
    }
    fs::write(&path, render_with(&["autoscaling.type=hpa"])?)?;
    conform(&path)
}

fn conform(manifest: &Path) -> anyhow::Result<()> {
    let version = deploy_tools::kubernetes_version()?;
    let schemas = deploy_tools::schemas(&version).context("the schemas were there")?;
    let location = format!("{}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", schemas.display());
    let mut kubeconform = deploy_tools::command("kubeconform");
    kubeconform.args(["-strict", "-summary", "-kubernetes-version", &version, "-skip", CUSTOM]);
    kubeconform.args(["-schema-location", &location]).arg(manifest);
    deploy_tools::output(&mut kubeconform).map(drop)
}

fn render(flags: &[&str]) -> anyhow::Result<String> {
    let version = deploy_tools::kubernetes_version()?;
    let mut helm = deploy_tools::command("helm");
    helm.args(["template", "logintide", CHART, "--kube-version", &version]).args(flags);
    deploy_tools::output(&mut helm)
}

fn sample_values() -> anyhow::Result<Vec<String>> {
    super::files::in_folder(&format!("{CHART}/ci"), "yaml")
}
