//! A broker that tells its clients an address at which they do not reach it. Uses a broker of its own.

use std::{net::TcpListener, thread::spawn};

use crate::{
    check::{check, exits},
    own_broker::OwnBroker,
    support::{Scenario, free_port},
};

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
            let mut first = [0; 1];
            let _ = std::io::Read::read(&mut &stream, &mut first);
        }
    });
    let ways = [
        (refuses, "Connection refused"),
        ("no-such-host.invalid:9092".to_owned(), "Failed to resolve"),
        (address(&silent), "no answer within"),
        (closes, "connecting to a SSL listener?"),
    ];
    let addresses: Vec<_> = ways.iter().map(|(address, _)| address.as_str()).collect();
    let broker = OwnBroker::advertising(&addresses);
    broker.start();
    for (number, (address, why)) in (1..).zip(&ways) {
        let named =
            format!("broker 1 cannot be reached at the address that it advertises, {address}: ");
        let scenario = Scenario::through("advertised", broker.address(), broker.way(number));
        let said = exits(&check(&scenario, &["--timeout", "3s"]), 2);
        assert!(said.contains(&named) && said.contains(why), "{said}");
        assert!(said.contains("1 problem\n") && said.contains("advertised.listeners"), "{said}");
        let mut running = scenario.start(&[]);
        running.wait_for_line(&named);
        let log = running.log();
        let line = log.lines().find(|line| line.contains(&named)).expect("was waited for");
        let begin = format!("a broker answers at {} (--brokers), but ", broker.way(number));
        assert!(line.contains(&begin) && line.contains(why), "{line}");
        assert!(!log.contains("no broker answers at"), "{log}");
        running.stop();
    }
}
