//! The labels of a run: what an event is, in a file beside the topic.
//!
//! In:  the plan, each event that was sent. Out: one JSON object per line: first a header, then one
//! per event of an attack and per event of a user that looks unusual.
//! Holds: an event without a line is a user's own and usual; nothing of this is in an event.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::json;

use crate::generate::{Label, Mark, Plan, Record};

/// A file of labels.
pub(super) struct LabelFile {
    path: PathBuf,
    out: BufWriter<File>,
}

/// The line of an event.
#[derive(Serialize)]
struct Line<'a> {
    event_no: u64,
    /// Who attacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    attacker: Option<&'static str>,
    /// The number of the campaign among those of this attacker.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<u64>,
    /// Why a user's own login looks unusual.
    #[serde(skip_serializing_if = "Option::is_none")]
    benign: Option<&'static str>,
    user_id: &'a str,
    /// The event time in epoch seconds, as in the event.
    timestamp: i64,
}

impl LabelFile {
    /// A new file with its header.
    pub(super) fn create(path: &Path, plan: &Plan) -> Result<Self> {
        let file = File::create(path)
            .with_context(|| format!("--labels: cannot create {}", path.display()))?;
        let mut labels = Self { path: path.to_owned(), out: BufWriter::new(file) };
        let population = plan.population.as_ref();
        let header = json!({
            "seed": plan.seed(),
            "plan": plan,
            "population": population.map(|file| json!({ "name": file.name, "text": file.text })),
        });
        labels.write(&header)?;
        Ok(labels)
    }

    /// Writes the label of an event, if it has one.
    pub(super) fn note(&mut self, event_no: u64, record: &Record) -> Result<()> {
        record.label.map_or(Ok(()), |label| self.write(&line(event_no, &label, record.time_ms)))
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        self.out.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let written = serde_json::to_writer(&mut self.out, line).map_err(anyhow::Error::from);
        written
            .and_then(|()| Ok(self.out.write_all(b"\n")?))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn line(event_no: u64, label: &Label, time_ms: i64) -> Line<'_> {
    let (attacker, campaign, benign) = match label.mark {
        Mark::Attack { attacker, campaign } => (Some(attacker.name()), campaign, None),
        Mark::Benign(cause) => (None, None, Some(cause.name())),
    };
    Line {
        event_no,
        attacker,
        campaign,
        benign,
        user_id: std::str::from_utf8(&label.user).expect("a UUID is ASCII"),
        timestamp: time_ms.div_euclid(1_000),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser as _;
    use serde_json::Value;

    use super::*;
    use crate::{
        args::{Cli, Command},
        generate::Generator,
    };

    const START_S: i64 = 1_694_479_550;

    fn plan() -> Plan {
        let line = "loadgen produce --seed 5 --users 2000 --population default \
                    --events-per-second-of-event-time 1 --share-poison 0.1 --share-late 0.1";
        let cli = Cli::try_parse_from(line.split_whitespace()).expect("well-formed");
        let Command::Produce(args) = cli.command else { panic!("another command") };
        Plan { start_time: Some(START_S), ..args.plan }
    }

    #[test]
    fn each_line_is_of_the_event_that_it_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labels");
        let plan = plan();
        let generator = Generator::new(&plan, START_S, 1).expect("a valid plan");
        let mut labels = LabelFile::create(&path, &plan).expect("created");
        let mut record = Record::new();
        let mut labelled = 0;
        for event_no in 0..50_000 {
            generator.make(event_no, 0, &mut record);
            labels.note(event_no, &record).expect("written");
            labelled += usize::from(record.label.is_some());
        }
        labels.finish().expect("written");

        let text = fs::read_to_string(&path).expect("written");
        let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let header: Value = lines.next().expect("a header");
        assert_eq!(header["seed"], 5);
        assert_eq!(header["plan"]["late_by"], "10m");
        assert_eq!(header["population"]["text"], crate::generate::DEFAULT_POPULATION);
        let (mut attacks, mut count) = (0, 0);
        for line in lines {
            let event_no = line["event_no"].as_u64().expect("a number");
            generator.make(event_no, 0, &mut record);
            let event: Value = serde_json::from_slice(&record.value).expect("JSON");
            assert_eq!(
                (&event["user_id"], &event["event_no"]),
                (&line["user_id"], &line["event_no"])
            );
            assert_eq!(event["timestamp"], line["timestamp"]);
            assert!(line["attacker"].is_string() != line["benign"].is_string(), "{line}");
            attacks += usize::from(line["attacker"].is_string());
            count += 1;
        }
        assert_eq!(count, labelled);
        assert!(attacks > 20, "{attacks}");
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let error = LabelFile::create(Path::new("/does/not/exist"), &plan()).err();
        let error = format!("{:#}", error.expect("no such folder"));
        assert!(error.contains("--labels") && error.contains("/does/not/exist"), "{error}");
    }
}
