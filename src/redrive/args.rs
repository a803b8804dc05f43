//! Arguments of `logintide redrive`, and the checked configuration they become.

use std::{collections::BTreeSet, path::Path};

use clap::{ArgAction, ArgGroup, Args};
use jiff::Timestamp;

use super::selection::{Selection, parse_reason};
use crate::{
    config::{
        LogFormat, Problems, parse_brokers, parse_group_id, parse_log_format, parse_pair,
        parse_topic, secrets,
    },
    error::RunError,
    kafka::ClientSettings,
};

/// Flags of `redrive`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("selection").args(["reason", "from", "to", "all"]).multiple(true)
    .required(true)))]
pub struct RedriveArgs {
    /// Kafka brokers, comma-separated; required
    #[arg(long, value_name = "HOST:PORT", env = "LOGINTIDE_BROKERS")]
    brokers: Option<String>,
    /// Consumer group of the processor; progress is kept in the group NAME-redrive
    #[arg(long, value_name = "NAME", env = "LOGINTIDE_GROUP_ID", default_value = "logintide")]
    group_id: String,
    /// Property for librdkafka; repeat it, or one per line in the variable. NAME.file=PATH reads a
    /// secret one from a file
    #[arg(
        short = 'X',
        value_name = "NAME=VALUE",
        env = "LOGINTIDE_CLIENT_PROPERTIES",
        value_delimiter = '\n',
        action = ArgAction::Append
    )]
    client_properties: Vec<String>,
    /// Where the records came from and go to
    #[arg(long, value_name = "TOPIC", env = "LOGINTIDE_INPUT_TOPIC", default_value = "user-login")]
    input_topic: String,
    /// Where the dead letters are
    #[arg(
        long,
        value_name = "TOPIC",
        env = "LOGINTIDE_DEAD_LETTER_TOPIC",
        default_value = "user-login-dlq"
    )]
    dead_letter_topic: String,
    /// Form of the log: text or json
    #[arg(long, value_name = "FORMAT", env = "LOGINTIDE_LOG_FORMAT", default_value = "text")]
    log_format: String,
    /// Records rejected for this reason; repeat it, or separate by commas
    #[arg(long, value_name = "REASON", value_delimiter = ',', help_heading = "Selection")]
    reason: Vec<String>,
    /// Dead letters written at or after this RFC 3339 time
    #[arg(long, value_name = "TIME", help_heading = "Selection")]
    from: Option<String>,
    /// Dead letters written before this RFC 3339 time
    #[arg(long, value_name = "TIME", help_heading = "Selection")]
    to: Option<String>,
    /// Every dead letter
    #[arg(long, conflicts_with_all = ["reason", "from", "to"], help_heading = "Selection")]
    all: bool,
    /// How often a record may be redriven in all
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Selection")]
    max_redrives: String,
    /// Also what an earlier run has sent
    #[arg(long, help_heading = "Selection")]
    again: bool,
    /// Send nothing; say what would be sent, with examples
    #[arg(long)]
    dry_run: bool,
    /// Records per second, such as 500/s [default: as fast as it goes]
    #[arg(long, value_name = "N/s")]
    rate: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  What would be sent, by reason:
    logintide redrive --brokers kafka:9092 --all --dry-run

  The processor runs with a larger --max-future now; process what it had rejected:
    logintide redrive --brokers kafka:9092 --reason timestamp_out_of_range

  All that came while a producer was broken, gently:
    logintide redrive --brokers kafka:9092 --from 2024-11-02T13:00:00Z --to 2024-11-02T15:00:00Z \\
      --rate 500/s

A record and the progress are one transaction: a run that was killed goes on where it stood, and
one that is started again sends nothing twice, until Kafka forgets the progress
(offsets.retention.minutes after the last run, 7 days by default).
Exit codes: 0 done or stopped in order, 1 failed (start it again), 2 usage or configuration.";

/// What `redrive` was told, checked.
#[derive(Debug, Clone)]
pub(super) struct RedriveConfig {
    pub(super) client: ClientSettings,
    pub(super) group_id: String,
    pub(super) input_topic: String,
    pub(super) dead_letter_topic: String,
    pub(super) log_format: LogFormat,
    pub(super) selection: Selection,
    pub(super) again: bool,
    pub(super) dry_run: bool,
    /// Records per second.
    pub(super) rate: Option<u32>,
}

impl RedriveConfig {
    /// The group whose offsets are the progress; nobody is ever in it.
    pub(super) fn progress_group(&self) -> String {
        format!("{}-redrive", self.group_id)
    }
}

