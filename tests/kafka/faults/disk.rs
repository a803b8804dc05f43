//! A full disk under the state folder: the process ends and says so; a restart is exact.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use testkit::{Scenario, text};

use super::{SMALL, fixed_with, joined};

/// A small file system of its own; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounting takes root. Without that the test fails: it must not seem to have passed.
    fn mount(at: &Path) -> Self {
        fs::create_dir(at).expect("a folder");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(at)
            .output()
            .expect("mount runs");
        assert!(
            output.status.success(),
            "this test needs the right to mount a tmpfs (root): {}",
            text(&output)
        );
        Self(at.to_owned())
    }

    /// Takes all space that is left; returns how much that was.
    fn fill(&self) -> u64 {
        let mut file = File::create(self.0.join("filler")).expect("a file");
        let mut written = 0;
        loop {
            match file.write(&[1; 4096]) {
                Ok(bytes) => written += bytes as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => return written,
                Err(error) => panic!("filling the disk: {error}"),
            }
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).expect("the filler was there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let output = Command::new("umount").arg(&self.0).output().expect("umount runs");
        if !std::thread::panicking() {
            assert!(output.status.success(), "{}", text(&output));
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_full_disk_ends_the_process_with_the_remedy_and_a_restart_is_exact() {
    let scenario = Scenario::new("disk-full");
    let disk = SmallDisk::mount(&scenario.dir.path().join("disk"));
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2500"]]));
    let mut running = fixed_with(&scenario, "disk/state", &[]);
    running.wait_for_epochs(3.0);
    println!("{} bytes were free", disk.fill());
    running.ends_with(1);
    let (log, tail) = (running.log(), running.tail());
    let folder = disk.0.join("state").display().to_string();
    for needle in [folder.as_str(), "--state-dir", "free space there"] {
        assert!(log.contains(needle), "{needle} is not named\n{tail}");
    }
    produced.ends_with(0);
    disk.free();
    let mut running = fixed_with(&scenario, "disk/state", &[]);
    running.wait_for_line("reading");
    running.stop();
    fixed_with(&scenario, "disk/state", &["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&joined(&[SMALL, &["--expect-complete"]])));
}
