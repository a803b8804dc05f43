//! From what was given to `RunConfig`: every check of every setting, all findings together.
//!
//! Reads the files that are named (settings, secrets) and the time zone database, nothing else.
//! Holds: a part that cannot be built has noted a problem, so without problems there is a
//! configuration. Checks between settings only look at those that are well-formed by themselves.

mod args;
mod contradictions;
mod file;
mod http;
mod keys;
mod layers;
mod print;
#[cfg(test)]
mod tests;
mod values;

use std::{collections::BTreeMap, fmt, path::Path, path::PathBuf, time::Duration};

#[cfg(test)]
pub(crate) use self::tests::of_line;
pub use self::{args::RunArgs, layers::Given, print::print};
use self::{
    keys::{CLIENT, FIELD},
    layers::Layers,
    values::{
        millis, parse_commit_interval, parse_delivery, parse_idle_timeout, parse_memory,
        parse_partitions, parse_replication, parse_stall_timeout, parse_state_mismatch,
        parse_stats_interval, parse_switch, parse_timestamp_style, parse_topic_recreated,
        parse_unreadable_batch, parse_workers,
    },
};
use crate::{
    config::{
        ClientProperties, ConfigError, Delivery, MemoryPlan, Problems, RunConfig, Surroundings,
        Topics, default_state_dir, parse_brokers, parse_duration, parse_group_id,
        parse_instance_id, parse_log_format, parse_start_from, parse_state_dir, parse_timezone,
        parse_topic, parse_window, secrets,
    },
    event::{EventConfig, FieldNames},
    limits,
    window::WindowRules,
};

/// A configuration, and what it was made of.
pub struct Loaded {
    /// What the run is made of.
    pub config: RunConfig,
    layers: Layers,
}

/// Reads the file that `args` name, puts file, variables and flags above each other, and checks
/// everything.
pub fn load(
    args: RunArgs,
    given: &Given,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::new();
    let layers = Layers::gather(args, given, &mut problems);
    let mut checker = Checker { problems, layers };
    let config = checker.run_config(surroundings);
    if let Some(error) = checker.problems.into_error() {
        return Err(error);
    }
    let config = config.expect("every missing part has noted a problem");
    Ok(Loaded { config, layers: checker.layers })
}

/// Collects problems, each under the name by which the operator gave the setting.
struct Checker {
    problems: Problems,
    layers: Layers,
}

/// What contradictions are looked for in; `None` is wrong by itself.
struct Parts {
    delivery: Option<Delivery>,
    commit_interval: Option<Duration>,
    memory: Option<MemoryPlan>,
    workers: Option<usize>,
}

/// The value is wrong, and the problem is in the list.
struct Noted;

impl Checker {
    fn run_config(&mut self, surroundings: &Surroundings) -> Option<RunConfig> {
        let brokers = self.brokers();
        let group_id = self.parse("group_id", parse_group_id);
        let instance_id = self.parse_optional("instance_id", parse_instance_id);
        let topic_names = self.topics();
        let create_topics = self.parse("create_topics", parse_switch);
        let partitions = self.parse_optional("partitions", parse_partitions);
        let replication = self.parse_optional("replication", parse_replication);
        let workers = self.parse_optional("workers", parse_workers);
        let delivery = self.parse("delivery", parse_delivery);
        let commit_interval = self.commit_interval(delivery);
        let start_from = self.parse("start_from", parse_start_from);
        let exit_at_end = self.parse("exit_at_end", parse_switch);
        let on_unreadable_batch = self.parse("on_unreadable_batch", parse_unreadable_batch);
        let memory = self.parse("memory_budget", parse_memory);
        let window = self.window();
        let idle_timeout = self.parse("idle_timeout", parse_idle_timeout);
        let event = self.event();
        let state_dir = self.state_dir(group_id.as_deref(), surroundings);
        let on_state_mismatch = self.parse("on_state_mismatch", parse_state_mismatch);
        let on_topic_recreated = self.parse("on_topic_recreated", parse_topic_recreated);
        let http = self.http();
        let http_token = self.http_token();
        let stats_interval = self.parse("stats_interval", parse_stats_interval);
        let stall_timeout = self.parse("stall_timeout", parse_stall_timeout);
        let log_format = self.parse("log_format", parse_log_format);
        let client_properties = self.client_properties();
        // Without a plan there is no configuration either.
        let by_default = memory.map_or(1, |memory| surroundings.default_workers(&memory));
        let workers = workers.map(|given| given.unwrap_or(by_default));
        self.contradictions(&Parts {
            delivery,
            commit_interval,
            memory,
            workers: workers.as_ref().ok().copied(),
        });
        Some(RunConfig {
            brokers: brokers?,
            group_id: group_id?,
            instance_id: instance_id.ok()?,
            topics: topic_names?,
            workers: workers.ok()?,
            delivery: delivery?,
            window: window?,
            idle_timeout: idle_timeout?,
            commit_interval: commit_interval?,
            start_from: start_from?,
            on_unreadable_batch: on_unreadable_batch?,
            state_dir: state_dir?,
            on_state_mismatch: on_state_mismatch?,
            on_topic_recreated: on_topic_recreated?,
            memory: memory?,
            event: event?,
            http: http.ok()?,
            http_token: http_token.ok()?,
            stats_interval: stats_interval?,
            stall_timeout: stall_timeout?,
            log_format: log_format?,
            create_topics: create_topics?,
            new_topic_partitions: partitions.ok()?,
            new_topic_replication: replication.ok()?,
            exit_at_end: exit_at_end?,
            client_properties: client_properties?,
        })
    }

