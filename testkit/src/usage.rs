//! What processes have used so far, from `/proc`: processor time, memory, threads.

use std::{fs, path::Path};

/// The kernel counts processor time for programs in hundredths of a second (`USER_HZ`).
const TICKS_PER_S: f64 = 100.0;

/// A process or a thread at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// It has ended, and nobody has waited for it yet: nothing is added any more.
    pub has_ended: bool,
    /// User and system time.
    pub cpu_s: f64,
}

impl Usage {
    fn parse(stat: &str) -> Option<Self> {
        // After the name, which may have blanks in it: the state, and as 12th and 13th the times.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let cpu_s = (f64::from(ticks(11)?) + f64::from(ticks(12)?)) / TICKS_PER_S;
        Some(Self { has_ended: *fields.first()? == "Z", cpu_s })
    }
}

/// All threads of a process together, also those that have ended; `None` when it is gone.
pub fn process(pid: u32) -> Option<Usage> {
    Usage::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Number, name and usage of each thread that runs.
pub fn threads(pid: u32) -> Vec<(u32, String, Usage)> {
    let of = |task: &Path| {
        let usage = Usage::parse(&fs::read_to_string(task.join("stat")).ok()?)?;
        let name = fs::read_to_string(task.join("comm")).ok()?.trim_end().to_owned();
        Some((task.file_name()?.to_str()?.parse().ok()?, name, usage))
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // A thread may end between the listing and the reading.
    tasks.filter_map(|task| of(&task.path())).collect()
}

/// Threads of this machine that run or want to, but for those that give way (`nice`).
pub fn runnable() -> usize {
    let is_counted = |task: &Path| {
        let stat = fs::read_to_string(task.join("stat")).ok()?;
        // After the name: the state, and as 17th the niceness.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
        let niceness: i32 = fields.get(16)?.parse().ok()?;
        Some(*fields.first()? == "R" && niceness <= 0)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let tasks = processes.flat_map(|process| {
        fs::read_dir(process.path().join("task")).into_iter().flatten().flatten()
    });
    tasks.filter(|task| is_counted(&task.path()) == Some(true)).count()
}

/// Resident memory, KiB; `None` when the process is gone or has ended.
pub fn resident_kib(pid: u32) -> Option<u64> {
    memory_kib(pid, "VmRSS:")
}

/// Largest resident memory so far, KiB; `None` when the process is gone or has ended.
pub fn peak_kib(pid: u32) -> Option<u64> {
    memory_kib(pid, "VmHWM:")
}

fn memory_kib(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What the host of a virtual machine has taken from its processors for others ("steal").
pub fn stolen_s() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("Linux has a /proc/stat");
    // cpu user nice system idle iowait irq softirq steal ...
    let ticks = stat.split_whitespace().nth(8).and_then(|ticks| ticks.parse::<f64>().ok());
    ticks.expect("the line of all processors") / TICKS_PER_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_is_read_over() {
        let stat = "17 (a b) c) Z 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(Usage::parse(stat), Some(Usage { has_ended: true, cpu_s: 3.0 }));
        assert_eq!(Usage::parse("17 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_threads_and_memory() {
        let pid = std::process::id();
        let usage = process(pid).expect("this process runs");
        assert!(!usage.has_ended);
        assert!(!threads(pid).is_empty());
        let resident = resident_kib(pid);
        assert!(resident > Some(100) && peak_kib(pid) >= resident);
        assert!(stolen_s() >= 0.0);
    }
}
