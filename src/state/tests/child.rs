//! What other processes leave behind: one that is killed, one whose disk is full.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::*;
use crate::state::StateError;

const DIR: &str = "LOGINTIDE_TEST_STATE_DIR";
const THIS: &str = "state::tests::child::writes_epochs_until_it_cannot";

/// Is run as the child process of the tests below; says on stderr what is on disk.
#[test]
#[ignore = "the child process of the tests beside it"]
fn writes_epochs_until_it_cannot() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut store = open(Path::new(&dir));
    let loaded = store.load().expect("readable");
    let mut before = loaded.redo;
    for epoch in loaded.highest_epoch.0 + 1.. {
        let change = change(epoch);
        if let Err(error) = store.write_epoch(before.as_ref(), &change) {
            eprintln!("exit {} {error}", error.exit_code());
            let again = store.write_epoch(None, &change_after(&change));
            let refused = again.expect_err("a poisoned store refuses").to_string();
            assert!(refused.contains("an earlier write failed"), "{refused}");
            return;
        }
        eprintln!("epoch {epoch}");
        before = Some(change);
    }
}

fn change_after(before: &EpochChange) -> EpochChange {
    change(before.epoch.0 + 1)
}

/// The child; `limit` goes before it in the shell that starts it.
fn child(dir: &Path, limit: &str) -> Child {
    let program = std::env::current_exe().expect("tests run from a file");
    Command::new("sh")
        .arg("-c")
        .arg(format!("{limit} exec \"$0\" --ignored --exact --nocapture {THIS}"))
        .arg(program)
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell")
}

/// The child's words; ends when it ends.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let stderr = child.stderr.take().expect("piped");
    BufReader::new(stderr).lines().map(|line| line.expect("text"))
}

fn epoch_in(line: &str) -> Option<u64> {
    line.strip_prefix("epoch ")?.parse().ok()
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    let (_parent, dir) = new_folder();
    let mut known = 0;
    for epochs in [1, 7, 40] {
        let mut child = child(&dir, "");
        let mut last = 0;
        for line in lines(&mut child) {
            last = epoch_in(&line).unwrap_or(last);
            if last >= known + epochs {
                // The first time only matters; it writes on until the signal arrives.
                child.kill().expect("is running");
            }
        }
        child.wait().expect("ended");
        assert!(last >= known + epochs, "the child died at epoch {last}");
        let loaded = open(&dir).load().expect("readable");
        known = loaded.highest_epoch.0;
        assert!(known >= last, "epoch {last} was written, {known} is there");
        assert_eq!(loaded, after(known));
    }
}

#[test]
fn another_process_keeps_this_one_out_until_it_dies() {
    let (_parent, dir) = new_folder();
    let mut child = child(&dir, "");
    let pid = child.id();
    let mut lines = lines(&mut child);
    lines.find_map(|line| epoch_in(&line)).expect("it writes");
    let error = SledStore::open(&dir, &identity()).expect_err("in use");
    assert!(matches!(error, StateError::Locked { pid: Some(by), .. } if by == pid), "{error}");
    child.kill().expect("is running");
    lines.for_each(drop);
    child.wait().expect("ended");
    open(&dir);
}

/// A limit on the size of files stands in for a full disk: sled sees a write that fails.
#[test]
fn a_full_disk_stops_the_writer_and_keeps_what_was_committed() {
    for kilobytes in [1024, 1536, 3072] {
        let (_parent, dir) = new_folder();
        let mut child = child(&dir, &format!("trap '' XFSZ; ulimit -f {kilobytes};"));
        let mut last = 0;
        let mut failure = String::new();
        for line in lines(&mut child) {
            last = epoch_in(&line).unwrap_or(last);
            if line.starts_with("exit ") {
                failure = line;
            }
        }
        assert!(child.wait().expect("ended").success(), "it ends by itself: {failure}");
        assert!(failure.starts_with("exit 1 writing the state to"), "{failure}");
        assert!(failure.contains("--state-dir"), "{failure}");
        let loaded = open(&dir).load().expect("readable");
        // The write that failed was the fold of `last`; so much of it as arrived is completed.
        let at = loaded.base.epoch.0;
        assert!(at == last || at + 1 == last, "{last} was written, {at} is there");
        assert_eq!(loaded.base, image(at));
        assert!(at == last || loaded.redo == Some(change(last)), "{last} is lost");
    }
}
