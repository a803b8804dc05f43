//! The section `pairs`: an ordinary pass-through, the most that can be done, and logintide, in turn
//! over one topic.

use super::{
    figures::Figures,
    measure::{Job, copy, upper_bound},
    table::{Layout, Markdown, Show},
    workbench::{BEFORE, Workbench},
};

/// What the ratios are called, of what they are, and the goal.
const RATIOS: &[(&str, &str, &str, &str, &str)] = &[
    ("at-least-once : copy, steady rate", "at-least-once", "copy", "steady_k_per_s", "≥ 1.25"),
    ("at-least-once : copy, whole run", "at-least-once", "copy", "whole_k_per_s", "≥ 1.25"),
    ("at-least-once : copy, own CPU", "at-least-once", "copy", "own_us", "≤ 0.8"),
    (
        "exactly-once : copy, steady rate",
        "exactly-once",
        "copy-transactions",
        "steady_k_per_s",
        "≥ 1.2",
    ),
    (
        "exactly-once : copy, whole run",
        "exactly-once",
        "copy-transactions",
        "whole_k_per_s",
        "≥ 1.2",
    ),
    ("exactly-once : at-least-once, own CPU", "exactly-once", "at-least-once", "own_us", "≤ 1.15"),
];

/// The same of the other build (`--against`).
const AGAINST: &[(&str, &str, &str, &str, &str)] = &[
    ("at-least-once, steady rate", "at-least-once", ALO_BEFORE, "steady_k_per_s", "≥ 0.97"),
    ("at-least-once, own CPU", "at-least-once", ALO_BEFORE, "own_us", "≤ 1.03"),
    ("exactly-once, steady rate", "exactly-once", EOS_BEFORE, "steady_k_per_s", "≥ 0.97"),
    ("exactly-once, own CPU", "exactly-once", EOS_BEFORE, "own_us", "≤ 1.03"),
];

const ALO_BEFORE: &str = "at-least-once-before";
const EOS_BEFORE: &str = "exactly-once-before";

/// What the page leaves out.
pub(crate) const OTHERS: Layout = Layout {
    corner: "",
    cases: &[
        ("copy-mimalloc", "copy with mimalloc"),
        ("copy-transactions-mimalloc", "copy with mimalloc, transactions"),
        ("bound", "upper bound without a tape"),
    ],
    measures: RATES.measures,
};

pub(crate) const RATES: Layout = Layout {
    corner: "",
    cases: &[
        ("copy", "copy"),
        ("at-least-once", "logintide, at-least-once"),
        ("bound-tape", "upper bound"),
        ("copy-transactions", "copy with transactions"),
        ("exactly-once", "logintide, exactly-once"),
        ("bound-transactions-tape", "upper bound, transactions"),
        (ALO_BEFORE, "the other build, at-least-once"),
        (EOS_BEFORE, "the other build, exactly-once"),
    ],
    measures: &[
        ("steady_k_per_s", "steady, k/s", Show::Spread(0)),
        ("whole_k_per_s", "whole run, k/s", Show::Median(0)),
        ("own_us", "own CPU, µs", Show::Median(2)),
        ("broker_us", "broker CPU, µs", Show::Median(2)),
        ("peak_mib", "peak, MiB", Show::Median(0)),
    ],
};

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let plan = bench.plan().clone();
    bench.start_broker(1);
    eprintln!("pairs: producing {} events", plan.events);
    bench.fill("in", 8, plan.events, &[]);
    let mut figures = Figures::default();
    for round in 0..=plan.rounds {
        let note = if round == 0 { " (warms up, does not count)" } else { "" };
        eprintln!("pairs: round {round} of {}{note}", plan.rounds);
        let has_before = bench.programs().has_before();
        for kind in Kind::ALL.iter().filter(|kind| kind.is_wanted(plan.is_quick, has_before)) {
            let measured = kind.run(bench, round)?;
            if round > 0 {
                measured.add_to(&mut figures, kind.case());
            }
        }
    }
    Ok(figures)
}

/// One line per ratio, a column per run.
pub(crate) fn ratios(runs: &[(&str, &Figures)]) -> String {
    table_of("ratio, round by round", RATIOS, runs)
}

