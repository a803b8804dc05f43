//! The arguments of `logintide demo`, as typed.

use clap::Args;

/// Flags of `demo`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct DemoArgs {
    /// Login events per second
    #[arg(long, value_name = "PER_SECOND", default_value = "3000")]
    pub(super) rate: String,

    /// How long events are sent; the end takes some seconds more
    /// [default: 60s, or less if the embedded broker holds less]
    #[arg(long, value_name = "DURATION")]
    pub(super) duration: Option<String>,

    /// Length of a window
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(super) window: String,
}

const NOTES: &str = "\
Everything is in this process: a small Kafka broker (librdkafka's mock cluster, which keeps 5 MiB
per partition and has no transactions, so delivery is at-least-once), a generator whose events are
partly broken, late and odd, the whole pipeline, and a judge that recounts everything at the end.
Ctrl-C ends it early, with the audit; a second one leaves at once. Exit code 1: something is wrong.
State and log are in a temporary folder, removed at the end; memory: about 300 MiB by default.";
