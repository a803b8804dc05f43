//! The course of the check: build, start, health, events, signals, kills, and the judge's verdict.
//!
//! Everything is asked the way a user would: over the published ports on loopback, through the
//! client, and by the load generator's own image.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;
use testkit::get;

use super::{
    image,
    project::{Images, Project, wait},
    stand_ins, step,
};

/// Longest wait for a container's health: Kafka's start on a shared machine is the slowest.
const HEALTHY: Duration = Duration::from_mins(4);
/// Longest wait for what the program or a peer does within seconds.
const SOON: Duration = Duration::from_mins(2);
/// The image's health check asks every 10 s, and gives up after three answers that took over 5 s.
const UNHEALTHY: Duration = Duration::from_secs(90);
/// The compose file's `stop_grace_period`; the engine kills what takes longer.
const GRACE: Duration = Duration::from_secs(45);
/// Events that are sent at once, beside those of the load generator.
const BURST: u64 = 20_000;
/// Those of the input topic in the compose file.
const PARTITIONS: u64 = 8;

const PROMETHEUS: u16 = 9090;
const ALERTMANAGER: u16 = 9093;
const GRAFANA: u16 = 3000;

pub(super) fn run(project: &Project<'_>) -> anyhow::Result<()> {
    say_what_stands_in(project);
    let build = ["build", "logintide", "loadgen"];
    let profile = if project.quick { "no profile" } else { "along a profile" };
    step(&format!("the images are built ({profile})"), || project.run("build", &build))?;
    step("the image is what it promises", || image::configuration(project))?;

    let mut services = vec!["loadgen", "logintide", "prometheus", "alertmanager"];
    if project.images == Images::Pulled {
        services.push("grafana");
    }
    let up = [&["up", "--detach", "--no-build"], services.as_slice()].concat();
    step("the compose file starts", || project.run("up", &up))?;
    services.push("kafka");
    step("all services are healthy", || {
        services
            .iter()
            .try_for_each(|service| project.wait_for_health(service, "healthy", HEALTHY).map(drop))
    })?;
    step("user, capabilities, root and volume are confined", || image::confinement(project))?;
    step("logintide is ready", || ready(project))?;
    step(&format!("{BURST} events are sent and audited"), || burst(project))?;
    step("a window is published", || a_window(project))?;
    step("Prometheus scrapes, and knows Alertmanager", || peers(project))?;
    step("a process that hangs becomes unhealthy, and healthy again", || hang(project))?;
    step("SIGTERM ends it in time; a restart keeps its state", || restart(project))?;
    step("SIGKILL; a restart keeps its state", || crash(project))?;
    step("a new container goes on with the group's state", || recreate(project))?;
    step("three instances share the partitions, and give them back", || scale(project))?;
    step("the judge finds each event exactly once", || verdict(project))
}

fn say_what_stands_in(project: &Project<'_>) {
    if project.images == Images::StandIns {
        for (image, stand_in) in stand_ins::TABLE {
            println!("stand-in  {image}: {stand_in}");
        }
        println!("left out  {}", stand_ins::GRAFANA);
    }
}

// ---- what logintide answers --------------------------------------------------------------------

fn api(project: &Project<'_>, path: &str) -> anyhow::Result<Value> {
    let body =
        get(project.http_port()?, path).with_context(|| format!("{path}: nobody answers"))?;
    serde_json::from_str(&body).with_context(|| format!("{path} answers {body:?}"))
}

fn ready(project: &Project<'_>) -> anyhow::Result<()> {
    // Nobody may answer for a moment after a start.
    wait("/readyz does not say ready", SOON, || {
        Ok(api(project, "/readyz").is_ok_and(|answer| answer["ready"] == true))
    })?;
    ensure!(api(project, "/healthz")?["healthy"] == true, "ready, but not healthy");
    let page = get(project.http_port()?, "/").context("the dashboard")?;
    ensure!(page.contains("<title>"), "/ is not the dashboard");
    Ok(())
}

