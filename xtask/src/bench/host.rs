//! A host that takes processor time from a virtual machine for others: a measurement during which
//! it took much says little.

use std::{
    fmt,
    time::{Duration, Instant},
};

use testkit::usage;

/// Above this share of the processors' time a measurement is made again.
const STOLEN_SHARE: f64 = 0.01;

/// How often the host disturbed the measurements of a section.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Host {
    pub(crate) measured: u32,
    /// Made again at least once.
    pub(crate) repeated: u32,
    /// Count although the host disturbed each attempt.
    pub(crate) disturbed: u32,
}

impl Host {
    /// Measures, and again where the host disturbed it, so many times at most.
    ///
    /// # Errors
    /// Those of the measurement.
    pub(crate) fn calm<T>(
        &mut self,
        repeats: u32,
        mut measure: impl FnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.measured += 1;
        let mut repeated = 0;
        loop {
            let (stolen, began) = (usage::stolen_s(), Instant::now());
            let result = measure()?;
            if !is_disturbed(usage::stolen_s() - stolen, began.elapsed(), processors()) {
                return Ok(result);
            }
            if repeated == repeats {
                self.disturbed += 1;
                return Ok(result);
            }
            self.repeated += u32::from(repeated == 0);
            repeated += 1;
            eprintln!("the host took more than 1 % of the processors meanwhile: again");
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { measured, repeated, disturbed } = self;
        write!(
            f,
            "Of {measured} measurements {repeated} were made again, because the host took more than \
             1 % of the processors; {disturbed} count although it did so each time."
        )
    }
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn is_disturbed(stolen_s: f64, elapsed: Duration, processors: usize) -> bool {
    stolen_s > STOLEN_SHARE * processors as f64 * elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_percent_of_all_processors_is_allowed() {
        let elapsed = Duration::from_secs(10);
        assert!(!is_disturbed(0.2, elapsed, 2));
        assert!(is_disturbed(0.21, elapsed, 2));
        assert!(!is_disturbed(0.21, elapsed, 4));
    }
}
