use super::*;

/// What a file gives, and what is wrong with it.
fn read_text(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let mut problems = Problems::new();
    let found = parse("f.toml", text, &mut problems);
    let found = found.into_iter().map(|value| {
        let dot = if value.name.is_empty() { "" } else { "." };
        (format!("{}{dot}{}", value.setting, value.name), value.text)
    });
    let error = problems.into_error().map(|error| error.to_string()).unwrap_or_default();
    let lines = error.lines().filter(|line| !line.ends_with(" settings are wrong"));
    (found.collect(), lines.map(|line| line.trim().to_owned()).collect())
}

fn problem(text: &str) -> String {
    let (_, problems) = read_text(text);
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    problems[0].clone()
}

#[test]
fn texts_numbers_switches_and_tables_are_read_in_order() {
    let (found, problems) = read_text(
        "workers = 4\nbrokers = 'a:1'\nexit-at-end = true\nstart-from = 2024-11-02T13:00:00Z\n\
         [client]\nssl.ca.location = \"/x\"\n\"linger.ms\" = 2.5\nretries = 3\n\
         [client.sasl]\nusername = \"u\"\n[field]\nuser_id = \"sub\"\n",
    );
    assert_eq!(problems, Vec::<String>::new());
    let expected = [
        ("workers", "4"),
        ("brokers", "a:1"),
        ("exit-at-end", "true"),
        ("start-from", "2024-11-02T13:00:00Z"),
        ("client-properties.ssl.ca.location", "/x"),
        ("client-properties.linger.ms", "2.5"),
        ("client-properties.retries", "3"),
        ("client-properties.sasl.username", "u"),
        ("field.user_id", "sub"),
    ];
    assert_eq!(found, expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
}

#[test]
fn an_unknown_key_brings_the_nearest() {
    for (text, expected) in [
        ("wimdow = '1s'", "'wimdow' (f.toml:1); did you mean 'window'?"),
        ("commit_interval = '1s'", "'commit_interval' (f.toml:1); rename it to 'commit-interval'"),
        ("Brokers = 'b'", "'Brokers' (f.toml:1); rename it to 'brokers'"),
        (
            "allowed_latenes = '1s'",
            "'allowed_latenes' (f.toml:1); did you mean 'allowed-lateness'?",
        ),
        ("config = 'x'", "'config' (f.toml:1); a file cannot name another; remove it"),
        ("print-config = true", "'print-config' (f.toml:1); "),
        ("zzz = 1", "'zzz' (f.toml:1); logintide run --help lists the keys"),
        ("[field]\nuserid = 'x'", "'userid' in [field] (f.toml:2); did you mean 'user_id'?"),
        ("[field]\nzz = 'x'", "'zz' in [field] (f.toml:2); use user_id, timestamp, "),
        (
            "[client]\nwindow = '1s'",
            "'window' in [client] (f.toml:2); it is not a property of librdkafka; write it above",
        ),
        // As the first line of a table, not of what is in it.
        (
            "\n[kafka]\nx = 1",
            "'kafka' (f.toml:2); the tables are [client], [field] and [alerts.RULE]",
        ),
    ] {
        let problem = problem(text);
        assert!(problem.starts_with(&format!("unexpected key {expected}")), "{problem}");
    }
}

#[test]
fn the_problem_of_a_wrong_type_says_how_the_value_is_written() {
    for (text, expected) in [
        ("window = 10", "'window' (f.toml:1): expected a text; write window = \"10s\""),
        (
            "brokers = ['a:1']",
            "'brokers' (f.toml:1): expected a text; write brokers = \"localhost:9092\"",
        ),
        ("workers = '4'", "'workers' (f.toml:1): expected a whole number; write workers = 4"),
        (
            "partitions = 1.5",
            "'partitions' (f.toml:1): expected a whole number; write partitions = 8",
        ),
        (
            "create-topics = 1",
            "'create-topics' (f.toml:1): expected true or false; write create-topics = false",
        ),
        (
            "field = 'user_id=sub'",
            "'field' (f.toml:1): expected a table; write [field] and below it user_id = \"sub\"",
        ),
        ("client = 1", "'client' (f.toml:1): expected a table; write [client] and below it "),
        ("[client]\nx = [1]", "'x' (f.toml:2): expected a text; write x = \"…\""),
        ("[field]\nip = 1", "'ip' (f.toml:2): expected a text; write ip = \"…\""),
    ] {
        let problem = problem(text);
        assert!(problem.starts_with(&format!("invalid value for {expected}")), "{problem}");
    }
}

#[test]
fn every_error_of_syntax_is_named_and_the_rest_is_read() {
    let (found, problems) =
        read_text("brokers = \"b:1\ngrace =\nwindow = \"20s\"\nworkers = 0x10\nx y\n");
    let places: Vec<&str> = problems.iter().map(|p| p.split(": ").next().unwrap_or(p)).collect();
    let expected = ["(f.toml:1)", "(f.toml:2)", "(f.toml:5)"];
    assert_eq!(places, expected.map(|place| format!("invalid TOML {place}")), "{problems:?}");
    assert!(problems.iter().all(|p| p.ends_with("write key = value, texts in quotes")));
    // A value that the parser made up for the broken line is not there.
    assert!(found.iter().all(|(id, _)| id != "grace"), "{found:?}");
    assert!(found.contains(&("window".to_owned(), "20s".to_owned())), "{found:?}");
    assert!(found.contains(&("workers".to_owned(), "0x10".to_owned())), "{found:?}");
    assert!(
        problem("window = '1s'\nwindow = '2s'")
            .starts_with("invalid TOML (f.toml:2): duplicate key")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("f.toml");
    assert!(
        read(&path).expect_err("missing").starts_with("expected a readable file: No such file")
    );
    assert!(read(dir.path()).expect_err("a folder").starts_with("expected a readable file: "));
    std::fs::write(&path, b"window = \"\xff\"").expect("writable");
    assert_eq!(read(&path), Err("expected UTF-8 text; save it as UTF-8".to_owned()));
    let zeros = read(Path::new("/dev/zero")).expect_err("endless");
    assert!(zeros == "expected at most 1 MiB", "{zeros}");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in proptest::prelude::any::<String>()) {
        read_text(&text);
    }

    #[test]
    fn no_text_of_tokens_panics(
        tokens in proptest::collection::vec(
            proptest::sample::select(vec![
                "[client]", "[field]", "\n", "=", "window", "\"10s\"", ".", "x", "1", "{", "}", "[",
                "]", "'", "\"", "#", "\r",
            ]),
            0..20,
        )
    ) {
        read_text(&tokens.concat());
    }
}
