//! `logintide check-config`: shows what `run` would do, and every problem that would stop it.
//!
//! On the main thread of a process of its own. In: the flags of `run`. Out: text or JSON lines on
//! stdout; exit code 2 for problems, 1 when no broker answers in time.
//! Holds: it changes nothing. No group is joined, no topic created, no transaction opened, no
//! offset committed, and not a byte of the state folder changes.

mod cluster;
mod facts;
mod findings;
mod journal;
mod local;
mod sample;
mod summary;
#[cfg(test)]
mod tests;
mod topics;

use std::{io, time::Duration};

use clap::Args;

use self::{
    cluster::Own,
    facts::{Deadline, Facts},
    findings::{Findings, Form},
    sample::Plan,
};
use crate::{
    client::no_answer,
    config::{Delivery, RunConfig, Surroundings, parse_duration, parse_number},
    error::RunError,
    kafka::{
        Admin, ClientSettings, Consumer, ConsumerSettings, KafkaError, Producer, ProducerSettings,
        Transactional, find_unreachable_brokers, unreachable_brokers,
    },
    limits,
    output::{StartLogging, printed},
    plain::{Plain, Style},
    settings::{self, RunArgs},
    state::{Peek, StateError},
    topics::Topic,
};

/// Flags of `check-config`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    own: OwnArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Check")]
struct OwnArgs {
    /// How long to wait for the broker, all queries together
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    timeout: Duration,
    /// Also show the newest N records of the input (at most 10000, spread over the partitions) as
    /// they would be processed or rejected
    #[arg(long, value_name = "N", value_parser = parse_sample)]
    sample: Option<usize>,
    /// Form of the answer; json has one object per line
    #[arg(long, value_name = "FORM", value_enum, default_value = "text")]
    output: Form,
}

const EXAMPLES: &str = "\
Takes every flag of `run`, and changes nothing: no group is joined, no topic created.

Examples:
  Before a start:
    logintide check-config --brokers kafka:9092 --state-dir /var/lib/logintide

  What becomes of the newest 100 events if their user is in the field `sub`:
    logintide check-config --brokers kafka:9092 --field user_id=sub --sample 100

  In a deployment, for a program to read:
    logintide check-config --brokers kafka:9092 --timeout 30s --output json

Exit codes: 0 nothing wrong, 1 no broker answered in time, 2 problems, each named with its remedy.";

/// Checks the settings and the cluster, and shows what it found.
pub(crate) fn run(args: &CheckArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let CheckArgs { run, own: OwnArgs { timeout, sample, output: form } } = args;
    let (timeout, sample, form) = (*timeout, sample.unwrap_or(0), *form);
    let surroundings = Surroundings::read();
    let loaded = run.load(&surroundings).map_err(|error| {
        RunError::Refused(format!("{error}\nnothing else was checked: that needs right settings"))
    })?;
    if run.print_config() {
        return printed(settings::print(&mut io::stdout().lock(), &loaded));
    }
    let config = loaded.config;
    start_logging(config.log_format, None)?;
    let mut check = Check { config, findings: Findings::default() };
    let asked = check.all(&surroundings, timeout);
    // Much of it others have named: topics, clients, hosts.
    let style = match form {
        Form::Text => Style::Text,
        Form::Json => Style::Json,
    };
    let mut out = Plain::new(io::stdout().lock(), style);
    printed(check.findings.show(&mut out, form))?;
    if let Some((clients, partitions)) = asked?.filter(|_| sample > 0) {
        let plan = Plan { count: sample, partitions, patience: timeout, form };
        sample::show(plan, &check.config.event, clients.consumer, &mut out)?;
    }
    match check.findings.problems() {
        0 => Ok(()),
        1 => Err(RunError::Refused("1 problem, named above".to_owned())),
        n => Err(RunError::Refused(format!("{n} problems, named above"))),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("expected a longer time".to_owned()),
        timeout => Ok(timeout),
    }
}

fn parse_sample(text: &str) -> Result<usize, String> {
    parse_number(text, 1..=limits::SAMPLE_MAX_RECORDS)
}

/// The clients that query the broker.
struct Clients {
    settings: ClientSettings,
    admin: Admin,
    consumer: Consumer,
    transaction_timeout_ms: i64,
    fetch: Fetch,
}

/// How much is fetched at once.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    /// Bytes of batches in an answer; a larger batch comes alone.
    answer_bytes: usize,
    /// Bytes of the largest answer that is taken.
    receive_limit: usize,
}

struct Check {
    config: RunConfig,
    findings: Findings,
}

