//! What the running pipeline says about itself: the statistics line and the metrics add up.

use testkit::Scenario;

const EVENTS: u64 = 20_000;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn metrics_and_statistics_line_tell_the_same_as_the_judge() {
    let scenario = Scenario::new("statistics");
    let count = EVENTS.to_string();
    let events = ["--seed", "31", "--count", &count];
    let shares = ["--share-odd", "0.1", "--share-poison", "0.02"];
    scenario.produce(&[events.as_slice(), &shares].concat());
    let mut running = scenario.serve(&[]);
    running.wait_for_events(EVENTS as f64);
    running.wait_for_line("latency_p99_ms=");
    let text = running.get("/metrics").expect("an answer");
    let sum = |name: &str| -> u64 {
        let named = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        let value = |line: &str| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok());
        text.lines().filter(named).filter_map(value).sum::<f64>() as u64
    };
    let processed = sum("logintide_events_processed_total");
    let dead = sum("logintide_events_dead_lettered_total");
    let tombstones = sum("logintide_tombstones_total");
    assert!(dead > 100 && processed > EVENTS / 2, "{processed} {dead}");
    assert_eq!(processed + dead + tombstones, sum("logintide_events_in_total"));
    assert_eq!(running.metric("logintide_audit_difference_events"), Some(0.0));
    // Every record that a worker saw has an age, in each of both.
    for histogram in ["end_to_end", "kafka_queue"] {
        assert_eq!(sum(&format!("logintide_{histogram}_seconds_count")), processed + dead);
    }
    for stage in ["worker_batch", "sink_epoch", "commit", "state_flush"] {
        assert!(sum(&format!("logintide_{stage}_seconds_count")) > 0, "{stage}\n{text}");
    }
    for thread in ["source", "workers"] {
        let line = |name: &str| format!("logintide_batch_pool_{name}{{thread=\"{thread}\"}} ");
        assert!(text.contains(&line("idle")), "{text}");
        let name = line("allocations_total");
        let allocated = text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok());
        assert!(allocated.is_some_and(|n| n > 0), "{text}");
    }
    let late = sum("logintide_events_late_total");
    for dimension in ["location", "device_type", "app_version"] {
        assert_eq!(sum(&format!("logintide_logins_by_{dimension}_total")), processed - late);
    }
    assert!(sum("logintide_rebalances_total") >= 1 && sum("logintide_ready") == 1, "{text}");
    assert!(text.is_ascii() || !text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
    // The replica has read the journal's beginning a moment after the first epoch.
    running.wait_for_line("group_since=\"2");
    for field in [
        "events_per_second=",
        "watermark_delay_s=",
        "top_devices=",
        "top_versions=",
        "dead_letters=\"not_json",
        "latency_p50_ms=",
    ] {
        running.wait_for_line(field);
    }
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let report = scenario.json_report(&["--expect-late", "any"]);
    assert_eq!(report["counts"]["processed"], processed, "{report:#}");
    assert_eq!(report["counts"]["dead_letters"], dead, "{report:#}");
}
