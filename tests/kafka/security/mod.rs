//! TLS, SASL and access rights, on a broker that insists on them.

mod certificates;

use std::path::Path;

use logintide::kafka::{Admin, NewTopic, create_topics};
use testkit::{Process, Scenario, WITHOUT_TOPICS};

use self::certificates::{Certificates, Kind};
use crate::{
    client::support::{PATIENCE, client},
    own_broker::OwnBroker,
};

/// SASL users and their passwords, by mechanism.
const PLAIN: (&str, &str) = ("plain-user", "plain-secret");
const SCRAM: (&str, &str) = ("scram-user", "scram-secret");
const PARTITIONS: i32 = 8;
const CLIENTS: &[(&str, Kind)] =
    &[("client", Kind::Good), ("expired", Kind::Expired), ("unknown", Kind::Unknown)];

/// A broker whose anonymous listener is for the test alone; the others are as in production.
struct Secured {
    broker: OwnBroker,
    certificates: Certificates,
}

impl Secured {
    fn start() -> Self {
        let certificates = Certificates::new(CLIENTS);
        let broker = OwnBroker::secured(
            &certificates.path("broker.pem"),
            &certificates.path("ca.pem"),
            PLAIN,
        );
        broker.start();
        let secured = Self { broker, certificates };
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let config = format!("{mechanism}=[password={}]", SCRAM.1);
            let user = ["--entity-type", "users", "--entity-name", SCRAM.0];
            let change = [&user[..], &["--alter", "--add-config", &config]].concat();
            secured.tool("kafka.admin.ConfigCommand", &change);
        }
        secured
    }

    fn tool(&self, class: &str, arguments: &[&str]) {
        let address = self.broker.address();
        let all = [&[class, "--bootstrap-server", &address], arguments].concat();
        self.broker.script("exec", &all);
    }

    /// A scenario with its topics, an input, and just the documented rights for this user.
    fn scenario(&self, name: &str, way: String, user: &str) -> Scenario {
        let scenario = Scenario::through(name, self.broker.address(), way);
        scenario.produce(&["--seed", "71", "--count", "2000"]);
        let topic = |name: &str| scenario.topic(name);
        let names = ["input", "group", "group-journal"];
        let [input, group, journal] = names.map(topic);
        let outputs = ["processed", "aggregated", "dead-letter", "late"].map(topic);
        let written = [&outputs[..], std::slice::from_ref(&journal)].concat();
        let compacted = ("cleanup.policy".to_owned(), "compact".to_owned());
        let new: Vec<_> = written
            .iter()
            .map(|name| NewTopic {
                name: name.clone(),
                partitions: PARTITIONS,
                replication: 1,
                config: (*name == journal).then(|| compacted.clone()).into_iter().collect(),
            })
            .collect();
        let admin = Admin::new(&client(&self.broker.address(), &[])).expect("an admin client");
        create_topics(&admin, &new, PATIENCE).expect("topics");
        // Each of these is a start of Java: as few as there are kinds of rights.
        let allow = |resource: &[&str], operations: &[&str]| {
            let principal = format!("User:{user}");
            let mut arguments = vec!["--add", "--allow-principal", &principal];
            arguments.extend(resource);
            for operation in operations {
                arguments.extend(["--operation", operation]);
            }
            self.tool("org.apache.kafka.tools.AclCommand", &arguments);
        };
        allow(&["--topic", &input, "--topic", &journal, "--group", &group], &["Read"]);
        let written: Vec<_> = written.iter().flat_map(|name| ["--topic", name]).collect();
        allow(&written, &["Write", "DescribeConfigs"]);
        let prefix = ["--transactional-id", &group, "--resource-pattern-type", "prefixed"];
        allow(&prefix, &["Write"]);
        scenario
    }

    fn sasl(&self, mechanism: &str, (user, password): (&str, &str), ca: &str) -> Vec<String> {
        let ca = self.certificates.path(ca);
        properties(&[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", mechanism),
            ("sasl.username", user),
            ("sasl.password", password),
            ("ssl.ca.location", &ca),
        ])
    }

    fn mutual_tls(&self, client: &str) -> Vec<String> {
        let (key, certificate) = (format!("{client}.key"), format!("{client}.crt"));
        properties(&[
            ("security.protocol", "SSL"),
            ("ssl.ca.location", &self.certificates.path("ca.pem")),
            ("ssl.key.location", &self.certificates.path(&key)),
            ("ssl.certificate.location", &self.certificates.path(&certificate)),
        ])
    }
}

fn properties(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs.iter().flat_map(|(name, value)| ["-X".to_owned(), format!("{name}={value}")]).collect()
}