impl RedriveArgs {
    /// Checks everything, and names all problems together.
    pub(super) fn checked(&self) -> Result<RedriveConfig, RunError> {
        let mut problems = Problems::new();
        let config = self.config(&mut problems);
        match problems.into_error() {
            Some(error) => Err(RunError::Refused(error.to_string())),
            None => Ok(config.expect("every missing part has noted a problem")),
        }
    }

    fn config(&self, problems: &mut Problems) -> Option<RedriveConfig> {
        if self.brokers.is_none() {
            problems.add_text("--brokers is missing; name them, as in localhost:9092");
        }
        let brokers = self.brokers.as_deref();
        let brokers = brokers.and_then(|text| problems.check("--brokers", text, parse_brokers));
        let group_id = problems.check("--group-id", &self.group_id, parse_group_id);
        let input_topic = problems.check("--input-topic", &self.input_topic, parse_topic);
        let letters = problems.check("--dead-letter-topic", &self.dead_letter_topic, parse_topic);
        if letters.is_some() && letters == input_topic {
            problems.add("--dead-letter-topic", &self.dead_letter_topic, "is also --input-topic");
        }
        let log_format = problems.check("--log-format", &self.log_format, parse_log_format);
        let properties = self.properties(problems);
        let reasons: Vec<_> = self.reason.iter().map(String::as_str).collect();
        let parsed = reasons.iter().map(|text| problems.check("--reason", text, parse_reason));
        let reasons: Option<BTreeSet<_>> = parsed.collect();
        let time = |name: &str, text: &Option<String>, problems: &mut Problems| match text {
            None => Some(None),
            Some(text) => problems.check(name, text, parse_time).map(Some),
        };
        let from = time("--from", &self.from, problems);
        let to = time("--to", &self.to, problems);
        if let (Some(Some(from)), Some(Some(to))) = (from, to)
            && from >= to
        {
            problems.add_text("--from is not before --to; exchange them");
        }
        let max_redrives = problems.check("--max-redrives", &self.max_redrives, parse_count);
        let rate = match &self.rate {
            None => Some(None),
            Some(text) => problems.check("--rate", text, parse_rate).map(Some),
        };
        let input_topic = input_topic?;
        Some(RedriveConfig {
            client: ClientSettings { brokers: brokers?, properties: properties? },
            group_id: group_id?,
            dead_letter_topic: letters?,
            log_format: log_format?,
            selection: Selection {
                input_topic: input_topic.clone(),
                reasons: reasons.map(|all| (!all.is_empty()).then_some(all))?,
                from_ms: from?,
                to_ms: to?,
                max_redrives: max_redrives?,
            },
            input_topic,
            again: self.again,
            dry_run: self.dry_run,
            rate: rate?,
        })
    }

    /// Only names are reported, because a value may be secret.
    fn properties(&self, problems: &mut Problems) -> Option<Vec<(String, String)>> {
        let given = self.client_properties.iter().map(|text| text.trim_end_matches(['\r', '\n']));
        let pairs = given.filter(|text| !text.is_empty()).map(|text| {
            let name = text.split_inclusive('=').next().unwrap_or(text);
            let pair = parse_pair(text).map_err(|what| problems.add("-X", name, what)).ok()?;
            let Some(secret) = secrets::property_of_file(&pair.0) else { return Some(pair) };
            let setting = format!("-X {}", pair.0);
            let value = problems.check(&setting, &pair.1, |path| secrets::read(Path::new(path)))?;
            Some((secret.to_owned(), value))
        });
        pairs.collect()
    }
}

fn parse_time(text: &str) -> Result<i64, String> {
    text.parse::<Timestamp>()
        .map(Timestamp::as_millisecond)
        .map_err(|_| "is no time with an offset; write it as in 2024-11-02T13:00:00Z".to_owned())
}

fn parse_count(text: &str) -> Result<u8, String> {
    let count = text.parse().ok().filter(|count| (1..=u8::MAX).contains(count));
    count.ok_or_else(|| format!("is no number from 1 to {}", u8::MAX))
}

fn parse_rate(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").and_then(|number| number.parse().ok());
    number.filter(|rate| *rate > 0).ok_or_else(|| "is no rate; write it as in 500/s".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RedriveArgs,
    }

    #[test]
    fn a_secret_comes_from_its_file_and_a_property_of_librdkafka_stays_as_it_is() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(&file, "hunter2\n").expect("writable");
        let secret = format!("sasl.password.file={}", file.path().display());
        let line = ["redrive", "--brokers", "b:9092", "--all", "-X", &secret, "-X", "a.file=x"];
        let args = Line::parse_from(line).args;
        let properties = args.properties(&mut Problems::new()).expect("all is right");
        let expected = [("sasl.password", "hunter2"), ("a.file", "x")];
        assert_eq!(properties, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