    fn wrong(&mut self, id: &str, what: impl fmt::Display) {
        let text = self.layers.value(id).map_or("", |value| &value.text);
        self.problems.add(&self.layers.name(id), text, what);
    }

    /// The value of a setting that has a default.
    fn parse<T>(&mut self, id: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.parse_optional(id, parse).ok().flatten()
    }

    /// As `parse`, for a setting that may be missing.
    fn parse_optional<T>(
        &mut self,
        id: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Noted> {
        let Some(value) = self.layers.value(id) else { return Ok(None) };
        let name = self.layers.name(id);
        self.problems.check(&name, &value.text, parse).map(Some).ok_or(Noted)
    }

    fn brokers(&mut self) -> Option<String> {
        if self.layers.value("brokers").is_none() {
            self.problems.add_text("--brokers is missing; name them, as in localhost:9092");
        }
        self.parse("brokers", parse_brokers)
    }

    /// A transaction lasts as long as an epoch, and the broker ends one that lasts too long.
    fn commit_interval(&mut self, delivery: Option<Delivery>) -> Option<Duration> {
        let interval = self.parse("commit_interval", parse_commit_interval)?;
        let most = limits::TRANSACTION_COMMIT_INTERVAL_MAX;
        if delivery == Some(Delivery::ExactlyOnce) && interval > most {
            let what = format!(
                "is above {most:?}, the most that a transaction may last; shorten it, or use \
                 --delivery at-least-once"
            );
            self.wrong("commit_interval", what);
            return None;
        }
        Some(interval)
    }

    fn topics(&mut self) -> Option<Topics> {
        let ids = [
            "input_topic",
            "processed_topic",
            "aggregated_topic",
            "dead_letter_topic",
            "late_topic",
        ];
        let mut users: BTreeMap<String, &str> = BTreeMap::new();
        let parsed = ids.map(|id| {
            let topic = self.layers.value(id)?.text.clone();
            if let Some(first) = users.get(&topic) {
                let first = self.layers.name(first);
                self.wrong(id, format!("is also {first}; give each its own topic"));
                return None;
            }
            users.insert(topic, id);
            self.parse(id, parse_topic)
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

    fn window(&mut self) -> Option<WindowRules> {
        let size = self.parse("window", parse_window);
        let grace = self.parse("grace", parse_duration);
        let lateness = self.parse("allowed_lateness", parse_duration);
        let (grace, lateness) = (grace?, lateness?);
        if grace > lateness {
            let other = self.shown("allowed_lateness");
            self.wrong(
                "grace",
                format!("is longer than {other}; shorten it or lengthen the other"),
            );
            return None;
        }
        Some(WindowRules {
            size_ms: millis(size?),
            grace_ms: millis(grace),
            allowed_lateness_ms: millis(lateness),
        })
    }

    /// A setting with its value, to be named in another's problem.
    fn shown(&self, id: &str) -> String {
        let text = self.layers.value(id).map_or("", |value| &value.text);
        format!("{} {text}", self.layers.name(id))
    }

    fn event(&mut self) -> Option<EventConfig> {
        let fields = self.fields();
        let timezone = self.parse("timezone", parse_timezone);
        let style = self.parse("timestamp_style", parse_timestamp_style);
        let max_future = self.parse("max_future", parse_duration);
        Some(EventConfig {
            fields: fields?,
            timezone: timezone?,
            timestamp_style: style?,
            max_future_ms: millis(max_future?),
            max_event_bytes: limits::MAX_EVENT_BYTES,
        })
    }

    fn fields(&mut self) -> Option<FieldNames> {
        let mut fields = FieldNames::default();
        let mut complete = true;
        for entry in self.layers.table(FIELD) {
            let (field, name) = (&entry.name, &entry.text);
            if let Err(what) = fields.set(field, name) {
                // The message begins with the setting already: "field user_id=…: …".
                let what = what.trim_start_matches(&format!("field {field}={name}: ")).to_owned();
                let setting = self.layers.name_at(FIELD, entry.origin);
                self.problems.add(&setting, &format!("{field}={name}"), what);
                complete = false;
            }
        }
        complete.then_some(fields)
    }

    /// The properties for librdkafka, secrets read from their files.
    fn client_properties(&mut self) -> Option<ClientProperties> {
        let mut properties = Vec::new();
        let mut complete = true;
        for entry in self.layers.table(CLIENT) {
            let setting = self.layers.name_at(CLIENT, entry.origin);
            let value = if entry.is_path {
                let setting = format!("{setting} {}.file", entry.name);
                let read = |path: &str| secrets::read(Path::new(path));
                self.problems.check(&setting, &entry.text, read)
            } else {
                Some(entry.text.clone())
            };
            match value {
                Some(value) => properties.push((entry.name.clone(), value)),
                None => complete = false,
            }
        }
        complete.then_some(ClientProperties(properties))
    }

    fn state_dir(
        &mut self,
        group_id: Option<&str>,
        surroundings: &Surroundings,
    ) -> Option<PathBuf> {
        match self.layers.value("state_dir") {
            Some(_) => self.parse("state_dir", parse_state_dir),
            None => default_state_dir(group_id?, surroundings)
                .map_err(|what| self.problems.add_text(what))
                .ok(),
        }
    }
}
