//! A hundred open dashboards and a scraper: what they cost, measured while events come in.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use testkit::{SOON, Scenario, metric};

use crate::work::Work;

const READERS: usize = 100;

/// Events that every reader gets while it is measured: one a second.
const MEASURED: usize = 10;

/// Most that the http thread may use, of one core: ten times what it does, since other tests and
/// an unoptimised build share the machine.
const MOST_OF_A_CORE: f64 = 0.06;

/// CPU time of the thread of this name, in clock ticks; 100 of them are a second (Linux, always).
fn ticks_of(pid: u32, name: &str) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
    let stat_of = |thread: &Path| fs::read_to_string(thread.join("stat")).unwrap_or_default();
    let mut stats = threads.map(|thread| stat_of(&thread.expect("a thread").path()));
    let marked = format!("({name}) ");
    let stat = stats.find(|stat| stat.contains(&marked)).expect("a thread of this name");
    let (_, rest) = stat.split_once(&marked).expect("it was found by that");
    // utime and stime, fields 14 and 15; the state after the name is field 3 (proc_pid_stat(5)).
    rest.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum()
}

/// Reads so many events of a stream.
fn read_stream(port: u16, wanted: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("sent");
    let (mut read, mut events) = (vec![0; 64 * 1024], 0);
    while events < wanted {
        let n = stream.read(&mut read).expect("the stream goes on");
        assert!(n > 0, "the stream ended");
        events += read[..n].windows(5).filter(|bytes| bytes == b"data:").count();
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_hundred_streams_and_a_scraper_cost_the_pipeline_nothing() {
    let mut work = Work::begin(Scenario::new("streams"), 1000, &[]);
    let (port, pid) = (work.port(), work.running.pid());
    let readers: Vec<_> =
        (0..READERS).map(|_| thread::spawn(move || read_stream(port, MEASURED + 2))).collect();
    sleep(Duration::from_secs(2));
    let (began, before, read) = (Instant::now(), ticks_of(pid, "http"), work.read());
    let mut slowest = Duration::ZERO;
    while !readers.iter().all(JoinHandle::is_finished) {
        let asked = Instant::now();
        metric(port, "logintide_healthy").expect("the scraper gets its answer");
        slowest = slowest.max(asked.elapsed());
        sleep(Duration::from_secs(1).saturating_sub(asked.elapsed()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let used = (ticks_of(pid, "http") - before) as f64 / 100.0 / seconds;
    let rate = (work.read() - read) as f64 / seconds;
    for reader in readers {
        reader.join().expect("it had its events");
    }
    println!(
        "{READERS} streams and a scrape a second: the http thread uses {:.2} % of a core; \
         {rate:.0} events/s processed; slowest scrape {slowest:?}",
        used * 100.0
    );
    assert!(used < MOST_OF_A_CORE, "{:.1} % of a core", used * 100.0);
    work.assert_under_way();
    assert!(work.read() > read, "the pipeline stands still");
    work.drain_and_end();
}
