//! The settings of `logintide users`.

use super::*;
use crate::users::place::PlaceTable;

fn users(arguments: &[&str]) -> Result<Loaded, ConfigError> {
    let line = [&["users", "--brokers", "b:9092"], arguments].concat();
    let definition = UsersArgs::augment_args(Command::new("users"));
    let matches = definition.try_get_matches_from(line).expect("parses");
    let args = UsersArgs::from_arg_matches(&matches).expect("fits the definition");
    load(&args.settings, &|_| None, &surroundings(), profiling)
}

fn right(arguments: &[&str]) -> RunConfig {
    users(arguments).expect("right settings").config
}

#[test]
fn it_has_defaults_of_its_own() {
    let config = right(&[]);
    assert_eq!(
        (config.group_id.as_str(), config.delivery),
        ("logintide-users", Delivery::ExactlyOnce)
    );
    let names = [
        "processed-logins",
        "login-alerts-dlq",
        "logintide-users-journal",
        "login-alerts",
        "user-activity",
    ];
    assert_eq!(config.topics.values().collect::<Vec<_>>(), names);
    assert_eq!(config.http.map(|address| address.port()), Some(9465));
    let users = config.users.expect("it is about users");
    assert_eq!((users.places, users.learn_logins), (PlaceTable::None, 10_000));
    assert_eq!(users.profile_ttl.as_secs(), 180 * 86_400);
    assert!(of_line(&["logintide", "run", "--brokers", "b:9092"]).users.is_none());
}

#[test]
fn rules_places_and_lists_are_those_that_are_given() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (file, networks) = (dir.path().join("l.toml"), dir.path().join("networks"));
    let rules = "[alerts.login_burst]\nmin_logins = 30\ndeviations = 4.5\n\
                 [alerts.impossible_travel]\non = false\n";
    std::fs::write(&file, rules).expect("written");
    std::fs::write(&networks, "192.0.2.0/24 # the office\n").expect("written");
    let [file, networks] = [&file, &networks].map(|path| path.to_str().expect("UTF-8"));
    let config = right(&[
        "--config",
        file,
        "--alerts",
        "login_burst.min_logins=40,dormant_return.min_gap=30d",
        "--places",
        "us-states",
        "--placeholders",
        "dummy, test",
        "--allowed-networks",
        networks,
    ]);
    let users = config.users.expect("it is about users");
    let burst = users.rules.burst;
    assert!(burst.min_logins == 40 && (burst.deviations - 4.5).abs() < 1e-9, "{burst:?}");
    assert!(!users.rules.travel.switch.is_on && users.rules.dormant.min_gap_s == 30 * 86_400);
    assert_eq!(
        (users.places, &*users.placeholders),
        (PlaceTable::UsStates, &["dummy".to_owned(), "test".to_owned()][..])
    );
    assert!(users.networks.contains([192, 0, 2, 7].into()) && users.devices.is_empty());
}

#[test]
fn what_is_wrong_is_said_together() {
    let error = users(&[
        "--alerts",
        "login_burst.min_login=40",
        "--allowed-devices",
        "/no/such/file",
        "--alerts-topic",
        "processed-logins",
    ]);
    let error = error.err().expect("three settings are wrong").to_string();
    for expected in [
        "3 settings are wrong",
        "there is no setting of login_burst 'min_login'; did you mean 'min_logins'?",
        "invalid value '/no/such/file' for '--allowed-devices': expected a readable file",
        "invalid value 'processed-logins' for '--alerts-topic': expected another topic",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
