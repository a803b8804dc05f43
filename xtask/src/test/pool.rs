//! Runs tests side by side, each in a process of its own: most tests against a broker wait for
//! clocks and leave the processors idle.
//!
//! In:  tests by program and name.
//! Out: one line per test as it ends, the output of those that failed, the slowest.
//! Holds: every test has an end; one that takes longer than `LONGEST_TEST` is killed and has
//! failed. Those that compute keep further ones from starting: a broker that gets no processor
//! answers nobody.

use std::{
    fs::File,
    io::Write,
    num::NonZero,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use testkit::usage;

use crate::shell;

/// The slowest test of the suite takes two minutes on two busy cores. More is a test that hangs.
const LONGEST_TEST: Duration = Duration::from_mins(20);
/// So many tests run whatever the load is.
const LEAST_AT_ONCE: usize = 2;
/// Threads per processor that want it, at which no further test starts.
const BUSY_THREADS: usize = 2;
/// The load is a mean of so many looks, with a pause before each.
const LOOKS: usize = 8;
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How many of the slowest tests the log names.
const SLOWEST: usize = 12;

/// One test, or several in one process.
pub(super) struct Job {
    pub(super) name: String,
    pub(super) command: Command,
}

/// How a job ended.
struct Ended {
    name: String,
    took: Duration,
    failed: bool,
}

/// Runs the jobs in their order, so many at a time.
///
/// # Errors
/// A job failed, all others having run; or a signal interrupts the tool.
pub(super) fn run(
    jobs: Vec<Job>,
    at_once: usize,
    folder: &Path,
    log: &mut File,
) -> anyhow::Result<()> {
    let count = jobs.len();
    let width = count.to_string().len();
    let waiting = Mutex::new(jobs.into_iter());
    let (log, ended) = (Mutex::new(log), Mutex::new(Vec::<Ended>::new()));
    let number = AtomicUsize::new(0);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (gate, running) = (Mutex::new(()), AtomicUsize::new(0));
    let take = || {
        // One at a time, so that each sees what the one before it has started.
        let _gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        while running.load(Ordering::Relaxed) >= LEAST_AT_ONCE && is_busy() {}
        let job = next()?;
        running.fetch_add(1, Ordering::Relaxed);
        Some(job)
    };
    let work = || -> anyhow::Result<()> {
        while let Some(mut job) = take() {
            let number = number.fetch_add(1, Ordering::Relaxed) + 1;
            let output = tempfile::NamedTempFile::new_in(folder).context("a temporary file")?;
            let began = Instant::now();
            let status = run_one(&mut job.command, output.path())?;
            running.fetch_sub(1, Ordering::Relaxed);
            let took = began.elapsed();
            let failed = !status.success();
            let verdict = if failed { "FAILED" } else { "ok" };
            let line = format!(
                "{number:>width$}/{count} {verdict} {} {:.1} s",
                job.name,
                took.as_secs_f64()
            );
            println!("  {line}");
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if failed {
                writeln!(log, "\n{line} ({status})")?;
                log.write_all(&std::fs::read(output.path()).unwrap_or_default())?;
            }
            drop(log);
            ended.lock().unwrap_or_else(PoisonError::into_inner).push(Ended {
                name: job.name,
                took,
                failed,
            });
        }
        Ok(())
    };
    let results: Vec<anyhow::Result<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a job does not panic")).collect()
    });
    results.into_iter().collect::<anyhow::Result<()>>()?;
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    let log = log.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(&mut ended, log)
}

/// Whether what runs keeps all processors busy. Takes most of a second.
fn is_busy() -> bool {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let look = |_| {
        thread::sleep(LOOK_PAUSE);
        usage::runnable()
    };
    (0..LOOKS).map(look).sum::<usize>() > LOOKS * BUSY_THREADS * processors
}

/// Writes the slowest and the failed ones into the log.
fn report(ended: &mut [Ended], log: &mut File) -> anyhow::Result<()> {
    ended.sort_by_key(|job| std::cmp::Reverse(job.took));
    let total: f64 = ended.iter().map(|job| job.took.as_secs_f64()).sum();
    writeln!(log, "\n{} tests, {total:.0} s one after the other; the slowest:", ended.len())?;
    for job in ended.iter().take(SLOWEST) {
        writeln!(log, "{:>7.1} s  {}", job.took.as_secs_f64(), job.name)?;
    }
    let failed: Vec<_> = ended.iter().filter(|job| job.failed).map(|job| &*job.name).collect();
    if !failed.is_empty() {
        writeln!(log, "\nfailed:\n  {}", failed.join("\n  "))?;
        bail!("{} of {} failed: {}", failed.len(), ended.len(), failed.join(", "));
    }
    Ok(())
}

fn run_one(command: &mut Command, path: &Path) -> anyhow::Result<ExitStatus> {
    let log = File::create(path).with_context(|| format!("{}", path.display()))?;
    let errors = log.try_clone().context("a second handle")?;
    let mut child = shell::Group::spawn(command.stdin(Stdio::null()).stdout(log).stderr(errors))?;
    child.wait_for(LONGEST_TEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job { name: name.to_owned(), command }
    }

    #[test]
    fn a_failed_job_is_named_with_its_output_and_the_others_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        let mut log = File::create(&path).expect("a log");
        let ran = folder.path().join("ran");
        let jobs = vec![
            job("good", "echo quiet"),
            job("bad", "echo the reason; exit 3"),
            job("last", &format!("touch {}", ran.display())),
        ];
        let error = run(jobs, 1, folder.path(), &mut log).expect_err("a job failed");
        assert_eq!(error.to_string(), "1 of 3 failed: bad");
        assert!(ran.exists(), "the job behind the failed one ran");
        let text = std::fs::read_to_string(&path).expect("the log");
        assert!(text.contains("the reason") && !text.contains("quiet"), "{text}");
        assert!(run(vec![job("good", "true")], 2, folder.path(), &mut log).is_ok());
    }
}