/// What came in, of an audit that balances.
fn audited(project: &Project<'_>) -> anyhow::Result<u64> {
    let audit = api(project, "/api/v1/audit")?;
    let total = &audit["total"];
    ensure!(audit["balanced"] == true && total["difference"] == 0, "out of balance: {audit}");
    total["in"].as_u64().with_context(|| format!("no total: {audit}"))
}

/// Waits until this many more came in.
fn wait_for_events(project: &Project<'_>, more: u64) -> anyhow::Result<()> {
    let before = audited(project)?;
    wait(&format!("not {more} events more than {before}"), SOON, || {
        Ok(audited(project)? >= before + more)
    })?;
    Ok(())
}

fn burst(project: &Project<'_>) -> anyhow::Result<()> {
    let before = audited(project)?;
    let count = format!("--count={BURST}");
    let produce = ["produce", "--brokers=kafka:19092", "--topic=user-login", "--rate=5000", &count];
    let flags = ["--share-odd=0.05", "--share-poison=0.01"];
    project.run(
        "burst",
        &[&["run", "--rm", "--no-deps", "--no-TTY", "loadgen"], &produce[..], &flags].concat(),
    )?;
    wait("the events did not come through", SOON, || Ok(audited(project)? >= before + BURST))?;
    let total = &api(project, "/api/v1/audit")?["total"];
    ensure!(total["dead_lettered"].as_u64() > Some(0), "no poison was dead-lettered: {total}");
    println!("          {total}");
    Ok(())
}

fn a_window(project: &Project<'_>) -> anyhow::Result<()> {
    let mut shown = Value::Null;
    wait("no published window", SOON, || {
        let windows = api(project, "/api/v1/windows")?["windows"].clone();
        let all = windows.as_array().context("a list of windows")?;
        let published = all.iter().find(|window| window["state"] != "open");
        shown = published.cloned().unwrap_or_default();
        Ok(shown["total_events"].as_u64() > Some(0))
    })?;
    let (events, users) = (&shown["total_events"], &shown["unique_users"]);
    println!("          of {events} events, {users} users; complete: {}", shown["complete"]);
    Ok(())
}

/// The first value that Prometheus answers.
fn queried(query: &str) -> Value {
    let answer = get(PROMETHEUS, &format!("/api/v1/query?query={query}"));
    let answer = answer.and_then(|body| serde_json::from_str::<Value>(&body).ok());
    answer.unwrap_or_default()["data"]["result"][0]["value"][1].take()
}

fn peers(project: &Project<'_>) -> anyhow::Result<()> {
    wait("Prometheus does not scrape logintide", SOON, || {
        Ok(queried("up%7Bjob%3D%22logintide%22%7D") == "1")
    })?;
    wait("Prometheus has no event counted", SOON, || {
        Ok(queried("logintide_events_processed_total%3E0").is_string())
    })?;
    let rules = get(PROMETHEUS, "/api/v1/rules").unwrap_or_default();
    ensure!(rules.contains("LogintideDown"), "Prometheus has no rules: {rules}");
    wait("Prometheus does not know Alertmanager", SOON, || {
        let body = get(PROMETHEUS, "/api/v1/alertmanagers").unwrap_or_default();
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        Ok(answer["data"]["activeAlertmanagers"][0]["url"].is_string())
    })?;
    let routes = get(ALERTMANAGER, "/api/v2/status").unwrap_or_default();
    ensure!(
        routes.contains("LogintideDown"),
        "Alertmanager has not the project's routes: {routes}"
    );
    if project.images == Images::Pulled {
        let found = get(GRAFANA, "/api/search?query=logintide").unwrap_or_default();
        ensure!(found.contains("dash-db"), "Grafana has no dashboard: {found}");
    }
    Ok(())
}

// ---- signals and restarts ----------------------------------------------------------------------

fn hang(project: &Project<'_>) -> anyhow::Result<()> {
    let container = project.container("logintide")?;
    project.docker(&["kill", "--signal", "STOP", &container])?;
    let hung = project.wait_for_health("logintide", "unhealthy", UNHEALTHY);
    project.docker(&["kill", "--signal", "CONT", &container])?;
    println!("          unhealthy {} s after SIGSTOP", hung?.as_secs());
    project.wait_for_health("logintide", "healthy", HEALTHY)?;
    ready(project)?;
    wait_for_events(project, 100)
}

