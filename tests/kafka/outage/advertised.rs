//! A broker that tells its clients an address at which they do not reach it. Uses a broker of its
//! own.

use std::{
    net::TcpListener,
    thread::{scope, spawn},
};

use testkit::{Scenario, free_port};

use crate::{check::exits, own_broker::OwnBroker};

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_advertised_address_out_of_reach_is_named_by_a_check_and_by_a_run() {
    let refuses = format!("127.0.0.1:{}", free_port());
    let listener = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = |of: &TcpListener| of.local_addr().expect("is bound").to_string();
    // Takes connections, and never says a word: as where packets are lost.
    let silent = listener();
    // Closes each connection at the first bytes: as a TLS listener does to plain text.
    let closing = listener();
    let closes = address(&closing);
    spawn(move || {
        for stream in closing.incoming().flatten() {
            let mut first = [0; 1024];
            let _ = std::io::Read::read(&mut &stream, &mut first);
        }
    });
    let ways = [
        (refuses, "Connection refused"),
        ("no-such-host.invalid:9092".to_owned(), "Failed to resolve"),
        (address(&silent), "no answer within"),
        (closes, "Disconnected"),
    ];
    let addresses: Vec<_> = ways.iter().map(|(address, _)| address.as_str()).collect();
    let broker = OwnBroker::advertising(&addresses);
    broker.start();
    // Each waits for answers that do not come, so all at once.
    scope(|scope| {
        for (number, (address, why)) in (1..).zip(&ways) {
            let broker = &broker;
            scope.spawn(move || is_named(broker, number, address, why));
        }
    });
}

/// Both name the address that this way in advertises, and what goes wrong there.
fn is_named(broker: &OwnBroker, number: u16, address: &str, why: &str) {
    let named =
        format!("broker 1 cannot be reached at the address that it advertises, {address}: ");
    let way = broker.way(number);
    let scenario = Scenario::through("advertised", broker.address(), way.clone());
    let mut running = scenario.start(&[]);
    let said = exits(&scenario.check_config(&["--timeout", "3s"]), 2);
    assert!(said.contains(&named) && said.contains(why), "{said}");
    assert!(said.contains("1 problem\n") && said.contains("advertised.listeners"), "{said}");
    running.wait_for_line(&named);
    let log = running.log();
    let line = log.lines().find(|line| line.contains(&named)).expect("was waited for");
    let begin = format!("a broker answers at {way} (--brokers), but ");
    assert!(line.contains(&begin) && line.contains(why), "{line}");
    assert!(!log.contains("no broker answers at"), "{log}");
    running.stop();
}
