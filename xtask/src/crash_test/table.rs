//! How often what happened to which instance, for people.

use std::{collections::BTreeMap, fmt};

use super::plan::{Kind, Mishap};

/// Counts of mishaps, per kind and instance.
pub(super) struct Table {
    names: Vec<String>,
    counts: BTreeMap<Kind, Vec<usize>>,
}

impl Table {
    pub(super) fn new(names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Self { names, counts: BTreeMap::new() }
    }

    pub(super) fn count(&mut self, mishap: &Mishap) {
        let counts = self.counts.entry(mishap.kind).or_insert_with(|| vec![0; self.names.len()]);
        counts[mishap.instance] += 1;
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:26}", "")?;
        for name in &self.names {
            write!(f, "{name:>6}")?;
        }
        for (kind, counts) in &self.counts {
            write!(f, "\n{kind:26}")?;
            for count in counts {
                write!(f, "{count:6}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::crash_test::plan::Since;

    #[test]
    fn a_row_per_kind_and_a_column_per_instance() {
        let mut table = Table::new(&["i1", "i2"]);
        let kinds = [(1, Kind::Leave), (0, Kind::Kill), (1, Kind::Leave)];
        for (instance, kind) in kinds {
            let (since, after) = (Since::Launch, Duration::ZERO);
            table.count(&Mishap { instance, kind, since, after, workers: 1 });
        }
        let expected = [
            "                              i1    i2",
            "SIGKILL                        1     0",
            "SIGTERM, leaves the group      0     2",
        ];
        assert_eq!(table.to_string(), expected.join("\n"));
    }
}
