//! The settings of `run`: from what was given to a checked `RunConfig`, all problems together.
//!
//! `table` has a row for each setting. In: flags as typed, variables, and the file that one of them
//! names. Out: the configuration, and where each value came from. Reads the files that are named
//! (settings, secrets) and the time zone database, nothing else. Holds: whatever is wrong is
//! reported together and before anything is opened.

mod alerts;
mod contradictions;
#[cfg(test)]
mod documents;
mod file;
mod flags;
mod layers;
mod print;
mod row;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod times;

use std::{path::Path, sync::Arc};

use self::table as t;
#[cfg(test)]
pub(crate) use self::tests::of_line;
pub(crate) use self::{
    flags::{Flags, RunArgs, Subset, UsersArgs},
    layers::Layers,
    print::print,
    row::Setting,
};
use crate::{
    config::{
        ClientProperties, ConfigError, Delivery, Problems, RunConfig, Surroundings, UsersConfig,
        default_instance_id, default_state_dir, secrets,
    },
    event::{EventConfig, FieldNames, TimestampStyle},
    limits,
    topics::{PerTopic, Topic},
    users::{
        RuleSettings,
        place::{DeviceList, NetworkList},
    },
    window::WindowRules,
};

/// A configuration, and what it was made of.
pub(crate) struct Loaded {
    /// What the run is made of.
    pub config: RunConfig,
    layers: Layers,
    /// The settings of the command.
    settings: Vec<&'static dyn Setting>,
}

/// Reads a variable of the process.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl RunArgs {
    /// Checks everything that flags, the process's variables and the file give.
    pub(crate) fn load(&self, surroundings: &Surroundings) -> Result<Loaded, ConfigError> {
        load(&self.settings, &variable, surroundings, counting)
    }
}

impl UsersArgs {
    /// The same for `users`.
    pub(crate) fn load(&self, surroundings: &Surroundings) -> Result<Loaded, ConfigError> {
        load(&self.settings, &variable, surroundings, profiling)
    }
}

