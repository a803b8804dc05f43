//! Runs the two binaries against a real broker. Every process is ended by its pid, every wait is
//! bounded, and a failure shows the end of the processor's log.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// Longest wait for anything that should happen soon; generous, because the broker shares the
/// machine.
pub(crate) const SOON: Duration = Duration::from_mins(2);

/// Number of the next log file.
static NEXT_LOG: AtomicU32 = AtomicU32::new(0);

/// Not a flag of the program: leaves `--create-topics` out.
pub(crate) const WITHOUT_TOPICS: &str = "without --create-topics";

/// Address of the broker under test.
pub(crate) fn brokers() -> String {
    std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS names the broker; scripts/test sets it")
}

fn binary(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_logintide")).with_file_name(name);
    assert!(path.exists(), "{} is missing: cargo build --workspace", path.display());
    path
}

/// Topics, group and state folder of one test.
pub(crate) struct Scenario {
    prefix: String,
    /// For `loadgen`.
    brokers: String,
    /// For `logintide`.
    way: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Scenario {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(name, brokers())
    }

    /// With topics and a group that no other test or earlier run has.
    pub(crate) fn on(name: &str, brokers: String) -> Self {
        let way = brokers.clone();
        Self::through(name, brokers, way)
    }

    /// As `on`, with another way to the brokers for the processor.
    pub(crate) fn through(name: &str, brokers: String, way: String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{name}-{}-{number}", std::process::id());
        Self { prefix, brokers, way, dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The five topics' flags, as both programs name them.
    fn topic_flags(&self) -> Vec<String> {
        ["input", "processed", "aggregated", "dead-letter", "late"]
            .iter()
            .flat_map(|name| [format!("--{name}-topic"), self.topic(name)])
            .collect()
    }

    pub(crate) fn loadgen(&self, arguments: &[&str]) -> Output {
        let (command, rest) = arguments.split_first().expect("a subcommand");
        let output = Command::new(binary("loadgen"))
            .args([*command, "--brokers", &self.brokers])
            .args(rest)
            .stdin(Stdio::null())
            .output()
            .expect("loadgen runs");
        println!("loadgen {}: {}", arguments.join(" "), output.status);
        output
    }

    /// Starts `loadgen produce` in the background, creating the topic with 8 partitions.
    pub(crate) fn producing(&self, flags: &[&str]) -> Process {
        let input = self.topic("input");
        let mut command = Command::new(binary("loadgen"));
        command.args(["produce", "--brokers", &self.brokers, "--topic", &input]);
        command.args(["--create-topic", "8"]).args(flags);
        Process::spawn(command, self.dir.path().join("produce.log"))
    }

    /// Sends events to the input topic, creating it with 8 partitions.
    pub(crate) fn produce(&self, flags: &[&str]) {
        let input = self.topic("input");
        let arguments: Vec<&str> = ["produce", "--topic", &input, "--create-topic", "8"]
            .iter()
            .chain(flags)
            .copied()
            .collect();
        let output = self.loadgen(&arguments);
        assert!(output.status.success(), "{}", text(&output));
    }

    /// The judge's report when it finds nothing wrong; panics with it otherwise.
    pub(crate) fn verify(&self, flags: &[&str]) -> String {
        let output = self.verdict(flags);
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    /// The judge's report as JSON, whatever it says.
    pub(crate) fn json_report(&self, flags: &[&str]) -> serde_json::Value {
        let output = self.verdict(&[flags, &["--json"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no JSON report: {error}\n{}", text(&output)))
    }

    pub(crate) fn verdict(&self, flags: &[&str]) -> Output {
        let topics = self.topic_flags();
        let arguments: Vec<&str> = ["verify"]
            .into_iter()
            .chain(topics.iter().map(String::as_str))
            .chain(flags.iter().copied())
            .collect();
        self.loadgen(&arguments)
    }

    /// Waits until the judge, with these flags, finds nothing missing or wrong.
    pub(crate) fn wait_until_verified(&self, process: &Process, flags: &[&str]) {
        let deadline = Instant::now() + SOON;
        loop {
            let output = self.verdict(flags);
            if output.status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "{}\n{}", text(&output), process.tail());
        }
    }

    /// `logintide run` with these flags on top of the scenario's.
    pub(crate) fn start(&self, flags: &[&str]) -> Process {
        self.start_group("group", "state", flags)
    }

    /// As `start`, with a group and a state folder of their own.
    pub(crate) fn start_group(&self, group: &str, state: &str, flags: &[&str]) -> Process {
        self.spawn(self.command(group, state, flags))
    }

    /// Starts a `command` with a log of its own.
    pub(crate) fn spawn(&self, command: Command) -> Process {
        let number = NEXT_LOG.fetch_add(1, Ordering::Relaxed);
        Process::spawn(command, self.dir.path().join(format!("run-{number}.log")))
    }

    /// `logintide run`, not started.
    pub(crate) fn command(&self, group: &str, state: &str, flags: &[&str]) -> Command {
        let mut command = Command::new(binary("logintide"));
        command
            .arg("run")
            .args(["--brokers", &self.way, "--group-id", &self.topic(group)])
            .args(self.topic_flags())
            .arg("--state-dir")
            .arg(self.dir.path().join(state))
            .args(["--stats-interval", "1s"]);
        if !flags.contains(&WITHOUT_TOPICS) {
            command.arg("--create-topics");
        }
        if !flags.contains(&"--http") {
            command.args(["--http", "off"]);
        }
        command.args(flags.iter().filter(|flag| **flag != WITHOUT_TOPICS));
        command
    }
}

/// Everything a finished process wrote.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// A process of this test. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn spawn(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Self { child, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The log's last lines, for messages; of the statistics, one a second, only a few.
    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let statistics = |line: &&str| line.contains(" statistics ");
        let count = log.lines().filter(statistics).count();
        let mut number = 0;
        let told = |line: &&str| {
            number += usize::from(statistics(line));
            !statistics(line) || number + 5 > count
        };
        let lines: Vec<&str> = log.lines().filter(told).collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {within:?}\n{}", self.tail());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end and expects this exit code.
    pub(crate) fn ends_with(&mut self, code: i32) {
        let status = self.wait(SOON);
        assert_eq!(status.code(), Some(code), "{status}\n{}", self.tail());
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("kill runs");
        assert!(status.success(), "kill {signal} {pid}");
    }

    /// SIGTERM, and an orderly end.
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        self.ends_with(0);
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a running child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    pub(crate) fn wait_for_line(&mut self, needle: &str) {
        let deadline = Instant::now() + SOON;
        while !self.log().contains(needle) {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                assert!(
                    self.log().contains(needle),
                    "ended ({status}) without {needle:?}\n{}",
                    self.tail()
                );
                return;
            }
            assert!(Instant::now() < deadline, "no line {needle:?}\n{}", self.tail());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Largest resident memory so far, bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(path).expect("a running process has a status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("KiB");
        kib * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Body of an HTTP answer; `None` while nobody listens.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

/// Value of an unlabelled metric.
pub(crate) fn metric(port: u16, name: &str) -> Option<f64> {
    let body = get(port, "/metrics")?;
    let line = body.lines().find(|line| line.split(' ').next() == Some(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Waits until a metric fulfils a condition; returns how long that took.
pub(crate) fn wait_for_metric(
    process: &Process,
    port: u16,
    name: &str,
    reached: impl Fn(f64) -> bool,
) -> Duration {
    let began = Instant::now();
    loop {
        let value = metric(port, name);
        if value.is_some_and(&reached) {
            return began.elapsed();
        }
        assert!(began.elapsed() < SOON, "{name} stays at {value:?}\n{}", process.tail());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the process has lived so much longer, by the points of its own history: one a second,
/// however little of the machine it gets.
pub(crate) fn wait_its_own_seconds(process: &Process, port: u16, seconds: usize) {
    let newest = || {
        let history: serde_json::Value =
            serde_json::from_str(&get(port, "/api/v1/history")?).ok()?;
        history["points"].as_array()?.last()?["at_ms"].as_i64()
    };
    let (mut last, mut passed) = (newest(), 0);
    let deadline = Instant::now() + SOON;
    while passed < seconds {
        let now = newest();
        passed += usize::from(now > last);
        last = now;
        assert!(Instant::now() < deadline, "{passed} of {seconds} points\n{}", process.tail());
        std::thread::sleep(Duration::from_millis(100));
    }
}
