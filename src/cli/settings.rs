//! From `RunArgs` to `RunConfig`: every check of every setting, all findings together.
//!
//! Pure, but for the time zone database. Holds: a part that cannot be built has noted a problem, so
//! without problems there is a configuration. Checks between settings only look at those that are
//! well-formed by themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use super::{
    RunArgs,
    args::{EventArgs, TopicArgs, WindowArgs},
};
use crate::{
    config::{
        ClientProperties, ConfigError, Delivery, LogFormat, MemoryPlan, OnStateMismatch, Problems,
        RunConfig, Surroundings, Topics, default_state_dir, parse_brokers, parse_duration,
        parse_group_id, parse_instance_id, parse_pair, parse_size, parse_start_from,
        parse_timezone, parse_topic,
    },
    event::{EventConfig, FieldNames, TimestampStyle},
    limits,
    window::WindowRules,
};

/// Checks everything. `from_variables` names the arguments that a variable gave.
pub(super) fn check(
    args: &RunArgs,
    from_variables: BTreeSet<String>,
    surroundings: &Surroundings,
) -> Result<RunConfig, ConfigError> {
    let mut checker = Checker { problems: Problems::new(), from_variables };
    let config = checker.run_config(args, surroundings);
    match checker.problems.into_error() {
        Some(error) => Err(error),
        None => Ok(config.expect("every missing part has noted a problem")),
    }
}

/// Collects problems, each under the name by which the operator gave the setting.
struct Checker {
    problems: Problems,
    from_variables: BTreeSet<String>,
}

/// The value is wrong, and the problem is in the list.
struct Noted;

impl Checker {
    fn run_config(&mut self, args: &RunArgs, surroundings: &Surroundings) -> Option<RunConfig> {
        let RunArgs { kafka, topics, processing, windows, events, state, operation } = args;
        self.refuse_config_file(operation.config.as_deref());
        let brokers = self.brokers(kafka.brokers.as_deref());
        let group_id = self.parse("group_id", &kafka.group_id, parse_group_id);
        let instance = kafka.instance_id.as_deref();
        let instance_id = self.parse_optional("instance_id", instance, parse_instance_id);
        let properties = self.client_properties(&kafka.client_properties);
        let topic_names = self.topics(topics);
        let workers = self.parse_optional("workers", processing.workers.as_deref(), parse_workers);
        let delivery = self.parse("delivery", &processing.delivery, parse_delivery);
        let commit_interval = self.commit_interval(&processing.commit_interval, delivery);
        let start_from = self.parse("start_from", &processing.start_from, parse_start_from);
        let memory = self.parse("memory_budget", &processing.memory_budget, parse_memory);
        let window = self.window(windows);
        let idle_timeout = self.parse("idle_timeout", &windows.idle_timeout, parse_idle_timeout);
        let event = self.event(events);
        let folder = state.state_dir.as_deref();
        let state_dir = self.state_dir(folder, group_id.as_deref(), surroundings);
        let mismatch = &state.on_state_mismatch;
        let on_state_mismatch = self.parse("on_state_mismatch", mismatch, parse_state_mismatch);
        let http = self.parse("http", &operation.http, parse_http);
        let stats = &operation.stats_interval;
        let stats_interval = self.parse("stats_interval", stats, parse_stats_interval);
        let stall = &operation.stall_timeout;
        let stall_timeout = self.parse("stall_timeout", stall, parse_stall_timeout);
        let log_format = self.parse("log_format", &operation.log_format, parse_log_format);
        Some(RunConfig {
            brokers: brokers?,
            group_id: group_id?,
            instance_id: instance_id.ok()?,
            topics: topic_names?,
            workers: workers.ok()?.unwrap_or_else(|| surroundings.default_workers()),
            delivery: delivery?,
            window: window?,
            idle_timeout: idle_timeout?,
            commit_interval: commit_interval?,
            start_from: start_from?,
            state_dir: state_dir?,
            on_state_mismatch: on_state_mismatch?,
            memory: memory?,
            event: event?,
            http: http?,
            stats_interval: stats_interval?,
            stall_timeout: stall_timeout?,
            log_format: log_format?,
            create_topics: topics.create_topics,
            exit_at_end: processing.exit_at_end,
            client_properties: properties?,
        })
    }

    /// The setting as the operator gave it: its variable, else its flag.
    fn name(&self, id: &str) -> String {
        if self.from_variables.contains(id) {
            format!("LOGINTIDE_{}", id.to_ascii_uppercase())
        } else if id == "client_properties" {
            "-X".to_owned()
        } else {
            format!("--{}", id.replace('_', "-"))
        }
    }

