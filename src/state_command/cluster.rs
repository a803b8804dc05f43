//! `logintide cluster`: the instances of a group, and what each reads. Changes nothing.
//!
//! In:  a running instance, or the journal. Out: a table or JSON on stdout.

use std::io::{self, Write};

use super::{
    args::ClusterArgs,
    ask::ask,
    cluster_text,
    journal::{JournalTopic, empty, missing},
};
use crate::{
    clock,
    error::RunError,
    output::{StartLogging, printed},
    plain::{Plain, Style},
    replica::cluster,
    status::Cluster,
};

/// Runs the command.
pub(crate) fn run(args: &ClusterArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let cluster = match args.url() {
        Some(url) => ask(url, args.token()?.as_ref())?,
        None => of_journal(args, start_logging)?,
    };
    let style = if args.json { Style::Json } else { Style::Text };
    let mut out = Plain::new(io::stdout().lock(), style);
    printed(if args.json {
        serde_json::to_writer_pretty(&mut out, &cluster)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        cluster_text::write(&mut out, &cluster)
    })
}

fn of_journal(args: &ClusterArgs, start_logging: StartLogging) -> Result<Cluster, RunError> {
    let place = args.journal_place()?;
    start_logging(place.log_format, None)?;
    let topic = JournalTopic::find(&place)?.ok_or_else(|| missing(&place))?;
    let identity = topic.identity()?.ok_or_else(|| empty(&place))?;
    let committed = topic.read(&identity)?;
    Ok(cluster(committed.state.view(), committed.state.identity(), clock::now_ms()))
}
