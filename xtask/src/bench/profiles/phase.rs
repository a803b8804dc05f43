//! One measurement, in a process of its own: what it uses is its own.
//!
//! In: rows on disk, but for the first one. Out: figures, a line each, on stdout.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use testkit::usage;

use super::{
    cache::Cache,
    layout::{Kind, Layout, STRIPES, stripe_of},
    workload::{Draw, Users, logins_of, rows, value_of},
};

/// Logins come in batches, as they do from Kafka: so many a second.
const BATCHES_PER_S: u64 = 100;

/// A run that is so late does not keep up, and ends.
const LATEST: Duration = Duration::from_secs(20);

/// How long a kind of reads is measured.
const READS: Duration = Duration::from_secs(5);

/// Threads that read at once, as for a batch whose rows are asked for in advance.
const READERS: usize = 32;

/// Logins at most until the cache is as it will be.
const WARM_LOGINS: u64 = 30_000_000;

const MIB: f64 = (1 << 20) as f64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Phase {
    /// Begins the files and writes all rows
    Load,
    /// Point reads without a cache before them
    Read,
    /// Logins at a rate
    Run,
    /// A start after `Run`, which ended as a crash does
    Start,
}

/// What is measured.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    pub(super) logins: Users,
    pub(super) folder: PathBuf,
    pub(super) users: u64,
    pub(super) rate: u64,
    pub(super) seconds: u64,
    pub(super) cache_bytes: usize,
}

/// What this process has used.
struct Used {
    cpu_s: f64,
    written_bytes: u64,
    at: Instant,
}

impl Used {
    fn now() -> anyhow::Result<Self> {
        let usage = usage::process(std::process::id()).context("this process runs")?;
        let io = fs::read_to_string("/proc/self/io").context("/proc/self/io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        let written_bytes = written.context("write_bytes")?.parse()?;
        Ok(Self { cpu_s: usage.cpu_s, written_bytes, at: Instant::now() })
    }
}

fn report(measure: &str, figure: f64) {
    println!("{measure}\t{figure}");
}

impl Job {
    pub(super) fn measure(&self) -> anyhow::Result<()> {
        match self.phase {
            Phase::Load => self.load(),
            Phase::Read => self.read(),
            Phase::Run => self.run(),
            Phase::Start => self.start(),
        }?;
        let peak = usage::peak_kib(std::process::id()).context("this process runs")?;
        let phase = format!("{:?}", self.phase).to_lowercase();
        report(&format!("{phase}_peak_mib"), peak as f64 / 1024.0);
        let load = fs::read_to_string("/proc/loadavg").context("/proc/loadavg")?;
        let load = load.split(' ').next().context("a load average")?.parse()?;
        report(&format!("{phase}_load_average"), load);
        Ok(())
    }

    fn open(&self) -> anyhow::Result<Box<dyn Layout>> {
        self.kind.open(&self.folder, self.users)
    }

    fn load(&self) -> anyhow::Result<()> {
        let before = Used::now()?;
        let mut layout = self.open()?;
        layout.load(&mut rows(self.users))?;
        let after = Used::now()?;
        let took_s = (after.at - before.at).as_secs_f64();
        report("load_k_per_s", self.users as f64 / 1e3 / took_s);
        report("load_cpu_us", (after.cpu_s - before.cpu_s) * 1e6 / self.users as f64);
        report("load_written_mib", (after.written_bytes - before.written_bytes) as f64 / MIB);
        drop(layout);
        report("loaded_mib", size_bytes(&self.folder)? as f64 / MIB);
        Ok(())
    }

