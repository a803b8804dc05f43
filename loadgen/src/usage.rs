//! The resources that this process has used, as the kernel counts them.

use std::fs;

/// Clock ticks per second in `/proc/self/stat`: Linux reports 100 to programs on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resources used since the process started.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Usage {
    /// Processor time of all threads, in user and kernel mode, in seconds.
    pub cpu_seconds: f64,
    /// Highest resident memory so far, in KiB.
    pub max_resident_kib: u64,
}

impl Usage {
    /// The resources used until now; zeros on systems without `/proc`.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self { cpu_seconds: cpu_seconds(&stat), max_resident_kib: max_resident_kib(&status) }
    }

    /// Processor time since an earlier reading, in seconds.
    pub fn cpu_since(&self, earlier: &Self) -> f64 {
        self.cpu_seconds - earlier.cpu_seconds
    }

    /// Highest resident memory in MiB.
    pub fn max_resident_mib(&self) -> f64 {
        self.max_resident_kib as f64 / 1024.0
    }
}

/// Fields 14 and 15 (utime, stime) of proc(5)'s stat; the second field may contain spaces.
fn cpu_seconds(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks as f64 / TICKS_PER_SECOND
}

fn max_resident_kib(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 9 1 2";
        assert!((cpu_seconds(stat) - 3.0).abs() < 1e-9);
        assert_eq!(max_resident_kib("VmPeak:\t  9 kB\nVmHWM:\t  1234 kB\n"), 1_234);
        assert_eq!(max_resident_kib(""), 0);
    }

    #[test]
    fn work_shows() {
        let before = Usage::now();
        let mut number = 1_u64;
        while Usage::now().cpu_since(&before) < 0.02 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(Usage::now().max_resident_kib > 0);
    }
}
