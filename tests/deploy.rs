//! What stands under deploy/, in the compose file and in the docs fits the program.
//!
//! The tools that read these files are asked by cargo xtask check-deploy; here the names are
//! compared: flags and variables with the help, metrics with the list of all, alerts with their
//! tests and runbooks, ports and topics with the defaults. The flags of the docs are
//! tests/readme.rs's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use logintide::metrics::{Metric, MetricKind};
use serde_json::Value;

const UNIT: &str = "deploy/systemd/logintide@.service";

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn text(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

fn yaml(relative: &str) -> Value {
    serde_saphyr::from_str(&text(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

fn json(relative: &str) -> Value {
    serde_json::from_str(&text(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// All files below a folder.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(path(folder)).expect("a folder");
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() { found.extend(files(&name)) } else { found.push(name) }
    }
    found.sort();
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Words that begin with `start` and go on with characters that `is_part` allows.
fn words(text: &str, start: &str, is_part: impl Fn(char) -> bool) -> BTreeSet<String> {
    let word = |(at, _): (usize, &str)| {
        let before = text[..at].chars().next_back();
        let fresh = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
        let rest: String = text[at + start.len()..].chars().take_while(|c| is_part(*c)).collect();
        (fresh && !rest.is_empty()).then(|| format!("{start}{rest}"))
    };
    text.match_indices(start).filter_map(word).collect()
}

fn variables(text: &str) -> BTreeSet<String> {
    words(text, "LOGINTIDE_", |c| c.is_ascii_uppercase() || c == '_')
}

fn flags(text: &str) -> BTreeSet<String> {
    words(text, "--", |c| c.is_ascii_lowercase() || c == '-')
}

fn metric_names(text: &str) -> BTreeSet<String> {
    words(text, "logintide_", |c| c.is_ascii_lowercase() || c == '_')
}

/// The help of the program, of `run`, which names every variable, and of `redrive`; on one line, as
/// its own lines break anywhere.
fn help() -> String {
    ["--help", "run", "redrive"].into_iter().fold(String::new(), |all, first| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
        let output = command.args([first, "--help"]).output().expect("the program starts");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        all + &text.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// The default of a flag, as the help gives it.
fn default_of(help: &str, flag: &str) -> String {
    let after = help.split_once(&format!("{flag} <")).expect("a flag with a value").1;
    let default = after.split_once("[default: ").expect("a default").1;
    default.split_once(']').expect("the default's end").0.to_owned()
}

/// Fails when anything that is named is not there.
fn all_exist(named: &BTreeSet<String>, exists: impl Fn(&str) -> bool) {
    let missing: Vec<&str> =
        named.iter().map(String::as_str).filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "named, but not there: {missing:?}");
}

/// Single code spans of a Markdown file; code blocks are no spans.
fn code_spans(markdown: &str) -> String {
    let mut spans = String::new();
    for (number, block) in markdown.split("```").enumerate() {
        if number % 2 == 0 {
            for span in block.split('`').skip(1).step_by(2) {
                spans.push_str(span);
                spans.push('\n');
            }
        }
    }
    spans
}

#[test]
fn every_flag_and_variable_exists() {
    let help = help();
    let (known_flags, mut known_variables) = (flags(&help), variables(&help));
    // The build's own.
    known_variables.extend(variables(&text("build.rs")));
    let mut named = variables(&text("README.md"));
    let templates = files("deploy/helm/logintide");
    let kubernetes = files("deploy/kubernetes");
    let others = ["docker-compose.yml", "Dockerfile", UNIT];
    let docs = ["docs/OPERATING.md", "docs/SECURITY.md", "deploy/logs/README.md"];
    let all = templates.iter().chain(&kubernetes).map(String::as_str).chain(others).chain(docs);
    for file in all {
        named.extend(variables(&text(file)));
    }
    let compose = yaml("docker-compose.yml");
    let unit = text(UNIT);
    let start = unit.lines().find(|line| line.starts_with("ExecStart=")).expect("a start");
    named.extend(flags(start));
    named.extend(flags(&compose["services"]["logintide"]["command"].to_string()));
    named.extend(flags(&text("deploy/helm/logintide/templates/statefulset.yaml")));
    named.extend(flags(&text("deploy/helm/logintide/ci/scaling-values.yaml")));
    assert!(named.len() > 20, "{named:?}");
    all_exist(&named, |name| known_flags.contains(name) || known_variables.contains(name));
}

#[test]
fn every_metric_that_is_asked_for_exists() {
    let mut asked = metric_names(&text("deploy/prometheus/rules/logintide.yml"));
    let dashboard = json("deploy/grafana/dashboards/logintide.json");
    let mut queries = String::new();
    for target in list(&dashboard["panels"]).iter().flat_map(|panel| list(&panel["targets"])) {
        queries.push_str(word(&target["expr"]));
        queries.push('\n');
    }
    asked.extend(metric_names(&queries));
    asked.extend(metric_names(&text("docs/OPERATING.md")));
    asked.extend(metric_names(&text("deploy/helm/logintide/values.yaml")));
    asked.remove("logintide_"); // "all begin with"
    assert!(asked.len() > 40, "{asked:?}");
    all_exist(&asked, |name| {
        Metric::ALL.iter().map(|metric| metric.spec()).any(|spec| match spec.kind {
            MetricKind::Histogram => {
                let suffix = name.strip_prefix(spec.name);
                suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
            }
            _ => spec.name == name,
        })
    });
    let known = Metric::ALL.iter().flat_map(|metric| metric.spec().labels);
    let known: BTreeSet<&str> = known.copied().chain(["job", "instance", "le"]).collect();
    let grouped = queries.split("by (").skip(1).filter_map(|rest| rest.split_once(')'));
    for label in grouped.flat_map(|(labels, _)| labels.split(',')) {
        assert!(known.contains(label.trim()), "the dashboard groups by {label}");
    }
}

#[test]
fn every_metric_is_explained() {
    let operating = text("docs/OPERATING.md");
    let table = operating.split_once("## What each metric means").expect("a heading").1;
    let spans = code_spans(table.split_once("\n## ").expect("another heading").0);
    for metric in Metric::ALL {
        let name = metric.spec().name.trim_start_matches("logintide_");
        let is_it = |line: &str| line.split('{').next() == Some(name);
        assert!(spans.lines().any(is_it), "docs/OPERATING.md says nothing of {name}");
    }
}

#[test]
fn every_alert_has_a_runbook_a_test_that_fires_and_one_that_does_not() {
    let headings: BTreeSet<String> = text("docs/OPERATING.md")
        .lines()
        .filter_map(|line| line.strip_prefix("### ").map(str::to_owned))
        .collect();
    let mut tests = Vec::new();
    for file in files("deploy/prometheus/tests") {
        let all = yaml(&file);
        for case in list(&all["tests"]).iter().flat_map(|test| list(&test["alert_rule_test"])) {
            let fires = !list(&case["exp_alerts"]).is_empty();
            tests.push((word(&case["alertname"]).to_owned(), fires));
        }
    }
    let rules = yaml("deploy/prometheus/rules/logintide.yml");
    let rules = list(&rules["groups"]).iter().flat_map(|group| list(&group["rules"]));
    let alerts: Vec<&Value> = rules.filter(|rule| rule["alert"].is_string()).collect();
    assert!(alerts.len() >= 11, "{} alerts", alerts.len());
    for alert in alerts {
        let name = word(&alert["alert"]);
        let anchor = format!("docs/OPERATING.md#{}", name.to_lowercase());
        assert_eq!(word(&alert["annotations"]["runbook_url"]), anchor);
        assert!(headings.contains(name), "docs/OPERATING.md has no heading {name}");
        assert!(["critical", "warning"].contains(&word(&alert["labels"]["severity"])), "{name}");
        for fires in [true, false] {
            assert!(tests.contains(&(name.to_owned(), fires)), "{name}: no test, fires={fires}");
        }
    }
}

#[test]
fn ports_and_topics_are_the_programs() {
    let help = help();
    let port = default_of(&help, "--http").rsplit_once(':').expect("a port").1.to_owned();
    let mut topics: Vec<String> = ["input", "processed", "aggregated", "dead-letter", "late"]
        .map(|topic| default_of(&help, &format!("--{topic}-topic")))
        .to_vec();
    let journal = default_of(&help, "--journal-topic");
    topics.push(journal.replace("<group-id>", &default_of(&help, "--group-id")));
    let compose = yaml("docker-compose.yml");
    let logintide = &compose["services"]["logintide"];
    let published = word(&logintide["ports"][0]);
    let (from, to) = (format!("127.0.0.1:{port}-"), format!(":{port}"));
    assert!(published.starts_with(&from) && published.ends_with(&to), "{published}");
    assert_eq!(logintide["environment"]["LOGINTIDE_HTTP"], format!("0.0.0.0:{port}"));
    let script = text("docker-compose.yml");
    let made: Vec<&str> = script
        .lines()
        .filter_map(|line| line.trim().strip_prefix("create ")?.split(' ').next())
        .collect();
    assert_eq!(made, topics);
    let ids = ["INPUT", "PROCESSED", "AGGREGATED", "DEAD_LETTER", "LATE", "JOURNAL"];
    for (id, topic) in ids.iter().zip(&topics) {
        assert_eq!(logintide["environment"][format!("LOGINTIDE_{id}_TOPIC")], **topic);
    }
    let values = yaml("deploy/helm/logintide/values.yaml");
    assert_eq!(values["http"]["port"].to_string(), port);
    let keys = ["input", "processed", "aggregated", "deadLetter", "late"];
    for (key, topic) in keys.iter().zip(&topics) {
        assert_eq!(values["kafka"]["topics"][key], **topic);
    }
    assert!(text("Dockerfile").contains(&format!("\nEXPOSE {port}\n")));
    let prometheus = yaml("deploy/prometheus/prometheus.yml");
    let found = &prometheus["scrape_configs"][0]["dns_sd_configs"][0];
    assert_eq!((word(&found["names"][0]), word(&found["type"])), ("logintide", "A"));
    assert_eq!(found["port"].to_string(), port);
    let defaults = [
        ("delivery", "--delivery"),
        ("commitInterval", "--commit-interval"),
        ("sessionTimeout", "--session-timeout"),
        ("memoryBudget", "--memory-budget"),
        ("window", "--window"),
        ("grace", "--grace"),
        ("allowedLateness", "--allowed-lateness"),
    ];
    for (key, flag) in defaults {
        assert_eq!(values[key], default_of(&help, flag), "the chart's {key}");
    }
}

/// `image` of `${VARIABLE:-image}`, or what stands there without a variable.
fn default_image(image: &str) -> &str {
    let Some(variable) = image.strip_prefix("${") else { return image };
    let (_, default) = variable.split_once(":-").expect("a default");
    default.strip_suffix('}').expect("the variable's end")
}

/// The images that a Dockerfile begins with, each an argument with a default.
fn build_arguments(dockerfile: &str) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for line in dockerfile.lines() {
        if let Some((name, image)) = line.strip_prefix("ARG ").and_then(|rest| rest.split_once('='))
            && name.ends_with("_IMAGE")
        {
            images.insert(name.to_owned(), image.to_owned());
        }
        let Some(base) = line.strip_prefix("FROM ").and_then(|rest| rest.split(' ').next()) else {
            continue;
        };
        let named = base.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
        let is_one = named.is_some_and(|name| images.contains_key(name));
        assert!(is_one || base == "base", "FROM {base}: no argument with a default");
    }
    images
}

#[test]
fn containers_are_pinned_on_loopback_and_checked() {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_object().expect("services");
    let dockerfile = text("Dockerfile");
    let images = services.values().map(|service| default_image(word(&service["image"])).to_owned());
    let bases = build_arguments(&dockerfile);
    assert_eq!(bases.len(), 2, "{bases:?}");
    for image in images.chain(bases.into_values()) {
        let tag = image.split_once(':').map_or("", |(_, tag)| tag);
        let pinned = tag.contains('.') && tag.contains(|c: char| c.is_ascii_digit());
        assert!(pinned || tag == "local", "{image} has no exact version");
    }
    for (name, service) in services {
        for port in list(&service["ports"]) {
            assert!(word(port).starts_with("127.0.0.1:"), "{name}: {port}");
        }
        let checked = service["healthcheck"]["test"].is_array();
        // One ends, the other has its image's.
        assert!(checked || ["topics", "logintide"].contains(&name.as_str()), "{name}");
    }
    assert!(dockerfile.contains("\nHEALTHCHECK ") && dockerfile.contains("\nUSER 65532:65532\n"));
    let pom = text("scripts/kafka/pom.xml");
    let version = pom.split_once("<kafka.version>").expect("a version").1;
    let version = version.split_once('<').expect("its end").0;
    let kafka = default_image(word(&services["kafka"]["image"]));
    assert_eq!(kafka, format!("apache/kafka:{version}"));
}

#[test]
fn every_container_and_pod_is_an_instance_of_its_own() {
    let compose = yaml("docker-compose.yml");
    let logintide = &compose["services"]["logintide"];
    assert!(logintide["container_name"].is_null() && logintide["hostname"].is_null());
    // The default is made of the container's name.
    assert!(logintide["environment"]["LOGINTIDE_INSTANCE_ID"].is_null());
    // Without a name before it, a volume is of one container.
    assert_eq!(list(&logintide["volumes"]), ["/var/lib/logintide"]);
    let pod = text("deploy/helm/logintide/templates/statefulset.yaml");
    let name =
        "LOGINTIDE_INSTANCE_ID\n              valueFrom: {fieldRef: {fieldPath: metadata.name}}";
    assert!(pod.contains(name));
    let unit = text(UNIT);
    for own in ["LOGINTIDE_INSTANCE_ID=%H-%i", "LOGINTIDE_HTTP=127.0.0.1:%i", "=logintide/%i\n"] {
        assert!(unit.contains(own), "the unit has no {own}");
    }
}

#[test]
fn versions_agree() {
    let chart = yaml("deploy/helm/logintide/Chart.yaml");
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.split_once("channel = \"").expect("a channel").1;
    let channel = channel.split_once('"').expect("its end").0;
    let images = build_arguments(&text("Dockerfile"));
    assert!(images["BUILD_IMAGE"].starts_with(&format!("rust:{channel}-")), "{images:?}");
    let kubernetes = text("deploy/kubernetes/logintide.yaml");
    assert!(kubernetes.contains(&format!("image: \"logintide:{}\"", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn dashboard_and_log_shippers_are_well_formed() {
    let source = yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    let uid = &source["datasources"][0]["uid"];
    let dashboard = json("deploy/grafana/dashboards/logintide.json");
    let mut ids = BTreeSet::new();
    for panel in list(&dashboard["panels"]) {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{} twice", panel["id"]);
        for target in list(&panel["targets"]) {
            assert_eq!(target["datasource"]["uid"], *uid, "{}", panel["title"]);
        }
    }
    let provider = yaml("deploy/grafana/provisioning/dashboards/logintide.yml");
    let folder = word(&provider["providers"][0]["options"]["path"]);
    let compose = yaml("docker-compose.yml");
    let volumes = list(&compose["services"]["grafana"]["volumes"]);
    let mounted = format!("./deploy/grafana/dashboards:{folder}:ro");
    assert!(volumes.iter().any(|volume| *volume == mounted), "{volumes:?}");
    let filebeat = yaml("deploy/logs/filebeat.yml");
    assert_eq!(list(&filebeat["filebeat.inputs"]).len(), 2);
    let agent = json("deploy/logs/cloudwatch-agent.json");
    assert!(agent["logs"]["logs_collected"]["files"]["collect_list"][0]["file_path"].is_string());
}
