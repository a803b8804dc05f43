//! A file of a population, right and wrong.

use super::*;

#[test]
fn the_default_is_valid_and_every_key_is_explained() {
    let file = PopulationFile::read("default").expect("valid");
    assert_eq!((file.name.as_str(), file.text.as_str()), ("default", super::super::DEFAULT));
    assert!(file.text.contains("committed, before any threshold"));
    // Keys follow a comment, or a key that one comment explains together with them.
    let mut is_explained = false;
    for line in file.text.lines().filter(|line| !line.starts_with([' ', ']'])) {
        is_explained = match line.as_bytes().first() {
            None => false,
            Some(b'#') => true,
            Some(b'[') => is_explained,
            _ => {
                assert!(is_explained || line.is_empty(), "{line}");
                true
            }
        };
    }
}

#[test]
fn a_wrong_file_names_the_line_and_the_remedy() {
    let wrong = |from: &str, to: &str| {
        assert!(super::super::DEFAULT.contains(from), "{from}");
        let text = super::super::DEFAULT.replacen(from, to, 1);
        let error = PopulationFile::parse("mine.toml", text.clone()).expect_err(to);
        assert!(error.starts_with("mine.toml: "), "{error}");
        assert!(error.contains("`loadgen population` prints a complete file"), "{error}");
        (error, text)
    };
    for (from, to, key, expected) in [
        ("main_use = 0.75", "main_use = 1.5", "main_use", "expected a share from 0 to 1"),
        ("adoption_days = 9", "adoption_days = -9", "adoption_days", "expected a number of 0"),
        ("exits = 60", "exits = 0", "exits = 0", "expected a whole number from 1"),
        ("from_hour = 9", "from_hour = 25", "from_hour", "expected an hour from 0 to 24"),
        ("exits = 60", "exists = 60", "exists = 60", "unknown field `exists`"),
        ("day = -45", "day = 50", "releases = [", "in the order of their days"),
        ("[\"unknown\", ", "[\"un known\", ", "device_ids = [", "letters, digits and dashes"),
        ("address_days = 30.0", "address_days = \"x\"", "address_days", "invalid type"),
        ("weights = [\n    5.0", "weights = [\n    0.0", "weights = [", "24 numbers above 0"),
    ] {
        let (error, text) = wrong(from, to);
        assert!(error.contains(expected), "{error}");
        let line = 1 + text.lines().position(|line| line.starts_with(key)).expect("the key");
        assert!(error.contains(&format!("line {line},")), "line {line}: {error}");
        assert!(error.contains(key), "{error}");
    }
    for (from, to, expected) in [
        ("share_with_two = 0.35", "share_with_two = 0.95", "devices.share_with_two"),
        ("to_hour = 17", "to_hour = 8", "work.to_hour"),
        ("trips_per_year = 4.0", "trips_per_year = 40.0", "travel.trips_per_year"),
        ("every_days = 240.0", "every_days = 150.0", "dormant.every_days"),
        ("naive = 0.0002", "naive = 1.0", "attacks: "),
    ] {
        let (error, _) = wrong(from, to);
        assert!(error.contains(expected), "{error}");
    }
    let (error, _) = wrong("address_days = 30.0", "");
    assert!(error.contains("missing field `address_days`"), "{error}");
    let error = PopulationFile::read("/does/not/exist.toml").expect_err("no file");
    assert!(error.contains("/does/not/exist.toml") && error.contains("`default`"), "{error}");
}

#[test]
fn a_plan_that_does_not_fit_the_population_is_refused_with_the_remedy() {
    let refused = |plan: Plan| plan.check_population().expect_err("it does not fit");
    let default = || PopulationFile::read("default").expect("valid");
    let few = refused(plan(default(), 99, 1e6));
    assert!(few.contains("--users 99"), "{few}");
    let slow = refused(plan(default(), 1_000, 1_000.0));
    assert!(slow.contains("stuffing_one_ip") && slow.contains("raise `minutes`"), "{slow}");
    let unknown = refused(Plan { start_time: None, ..plan(default(), 1_000, 1e6) });
    assert!(unknown.contains("--start-time"), "{unknown}");
    let fits = plan(default(), 1_000, 1e6);
    assert_eq!(fits.check_population(), Ok(()));
}
