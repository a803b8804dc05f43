//! An alert on its way: a logintide that is stopped, and its alert at a webhook; its start, and the
//! all-clear.
//!
//! With the project's own files for Prometheus and Alertmanager, of which only addresses and times
//! are changed. Everything that is started listens on 127.0.0.1 and ends with the check.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use testkit::{Process, free_port, get, interrupt};

use super::Surroundings;
use crate::{deploy_tools, shell};

/// A start takes seconds on a shared machine; 5 scrapes without an answer and one evaluation
/// follow.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(200);
const RUNBOOK: &str = "\"runbook_url\":\"docs/OPERATING.md#logintidedown\"";

pub(super) fn check(surroundings: &Surroundings) -> anyhow::Result<()> {
    let scratch = tempfile::Builder::new().prefix("logintide-alerts").tempdir()?;
    let outcome = course(surroundings, scratch.path());
    if outcome.is_err() {
        eprintln!("logs are kept: {}", scratch.keep().display());
    }
    outcome
}

fn course(surroundings: &Surroundings, scratch: &Path) -> anyhow::Result<()> {
    let webhook = Webhook::listen()?;
    let http = free_port();
    let (prometheus, alertmanager) = (free_port(), free_port());
    prepare(scratch, http, prometheus, alertmanager, webhook.port)?;
    let _prometheus = start_prometheus(scratch, prometheus);
    let _alertmanager = start_alertmanager(scratch, alertmanager);

    let processor = |log: &str| start_processor(surroundings, &scratch.join(log), http);
    let mut running = processor("logintide-1.log")?;
    let answers = |query: &str| {
        let answer = get(prometheus, &format!("/api/v1/query?query={query}"));
        answer.is_some_and(|answer| answer.contains(",\"1\"]"))
    };
    let up = "up%7Bjob%3D%22logintide%22%7D";
    wait("Prometheus did not scrape logintide", &mut running, || answers(up))?;
    wait("logintide did not become ready", &mut running, || answers("logintide_ready"))?;
    ensure!(!webhook.received("firing"), "an alert came while logintide was running");
    println!("          logintide runs and is scraped");

    running.signal("-TERM");
    running.ends_with(0);
    let stopped = Instant::now();
    wait("no alert reached the webhook", &mut running, || webhook.received("firing"))?;
    ensure!(webhook.all().contains(RUNBOOK), "the alert does not name its runbook");
    println!("          the alert came {} s after the stop", stopped.elapsed().as_secs());

    let mut running = processor("logintide-2.log")?;
    wait("no all-clear reached the webhook", &mut running, || webhook.received("resolved"))?;
    println!("          the all-clear came after the next start");
    running.stop();
    Ok(())
}

fn wait(
    otherwise: &str,
    logintide: &mut Process,
    mut reached: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        interrupt::check();
        ensure!(Instant::now() < deadline, "{otherwise} within {PATIENCE:?}\n{}", logintide.tail());
        thread::sleep(POLL);
    }
    Ok(())
}

// ---- the project's files, with these addresses and short times ---------------------------------

fn prepare(
    scratch: &Path,
    http: u16,
    prometheus: u16,
    alertmanager: u16,
    webhook: u16,
) -> anyhow::Result<()> {
    ensure!(http != prometheus && prometheus != alertmanager, "two equal ports");
    let local = |port: u16| format!("127.0.0.1:{port}");
    let (page, notify) =
        (format!("http://{}/page", local(webhook)), format!("http://{}/notify", local(webhook)));
    let changed = |file: &str, to: &str, replacements: &[(&str, &str)]| {
        let path = shell::root().join("deploy").join(file);
        let mut text = fs::read_to_string(&path).with_context(|| file.to_owned())?;
        for (old, new) in replacements {
            ensure!(text.contains(old), "deploy/{file} has no {old:?}, which this check changes");
            text = text.replace(old, new);
        }
        let target = scratch.join(to);
        fs::create_dir_all(target.parent().unwrap_or(scratch))?;
        fs::write(&target, text).with_context(|| target.display().to_string())
    };
    changed(
        "prometheus/prometheus.yml",
        "prometheus.yml",
        &[
            ("dns_sd_configs:", "static_configs:"),
            (
                "{names: [logintide], type: A, port: 9464, refresh_interval: 5s}",
                &format!("targets: [\"{}\"]", local(http)),
            ),
            ("alertmanager:9093", &local(alertmanager)),
            ("scrape_interval: 5s", "scrape_interval: 1s"),
            ("evaluation_interval: 5s", "evaluation_interval: 1s"),
            ("scrape_timeout: 4s", "scrape_timeout: 1s"),
        ],
    )?;
    let rules = "rules/logintide.yml";
    changed(&format!("prometheus/{rules}"), rules, &[("for: 1m", "for: 3s")])?;
    changed(
        "alertmanager/alertmanager.yml",
        "alertmanager.yml",
        &[
            ("http://127.0.0.1:9095/page", &page),
            ("http://127.0.0.1:9095/notify", &notify),
            ("group_wait: 5s", "group_wait: 1s"),
            ("group_interval: 5m", "group_interval: 2s"),
        ],
    )
}

