//! Arguments of `logintide redrive`, and the checked configuration they become.

use std::collections::BTreeSet;

use clap::{ArgGroup, Args};

use super::selection::{Selection, parse_reason};
use crate::{
    config::{LogFormat, Problems, parse_number, parse_time},
    error::RunError,
    kafka::ClientSettings,
    settings::{
        Flags, Layers, Setting, Subset, client_properties,
        table::{BROKERS, CLIENT, DEAD_LETTER_TOPIC, GROUP_ID, INPUT_TOPIC, LOG_FORMAT},
        variable,
    },
};

/// The settings that `redrive` has in common with `run`.
#[derive(Debug)]
struct Shared;

impl Subset for Shared {
    fn settings() -> Vec<&'static dyn Setting> {
        vec![&BROKERS, &GROUP_ID, &INPUT_TOPIC, &DEAD_LETTER_TOPIC, &LOG_FORMAT, &CLIENT]
    }
}

/// Flags of `redrive`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("selection").args(["reason", "from", "to", "all"]).multiple(true)
    .required(true)))]
#[command(mut_arg("group-id", |arg| arg.help(
    "Consumer group of the processor; progress is kept in the group NAME-redrive"
)))]
#[command(mut_arg("input-topic", |arg| arg.help("Topic that the records came from and go to")))]
pub(crate) struct RedriveArgs {
    #[command(flatten)]
    settings: Flags<Shared>,
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

/// The checked settings of `redrive`.
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
    /// The group whose offsets are the progress; it never has a member.
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
        let layers = Layers::gather(&self.settings, &variable, problems);
        let (input_topic, letters) = (layers.get(&INPUT_TOPIC), layers.get(&DEAD_LETTER_TOPIC));
        if letters.is_some() && letters == input_topic {
            let what = "expected another topic than '--input-topic' has";
            problems.add(layers.invalid(&DEAD_LETTER_TOPIC, what));
        }
        let properties = client_properties(&layers, problems);
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
            problems.add("--from is not before --to; exchange them");
        }
        let max_redrives = problems.check("--max-redrives", &self.max_redrives, parse_count);
        let rate = match &self.rate {
            None => Some(None),
            Some(text) => problems.check("--rate", text, parse_rate).map(Some),
        };
        let input_topic = input_topic?;
        Some(RedriveConfig {
            client: ClientSettings { brokers: layers.get(&BROKERS)?, properties },
            group_id: layers.get(&GROUP_ID)?,
            dead_letter_topic: letters?,
            log_format: layers.get(&LOG_FORMAT)?,
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
}

fn parse_count(text: &str) -> Result<u8, String> {
    parse_number(text, 1..=u8::MAX)
}

fn parse_rate(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").and_then(|number| number.parse().ok());
    number.filter(|rate| *rate > 0).ok_or_else(|| "expected a rate such as 500/s".to_owned())
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
        let properties = args.checked().expect("all is right").client.properties;
        let expected = [("sasl.password", "hunter2"), ("a.file", "x")];
        assert_eq!(properties, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