/// This build's figures divided by the other's; nothing without another build.
pub(crate) fn against(figures: &Figures) -> String {
    if figures.of(ALO_BEFORE, "own_us").is_empty() {
        return String::new();
    }
    table_of("this build : the other, round by round", AGAINST, &[("ratio", figures)])
}

fn table_of(
    corner: &str,
    rows: &[(&str, &str, &str, &str, &str)],
    runs: &[(&str, &Figures)],
) -> String {
    let machines = runs.iter().map(|(machine, _)| (*machine).to_owned());
    let head = std::iter::once("goal".to_owned()).chain(machines);
    let mut table = Markdown::new(corner, head);
    for (label, of, to, measure, goal) in rows {
        let spreads = runs.iter().map(|(_, figures)| figures.ratio(of, to, measure));
        let cells = spreads.map(|s| s.map_or_else(String::new, |spread| spread.text(2)));
        table.line(label, std::iter::once((*goal).to_owned()).chain(cells));
    }
    table.text()
}

/// What runs in turn: what has an ordinary counterpart stands beside it.
#[derive(Clone, Copy)]
enum Kind {
    Copy,
    AtLeastOnce,
    Bound,
    BoundTape,
    CopyMimalloc,
    CopyTransactions,
    ExactlyOnce,
    BoundTransactionsTape,
    CopyTransactionsMimalloc,
    AtLeastOnceBefore,
    ExactlyOnceBefore,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Copy,
        Self::AtLeastOnceBefore,
        Self::AtLeastOnce,
        Self::ExactlyOnceBefore,
        Self::Bound,
        Self::BoundTape,
        Self::CopyMimalloc,
        Self::CopyTransactions,
        Self::ExactlyOnce,
        Self::BoundTransactionsTape,
        Self::CopyTransactionsMimalloc,
    ];

    fn case(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::AtLeastOnce => "at-least-once",
            Self::Bound => "bound",
            Self::BoundTape => "bound-tape",
            Self::CopyMimalloc => "copy-mimalloc",
            Self::CopyTransactions => "copy-transactions",
            Self::ExactlyOnce => "exactly-once",
            Self::BoundTransactionsTape => "bound-transactions-tape",
            Self::CopyTransactionsMimalloc => "copy-transactions-mimalloc",
            Self::AtLeastOnceBefore => ALO_BEFORE,
            Self::ExactlyOnceBefore => EOS_BEFORE,
        }
    }

    /// Beside another build only the two builds are measured.
    fn is_wanted(self, is_quick: bool, has_before: bool) -> bool {
        match self {
            Self::AtLeastOnceBefore | Self::ExactlyOnceBefore => has_before,
            Self::AtLeastOnce | Self::ExactlyOnce => true,
            Self::Copy | Self::CopyTransactions => !has_before,
            _ => !is_quick && !has_before,
        }
    }

    fn run(self, bench: &mut Workbench, round: u32) -> anyhow::Result<super::measure::Measured> {
        let events = bench.plan().events;
        let with_mimalloc = "loadgen-mimalloc";
        match self {
            Self::Copy => copy(bench, round, "loadgen", &[]),
            Self::CopyMimalloc => copy(bench, round, with_mimalloc, &[]),
            Self::CopyTransactions => copy(bench, round, "loadgen", &["--transactions"]),
            Self::CopyTransactionsMimalloc => {
                copy(bench, round, with_mimalloc, &["--transactions"])
            }
            Self::AtLeastOnce => Job::new(events).run(bench, round),
            Self::ExactlyOnce => {
                Job { delivery: "exactly-once", ..Job::new(events) }.run(bench, round)
            }
            Self::AtLeastOnceBefore => {
                Job { program: BEFORE, ..Job::new(events) }.run(bench, round)
            }
            Self::ExactlyOnceBefore => {
                let delivery = "exactly-once";
                Job { program: BEFORE, delivery, ..Job::new(events) }.run(bench, round)
            }
            Self::Bound => upper_bound(bench, round, &[]),
            Self::BoundTape => upper_bound(bench, round, &["--tape"]),
            Self::BoundTransactionsTape => upper_bound(bench, round, &["--transactions", "--tape"]),
        }
    }
}