    fn wrong(&mut self, id: &str, value: &str, what: impl fmt::Display) {
        let name = self.name(id);
        self.problems.add(&name, value, what);
    }

    fn parse<T>(
        &mut self,
        id: &str,
        value: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let name = self.name(id);
        self.problems.check(&name, value, parse)
    }

    /// As `parse`, for a setting that may be missing.
    fn parse_optional<T>(
        &mut self,
        id: &str,
        value: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Noted> {
        value.map(|value| self.parse(id, value, parse).ok_or(Noted)).transpose()
    }

    fn refuse_config_file(&mut self, file: Option<&str>) {
        if let Some(file) = file {
            self.wrong("config", file, "is not built yet; use flags or LOGINTIDE_… variables");
        }
    }

    fn brokers(&mut self, given: Option<&str>) -> Option<String> {
        if given.is_none() {
            self.problems.add_text("--brokers is missing; name them, as in localhost:9092");
        }
        self.parse("brokers", given?, parse_brokers)
    }

    /// A transaction lasts as long as an epoch, and the broker ends one that lasts too long.
    fn commit_interval(&mut self, text: &str, delivery: Option<Delivery>) -> Option<Duration> {
        let interval = self.parse("commit_interval", text, parse_commit_interval)?;
        let most = limits::TRANSACTION_COMMIT_INTERVAL_MAX;
        if delivery == Some(Delivery::ExactlyOnce) && interval > most {
            let what = format!(
                "is above {most:?}, the most that a transaction may last; shorten it, or use \
                 --delivery at-least-once"
            );
            self.wrong("commit_interval", text, what);
            return None;
        }
        Some(interval)
    }

    fn topics(&mut self, args: &TopicArgs) -> Option<Topics> {
        let given = [
            ("input_topic", &args.input_topic),
            ("processed_topic", &args.processed_topic),
            ("aggregated_topic", &args.aggregated_topic),
            ("dead_letter_topic", &args.dead_letter_topic),
            ("late_topic", &args.late_topic),
        ];
        let mut users: BTreeMap<&str, &str> = BTreeMap::new();
        let parsed = given.map(|(id, topic)| {
            if let Some(first) = users.get(topic.as_str()).copied() {
                let first = self.name(first);
                self.wrong(id, topic, format!("is also {first}; give each its own topic"));
                return None;
            }
            users.insert(topic, id);
            self.parse(id, topic, parse_topic)
        });
        let [input, processed, aggregated, dead_letter, late] = parsed;
        Some(Topics {
            input: input?,
            processed: processed?,
            aggregated: aggregated?,
            dead_letter: dead_letter?,
            late: late?,
        })
    }

    fn window(&mut self, args: &WindowArgs) -> Option<WindowRules> {
        let size = self.parse("window", &args.window, parse_window);
        let grace = self.parse("grace", &args.grace, parse_duration);
        let lateness = self.parse("allowed_lateness", &args.allowed_lateness, parse_duration);
        let (grace, lateness) = (grace?, lateness?);
        if grace > lateness {
            let other = self.name("allowed_lateness");
            let limit = &args.allowed_lateness;
            let what = format!("is longer than {other} {limit}; shorten it or lengthen the other");
            self.wrong("grace", &args.grace, what);
            return None;
        }
        Some(WindowRules {
            size_ms: millis(size?),
            grace_ms: millis(grace),
            allowed_lateness_ms: millis(lateness),
        })
    }

    fn event(&mut self, args: &EventArgs) -> Option<EventConfig> {
        let fields = self.fields(&args.field);
        let timezone = self.parse("timezone", &args.timezone, parse_timezone);
        let style = self.parse("timestamp_style", &args.timestamp_style, parse_timestamp_style);
        let max_future = self.parse("max_future", &args.max_future, parse_duration);
        Some(EventConfig {
            fields: fields?,
            timezone: timezone?,
            timestamp_style: style?,
            max_future_ms: millis(max_future?),
            max_event_bytes: limits::MAX_EVENT_BYTES,
        })
    }

    fn fields(&mut self, given: &[String]) -> Option<FieldNames> {
        let mut fields = FieldNames::default();
        let pairs = self.pairs("field", given)?;
        let mut complete = true;
        for (field, name) in pairs {
            if let Err(what) = fields.set(&field, &name) {
                // The message begins with the setting already: "field user_id=…: …".
                let what = what.trim_start_matches(&format!("field {field}={name}: "));
                self.wrong("field", &format!("{field}={name}"), what);
                complete = false;
            }
        }
        complete.then_some(fields)
    }

    fn client_properties(&mut self, given: &[String]) -> Option<ClientProperties> {
        self.pairs("client_properties", given).map(ClientProperties)
    }

    /// `name=value` pairs, each name once. Only names are reported, because a value may be secret.
    fn pairs(&mut self, id: &str, given: &[String]) -> Option<Vec<(String, String)>> {
        let mut names = BTreeSet::new();
        let mut complete = true;
        let mut pairs = Vec::new();
        // A variable may end in a line break.
        for text in given.iter().map(|text| text.trim_end_matches(['\r', '\n'])) {
            if text.is_empty() && self.from_variables.contains(id) {
                continue;
            }
            match parse_pair(text) {
                Ok((name, _)) if !names.insert(name.clone()) => {
                    self.wrong(id, &name, "is given twice; keep one");
                    complete = false;
                }
                Ok(pair) => pairs.push(pair),
                Err(what) => {
                    let name = text.split_inclusive('=').next().unwrap_or(text);
                    self.wrong(id, name, what);
                    complete = false;
                }
            }
        }
        complete.then_some(pairs)
    }

    fn state_dir(
        &mut self,
        given: Option<&str>,
        group_id: Option<&str>,
        surroundings: &Surroundings,
    ) -> Option<PathBuf> {
        match given {
            Some(dir) => self.parse("state_dir", dir, parse_state_dir),
            None => default_state_dir(group_id?, surroundings)
                .map_err(|what| self.problems.add_text(what))
                .ok(),
        }
    }
}

/// Checks a folder that was named.
pub(super) fn parse_state_dir(text: &str) -> Result<PathBuf, String> {
    match text.trim() {
        "" => Err("is empty; name a folder".to_owned()),
        _ => Ok(PathBuf::from(text)),
    }
}

fn parse_workers(text: &str) -> Result<usize, String> {
    let range = 1..=limits::MAX_WORKERS;
    let workers = text.parse().ok().filter(|workers| range.contains(workers));
    workers.ok_or_else(|| format!("is no number from 1 to {}", limits::MAX_WORKERS))
}

fn parse_delivery(text: &str) -> Result<Delivery, String> {
    match text {
        "exactly-once" => Ok(Delivery::ExactlyOnce),
        "at-least-once" => Ok(Delivery::AtLeastOnce),
        _ => Err("is no guarantee; use exactly-once or at-least-once".to_owned()),
    }
}

fn parse_state_mismatch(text: &str) -> Result<OnStateMismatch, String> {
    match text {
        "rebuild" => Ok(OnStateMismatch::Rebuild),
        "fail" => Ok(OnStateMismatch::Fail),
        _ => Err("is no reaction; use rebuild or fail".to_owned()),
    }
}

fn parse_timestamp_style(text: &str) -> Result<TimestampStyle, String> {
    match text {
        "naive" => Ok(TimestampStyle::Naive),
        "rfc3339" => Ok(TimestampStyle::Rfc3339),
        _ => Err("is no style; use naive or rfc3339".to_owned()),
    }
}

/// Checks the form of the log.
pub(super) fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is no format; use text or json".to_owned()),
    }
}