/// Whether the state survived, by the log since the last start.
fn kept_its_state(project: &Project<'_>) -> anyhow::Result<()> {
    ready(project)?;
    let log = project.log("logintide")?;
    ensure!(!log.contains("journal has lost"), "the state was lost:\n{log}");
    let reading = log.lines().find(|line| line.contains("\"reading\""));
    println!("          {}", reading.context("the log does not say what is read")?);
    wait_for_events(project, 100)
}

fn restart(project: &Project<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    project.run("stop", &["stop", "logintide"])?;
    let took = began.elapsed();
    let state = project.inspect("logintide")?["State"].clone();
    ensure!(state["ExitCode"] == 0, "after SIGTERM: {state}");
    ensure!(took < GRACE, "the stop took {took:?}");
    println!("          stopped after {} ms, exit code 0", took.as_millis());
    start(project)?;
    kept_its_state(project)
}

/// Not by compose: that would create the topics once more.
fn start(project: &Project<'_>) -> anyhow::Result<()> {
    project.docker(&["start", &project.container("logintide")?]).map(drop)
}

fn crash(project: &Project<'_>) -> anyhow::Result<()> {
    let container = project.container("logintide")?;
    project.docker(&["kill", "--signal", "KILL", &container])?;
    let state = project.inspect("logintide")?["State"].clone();
    ensure!(state["ExitCode"] == 137, "after SIGKILL: {state}");
    start(project)?;
    kept_its_state(project)
}

fn recreate(project: &Project<'_>) -> anyhow::Result<()> {
    let before = project.container("logintide")?;
    let flags = ["up", "--detach", "--no-build", "--no-deps", "--force-recreate", "logintide"];
    project.run("recreate", &flags)?;
    ensure!(project.container("logintide")? != before, "it is the same container");
    kept_its_state(project)
}

/// Three containers read, Prometheus finds all of them, and each knows the whole group; then the
/// first one is alone again.
fn scale(project: &Project<'_>) -> anyhow::Result<()> {
    let up = ["up", "--detach", "--no-build", "--no-deps", "--no-recreate", "logintide"];
    project.run("scale-up", &[&up[..], &["--scale", "logintide=3"]].concat())?;
    wait("Prometheus does not find three instances with partitions", SOON, || {
        Ok(queried("count(logintide_assigned_partitions%3E0)") == "3")
    })?;
    wait("they do not share all partitions", SOON, || {
        Ok(queried("sum(logintide_assigned_partitions)") == PARTITIONS.to_string().as_str())
    })?;
    wait_for_events(project, 100)?;
    project.run("scale-down", &[&up[..], &["--scale", "logintide=1"]].concat())?;
    let given_back = wait("the first one has not all partitions", SOON, || {
        Ok(api(project, "/readyz").is_ok_and(|own| own["assigned_partitions"] == PARTITIONS))
    })?;
    println!("          all partitions are back {} ms after the stop", given_back.as_millis());
    wait_for_events(project, 100)
}

/// The load ends, and the load generator's own judge recounts all topics.
fn verdict(project: &Project<'_>) -> anyhow::Result<()> {
    project.run("stop-load", &["stop", "loadgen"])?;
    wait("there is a lag", SOON, || {
        Ok(api(project, "/api/v1/status")?["snapshot"]["lag_records"] == 0)
    })?;
    let began = Instant::now();
    let flags = ["run", "--rm", "--no-deps", "--no-TTY", "loadgen", "verify"];
    let verify = [&flags[..], &["--brokers=kafka:19092", "--expect-complete"]].concat();
    loop {
        match crate::deploy_tools::output(&mut project.compose(&verify)) {
            Ok(report) => {
                report.lines().for_each(|line| println!("          {line}"));
                return Ok(());
            }
            // The last windows are still to be published.
            Err(error) if began.elapsed() > SOON => return Err(error),
            Err(_) => testkit::interrupt::check(),
        }
    }
}