// ---- the processes -----------------------------------------------------------------------------

fn start_prometheus(scratch: &Path, port: u16) -> Process {
    let mut prometheus = deploy_tools::command("prometheus");
    let file = scratch.join("prometheus.yml");
    prometheus.arg(format!("--config.file={}", file.display())).arg("--log.level=warn");
    prometheus.arg(format!("--storage.tsdb.path={}", scratch.join("data").display()));
    prometheus.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Process::spawn(prometheus, scratch.join("prometheus.log"))
}

fn start_alertmanager(scratch: &Path, port: u16) -> Process {
    let mut alertmanager = deploy_tools::command("prometheus-alertmanager");
    // In the folder of its templates: see unpack_debian in scripts/setup-tools.sh.
    let templates = deploy_tools::folder().join("debian");
    if templates.is_dir() {
        alertmanager.current_dir(templates);
    }
    let file = scratch.join("alertmanager.yml");
    alertmanager.arg(format!("--config.file={}", file.display())).arg("--log.level=warn");
    alertmanager.arg(format!("--storage.path={}", scratch.join("alertmanager").display()));
    alertmanager.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    // Without an address for a cluster it looks for no other Alertmanager.
    alertmanager.arg("--cluster.listen-address=");
    Process::spawn(alertmanager, scratch.join("alertmanager.log"))
}

fn start_processor(surroundings: &Surroundings, log: &Path, http: u16) -> anyhow::Result<Process> {
    let brokers = surroundings.brokers.as_deref().context("the address of a broker")?;
    let name = |what: &str| format!("alerts-{}-{what}", std::process::id());
    let mut logintide = Command::new(absolute(&surroundings.bin_dir)?.join("logintide"));
    logintide.args(["run", "--brokers", brokers, "--create-topics"]);
    logintide.args(["--http", &format!("127.0.0.1:{http}"), "--group-id", &name("group")]);
    for topic in ["input", "processed", "aggregated", "dead-letter", "late"] {
        logintide.args([format!("--{topic}-topic"), name(topic)]);
    }
    logintide.arg("--state-dir").arg(log.with_file_name("state"));
    Ok(Process::spawn(logintide, log.to_owned()))
}

fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    shell::root().join(folder).canonicalize().with_context(|| folder.display().to_string())
}

// ---- the webhook -------------------------------------------------------------------------------

/// Takes every request, and keeps one line of each: path, a space, body.
struct Webhook {
    port: u16,
    requests: Arc<Mutex<String>>,
}

impl Webhook {
    /// The thread ends with the process: it does nothing but wait.
    fn listen() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let requests = Arc::new(Mutex::new(String::new()));
        let taken = Arc::clone(&requests);
        thread::Builder::new().name("webhook".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                // A request that is not complete is not one: Alertmanager sends it again.
                if let Ok(line) = stream.and_then(|stream| receive(&stream)) {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
                }
            }
        })?;
        Ok(Self { port, requests })
    }

    fn all(&self) -> String {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the alert of a stopped logintide came, in this state.
    fn received(&self, status: &str) -> bool {
        let status = format!("\"status\":\"{status}\"");
        let alert = "\"alertname\":\"LogintideDown\"";
        let is_it = |line: &str| {
            line.starts_with("/page ") && line.contains(&status) && line.contains(alert)
        };
        self.all().lines().any(is_it)
    }
}

fn receive(mut stream: &TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    Ok(format!("{path} {}\n", String::from_utf8_lossy(&body).replace('\n', " ")))
}
