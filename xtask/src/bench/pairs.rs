//! The section `pairs`: an ordinary pass-through, the most that can be done, and logintide, in turn
//! over one topic.

use super::{
    figures::Figures,
    measure::{Job, copy, upper_bound},
    table::{Layout, Markdown, Show},
    workbench::Workbench,
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
        for kind in Kind::ALL.iter().filter(|kind| !plan.is_quick || kind.is_quick()) {
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
    let machines = runs.iter().map(|(machine, _)| (*machine).to_owned());
    let head = std::iter::once("goal".to_owned()).chain(machines);
    let mut table = Markdown::new("ratio, round by round", head);
    for (label, of, to, measure, goal) in RATIOS {
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
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Copy,
        Self::AtLeastOnce,
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
        }
    }

    fn is_quick(self) -> bool {
        let plain = [Self::Copy, Self::AtLeastOnce, Self::CopyTransactions, Self::ExactlyOnce];
        plain.iter().any(|kind| kind.case() == self.case())
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
            Self::Bound => upper_bound(bench, round, &[]),
            Self::BoundTape => upper_bound(bench, round, &["--tape"]),
            Self::BoundTransactionsTape => upper_bound(bench, round, &["--transactions", "--tape"]),
        }
    }
}
