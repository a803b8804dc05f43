//! What the program says to a mistake, made the same for every run: exit code and stderr, with
//! ports, times, folders and the names of a run replaced.

use std::path::Path;

/// Compares exit code and stderr with the snapshot of that name. Whatever the mistake is, no
/// backtrace and no panic belongs to the answer.
pub(crate) fn assert_said(name: &str, dir: &Path, code: Option<i32>, stderr: &str) {
    assert!(!stderr.contains("panic") && !stderr.contains("backtrace"), "{stderr}");
    let code = code.map_or_else(|| "none (a signal)".to_owned(), |code| code.to_string());
    let dir = format!("{}", dir.display());
    let said = stderr.replace(&dir, "[dir]");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "[time]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
    settings.add_filter(r"-\d+-\d+-", "-[run]-");
    settings.add_filter(r"waited_s=\d+", "waited_s=[n]");
    settings.add_filter(r"after \d+ms in state", "after [n]ms in state");
    settings.add_filter(r", \d+ identical error\(s\) suppressed", "");
    settings.set_snapshot_path("../snapshots");
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, format!("exit code: {code}\n\n{said}")));
}
