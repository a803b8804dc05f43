//! What the markers of transactions cost the brokers. Pure.
//!
//! A commit writes a marker into every partition that its transaction has written to, however few
//! records they got.
//! In:  the numbers of partitions, the commit interval. Out: a text that names an interval that
//! fits, where this one does not.

use std::time::Duration;

use crate::{
    config::{Delivery, RunConfig},
    limits,
    topics::{PerTopic, Topic},
};

/// Why the commit interval is too short for so many partitions; `None` when it is not.
pub(crate) fn hint(
    config: &RunConfig,
    partitions: &PerTopic<usize>,
    brokers: usize,
    instances: usize,
) -> Option<String> {
    // Those that every epoch writes to; the last one holds the group's offsets.
    let is_written = |topic| match topic {
        Topic::Processed => config.delivery == Delivery::ExactlyOnce,
        topic => topic == Topic::Journal,
    };
    let written = partitions.iter().filter(|(topic, _)| is_written(*topic));
    let written: usize = written.map(|(_, partitions)| *partitions).sum();
    let markers = (written + 1) * instances.max(1);
    let brokers = brokers.max(1);
    let most = limits::MARKERS_PER_SECOND * brokers;
    let fits = Duration::from_millis((markers * 1000).div_ceil(most) as u64);
    (config.commit_interval < fits).then(|| {
        let per_second = markers as f64 / config.commit_interval.as_secs_f64() / brokers as f64;
        format!(
            "each commit writes {markers} markers of transactions, {per_second:.0} per second and \
             broker, of which a broker takes about {}; set --commit-interval to {}ms or more",
            limits::MARKERS_PER_SECOND,
            fits.as_millis()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn told(flags: &[&str], partitions: usize, brokers: usize, instances: usize) -> Option<String> {
        let line = [&["logintide", "run", "--brokers", "b:1"], flags].concat();
        let config = settings::of_line(&line);
        let partitions = config.topics.map(|_, _| partitions);
        hint(&config, &partitions, brokers, instances)
    }

    #[test]
    fn too_many_markers_are_told_with_the_interval_that_fits() {
        let once = ["--delivery", "exactly-once", "--commit-interval"];
        let with = |interval| [&once[..], &[interval]].concat();
        assert_eq!(told(&with("500ms"), 256, 1, 1), None);
        let text = told(&with("100ms"), 256, 1, 1).expect("too short");
        assert!(text.starts_with("each commit writes 513 markers of transactions, 5130 per"));
        assert!(text.ends_with("set --commit-interval to 257ms or more"), "{text}");
        assert_eq!(told(&with("257ms"), 256, 1, 1), None);
        assert_eq!(told(&with("100ms"), 256, 3, 1), None);
        assert!(told(&with("100ms"), 256, 3, 2).is_some());
        let ahead = ["--delivery", "at-least-once", "--commit-interval", "129ms"];
        assert_eq!(told(&ahead, 256, 1, 1), None);
    }
}
