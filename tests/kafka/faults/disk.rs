//! A full disk under the state folder: it is said, and nothing else changes.

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
fn a_full_disk_is_said_and_the_run_goes_on_without_a_copy() {
    let scenario = Scenario::new("disk-full");
    let disk = SmallDisk::mount(&scenario.dir.path().join("disk"));
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2500"]]));
    let mut running = fixed_with(&scenario, "disk/state", &[]);
    running.wait_for_epochs(3.0);
    println!("{} bytes were free", disk.fill());
    running.wait_for_line("the local copy of the journal");
    let epochs = running.metric("logintide_epochs_committed_total").unwrap_or_default();
    running.wait_for("logintide_epochs_committed_total", |n| n > epochs + 5.0);
    running.kill();
    produced.ends_with(0);
    // Also a start finds no room; and one that finds it again.
    let running = fixed_with(&scenario, "disk/state", &[]);
    running.wait_for_epochs(1.0);
    running.kill();
    disk.free();
    let mut running = fixed_with(&scenario, "disk/state", &[]);
    running.wait_for_line("reading");
    running.stop();
    fixed_with(&scenario, "disk/state", &["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&joined(&[SMALL, &["--expect-complete"]])));
}