impl Check {
    /// Checks the machine, then the broker. Returns the clients and the number of the input's
    /// partitions when there are records to sample.
    fn all(
        &mut self,
        surroundings: &Surroundings,
        timeout: Duration,
    ) -> Result<Option<(Clients, i32)>, RunError> {
        let Self { config, findings } = self;
        summary::of_settings(config, findings);
        let peek = local::judge(config, surroundings, findings);
        summary::of_state(config, &peek, findings);
        let Some(clients) = clients(config, findings) else {
            return Ok(None);
        };
        let asked = facts::ask(config, &clients.admin, &clients.consumer, Deadline::after(timeout));
        // At the address that each advertises, not at the one that --brokers names.
        let patience = limits::BROKER_QUERY_TIMEOUT;
        let unreachable = match &asked {
            Ok(_) => unreachable_brokers(&clients.admin, patience),
            Err(_) => find_unreachable_brokers(&clients.settings, patience),
        };
        let unreachable = unreachable.unwrap_or_default();
        for broker in &unreachable {
            findings.problem(broker.explain());
        }
        match asked {
            Ok(facts) => {
                self.judge(&facts, &peek, &clients);
                let Self { config, findings } = self;
                journal::judge(config, &clients.settings, &facts, timeout, findings);
                let input = facts.topics[Topic::Input].seen();
                Ok(input.map(|input| (clients, input.partitions as i32)))
            }
            Err(_) if !unreachable.is_empty() => Ok(None),
            Err(error) => {
                let what = no_answer(&config.brokers, timeout, &error);
                findings.problem(format!("{what}, or allow more time (--timeout)"));
                Err(RunError::Failed("the broker could not be asked".to_owned()))
            }
        }
    }

    fn judge(&mut self, facts: &Facts, peek: &Peek, clients: &Clients) {
        let Self { config, findings } = self;
        summary::of_broker(config, facts, findings);
        summary::of_memory(config, facts, clients.fetch, findings);
        topics::judge(config, facts, findings);
        topics::judge_largest_batch(config, facts, clients.fetch, findings);
        let locked =
            peek.problems.iter().any(|problem| matches!(problem, StateError::Locked { .. }));
        let has_stopped = peek.has_copy && !locked;
        let transaction_timeout_ms = clients.transaction_timeout_ms;
        let own = Own { transaction_timeout_ms, has_stopped };
        cluster::judge(config, facts, own, findings);
    }
}

/// Makes every kind of client that a run makes, so that each -X property is tried.
fn clients(config: &RunConfig, findings: &mut Findings) -> Option<Clients> {
    let client = ClientSettings {
        brokers: config.brokers.clone(),
        properties: config.client_properties.to_vec(),
    };
    let consumer = ConsumerSettings {
        client: client.clone(),
        group_id: config.group_id.clone(),
        instance_id: None,
        topic: config.topics[Topic::Input].clone(),
        fetch_queue_kbytes: config.memory.fetch_queue / 1024,
        session_timeout: config.timing.session(),
        max_poll_interval: config.timing.max_poll(),
        reads_uncommitted: false,
    };
    let producer = ProducerSettings {
        client: client.clone(),
        queue_kbytes: config.memory.producer_queue / 1024,
        batch_bytes: limits::MESSAGE_MAX_BYTES,
        linger: limits::PRODUCER_LINGER,
        delivery_timeout: config.timing.delivery(),
        // NOTE: never registered, so that a running instance goes on.
        transactional: Some(Transactional::of(
            &config.group_id,
            config.instance_id.as_str(),
            config.timing.transaction(),
        )),
    };
    // Of the enriched events, where they do not wait for the commit.
    let plain = (config.delivery == Delivery::AtLeastOnce)
        .then(|| ProducerSettings { transactional: None, ..producer.clone() });
    let mut made = |result: Result<(), KafkaError>| {
        result.map_err(|error| findings.problem(error.to_string())).ok()
    };
    // What is behind the committed offsets counts, records of open transactions included.
    let admin = Admin::read_uncommitted(&client);
    made(admin.as_ref().map(drop).map_err(Clone::clone))?;
    let reader = Consumer::new(&consumer);
    let reader_made = made(reader.as_ref().map(drop).map_err(Clone::clone));
    let transaction_timeout_ms = producer.transaction_timeout().as_millis() as i64;
    let mut producers = [Some(&producer), plain.as_ref()].into_iter().flatten();
    let producers_made = producers.try_for_each(|settings| made(Producer::new(settings).map(drop)));
    reader_made.and(producers_made)?;
    let (admin, consumer_made) = (admin.ok()?, reader.ok()?);
    let (answer_bytes, receive_limit) = (consumer.response_bytes(), consumer.receive_limit());
    let fetch = Fetch { answer_bytes, receive_limit };
    Some(Clients {
        settings: client,
        admin,
        consumer: consumer_made,
        transaction_timeout_ms,
        fetch,
    })
}
