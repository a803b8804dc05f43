//! What Prometheus, Alertmanager and Grafana read, checked by Prometheus' own tools.

use std::fs;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{deploy_tools, shell};

const RULES: &str = "deploy/prometheus/rules";
const DASHBOARD: &str = "deploy/grafana/dashboards/logintide.json";
const ROUTES: &str = "deploy/alertmanager/alertmanager.yml";

/// Configuration and rules, and the rules' tests.
pub(super) fn rules() -> anyhow::Result<()> {
    promtool(&["check", "config", "deploy/prometheus/prometheus.yml"])?;
    let rules = super::files::in_folder(RULES, "yml")?;
    let tests = super::files::in_folder("deploy/prometheus/tests", "yml")?;
    for (verb, files) in [("check", &rules), ("test", &tests)] {
        let files = files.iter().map(String::as_str);
        promtool(&[verb, "rules"].into_iter().chain(files).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Each query as a rule, with a value for Grafana's variables.
pub(super) fn dashboard() -> anyhow::Result<()> {
    let text = fs::read_to_string(shell::root().join(DASHBOARD)).context(DASHBOARD)?;
    let mut queries = Vec::new();
    collect_queries(&serde_json::from_str(&text).context(DASHBOARD)?, &mut queries);
    ensure!(!queries.is_empty(), "{DASHBOARD} has no query");
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(n, query)| {
            let query = query.replace("$__rate_interval", "5m").replace("$__range", "5m");
            json!({"record": format!("panel:{n}"), "expr": query.replace("$instance", ".*")})
        })
        .collect();
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("queries.yml");
    // JSON is YAML.
    fs::write(&path, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string())?;
    promtool(&["check", "rules", &path.to_string_lossy()])
}

fn collect_queries(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_queries(item, queries)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(query) if key == "expr" => queries.push(query.to_owned()),
                    _ => collect_queries(value, queries),
                }
            }
        }
        _ => {}
    }
}

/// Alertmanager's file, and where each severity goes.
pub(super) fn route() -> anyhow::Result<()> {
    deploy_tools::output(deploy_tools::command("amtool").args(["check-config", ROUTES]))?;
    for (severity, receiver) in [("critical", "page"), ("warning", "notify")] {
        let mut amtool = deploy_tools::command("amtool");
        amtool.args(["config", "routes", "test", &format!("--config.file={ROUTES}")]);
        let reached = deploy_tools::output(amtool.arg(format!("severity={severity}")))?;
        let reached = reached.trim();
        ensure!(reached == receiver, "{severity} alerts reach {reached:?}, expected {receiver}");
    }
    Ok(())
}

fn promtool(arguments: &[&str]) -> anyhow::Result<()> {
    deploy_tools::output(deploy_tools::command("promtool").args(arguments)).map(drop)
}