fn parse_http(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    let how = "is no address with a port; use IP:PORT such as 127.0.0.1:9464 or 0.0.0.0:9464, \
               or off";
    text.parse().map(Some).map_err(|_| how.to_owned())
}

fn parse_stats_interval(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    duration_within(text, limits::STATS_INTERVAL_MIN, limits::DURATION_MAX).map(Some)
}

fn parse_stall_timeout(text: &str) -> Result<Duration, String> {
    duration_within(text, limits::STALL_TIMEOUT_MIN, limits::DURATION_MAX)
}

fn parse_commit_interval(text: &str) -> Result<Duration, String> {
    let (min, max) = limits::COMMIT_INTERVAL_RANGE;
    duration_within(text, min, max)
}

fn parse_idle_timeout(text: &str) -> Result<Duration, String> {
    duration_within(text, limits::IDLE_TIMEOUT_MIN, limits::DURATION_MAX)
}

fn parse_memory(text: &str) -> Result<MemoryPlan, String> {
    parse_size(text).and_then(MemoryPlan::new)
}

/// Window records are keyed by whole seconds.
pub(super) fn parse_window(text: &str) -> Result<Duration, String> {
    let size = duration_within(text, limits::WINDOW_MIN, limits::DURATION_MAX)?;
    if size.subsec_millis() == 0 {
        Ok(size)
    } else {
        Err("is not a whole number of seconds; round it".to_owned())
    }
}

fn duration_within(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration < min {
        Err(format!("is below the smallest value of {min:?}; raise it"))
    } else if duration > max {
        Err(format!("is above the largest value of {max:?}; lower it"))
    } else {
        Ok(duration)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("durations are at most DURATION_MAX")
}