    fn read(&self) -> anyhow::Result<()> {
        each_file(&self.folder, &mut |path| forget(path))?;
        let began = Instant::now();
        let layout = self.open()?;
        report("cold_open_s", began.elapsed().as_secs_f64());
        for readers in [1, READERS] {
            each_file(&self.folder, &mut |path| forget(path))?;
            let rate = self.reads(&*layout, Users::Uniform, readers)?;
            report(&format!("cold_reads_{readers}_per_s"), rate);
        }
        each_file(&self.folder, &mut |path| {
            io::copy(&mut File::open(path)?, &mut io::sink()).map(drop)
        })?;
        for (users, name) in [(Users::Uniform, "uniform"), (Users::Zipf, "zipf")] {
            let before = Used::now()?;
            let rate = self.reads(&*layout, users, 1)?;
            let after = Used::now()?;
            let reads = rate * (after.at - before.at).as_secs_f64();
            report(&format!("warm_reads_{name}_k_per_s"), rate / 1e3);
            report(&format!("warm_read_{name}_cpu_us"), (after.cpu_s - before.cpu_s) * 1e6 / reads);
        }
        Ok(())
    }

    /// Reads rows for a while; how many a second.
    fn reads(&self, layout: &dyn Layout, users: Users, readers: usize) -> anyhow::Result<f64> {
        let began = Instant::now();
        let read = |reader: usize| -> anyhow::Result<u64> {
            let mut draw = Draw::new(users, self.users, reader as u64 ^ 0x5EED);
            let mut reads = 0;
            while began.elapsed() < READS {
                let key = draw.key();
                let value = layout.read(key)?.context("every user has a row")?;
                logins_of(key, &value);
                reads += 1;
            }
            Ok(reads)
        };
        let read = &read;
        let reads = thread::scope(|scope| {
            let readers: Vec<_> =
                (0..readers).map(|reader| scope.spawn(move || read(reader))).collect();
            let done = readers.into_iter().map(|reader| reader.join().expect("it did not panic"));
            done.sum::<anyhow::Result<u64>>()
        })?;
        Ok(reads as f64 / began.elapsed().as_secs_f64())
    }

    fn run(&self) -> anyhow::Result<()> {
        let mut run = Logins::new(self, self.open()?)?;
        run.warm_up()?;
        let (before, misses) = (Used::now()?, run.misses);
        let (began, batches) = (before.at, self.seconds * BATCHES_PER_S);
        let (mut late, mut largest, mut done) = (Vec::new(), 0, 0u64);
        let mut busy = Duration::ZERO;
        for batch in 0..batches {
            let due = began + Duration::from_millis(batch * 1000 / BATCHES_PER_S);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let woke = Instant::now();
            late.push(woke.saturating_duration_since(due));
            if late.last() > Some(&LATEST) {
                break;
            }
            for _ in 0..self.rate / BATCHES_PER_S {
                run.login()?;
                done += 1;
            }
            if (batch + 1) % BATCHES_PER_S == 0 {
                run.tick()?;
            }
            busy += woke.elapsed();
            if batch % (10 * BATCHES_PER_S) == 0 {
                largest = largest.max(size_bytes(&self.folder)?);
            }
        }
        let after = Used::now()?;
        let took_s = (after.at - before.at).as_secs_f64();
        late.sort_unstable();
        report("logins_k_per_s", done as f64 / 1e3 / took_s);
        report("login_cpu_us", (after.cpu_s - before.cpu_s) * 1e6 / done as f64);
        report("busy_percent", busy.as_secs_f64() * 100.0 / took_s);
        report("missed_percent", (run.misses - misses) as f64 * 100.0 / done as f64);
        report("dirty_percent", run.most_dirty * 100.0);
        report("late_p99_ms", late[late.len() * 99 / 100].as_secs_f64() * 1e3);
        report("late_max_ms", late[late.len() - 1].as_secs_f64() * 1e3);
        let written = (after.written_bytes - before.written_bytes) as f64;
        report("written_mib_per_s", written / MIB / took_s);
        report("largest_mib", largest.max(size_bytes(&self.folder)?) as f64 / MIB);
        // As a crash ends it: what was not written is not there.
        std::mem::forget(run);
        Ok(())
    }