/// The configuration of a program that sets some values itself and takes the defaults of all
/// others.
///
/// # Panics
/// When a value is wrong: they are not the operator's.
#[cfg(feature = "demo")]
pub(crate) fn preset(
    values: &[(&'static dyn Setting, &str)],
    surroundings: &Surroundings,
) -> RunConfig {
    let loaded = load(&Flags::<flags::RunSettings>::of(values), &|_| None, surroundings, counting);
    loaded.unwrap_or_else(|error| panic!("a preset is right: {error}")).config
}

/// What differs between the commands.
struct Work {
    topics: PerTopic<String>,
    delivery: Delivery,
    window: WindowRules,
    timezone: jiff::tz::TimeZone,
    timestamp_style: TimestampStyle,
    users: Option<UsersConfig>,
}

/// What is read for users, and may be wrong.
type OfUsers = (RuleSettings, NetworkList, DeviceList);

/// Events are enriched, and counted in windows.
fn counting(layers: &Layers, _: OfUsers) -> Work {
    Work {
        topics: PerTopic::of(&Topic::COUNTING, |topic| layers.required(t::of_topic(topic))),
        delivery: layers.required(&t::DELIVERY),
        window: WindowRules {
            size_ms: layers.required(&t::WINDOW).as_millis() as i64,
            grace_ms: layers.required(&t::GRACE).as_millis() as i64,
            allowed_lateness_ms: layers.required(&t::ALLOWED_LATENESS).as_millis() as i64,
        },
        timezone: layers.required(&t::TIMEZONE),
        timestamp_style: layers.required(&t::TIMESTAMP_STYLE),
        users: None,
    }
}

/// Profiles of users are kept. Alerts are always exact: one that comes twice costs somebody's time.
fn profiling(layers: &Layers, (rules, networks, devices): OfUsers) -> Work {
    let allowed_lateness = layers.required(&t::ALLOWED_LATENESS);
    Work {
        topics: PerTopic::of(&Topic::PROFILING, |topic| layers.required(t::of_topic(topic))),
        delivery: Delivery::ExactlyOnce,
        // Of windows there are none; a partition that is ahead of the others waits for them.
        window: WindowRules {
            size_ms: limits::USERS_ALIGNMENT.as_millis() as i64,
            grace_ms: 0,
            allowed_lateness_ms: allowed_lateness.as_millis() as i64,
        },
        timezone: jiff::tz::TimeZone::UTC,
        timestamp_style: TimestampStyle::Naive,
        users: Some(UsersConfig {
            rules,
            places: layers.required(&t::PLACES),
            geoip: layers.get(&t::GEOIP),
            placeholders: layers.get(&t::PLACEHOLDERS).unwrap_or_default().into(),
            networks: Arc::new(networks),
            devices: Arc::new(devices),
            profile_ttl: layers.required(&t::PROFILE_TTL),
            learn: layers.required(&t::LEARN),
            learn_logins: layers.required(&t::LEARN_LOGINS),
            allowed_lateness,
        }),
    }
}

fn load<S: Subset>(
    flags: &Flags<S>,
    variable: &dyn Fn(&str) -> Option<String>,
    surroundings: &Surroundings,
    work: fn(&Layers, OfUsers) -> Work,
) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::new();
    let layers = Layers::gather(flags, variable, &mut problems);
    contradictions::check(&layers, &mut problems);
    let fields = fields(&layers, &mut problems);
    let rules = alerts::rules(&layers, &mut problems);
    let (networks, devices) = alerts::lists(&layers, &mut problems);
    let client_properties = ClientProperties(client_properties(&layers, &mut problems));
    let state_dir = layers.get(&t::STATE_DIR).or_else(|| {
        let group_id =
            layers.get(&t::GROUP_ID).filter(|_| layers.value(&t::STATE_DIR).is_none())?;
        default_state_dir(&group_id, surroundings).map_err(|what| problems.add(what)).ok()
    });
    if let Some(error) = problems.into_error() {
        return Err(error);
    }
    let state_dir = state_dir.expect("a folder that is missing is a problem");
    let instance_id = layers.get(&t::INSTANCE_ID).unwrap_or_else(|| {
        default_instance_id(&surroundings.host, &surroundings.current_dir.join(&state_dir))
    });
    let Work { topics, delivery, window, timezone, timestamp_style, users } =
        work(&layers, (rules, networks, devices));
    let memory = layers.required(&t::MEMORY_BUDGET);
    let memory = if users.is_some() { memory.with_rows() } else { memory };
    let workers = layers.get(&t::WORKERS);
    let config = RunConfig {
        brokers: layers.required(&t::BROKERS),
        group_id: layers.required(&t::GROUP_ID),
        instance_id,
        topics,
        workers: workers.unwrap_or_else(|| surroundings.default_workers(&memory)),
        delivery,
        window,
        users,
        leave_on_stop: layers.required(&t::LEAVE_ON_STOP),
        idle_timeout: layers.required(&t::IDLE_TIMEOUT),
        commit_interval: layers.required(&t::COMMIT_INTERVAL),
        timing: times::timing(&layers).expect("a wrong value is a problem"),
        start_from: layers.required(&t::START_FROM),
        on_unreadable_batch: layers.required(&t::ON_UNREADABLE_BATCH),
        state_dir,
        on_topic_recreated: layers.required(&t::ON_TOPIC_RECREATED),
        memory,
        event: EventConfig {
            fields,
            timezone,
            timestamp_style,
            max_future_ms: layers.required(&t::MAX_FUTURE).as_millis() as i64,
            max_event_bytes: limits::MAX_EVENT_BYTES,
        },
        http: layers.required(&t::HTTP),
        http_token: layers.get(&t::HTTP_TOKEN),
        stats_interval: layers.required(&t::STATS_INTERVAL),
        stall_timeout: layers.required(&t::STALL_TIMEOUT),
        log_format: layers.required(&t::LOG_FORMAT),
        create_topics: layers.required(&t::CREATE_TOPICS),
        new_topic_partitions: layers.get(&t::PARTITIONS),
        new_topic_replication: layers.get(&t::REPLICATION),
        exit_at_end: layers.required(&t::EXIT_AT_END),
        client_properties,
    };
    Ok(Loaded { config, layers, settings: S::settings() })
}

fn fields(layers: &Layers, problems: &mut Problems) -> FieldNames {
    let mut fields = FieldNames::default();
    for entry in layers.table(&t::FIELD) {
        let (field, name) = (&entry.name, &entry.text);
        if let Err(what) = fields.set(field, name) {
            // The message begins with the setting already: "field user_id=…: …".
            let what = what.trim_start_matches(&format!("field {field}={name}: "));
            problems.add(layers.invalid_entry(t::FIELD.spec(), entry, what));
        }
    }
    fields
}

/// The properties for librdkafka, secrets read from their files.
pub(crate) fn client_properties(layers: &Layers, problems: &mut Problems) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    for entry in layers.table(&t::CLIENT) {
        let value = if entry.is_path {
            secrets::read(Path::new(&entry.text))
        } else {
            Ok(entry.text.clone())
        };
        match value {
            Ok(value) => properties.push((entry.name.clone(), value)),
            Err(what) => problems.add(layers.invalid_entry(t::CLIENT.spec(), entry, what)),
        }
    }
    properties
}