fn start(scenario: &Scenario, flags: &[String]) -> Process {
    let flags = flags.iter().map(String::as_str);
    let flags: Vec<_> = ["--exit-at-end", WITHOUT_TOPICS].into_iter().chain(flags).collect();
    scenario.start(&flags)
}

fn assert_exact(scenario: &Scenario, flags: &[String], secret: &str) {
    let mut running = start(scenario, flags);
    running.ends_with(0);
    assert!(!running.log().contains(secret), "a secret is in the log\n{}", running.tail());
    println!("{}", scenario.verify(&["--expect-complete"]));
}

/// It says what is wrong, with a remedy, and ends: nothing would change by waiting.
fn assert_refused(scenario: &Scenario, flags: &[String], needles: &[&str]) {
    let mut running = start(scenario, flags);
    running.ends_with(2);
    let log = running.log();
    for needle in needles {
        assert!(log.contains(needle), "{needle} is not in\n{log}");
    }
}

#[test]
#[ignore = "needs Java and Maven or KAFKA_HOME; run scripts/test"]
fn sasl_over_tls_with_just_the_documented_rights() {
    let secured = Secured::start();
    let way = secured.broker.sasl_tls();
    for (mechanism, user) in [("PLAIN", PLAIN), ("SCRAM-SHA-256", SCRAM), ("SCRAM-SHA-512", SCRAM)]
    {
        let scenario = secured.scenario(mechanism, way.clone(), user.0);
        assert_exact(&scenario, &secured.sasl(mechanism, user, "ca.pem"), user.1);
    }
    let scenario = secured.scenario("wrong", way, PLAIN.0);
    let wrong_password = secured.sasl("PLAIN", (PLAIN.0, "wrong-secret"), "ca.pem");
    assert_refused(&scenario, &wrong_password, &["refuses the authentication", "sasl.password"]);
    let wrong_password = secured.sasl("SCRAM-SHA-512", (SCRAM.0, "wrong-secret"), "ca.pem");
    assert_refused(&scenario, &wrong_password, &["refuses the authentication", "sasl.password"]);
    let unknown_broker = secured.sasl("PLAIN", PLAIN, "other-ca.pem");
    assert_refused(&scenario, &unknown_broker, &["certificate", "ssl.ca.location"]);
    // And with the right ones all is there as if nothing had happened.
    assert_exact(&scenario, &secured.sasl("PLAIN", PLAIN, "ca.pem"), PLAIN.1);
}

#[test]
#[ignore = "needs Java and Maven or KAFKA_HOME; run scripts/test"]
fn mutual_tls_and_certificates_that_nobody_should_accept() {
    let secured = Secured::start();
    let way = secured.broker.mutual_tls();
    let scenario = secured.scenario("mutual", way, "CN=client");
    for client in ["expired", "unknown"] {
        assert_refused(&scenario, &secured.mutual_tls(client), &["certificate"]);
    }
    let key = std::fs::read_to_string(Path::new(&secured.certificates.path("client.key")));
    let key = key.expect("the client's key");
    assert_exact(&scenario, &secured.mutual_tls("client"), key.lines().nth(1).expect("a line"));
}

#[test]
#[ignore = "needs Java and Maven or KAFKA_HOME; run scripts/test"]
fn a_missing_right_is_named() {
    let secured = Secured::start();
    let way = secured.broker.sasl_tls();
    let scenario = secured.scenario("rights", way, PLAIN.0);
    let flags = secured.sasl("PLAIN", PLAIN, "ca.pem");
    let principal = format!("User:{}", PLAIN.0);
    let [group, input, journal] = ["group", "input", "group-journal"].map(|n| scenario.topic(n));
    let prefixed = ["--resource-pattern-type", "prefixed"];
    for (resource, right, prefix) in [
        (["--group", &group], "Read", &[][..]),
        (["--topic", &input], "Read", &[]),
        (["--topic", &journal], "Read", &[]),
        (["--transactional-id", &group], "Write", &prefixed),
    ] {
        let change = |how: &str| {
            let mut arguments = vec![how, "--allow-principal", &principal];
            arguments.extend(resource);
            arguments.extend(prefix);
            arguments.extend(["--operation", right]);
            if how == "--remove" {
                arguments.push("--force");
            }
            secured.tool("org.apache.kafka.tools.AclCommand", &arguments);
        };
        change("--remove");
        let mut running = start(&scenario, &flags);
        let code = running.wait(testkit::SOON).code();
        let log = running.log();
        println!("without {right} on {resource:?}: exit {code:?}\n{}", running.tail());
        assert!(matches!(code, Some(1 | 2)), "{code:?}");
        let named = log.to_lowercase().contains("authoriz") && log.contains(resource[1]);
        assert!(named, "the missing right on {} is not named\n{log}", resource[1]);
        change("--add");
    }
    assert_exact(&scenario, &flags, PLAIN.1);
}