    /// Opens, and holds in memory what is not in the rows yet: out of the log, or else out of the
    /// journal, where the turn before the crash takes the place of it.
    fn start(&self) -> anyhow::Result<()> {
        each_file(&self.folder, &mut |path| forget(path))?;
        let before = Used::now()?;
        let layout = self.open()?;
        let position = layout.position()?;
        report("start_open_s", before.at.elapsed().as_secs_f64());
        let mut cache = Cache::new(self.cache_bytes);
        let mut apply = |key, value| {
            let slot = cache.find(key).unwrap_or_else(|| cache.admit(key, value));
            cache.change(slot, value);
            if cache.dirty_share() > 0.9 {
                cache.take_changed();
                cache.take_dirty(0..STRIPES);
            }
        };
        let logged = layout.logged()?;
        let turn_s = layout.turn_s() as u64;
        let mut draw = Draw::new(self.logins, self.users, position);
        let is_logged = !logged.is_empty();
        for (key, value) in logged {
            apply(key, value);
        }
        for second in (0..turn_s).filter(|_| !is_logged) {
            for _ in 0..self.rate {
                let key = draw.key();
                // Of what was written later in that turn only the head of the record is read.
                if stripe_of(key) as u64 * turn_s / STRIPES as u64 <= second {
                    apply(key, value_of(key, position));
                }
            }
        }
        let after = Used::now()?;
        report("start_s", (after.at - before.at).as_secs_f64());
        report("start_cpu_s", after.cpu_s - before.cpu_s);
        Ok(())
    }
}

/// Logins that change profiles.
struct Logins {
    layout: Box<dyn Layout>,
    cache: Cache,
    draw: Draw,
    position: u64,
    misses: u64,
    most_dirty: f64,
}

impl Logins {
    fn new(job: &Job, layout: Box<dyn Layout>) -> anyhow::Result<Self> {
        let is_memory = job.kind == Kind::Memory;
        let bytes = if is_memory { job.users as usize * 180 } else { job.cache_bytes };
        let mut cache = Cache::new(bytes);
        for (key, value) in rows(if is_memory { job.users } else { 0 }) {
            cache.admit(key, value);
        }
        let position = layout.position()?;
        let draw = Draw::new(job.logins, job.users, 0xCAFE + position);
        Ok(Self { layout, cache, draw, position, misses: 0, most_dirty: 0.0 })
    }

    fn warm_up(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        for _ in 0..WARM_LOGINS {
            let key = self.draw.key();
            self.row(key)?;
            if self.cache.is_full() || began.elapsed() > Duration::from_mins(1) {
                break;
            }
        }
        Ok(())
    }

    /// The slot of a user's row, read if need be.
    fn row(&mut self, key: u64) -> anyhow::Result<u32> {
        if let Some(slot) = self.cache.find(key) {
            return Ok(slot);
        }
        self.misses += 1;
        let value = self.layout.read(key)?.context("every user has a row")?;
        Ok(self.cache.admit(key, value))
    }

    fn login(&mut self) -> anyhow::Result<()> {
        let key = self.draw.key();
        let slot = self.row(key)?;
        let logins = logins_of(key, self.cache.value(slot).1);
        self.cache.change(slot, value_of(key, logins + 1));
        Ok(())
    }

    /// What is done once a second.
    fn tick(&mut self) -> anyhow::Result<()> {
        self.most_dirty = self.most_dirty.max(self.cache.dirty_share());
        self.layout.log(&self.cache.take_changed())?;
        let (turn, part) = (self.layout.turn_s(), self.position as usize % self.layout.turn_s());
        let stripes = part * STRIPES / turn..(part + 1) * STRIPES / turn;
        let rows = self.cache.take_dirty(stripes.clone());
        self.position += 1;
        self.layout.write(stripes, &rows, self.position)
    }
}

/// Calls this for every file below a folder.
fn each_file(folder: &Path, each: &mut dyn FnMut(&Path) -> io::Result<()>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { each_file(&path, each)? } else { each(&path)? }
    }
    Ok(())
}

/// What the files below a folder take; those that go meanwhile do not count.
fn size_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    each_file(folder, &mut |path| {
        bytes += fs::metadata(path).map_or(0, |file| file.len());
        Ok(())
    })?;
    Ok(bytes)
}

/// Has the kernel forget what it holds of a file.
fn forget(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}
